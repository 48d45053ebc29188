/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of fetch.sock: what is read back is what was printed; anything else is refused whole.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/wire.h"

static int parse(const char *line, struct fetch_answer *a)
{
    return fetch_answer_parse(line, strlen(line), a);
}

static void test_answers(void **state _unused_)
{
    static const char *const good[] = {
        "found a 1 192.0.2.1",
        "found x-1._tcp.example 86400 192.0.2.1 2001:db8::1 192.0.2.1",
        "absent example.com",
        "error example.com too-many",
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(FETCH_LINE_BYTES);
        struct fetch_answer a;
        assert_int_equal(parse(good[i], &a), 0);
        assert_int_equal(fetch_answer_print(&a, &b), 0);
        assert_int_equal(b.len, strlen(good[i]) + 1);
        assert_memory_equal(b.s, good[i], strlen(good[i]));
    }
}

static void test_wrong_answers(void **state _unused_)
{
    static const char *const bad[] = {
        "",
        "found",
        "found ",
        "found a",
        "found a 1",
        "found a 1 ",
        "found a 0 192.0.2.1",
        "found a 01 192.0.2.1",
        "found a 86401 192.0.2.1",
        "found a 99999999999 192.0.2.1",
        "found a -1 192.0.2.1",
        "found a 1 192.0.2.1 ",
        "found a 1  192.0.2.1",
        "found a 1 192.0.2.1/24",
        "found a 1 fe80::1%eth0",
        "found A 1 192.0.2.1",
        "found a..b 1 192.0.2.1",
        "found .a 1 192.0.2.1",
        "found a. 1 192.0.2.1",
        "found a/b 1 192.0.2.1",
        "Found a 1 192.0.2.1",
        "absent a b",
        "absent",
        "error a",
        "error a Time",
        "error a abcdefghijklmnopqrstuvwxyzabcdef",
        "error a b c",
        "want a",
    };
    struct fetch_answer a = {.ttl_s = 77};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (parse(bad[i], &a) != -EBADMSG)
            fail_msg("'%s' was accepted", bad[i]);
    assert_int_equal(a.ttl_s, 77); /* untouched */
    assert_int_equal(fetch_answer_parse("absent a\0b", 10, &a), -EBADMSG);
}

/* LIMIT_NAME_ADDRESSES, from both sides, with the longest name: it fits into a line. */
static void test_limits(void **state _unused_)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(FETCH_LINE_BYTES);
    struct fetch_answer a = {.outcome = FETCH_FOUND, .ttl_s = FETCH_TTL_MAX_S}, again;
    memset(a.name, 'a', LIMIT_NAME_BYTES);
    for (a.n = 0; a.n < LIMIT_NAME_ADDRESSES; a.n++)
        a.v[a.n] =
            (struct fetch_address){FAMILY_6, {0x2001fffffffffff0ULL, 0xfffffffffffff000ULL + a.n}};
    assert_int_equal(fetch_answer_print(&a, &b), 0);
    assert_int_equal(fetch_answer_parse(b.s, b.len - 1, &again), 0);
    assert_int_equal(again.n, LIMIT_NAME_ADDRESSES);
    b.len--;
    b.s[b.len] = '\0';
    assert_int_equal(strbuf_add(&b, " 192.0.2.1"), 0);
    assert_int_equal(fetch_answer_parse(b.s, b.len, &again), -EBADMSG);
    char name[LIMIT_NAME_BYTES + 2];
    memset(name, 'a', sizeof(name));
    assert_true(fetch_name_valid(name, LIMIT_NAME_BYTES));
    assert_false(fetch_name_valid(name, LIMIT_NAME_BYTES + 1));
    assert_false(fetch_name_valid(name, 0));
}

static void test_requests(void **state _unused_)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(FETCH_LINE_BYTES);
    struct fetch_request q;
    assert_int_equal(fetch_request_print(FETCH_WANT, "a.example", &b), 0);
    assert_int_equal(fetch_request_print(FETCH_DROP, "b", &b), 0);
    assert_string_equal(b.s, "want a.example\ndrop b\n");
    assert_int_equal(fetch_request_parse("drop b", 6, &q), 0);
    assert_int_equal(q.verb, FETCH_DROP);
    assert_string_equal(q.name, "b");
    assert_int_equal(fetch_request_parse("drop b c", 8, &q), -EBADMSG);
    assert_int_equal(fetch_request_parse("drop", 4, &q), -EBADMSG);
    assert_int_equal(fetch_request_parse("have b", 6, &q), -EBADMSG);
}

static void feed(struct fetch_buffer *b, const char *s, size_t n)
{
    memcpy(b->data + b->n, s, n);
    b->n += n;
}

static void test_lines(void **state _unused_)
{
    struct fetch_buffer b = {0};
    char line[FETCH_LINE_BYTES];
    size_t len;
    feed(&b, "one\ntw", 6);
    assert_int_equal(fetch_buffer_line(&b, line, &len), 1);
    assert_string_equal(line, "one");
    assert_int_equal(fetch_buffer_line(&b, line, &len), 0);
    feed(&b, "o\n\n", 3);
    assert_int_equal(fetch_buffer_line(&b, line, &len), 1);
    assert_string_equal(line, "two");
    assert_int_equal(fetch_buffer_line(&b, line, &len), 1);
    assert_int_equal(len, 0);
    memset(b.data, 'x', sizeof(b.data));
    b.n = sizeof(b.data) - 1;
    assert_int_equal(fetch_buffer_line(&b, line, &len), 0);
    feed(&b, "\n", 1);
    assert_int_equal(fetch_buffer_line(&b, line, &len), 1);
    assert_int_equal(len, sizeof(b.data) - 1);
    memset(b.data, 'x', sizeof(b.data));
    b.n = sizeof(b.data);
    assert_int_equal(fetch_buffer_line(&b, line, &len), -EMSGSIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers), cmocka_unit_test(test_wrong_answers),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_requests),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
