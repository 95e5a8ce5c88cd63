/* test_hash.c - XXH64 by the values that python-xxhash 4.1.0 gives. */
#include "test.h"

#include "base/hash.h"

/* Of the first n of the bytes (7 i + 3) mod 256, by seed. */
static const struct {
    size_t n;
    uint64_t seed, hash;
} expected[] = {
    {0, 0, 0xef46db3751d8e999u},   {0, 0x9e3779b97f4a7c15u, 0xc4349fc93c010000u},
    {1, 0, 0x1f25c8d0bc1f4bb6u},   {1, 0x9e3779b97f4a7c15u, 0x79826bcd749d267au},
    {3, 0, 0x31d2363f52e564c9u},   {3, 0x9e3779b97f4a7c15u, 0x78efd77575e26575u},
    {4, 0, 0x9bb64b7d66ee9fdau},   {4, 0x9e3779b97f4a7c15u, 0x6f0a6c97d68bf353u},
    {7, 0, 0x9a7b149959ce60d8u},   {7, 0x9e3779b97f4a7c15u, 0xd97ede93c9d66a0du},
    {8, 0, 0xdab99d95c6f90092u},   {8, 0x9e3779b97f4a7c15u, 0xa2f1e28437a78a1bu},
    {31, 0, 0xa2aa5f33cc4a6119u},  {31, 0x9e3779b97f4a7c15u, 0x755437271d1d0a84u},
    {32, 0, 0x23c3c17ef790fd97u},  {32, 0x9e3779b97f4a7c15u, 0xbf624b932c090428u},
    {33, 0, 0x50a7cfc7ba588784u},  {33, 0x9e3779b97f4a7c15u, 0x7aceaf1e9d34ea35u},
    {63, 0, 0x5e3e54b431c7493cu},  {63, 0x9e3779b97f4a7c15u, 0x2c8ddce5c85d0d9du},
    {64, 0, 0x0eb64b3ef6eeb01fu},  {64, 0x9e3779b97f4a7c15u, 0x4af341f14e3a6fc9u},
    {200, 0, 0xa6cb3c09bc829b24u}, {200, 0x9e3779b97f4a7c15u, 0x17e5f0aa6728f859u},
};

enum { N_EXPECTED = sizeof expected / sizeof *expected, BYTES = 200 };

static void fill(unsigned char bytes[BYTES])
{
    for (int i = 0; i < BYTES; i++) bytes[i] = (unsigned char)(i * 7 + 3);
}

static void test_values_are_those_of_the_reference(void **state)
{
    unsigned char bytes[BYTES];
    fill(bytes);
    for (int i = 0; i < N_EXPECTED; i++)
        assert_true(mc_hash_bytes(bytes, expected[i].n, expected[i].seed) == expected[i].hash);
}

static void test_pieces_give_the_value_of_the_whole(void **state)
{
    unsigned char bytes[BYTES];
    fill(bytes);
    for (size_t piece = 1; piece < 70; piece++) {
        struct mc_hash hash;
        mc_hash_init(&hash, 0);
        for (size_t at = 0; at < BYTES; at += piece)
            mc_hash_add(&hash, bytes + at, BYTES - at < piece ? BYTES - at : piece);
        assert_true(mc_hash_value(&hash) == mc_hash_bytes(bytes, BYTES, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_those_of_the_reference),
        cmocka_unit_test(test_pieces_give_the_value_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
