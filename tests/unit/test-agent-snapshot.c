/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The snapshot of the dynamic layer: what is written comes back; another boot is empty, another
 * namespace keeps only the ids; every damage is refused as a whole; a missing file is refused
 * when filters are in force. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/agent/snapshot.h"
#include "text/text.h"

static const struct snapshot_origin here = {
    .boot_id = "8d3f8ff4-4d3a-4b5b-9c6e-0123456789ab", .netns_cookie = 4711, .generation = 1};

static void add(struct dynamic *l, const char *text, uint64_t deadline_ns, const char *reason)
{
    struct filter f;
    struct diag d = {0};
    size_t i;
    filter_init(&f);
    assert_int_equal(text_parse_filter(text, strlen(text), &d, &f), 0);
    struct dynamic_new o = {.filter = &f,
                            .guid = {{9, (uint8_t)(l->n + 1)}},
                            .deadline_ns = deadline_ns,
                            .reason = reason};
    assert_int_equal(dynamic_add(l, &o, &d, &i), 0);
    filter_done(&f);
}

static void sample(struct dynamic *l)
{
    *l = (struct dynamic){0};
    add(l, "block in tcp port 445", 123456789012345ULL, "SMB \"worm\"\n");
    add(l, "block out udp to 192.0.2.0/24 port 5001-5021,7", 0, NULL);
    add(l, "permit in tcp from 2001:db8::/32 to me port 22", 5, NULL);
    dynamic_remove(l, 1);
}

static void test_round_trip(void **state _unused_)
{
    struct dynamic l, back = {0};
    struct diag d = {0};
    char *text, *again;
    sample(&l);
    assert_int_equal(snapshot_print(&l, &here, &text), 0);
    assert_int_equal(snapshot_parse(text, strlen(text), &here, &d, &back), 0);
    assert_int_equal(back.n, 2);
    assert_int_equal(back.next_id, 4);
    for (size_t i = 0; i < back.n; i++) {
        assert_true(filter_eq(&back.v[i]->filter, &l.v[i]->filter));
        assert_int_equal(back.v[i]->filter.handle, l.v[i]->filter.handle);
        assert_int_equal(guid_cmp(&back.v[i]->filter.guid, &l.v[i]->filter.guid), 0);
        assert_true(back.v[i]->deadline_ns == l.v[i]->deadline_ns);
    }
    assert_string_equal(back.v[0]->reason, "SMB \"worm\"\n");
    assert_null(back.v[1]->reason);
    assert_int_equal(snapshot_print(&back, &here, &again), 0);
    assert_string_equal(text, again);
    free(text);
    free(again);
    dynamic_done(&l);
    dynamic_done(&back);
}

static void test_other_boot_and_namespace(void **state _unused_)
{
    struct dynamic l, back = {0};
    struct diag d = {0};
    char *text;
    struct snapshot_origin boot = here, namespace = here;
    boot.boot_id[0] = '9';
    namespace.netns_cookie++;
    sample(&l);
    assert_int_equal(snapshot_print(&l, &here, &text), 0);
    assert_int_equal(snapshot_parse(text, strlen(text), &boot, &d, &back), 0);
    assert_int_equal(back.n, 0);
    assert_int_equal(back.next_id, 0);
    assert_int_equal(snapshot_parse(text, strlen(text), &namespace, &d, &back), 0);
    assert_int_equal(back.n, 0);
    assert_int_equal(back.next_id, 4);
    free(text);
    dynamic_done(&l);
    dynamic_done(&back);
}

