/* test_npy.c - NumPy's array file: NumPy's own bytes are read, its own bytes are written, the rest is refused. */
#include "test.h"

#include <string.h>

#include "onnx/npy.h"

/* What numpy 2.3.4 writes for np.save(f, np.array([[1, 2, 3]], '<i2')): header to byte 128. */
static const char head[] = "\x93NUMPY\x01\x00\x76\x00{'descr': '<i2', 'fortran_order': False, 'shape': (1, 3), }";
static const char elements[] = "\1\0\2\0\3\0";

/* A file with the given header text and contents, of format `version`. */
static size_t make_file(char *out, int version, const char *header, const char *contents, size_t n)
{
    const size_t length = strlen(header), start = version == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY", 6);
    memset(out + 6, 0, 6);
    out[6] = (char)version;
    out[8] = (char)(length & 255);
    out[9] = (char)(length >> 8);
    memcpy(out + start, header, length);
    memcpy(out + start + length, contents, n);
    return start + length + n;
}

static void test_numpys_own_bytes(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    struct mc_buf buf;
    char file[134];
    memset(file, ' ', 128);
    memcpy(file, head, sizeof head - 1);
    file[127] = '\n';
    memcpy(file + 128, elements, 6);
    assert_ok(mc_npy_parse(&tensor, file, sizeof file, &err), err);
    assert_int_equal(tensor->dtype, MC_INT16);
    assert_int_equal(tensor->shape.rank, 2);
    assert_int_equal(tensor->shape.dim[1], 3);
    assert_int_equal(mc_tensor_get_i64(tensor, 2), 3);
    mc_buf_init(&buf, 4096);
    assert_ok(mc_npy_header(&buf, tensor, &err), err);
    assert_int_equal(buf.length, 128);
    assert_memory_equal(buf.data, file, 128);
    mc_buf_finish(&buf);
    mc_tensor_destroy(tensor);
}

static void check_parses(int version, const char *header, size_t bytes, enum mc_dtype dtype, int rank)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    char file[512];
    const size_t length = make_file(file, version, header, "\0\1\0\1\0\1\0\1\0\1\0\1\0\1\0\1", bytes);
    assert_ok(mc_npy_parse(&tensor, file, length, &err), err);
    assert_int_equal(tensor->dtype, dtype);
    assert_int_equal(tensor->shape.rank, rank);
    mc_tensor_destroy(tensor);
}

static void test_other_headers_that_numpy_reads(void **state)
{
    check_parses(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, MC_FLOAT, 0);
    check_parses(2, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", 16, MC_DOUBLE, 1);
    check_parses(3, "{\"shape\":(2,2),\"descr\":\"|b1\",\"fortran_order\":False}\n", 4, MC_BOOL, 2);
    check_parses(1, "{'descr': '<c16', 'fortran_order': True, 'shape': (1, 1), }", 16, MC_COMPLEX128, 2);
    check_parses(1, "{'descr': '<u8', 'fortran_order': True, 'shape': (0, 2, 2), }", 0, MC_UINT64, 3);
}

static void check_refused(int status, const char *header, size_t bytes, const char *why)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    char file[512];
    const size_t length = make_file(file, 1, header, "\0\1\2\3\4\5\6\7", bytes);
    assert_int_equal(mc_npy_parse(&tensor, file, length, &err), status);
    if (!strstr(err.text, why)) fail_msg("'%s' says nothing of '%s'", err.text, why);
}

static void test_broken_headers_are_refused(void **state)
{
    check_refused(MC_ERR_INPUT, "", 0, "not a dictionary");
    check_refused(MC_ERR_INPUT, "{'descr': '<f4'", 0, "not a dictionary");
    check_refused(MC_ERR_INPUT, "{'descr': '<f4', 'fortran_order': False}", 4, "the header lacks");
    check_refused(MC_ERR_INPUT, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", 4, "the header lacks");
    check_refused(MC_ERR_INPUT, "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", 4, "'fortran_order' in the");
    check_refused(MC_ERR_INPUT, "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}", 4, "'shape' in the");
    check_refused(MC_ERR_INPUT, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4, "'shape' in the");
    check_refused(MC_ERR_INPUT, "{'descr': '<f4', 'fortran_order': False, 'shape': 1}", 4, "'shape' in the");
    check_refused(MC_ERR_INPUT, "{'descr': '<f4', 'descr': '<f4'}", 4, "'descr' in the");
    check_refused(MC_ERR_INPUT, "{'colour': 1}", 4, "'colour' in the");
    check_refused(MC_ERR_INPUT,
                  "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}", 4,
                  "'shape' in the");
}

static void test_contents_must_fit_the_shape(void **state)
{
    check_refused(MC_ERR_INPUT, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 4, "4 bytes of elements");
    check_refused(MC_ERR_INPUT, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 5, "float32 [1]");
    check_refused(MC_ERR_INPUT, "{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 2147483648)}", 1,
                  "do not make uint8");
    check_refused(MC_ERR_INPUT, "{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", 3, "neither 0 nor 1");
}

static void test_what_is_not_supported_is_said(void **state)
{
    check_refused(MC_ERR_UNSUPPORTED, "{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", 4, "'>f4'");
    check_refused(MC_ERR_UNSUPPORTED, "{'descr': '<U4', 'fortran_order': False, 'shape': (1,)}", 4, "'<U4'");
    check_refused(MC_ERR_UNSUPPORTED, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4,
                  "structured");
    check_refused(MC_ERR_UNSUPPORTED, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2)}", 4, "Fortran");
}

static void test_files_that_end_early_are_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    char file[512];
    const size_t length = make_file(file, 1, "{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }", elements, 6);
    for (size_t n = 0; n < length; n++) assert_int_equal(mc_npy_parse(&tensor, file, n, &err), MC_ERR_INPUT);
    file[0] = 'x';
    assert_int_equal(mc_npy_parse(&tensor, file, length, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "this is not a NumPy file");
}

static void test_types_without_a_numpy_name_are_refused(void **state)
{
    struct mc_error err = {0};
    struct mc_tensor *tensor;
    struct mc_buf buf;
    const struct mc_shape shape = mc_shape_of(0, NULL);
    mc_buf_init(&buf, 4096);
    assert_ok(mc_tensor_create(&tensor, MC_BFLOAT16, &shape, &err), err);
    assert_int_equal(mc_npy_header(&buf, tensor, &err), MC_ERR_UNSUPPORTED);
    assert_string_equal(err.text, "NumPy has no element type bfloat16");
    mc_tensor_destroy(tensor);
    mc_buf_finish(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numpys_own_bytes),
        cmocka_unit_test(test_other_headers_that_numpy_reads),
        cmocka_unit_test(test_broken_headers_are_refused),
        cmocka_unit_test(test_contents_must_fit_the_shape),
        cmocka_unit_test(test_what_is_not_supported_is_said),
        cmocka_unit_test(test_files_that_end_early_are_refused),
        cmocka_unit_test(test_types_without_a_numpy_name_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
