/* test_bitstream.c - what was written comes back, and what was not is noticed. */
#include "test.h"

#include "code/bitstream.h"

static void test_fields_and_numbers_come_back(void **state)
{
    struct mc_buf buf;
    mc_buf_init(&buf, 1 << 20);
    struct mc_bit_writer writer = {.out = &buf};
    for (int n = 0; n <= MC_BITS_MOST; n++) {
        mc_bits_write(&writer, (0x123456789abcdef5u & (((uint64_t)1 << n) - 1)), n);
        mc_bits_write_gamma(&writer, (uint32_t)n * 77);
    }
    mc_bits_write_gamma(&writer, UINT32_MAX);
    mc_bits_flush(&writer);
    struct mc_bit_reader reader = {(unsigned char *)buf.data, buf.length, 0};
    uint32_t number;
    size_t length;
    for (int n = 0; n <= MC_BITS_MOST; n++) {
        assert_int_equal(mc_bits_read(&reader, n), (0x123456789abcdef5u & (((uint64_t)1 << n) - 1)));
        assert_true(mc_bits_read_gamma(&reader, &number));
        assert_int_equal(number, n * 77);
    }
    assert_true(mc_bits_read_gamma(&reader, &number));
    assert_int_equal(number, UINT32_MAX);
    assert_true(mc_bits_end(&reader, &length));
    assert_int_equal(length, buf.length);
    mc_buf_finish(&buf);
}

static void test_the_first_bit_is_the_lowest(void **state)
{
    struct mc_buf buf;
    mc_buf_init(&buf, 16);
    struct mc_bit_writer writer = {.out = &buf};
    mc_bits_write(&writer, 1, 1);
    mc_bits_write(&writer, 2, 3);
    mc_bits_flush(&writer);
    assert_int_equal(buf.length, 1);
    assert_int_equal(buf.data[0], 1 | 2 << 1);
    mc_buf_finish(&buf);
}

static void test_behind_the_end_are_zeroes_and_it_is_told(void **state)
{
    const unsigned char bytes[] = {0xff, 0xff};
    struct mc_bit_reader reader = {bytes, sizeof bytes, 0};
    uint32_t number;
    size_t length;
    assert_int_equal(mc_bits_read(&reader, 20), 0xffff);
    assert_false(mc_bits_end(&reader, &length));
    assert_false(mc_bits_read_gamma(&reader, &number)); /* zeroes without end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_and_numbers_come_back),
        cmocka_unit_test(test_the_first_bit_is_the_lowest),
        cmocka_unit_test(test_behind_the_end_are_zeroes_and_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
