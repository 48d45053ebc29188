/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dynamic layer with a clock of the test: ids, extension, expiry, end of permits; a copy is
 * independent of what it was copied from. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/agent/dynamic.h"
#include "base/limits.h"
#include "text/text.h"

enum { S = 1000000000 };

static size_t add(struct dynamic *l, const char *text, uint64_t deadline_ns, const char *reason)
{
    struct filter f;
    struct diag d = {0};
    size_t i = SIZE_MAX;
    filter_init(&f);
    assert_int_equal(text_parse_filter(text, strlen(text), &d, &f), 0);
    struct dynamic_new o = {
        .filter = &f, .guid = {{1, (uint8_t)l->n}}, .deadline_ns = deadline_ns, .reason = reason};
    assert_int_equal(dynamic_add(l, &o, &d, &i), 0);
    filter_done(&f);
    return i;
}

static uint32_t add_id(struct dynamic *l, const char *text)
{
    size_t i = add(l, text, 0, NULL);
    return l->v[i]->filter.handle;
}

static void test_ids_are_never_reused(void **state _unused_)
{
    struct dynamic l = {0};
    assert_int_equal(add_id(&l, "block in tcp port 1"), 1);
    assert_int_equal(add_id(&l, "block in tcp port 2"), 2);
    dynamic_remove(&l, 1);
    assert_int_equal(add_id(&l, "block in tcp port 2"), 3);
    dynamic_clear(&l);
    assert_int_equal(add_id(&l, "block in tcp port 2"), 4);
    assert_int_equal(dynamic_find_id(&l, 4), 0);
    assert_true(dynamic_find_id(&l, 3) == SIZE_MAX);
    dynamic_done(&l);
}

static void test_find_equal(void **state _unused_)
{
    struct dynamic l = {0};
    struct filter f;
    struct diag d = {0};
    add(&l, "block in tcp port 445", 0, NULL);
    const char *same = "block in tcp from any to me port 445";
    filter_init(&f);
    assert_int_equal(text_parse_filter(same, strlen(same), &d, &f), 0);
    assert_int_equal(dynamic_find_equal(&l, &f), 0);
    f.action = ACTION_PERMIT;
    assert_true(dynamic_find_equal(&l, &f) == SIZE_MAX);
    filter_done(&f);
    dynamic_done(&l);
}

static void extend(struct dynamic *l, uint64_t deadline_ns, const char *reason, bool changed,
                   uint64_t want_ns)
{
    bool did = !changed;
    uint32_t id = l->v[0]->filter.handle;
    assert_int_equal(dynamic_extend(l, 0, deadline_ns, reason, &did), 0);
    assert_int_equal(did, changed);
    assert_true(l->v[0]->deadline_ns == want_ns);
    assert_int_equal(l->v[0]->filter.handle, id);
}

static void test_extend(void **state _unused_)
{
    struct dynamic l = {0};
    add(&l, "block in tcp port 1", 100ULL * S, "worm");
    extend(&l, 50ULL * S, NULL, false, 100ULL * S); /* never shorter */
    extend(&l, 100ULL * S, "worm", false, 100ULL * S);
    extend(&l, 200ULL * S, NULL, true, 200ULL * S);
    assert_string_equal(l.v[0]->reason, "worm");
    extend(&l, 10ULL * S, "other", true, 200ULL * S);
    assert_string_equal(l.v[0]->reason, "other");
    extend(&l, 0, NULL, true, 0); /* no deadline is the latest */
    extend(&l, 300ULL * S, NULL, false, 0);
    dynamic_done(&l);
}

static void test_expiry(void **state _unused_)
{
    struct dynamic l = {0};
    assert_true(dynamic_next_deadline(&l) == 0);
    add(&l, "block in tcp port 1", 100ULL * S, NULL);
    add(&l, "permit in tcp port 2", 50ULL * S, NULL);
    add(&l, "block in tcp port 3", 0, NULL);
    assert_true(dynamic_next_deadline(&l) == 50ULL * S);
    assert_false(dynamic_is_expired(l.v[1], 50ULL * S - 1));
    assert_true(dynamic_is_expired(l.v[1], 50ULL * S));
    assert_int_equal(dynamic_drop_expired(&l, 49ULL * S), 0);
    assert_int_equal(dynamic_drop_expired(&l, 60ULL * S), 1);
    assert_true(dynamic_next_deadline(&l) == 100ULL * S);
    assert_int_equal(dynamic_drop_expired(&l, 1000ULL * S), 1);
    assert_int_equal(l.n, 1);
    assert_int_equal(l.v[0]->filter.handle, 3);
    dynamic_done(&l);
}

static void test_drop_permits(void **state _unused_)
{
    struct dynamic l = {0};
    add(&l, "permit in tcp port 1", 0, NULL);
    add(&l, "block in tcp port 2", 7, NULL);
    add(&l, "permit in tcp port 3", 9, NULL);
    add(&l, "negotiate in tcp port 4", 0, NULL); /* these two deny, too */
    add(&l, "permit inpass in tcp port 5", 0, NULL);
    assert_int_equal(dynamic_drop_permits(&l), 2);
    assert_int_equal(l.n, 3);
    assert_int_equal(l.v[0]->filter.action, ACTION_BLOCK);
    assert_int_equal(l.v[1]->filter.action, ACTION_NEGOTIATE);
    assert_true(l.v[2]->filter.inpass);
    assert_int_equal(l.next_id, 6);
    dynamic_done(&l);
}

static void test_copy_is_independent(void **state _unused_)
{
    struct dynamic l = {0}, copy = {0};
    bool changed;
    add(&l, "block in tcp port 1", 5ULL * S, "a");
    add(&l, "block in tcp port 2", 0, NULL);
    assert_int_equal(dynamic_copy(&l, &copy), 0);
    assert_int_equal(dynamic_extend(&copy, 0, 9ULL * S, "b", &changed), 0);
    dynamic_remove(&copy, 1);
    add(&copy, "block in tcp port 4", 0, NULL);
    assert_int_equal(l.n, 2);
    assert_true(l.v[0]->deadline_ns == 5ULL * S);
    assert_string_equal(l.v[0]->reason, "a");
    dynamic_done(&l);
    assert_int_equal(copy.n, 2);
    assert_string_equal(copy.v[0]->reason, "b");
    assert_int_equal(copy.v[1]->filter.handle, 3);
    dynamic_done(&copy);
}

static void test_limit(void **state _unused_)
{
    struct dynamic l = {0};
    struct filter f;
    struct diag d = {0};
    size_t i;
    for (uint32_t k = 0; k < LIMIT_DYNAMIC_FILTERS; k++) {
        filter_init(&f);
        f.action = ACTION_BLOCK;
        struct dynamic_new o = {.filter = &f};
        assert_int_equal(dynamic_add(&l, &o, &d, &i), 0);
    }
    struct dynamic_new o = {.filter = &f};
    assert_int_equal(dynamic_add(&l, &o, &d, &i), -E2BIG);
    assert_string_equal(d.message, "more than 65536 dynamic filters");
    assert_int_equal(d.code, DIAG_LIMIT);
    dynamic_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_are_never_reused),
        cmocka_unit_test(test_find_equal),
        cmocka_unit_test(test_extend),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_drop_permits),
        cmocka_unit_test(test_copy_is_independent),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
