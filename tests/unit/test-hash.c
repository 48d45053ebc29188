/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/hash.c: SipHash against its published vectors, the table against a plain array under
 * random puts and removes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/rng.h"

/* Aumasson and Bernstein 2012, appendix A, and the first lines of their vectors: key
 * 00 01 .. 0f, input 00 01 .. n-1. */
static void test_siphash_vectors(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        uint64_t hash;
    } cases[] = {
        {0, 0x726fdb47dd0e0e31ULL}, {1, 0x74f839c593dc67fdULL}, {2, 0x0d6c8009d9a94f5aULL},
        {7, 0xab0200f58b01d137ULL}, {8, 0x93f5f5799a932462ULL}, {15, 0xa129ca6149be45e5ULL},
    };
    struct hash_seed seed = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    uint8_t in[16];
    for (unsigned i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)i;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(siphash24(in, cases[i].n, seed), cases[i].hash);
}

/* The first lines of vectors_sip128 of the authors' reference code, the same key and inputs. */
static void test_siphash_128_vectors(void **state)
{
    (void)state;
    static const uint8_t want[2][16] = {
        {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
         0x93},
        {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
         0x45},
    };
    struct hash_seed seed = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    for (size_t n = 0; n < ARRAY_SIZE(want); n++) {
        uint64_t got[2];
        siphash24_128("\0", n, seed, got);
        for (unsigned i = 0; i < 16; i++)
            assert_int_equal(got[i / 8] >> (8 * (i % 8)) & 0xff, want[n][i]);
    }
}

static void test_put_get_remove(void **state)
{
    (void)state;
    _cleanup_(hash_table_freep) struct hash_table *t = NULL;
    assert_int_equal(hash_table_new((struct hash_seed){1, 2}, &t), 0);
    int a = 1, b = 2;
    assert_null(hash_table_get(t, "x", 1));
    assert_int_equal(hash_table_put(t, "x", 1, &a), 0);
    assert_int_equal(hash_table_put(t, "x", 1, &b), -EEXIST);
    assert_ptr_equal(hash_table_get(t, "x", 1), &a);
    assert_int_equal(hash_table_put(t, "xy", 2, &b), 0);
    assert_int_equal(hash_table_put(t, "", 0, &b), 0);
    assert_int_equal(hash_table_size(t), 3);
    assert_ptr_equal(hash_table_remove(t, "x", 1), &a);
    assert_null(hash_table_remove(t, "x", 1));
    assert_ptr_equal(hash_table_get(t, "xy", 2), &b);
    assert_ptr_equal(hash_table_get(t, "", 0), &b);
    assert_int_equal(hash_table_size(t), 2);
}

static void test_against_array(void **state)
{
    (void)state;
    enum { KEYS = 2000, STEPS = 100000 };
    const char *env = getenv("PORTWARD_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
    printf("# seed %llu\n", (unsigned long long)seed);
    struct rng rng = {seed};
    _cleanup_(hash_table_freep) struct hash_table *t = NULL;
    assert_int_equal(hash_table_new((struct hash_seed){rng_next(&rng), rng_next(&rng)}, &t), 0);
    static uint32_t key[KEYS];
    static bool in[KEYS];
    memset(in, 0, sizeof(in));
    size_t n = 0;
    for (uint32_t i = 0; i < KEYS; i++)
        key[i] = i;
    for (int step = 0; step < STEPS; step++) {
        uint32_t k = rng_below(&rng, step < STEPS / 2 ? KEYS : KEYS / 8);
        if (rng_below(&rng, 2)) {
            assert_int_equal(hash_table_put(t, &key[k], sizeof(key[k]), &key[k]),
                             in[k] ? -EEXIST : 0);
            n += !in[k];
            in[k] = true;
        } else {
            assert_ptr_equal(hash_table_remove(t, &key[k], sizeof(key[k])), in[k] ? &key[k] : NULL);
            n -= in[k];
            in[k] = false;
        }
    }
    assert_int_equal(hash_table_size(t), n);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_ptr_equal(hash_table_get(t, &key[i], sizeof(key[i])), in[i] ? &key[i] : NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_vectors),
        cmocka_unit_test(test_siphash_128_vectors),
        cmocka_unit_test(test_put_get_remove),
        cmocka_unit_test(test_against_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
