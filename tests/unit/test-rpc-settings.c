/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc/settings.c: sets of ports, the truth table of Windows, and settings that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "rpc/settings.h"

static void test_ports(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
        uint32_t n;
    } cases[] = {
        {"5001-5021", "5001-5021", 21}, /* KB908472 counts 20 */
        {"1984", "1984", 1},
        {"1000-1050", NULL, 0},
        {" 6000, 5001-5021 ", "5001-5021,6000", 22},
        {"5001-5010 5011-5021", "5001-5021", 21},
        {"5011-5021,5001-5010", "5001-5021", 21},
        {"5001-5005,5007-5010,5006", "5001-5010", 10},
        {"65535", "65535", 1},
        {"1024-17407", "1024-17407", 16384},
        {"1024-17408", NULL, 0},
        {"", NULL, 0},
        {",", NULL, 0},
        {"0", NULL, 0},
        {"1023", NULL, 0},
        {"65536", NULL, 0},
        {"5001-70000", NULL, 0},
        {"5021-5001", NULL, 0},
        {"5001-", NULL, 0},
        {"-5001", NULL, 0},
        {"5001--5021", NULL, 0},
        {"5001-5021x", NULL, 0},
        {"+5001", NULL, 0},
        {"5001-5021,5021", NULL, 0},
        {"99999999999999999999", NULL, 0},
        {"rpc", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct diag d = {0};
        struct rpc_ports p = {.n = 7}, again;
        char text[RPC_PORTS_TEXT_BYTES];
        int r = rpc_ports_parse(cases[i].text, &d, &p);
        if (!cases[i].canonical) {
            assert_true(r < 0);
            assert_int_equal(p.n, 7); /* the old set stays */
            assert_int_equal(diag_exit_code(d.code), 7);
            assert_true(d.message[0] != '\0');
            continue;
        }
        assert_int_equal(r, 0);
        assert_int_equal(p.n_ports, cases[i].n);
        rpc_ports_print(&p, text, sizeof(text));
        assert_string_equal(text, cases[i].canonical);
        assert_int_equal(rpc_ports_parse(text, &d, &again), 0);
        assert_int_equal(again.n_ports, p.n_ports);
    }
}

/* windows.md 8: the row of both values, then what internet, local and default get. */
static void test_truth_table(void **state)
{
    (void)state;
    static const struct {
        bool available, use, internet, local, by_default;
    } rows[] = {
        {true, true, true, false, true},
        {true, false, true, false, false},
        {false, true, false, true, false},
        {false, false, false, true, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rpc_settings s = {.is_set = true,
                                 .ports_internet_available = rows[i].available,
                                 .use_internet_ports = rows[i].use};
        assert_int_equal(rpc_settings_inside(&s, RPC_ASKS_INTERNET), rows[i].internet);
        assert_int_equal(rpc_settings_inside(&s, RPC_ASKS_LOOSE), rows[i].internet);
        assert_int_equal(rpc_settings_inside(&s, RPC_ASKS_LOCAL), rows[i].local);
        assert_int_equal(rpc_settings_inside(&s, RPC_ASKS_DEFAULT), rows[i].by_default);
    }
}

/* NULL-terminated pairs. */
static const char *value_of(void *ctx, const char *key)
{
    for (const char *const *v = ctx; *v; v += 2)
        if (strcmp(v[0], key) == 0)
            return v[1];
    return NULL;
}

static struct rpc_settings read_pairs(const char *const *pairs)
{
    struct rpc_settings s;
    union {
        const char *const *in;
        void *out;
    } u = {pairs};
    assert_int_equal(rpc_settings_read(value_of, u.out, &s), 0);
    return s;
}

#define WHOLE "ports-internet-available", "yes", "use-internet-ports", "yes"

static void test_invalid(void **state)
{
    (void)state;
    static const char *const wrong[][10] = {
        {"ports", "5001-70000", WHOLE, NULL},
        {"ports", "", WHOLE, NULL},
        {"ports", "5001-5021", "ports-internet-available", "maybe", "use-internet-ports", "yes"},
        {"ports", "5001-5021", "ports-internet-available", "yes", NULL},
        {"ports", "5001-5021", "use-internet-ports", "yes", NULL},
        {WHOLE, NULL},
        {"ports", "5001-5021", WHOLE, "guard", "perhaps", NULL},
        {"ports", "5001-5021", WHOLE, "reserve", "-1", NULL},
        {"ports", "5001-5021", WHOLE, "reserve", "many", NULL},
        {"ports", "5001-5021", WHOLE, "confine", "no-unit", NULL},
        {"ports", "5001-5021", WHOLE, "confine", "/app/../etc", NULL},
        {"confine", "a.service b.service", "loose", "b.service", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct rpc_settings s = read_pairs(wrong[i]);
        assert_true(s.invalid);
        assert_true(s.why[0] != '\0');
        rpc_settings_done(&s);
    }
}

static void test_whole(void **state)
{
    (void)state;
    static const char *const pairs[] = {
        "ports",     "5001-5021",   WHOLE,   "confine",   "rpcbind.service, /app",
        "loose",     "a@1.service", "local", "x.service", "default",
        "y.service", "reserve",     "3",     "guard",     "no",
        NULL};
    struct rpc_settings s = read_pairs(pairs), copy;
    assert_false(s.invalid);
    assert_true(s.is_set && !s.guard);
    assert_int_equal(s.reserve, 3);
    assert_int_equal(s.n_confined, 5);
    assert_string_equal(s.confined[0].name, "/app");
    assert_string_equal(s.confined[1].name, "a@1.service");
    assert_int_equal(s.confined[1].asks, RPC_ASKS_LOOSE);
    assert_int_equal(s.confined[3].asks, RPC_ASKS_LOCAL);
    assert_int_equal(s.confined[4].asks, RPC_ASKS_DEFAULT);
    assert_int_equal(rpc_settings_copy(&s, &copy), 0);
    assert_true(rpc_settings_equal(&s, &copy));
    copy.confined[2].asks = RPC_ASKS_LOCAL;
    assert_false(rpc_settings_equal(&s, &copy));
    rpc_settings_done(&s);
    rpc_settings_done(&copy);

    static const char *const nothing[] = {NULL};
    s = read_pairs(nothing);
    assert_true(!s.invalid && !s.is_set && s.guard);
    assert_int_equal(s.reserve, RPC_RESERVE_BY_ITSELF);
    rpc_settings_done(&s);
}

static void test_single(void **state)
{
    (void)state;
    struct diag d = {0};
    assert_int_equal(rpc_settings_check("ports", "5001-5021", &d), 0);
    assert_int_equal(rpc_settings_check("bind", "eth0, eth1", &d), 0);
    assert_true(rpc_settings_check("bind", "a-name-that-is-too-long", &d) < 0);
    assert_true(rpc_settings_check("port", "5001", &d) < 0);
    assert_int_equal(d.code, DIAG_UNKNOWN_WORD);
    for (size_t i = 0; rpc_settings_key(i); i++)
        assert_true(rpc_settings_check(rpc_settings_key(i), "/ / \"", &d) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),   cmocka_unit_test(test_truth_table),
        cmocka_unit_test(test_invalid), cmocka_unit_test(test_whole),
        cmocka_unit_test(test_single),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
