/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counter ids: stable per GUID over generations, taken back by a rollback, recycled only after
 * they were retired, carried from one agent to the next; damage of that file is noticed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/agent/files.h"
#include "../../src/agent/runstate.h"
#include "base/rng.h"
#include "datapath/datapath.h"

static const struct hash_seed seed = {1, 2};

static struct guid guid_of(uint32_t n)
{
    return (struct guid){{(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), 1}};
}

static uint32_t get(struct counter_ids *t, uint32_t n, bool expect_fresh)
{
    uint32_t id;
    bool fresh;
    struct guid g = guid_of(n);
    assert_int_equal(counter_ids_get(t, &g, &id, &fresh), 0);
    assert_int_equal(fresh, expect_fresh);
    return id;
}

static void test_stable(void **state _unused_)
{
    _cleanup_(counter_ids_freep) struct counter_ids *t = NULL;
    assert_int_equal(counter_ids_new(seed, &t), 0);
    counter_ids_begin(t);
    uint32_t a = get(t, 1, true), b = get(t, 2, true);
    assert_int_not_equal(a, b);
    assert_int_equal(get(t, 1, false), a); /* the same filter in two layers */
    counter_ids_commit(t);
    counter_ids_begin(t);
    assert_int_equal(get(t, 2, false), b);
    assert_int_equal(get(t, 1, false), a);
    counter_ids_commit(t);
    assert_int_equal(counter_ids_limit(t), 2);
    struct guid g = guid_of(2);
    assert_int_equal(guid_cmp(counter_ids_owner(t, b), &g), 0);
    assert_null(counter_ids_owner(t, 2));
}

static void test_rollback(void **state _unused_)
{
    _cleanup_(counter_ids_freep) struct counter_ids *t = NULL;
    uint32_t id;
    assert_int_equal(counter_ids_new(seed, &t), 0);
    counter_ids_begin(t);
    uint32_t a = get(t, 1, true);
    counter_ids_commit(t);
    counter_ids_begin(t);
    uint32_t b = get(t, 2, true);
    counter_ids_rollback(t);
    assert_null(counter_ids_owner(t, b));
    /* 1 was not asked for in the generation that failed: it is still in force. */
    counter_ids_begin(t);
    assert_int_equal(get(t, 1, false), a);
    assert_int_equal(get(t, 3, true), b); /* clean, nothing counted there */
    counter_ids_commit(t);
    assert_false(counter_ids_recycle(t, &id));
}

static void test_retired_before_reuse(void **state _unused_)
{
    _cleanup_(counter_ids_freep) struct counter_ids *t = NULL;
    uint32_t id;
    assert_int_equal(counter_ids_new(seed, &t), 0);
    counter_ids_begin(t);
    uint32_t a = get(t, 1, true), b = get(t, 2, true);
    counter_ids_commit(t);
    counter_ids_begin(t);
    get(t, 2, false);
    uint32_t c = get(t, 3, true);
    assert_int_not_equal(c, a); /* 1 is still counted by the image in force */
    counter_ids_commit(t);
    counter_ids_begin(t);
    uint32_t e = get(t, 4, true);
    assert_int_not_equal(e, a); /* retired, not reset yet */
    counter_ids_rollback(t);
    assert_true(counter_ids_recycle(t, &id));
    assert_int_equal(id, a);
    assert_false(counter_ids_recycle(t, &id));
    counter_ids_begin(t);
    get(t, 2, false);
    get(t, 3, false);
    uint32_t x = get(t, 5, true), y = get(t, 6, true);
    assert_true((x == a && y == e) || (x == e && y == a));
    assert_int_not_equal(b, x);
    counter_ids_commit(t);
}

/* Random generations against a plain model: no two GUIDs share an id, and no id changes owner
 * between two generations that follow each other. */