static void refused(const char *text, size_t len)
{
    struct dynamic back = {.next_id = 77};
    struct diag d = {0};
    assert_true(snapshot_parse(text, len, &here, &d, &back) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
    assert_non_null(strstr(d.message, "damaged"));
    assert_non_null(strstr(d.hint, "--forget-dynamic"));
    assert_int_equal(back.next_id, 77);
}

static void test_truncated_everywhere(void **state _unused_)
{
    struct dynamic l;
    char *text;
    sample(&l);
    assert_int_equal(snapshot_print(&l, &here, &text), 0);
    for (size_t len = 0; len < strlen(text); len++)
        refused(text, len);
    free(text);
    dynamic_done(&l);
}

/* One spot of a good snapshot replaced by something of the same length. */
static void test_damage(void **state _unused_)
{
    static const char *const swaps[][2] = {
        {"\"format\": 1", "\"format\": 2"},
        {"\"n_filters\": 2", "\"n_filters\": 3"},
        {"\"next_id\": 4", "\"next_id\": 3"},
        {"block in tcp", "blick in tcp"},
        {"\"id\": 3", "\"id\": 1"},
        {"\"id\": 3", "\"id\": 0"},
        {"\"guid\"", "\"gyid\""},
        {"\"filters\"", "\"fulters\""},
        {"\"deadline_ns\": 5", "\"deadline_ns\":-5"},
        {"\"text\"", "\"guid\""},
    };
    struct dynamic l;
    char *text;
    sample(&l);
    assert_int_equal(snapshot_print(&l, &here, &text), 0);
    for (size_t i = 0; i < ARRAY_SIZE(swaps); i++) {
        char *copy = strdup(text), *at = strstr(copy, swaps[i][0]);
        assert_non_null(at);
        assert_int_equal(strlen(swaps[i][0]), strlen(swaps[i][1]));
        memcpy(at, swaps[i][1], strlen(swaps[i][1]));
        refused(copy, strlen(copy));
        free(copy);
    }
    refused("[]", 2);
    refused("", 0);
    refused("hello\n", 6);
    free(text);
    dynamic_done(&l);
}

/* The layer before a change that the database decides about: what went and what stayed. */
static void before_is_kept(const char *dir, struct dynamic *l)
{
    struct dynamic before, now = {0}, was = {0};
    struct snapshot_origin o = here;
    struct diag d = {0};
    uint64_t generation = 0;
    assert_int_equal(snapshot_read_before(dir, &here, l, &d, &was, &generation), 0);
    assert_int_equal(dynamic_copy(l, &before), 0);
    dynamic_remove(l, 0);
    o.before = &before;
    o.generation = 9;
    assert_int_equal(snapshot_write(dir, l, &o, &d), 0);
    assert_int_equal(snapshot_read(dir, &here, true, &d, &now), 0);
    assert_int_equal(now.n, 1);
    assert_int_equal(snapshot_read_before(dir, &here, &now, &d, &was, &generation), 1);
    assert_int_equal(generation, 9);
    assert_int_equal(was.n, 2);
    assert_int_equal(was.next_id, before.next_id);
    for (size_t i = 0; i < was.n; i++) {
        assert_true(filter_eq(&was.v[i]->filter, &before.v[i]->filter));
        assert_int_equal(was.v[i]->filter.handle, before.v[i]->filter.handle);
        assert_int_equal(guid_cmp(&was.v[i]->filter.guid, &before.v[i]->filter.guid), 0);
        assert_true(was.v[i]->deadline_ns == before.v[i]->deadline_ns);
    }
    dynamic_clear(&now); /* what is said to have stayed is not there */
    dynamic_done(&was);
    assert_true(snapshot_read_before(dir, &here, &now, &d, &was, &generation) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
    dynamic_done(&now);
    dynamic_done(&before);
}

static void test_file(void **state _unused_)
{
    char dir[] = "/tmp/pw-snapshot-XXXXXX", path[128];
    struct dynamic l, back = {0};
    struct diag d = {0};
    struct stat st;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(snapshot_read(dir, &here, false, &d, &back), 0);
    assert_int_equal(back.n, 0);
    assert_true(snapshot_read(dir, &here, true, &d, &back) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
    assert_non_null(strstr(d.message, "missing"));
    sample(&l);
    assert_int_equal(snapshot_write(dir, &l, &here, &d), 0);
    assert_int_equal(snapshot_write(dir, &l, &here, &d), 0);
    assert_int_equal(snapshot_read(dir, &here, true, &d, &back), 0);
    assert_int_equal(back.n, 2);
    /* With an image in force, a file of another boot or namespace says nothing about it. */
    struct snapshot_origin other[] = {here, here, here};
    other[0].boot_id[0] ^= 1;
    other[1].netns_cookie++;
    other[2].generation++;
    for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
        struct dynamic none = {0};
        d = (struct diag){0};
        assert_true(snapshot_read(dir, &other[i], true, &d, &none) < 0);
        assert_int_equal(d.code, DIAG_CORRUPT);
        assert_non_null(strstr(d.message, i < 2 ? "another" : "older"));
        assert_non_null(strstr(d.hint, "--forget-dynamic"));
        assert_int_equal(snapshot_read(dir, &other[i], false, &d, &none), 0);
        assert_int_equal(none.n, i < 2 ? 0 : 2);
        dynamic_done(&none);
    }
    before_is_kept(dir, &back);
    snprintf(path, sizeof(path), "%s/%s", dir, SNAPSHOT_NAME);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* and nothing temporary stayed */
    dynamic_done(&l);
    dynamic_done(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_other_boot_and_namespace),
        cmocka_unit_test(test_truncated_everywhere),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
