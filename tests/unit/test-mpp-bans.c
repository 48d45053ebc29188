/* SPDX-License-Identifier: GPL-2.0-or-later */
/* src/mpp/bans.c over a map of the kernel: ban, probation, forgetting, what happens when it is
 * full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../src/mpp/bans.h"

enum { MAX = 64 };
static const uint64_t second = 1000000000, start = 1000000000000;

static struct mpp_bans *fresh(void)
{
    static struct mpp_bans b;
    int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "bans", 8, 8, MAX, NULL);

    assert_true(fd >= 0);
    b = (struct mpp_bans){.map = fd, .max = MAX};
    return &b;
}

static void done(struct mpp_bans *b)
{
    bans_close(b);
    close_p(&b->map);
}

static uint64_t in_map(const struct mpp_bans *b, uint64_t key)
{
    uint64_t v = 0;
    return bpf_map_lookup_elem(b->map, &key, &v) < 0 ? 0 : v;
}

static void test_life(void **state _unused_)
{
    struct mpp_bans *b = fresh();

    assert_int_equal(bans_enter(b, 7, start), 1);
    assert_int_equal(in_map(b, 7), start + 5 * second);
    assert_int_equal(bans_enter(b, 7, start + second), 0); /* renewed */
    assert_int_equal(in_map(b, 7), start + 6 * second);
    assert_int_equal(bans_in_force(b, 0, UINT64_MAX, start + 6 * second - 1), 1);
    assert_int_equal(bans_in_force(b, 0, UINT64_MAX, start + 6 * second), 0);
    bans_forget(b, start + 36 * second - 1); /* on probation */
    assert_int_equal(b->n, 1);
    assert_int_equal(bans_enter(b, 7, start + 20 * second), 1); /* a new one */
    bans_forget(b, start + 36 * second);
    assert_int_equal(b->n, 1);
    bans_forget(b, start + 55 * second);
    assert_int_equal(b->n, 0);
    assert_int_equal(in_map(b, 7), 0);
    done(b);
}

static void test_ranges(void **state _unused_)
{
    struct mpp_bans *b = fresh();
    const uint64_t keys[] = {0x1ff, 0x200, 0x2ff, 0x300, 0x280, UINT64_MAX, 0};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        assert_int_equal(bans_enter(b, keys[i], start), 1);
    assert_int_equal(bans_in_force(b, 0x200, 0x2ff, start), 3);
    assert_int_equal(bans_in_force(b, 0, 0, start), 1);
    assert_int_equal(bans_in_force(b, 0x400, UINT64_MAX, start), 1);
    for (size_t i = 1; i < b->n; i++)
        assert_true(b->v[i - 1].key < b->v[i].key);
    bans_clear(b);
    assert_int_equal(b->n, 0);
    assert_int_equal(in_map(b, 0x280), 0);
    done(b);
}

/* A ban in force is never pushed out; what is on probation makes room. */
static void test_full(void **state _unused_)
{
    struct mpp_bans *b = fresh();

    for (uint64_t k = 0; k < MAX; k++)
        assert_int_equal(bans_enter(b, k, start + (k & 1) * 3 * second), 1);
    assert_int_equal(bans_enter(b, 1000, start + 4 * second), -ENOSPC);
    for (uint64_t k = 0; k < MAX; k++)
        assert_true(in_map(b, k) > 0);
    assert_int_equal(bans_enter(b, 1, start + 4 * second), 0); /* known: no room is needed */
    assert_int_equal(bans_enter(b, 1000, start + 6 * second), 1);
    assert_int_equal(b->n, MAX / 2 + 1);
    assert_int_equal(in_map(b, 0), 0);
    assert_true(in_map(b, 1) > 0);
    done(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_full),
    };
    if (geteuid() != 0) {
        printf("1..0 # SKIP needs root\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