static void test_random(void **state _unused_)
{
    const char *env = getenv("PORTWARD_SEED");
    uint64_t start = env ? strtoull(env, NULL, 0) : (uint64_t)getpid() * 7919;
    struct rng r = {start};
    enum { N = 200 };
    uint32_t owner_before[2 * N];
    _cleanup_(counter_ids_freep) struct counter_ids *t = NULL;
    assert_int_equal(counter_ids_new(seed, &t), 0);
    memset(owner_before, 0xff, sizeof(owner_before));
    for (int round = 0; round < 300; round++) {
        uint32_t owner[2 * N], id;
        memset(owner, 0xff, sizeof(owner));
        counter_ids_begin(t);
        for (uint32_t g = 0; g < N; g++) {
            struct guid guid = guid_of(g);
            if (rng_below(&r, 3) == 0)
                continue;
            assert_int_equal(counter_ids_get(t, &guid, &id, NULL), 0);
            if (id >= 2 * N || owner[id] != UINT32_MAX ||
                (owner_before[id] != UINT32_MAX && owner_before[id] != g))
                fail_msg("id %u is given wrongly in round %d, PORTWARD_SEED=%llu", id, round,
                         (unsigned long long)start);
            owner[id] = g;
        }
        if (rng_below(&r, 4) == 0) {
            counter_ids_rollback(t);
            continue;
        }
        counter_ids_commit(t);
        memcpy(owner_before, owner, sizeof(owner));
        while (counter_ids_recycle(t, &id))
            ;
    }
}

static void test_adopt(void **state _unused_)
{
    _cleanup_(counter_ids_freep) struct counter_ids *t = NULL;
    struct guid g1 = guid_of(1), g2 = guid_of(2);
    uint32_t id;
    assert_int_equal(counter_ids_new(seed, &t), 0);
    assert_int_equal(counter_ids_adopt(t, &g1, 5), 0);
    assert_int_equal(counter_ids_adopt(t, &g2, 5), -EEXIST);
    assert_int_equal(counter_ids_adopt(t, &g1, 6), -EEXIST);
    assert_int_equal(counter_ids_adopt(t, &g2, 2), 0);
    assert_int_equal(counter_ids_adopt(t, &g1, DATAPATH_COUNTER_IDS), -ERANGE);
    counter_ids_begin(t);
    assert_int_equal(get(t, 1, false), 5);
    assert_true(get(t, 3, true) >= 6); /* holes may hold foreign counts */
    counter_ids_commit(t);
    size_t n = 0;
    while (counter_ids_recycle(t, &id))
        n++;
    assert_int_equal(n, 5); /* holes 0 1 3 4, and 2, which nobody wants now */
}

static const struct snapshot_origin here = {
    .boot_id = "8d3f8ff4-4d3a-4b5b-9c6e-0123456789ab", .netns_cookie = 4711, .generation = 1};

static void test_file(void **state _unused_)
{
    char dir[] = "/tmp/pw-runstate-XXXXXX", path[128];
    _cleanup_(counter_ids_freep) struct counter_ids *t = NULL;
    struct runstate run = {.generation = 42, .digest = {7, 8}}, back = {0};
    struct diag d = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/%s", dir, RUNSTATE_NAME);
    assert_int_equal(counter_ids_new(seed, &t), 0);
    counter_ids_begin(t);
    uint32_t ids[3] = {get(t, 1, true), get(t, 2, true), get(t, 300, true)};
    counter_ids_commit(t);
    assert_int_equal(runstate_write(dir, &run, t, &here, &d), 0);
    {
        _cleanup_(counter_ids_freep) struct counter_ids *u = NULL;
        assert_int_equal(counter_ids_new(seed, &u), 0);
        assert_int_equal(runstate_read(dir, &here, &back, u), 0);
        assert_memory_equal(&run, &back, sizeof(run));
        counter_ids_begin(u);
        assert_int_equal(get(u, 1, false), ids[0]);
        assert_int_equal(get(u, 2, false), ids[1]);
        assert_int_equal(get(u, 300, false), ids[2]);
        counter_ids_commit(u);
        struct snapshot_origin other = here;
        other.netns_cookie = 1;
        assert_int_equal(runstate_read(dir, &other, &back, u), -ENOENT);
    }
    /* Each flipped byte and each cut is noticed. */
    _cleanup_free_ char *data = NULL;
    size_t len;
    assert_int_equal(file_read(path, 1 << 20, &data, &len), 0);
    for (size_t i = 0; i < 2 * len; i++) {
        _cleanup_(counter_ids_freep) struct counter_ids *u = NULL;
        size_t n = i < len ? len : i - len;
        assert_int_equal(counter_ids_new(seed, &u), 0);
        data[i % len] ^= i < len ? 0x10 : 0;
        assert_int_equal(file_replace(dir, RUNSTATE_NAME, data, n), 0);
        assert_int_equal(runstate_read(dir, &here, &back, u), -EIO);
        data[i % len] ^= i < len ? 0x10 : 0;
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stable),
        cmocka_unit_test(test_rollback),
        cmocka_unit_test(test_retired_before_reuse),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
