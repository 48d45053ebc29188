/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/mpp.c, model/mpp_edit.c: texts of settings, edits, what is refused; random edits against a
 * plain model of ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "base/strbuf.h"
#include "model/mpp.h"

static struct mpp_settings fresh(void)
{
    struct mpp_settings s;
    mpp_settings_init(&s);
    return s;
}

static void expect_text(const struct mpp_settings *s, const char *key, const char *want)
{
    struct strbuf out = STRBUF_INIT(65536);
    assert_int_equal(mpp_settings_print(s, key, &out), 0);
    assert_string_equal(out.s ? out.s : "", want);
    strbuf_done(&out);
}

static int edit(struct mpp_settings *s, const char *text, struct diag *d)
{
    struct mpp_edit e;
    *d = (struct diag){0};
    int err = mpp_edit_parse(text, &e, d);
    return err < 0 ? err : mpp_settings_edit(s, &e, d);
}

static void test_defaults(void **state)
{
    (void)state;
    struct mpp_settings s = fresh();
    const char *key;
    assert_true(mpp_is_on(&s, 0) && mpp_is_on(&s, 1) && mpp_has_profiles(&s));
    s.client = true; /* KB974288: client MPP off, Profiles on */
    assert_true(!mpp_is_on(&s, 0) && !mpp_is_on(&s, 1) && mpp_has_profiles(&s));
    for (unsigned i = 0; (key = mpp_key(i)); i++)
        expect_text(&s, key, "");
    s.on[1] = MPP_SWITCH_ON;
    assert_true(!mpp_is_on(&s, 0) && mpp_is_on(&s, 1));
}

/* What is read comes out in one spelling. */
static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *printed;
    } rows[] = {
        {"mpp.ipv4.enabled", "yes", "yes"},
        {"mpp.ipv6.enabled", "no", "no"},
        {"mpp.profiles", "no", "no"},
        {"mpp.ipv4.exempt", "5000-5009", "5000-5009"},
        {"mpp.ipv4.exempt", "0-0,65535-65535", "0-0, 65535-65535"},
        {"mpp.ipv6.exempt", " 80 ,  81-82 ", "80-80, 81-82"},
        {"mpp.ipv4.exempt", "1-10, 5-20", "1-10, 5-20"}, /* the registry may: union */
        {"mpp.ipv4.exempt", "", ""},
        {"mpp.ipv4.interfaces-off", "eth0  wg0", "eth0 wg0"},
        {"mpp.ipv6.interfaces-off", "eth0 eth0", "eth0"},
        {"mpp.rates", "eth0=200 a=b=1", "eth0=200 a=b=1"},
        {"mpp.rates", "eth0=1000000", "eth0=1000000"},
    };
    static const char *const wrong[][2] = {
        {"mpp.ipv4.enabled", "on"},
        {"mpp.ipv4.enabled", ""},
        {"mpp.profiles", "default"},
        {"mpp.ipv4.exempt", "9-8"},
        {"mpp.ipv4.exempt", "65536"},
        {"mpp.ipv4.exempt", "65530-65536"},
        {"mpp.ipv4.exempt", "1-2-3"},
        {"mpp.ipv4.exempt", "-1"},
        {"mpp.ipv4.exempt", "1-"},
        {"mpp.ipv4.exempt", "0000000000000000000000000000000001-2"},
        {"mpp.rates", "e=00000000000000000000000000000000000001"},
        {"mpp.ipv4.exempt", "+1"},
        {"mpp.ipv4.exempt", "1;2"},
        {"mpp.ipv4.interfaces-off", "a/b"},
        {"mpp.ipv4.interfaces-off", ".."},
        {"mpp.rates", "eth0"},
        {"mpp.rates", "eth0="},
        {"mpp.rates", "eth0=0"},
        {"mpp.rates", "eth0=1000001"},
        {"mpp.rates", "=5"},
        {"mpp.rates", "eth0=-5"},
        {"mpp.rates", "0123456789abcdef=5"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct mpp_settings s = fresh();
        struct diag d = {0};
        assert_int_equal(mpp_settings_put(&s, rows[i].key, rows[i].value, &d), 0);
        expect_text(&s, rows[i].key, rows[i].printed);
        assert_int_equal(mpp_settings_put(&s, rows[i].key, NULL, &d), 0);
        expect_text(&s, rows[i].key, "");
        assert_int_equal(s.n_interfaces, 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct mpp_settings s = fresh(), before = s;
        struct diag d = {0};
        if (mpp_settings_put(&s, wrong[i][0], wrong[i][1], &d) >= 0)
            fail_msg("%s = '%s' is taken", wrong[i][0], wrong[i][1]);
        assert_true(d.message[0] != '\0' && mpp_settings_eq(&s, &before));
    }
    struct mpp_settings s = fresh();
    struct diag d = {0};
    assert_int_equal(mpp_settings_put(&s, "mpp.x", "yes", &d), -ENOENT);
}

static void test_edits(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key, *printed;
    } rows[] = {
        {"disable", "mpp.ipv4.enabled", "no"},
        {"default family 4", "mpp.ipv4.enabled", ""},
        {"enable family 4", "mpp.ipv6.enabled", "no"},
        {"profiles off", "mpp.profiles", "no"},
        {"profiles default", "mpp.profiles", ""},
        {"exempt add 5000-5009", "mpp.ipv6.exempt", "5000-5009"},
        {"exempt add 5000-5009", "mpp.ipv4.exempt", "5000-5009"},
        {"exempt add 80 family 6", "mpp.ipv4.exempt", "5000-5009"},
        {"exempt add 80 family 6", "mpp.ipv6.exempt", "5000-5009, 80-80"},
        {"exempt add 80", "mpp.ipv4.exempt", "5000-5009, 80-80"},
        {"exempt delete 5000-5009", "mpp.ipv6.exempt", "80-80"},
        {"disable interface eth1 family 6", "mpp.ipv6.interfaces-off", "eth1"},
        {"rate eth1 200/s", "mpp.rates", "eth1=200"},
        {"rate eth0 5", "mpp.rates", "eth1=200 eth0=5"},
        {"enable interface eth1", "mpp.ipv6.interfaces-off", ""},
        {"rate eth0 none", "mpp.rates", "eth1=200"},
        {"disable interface eth2 apply-to-existing", "mpp.ipv4.interfaces-off", "eth2"},
        {"reset keep-rate-limits", "mpp.rates", "eth1=200"},
        {"reset", "mpp.rates", ""},
        {"reset", "mpp.ipv4.exempt", ""},
        {"reset", "mpp.ipv4.interfaces-off", "eth2"},
        {"reset all", "mpp.ipv4.interfaces-off", ""},
    };
    struct mpp_settings s = fresh();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct diag d;
        if (edit(&s, rows[i].text, &d) < 0)
            fail_msg("%s: %s", rows[i].text, d.message);
        expect_text(&s, rows[i].key, rows[i].printed);
    }
    assert_int_equal(s.n_interfaces, 0);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum diag_code code;
        const char *message, *hint;
    } rows[] = {
        {"exempt add 5005-5014", DIAG_CONFLICT, "'5005-5014' overlaps the exemption '5000-5009'",
         "portward mpp exempt delete 5000-5009"},
        {"exempt add 5009", DIAG_CONFLICT, "'5009-5009' overlaps the exemption '5000-5009'", ""},
        {"exempt delete 5000-5004", DIAG_UNKNOWN_OBJECT, "no exemption '5000-5004'",
         "the entry is 5000-5009; delete it and add 5005-5009"},
        {"exempt delete 5003-5009", DIAG_UNKNOWN_OBJECT, "no exemption '5003-5009'",
         "the entry is 5000-5009; delete it and add 5000-5002"},
        {"exempt delete 4990-5020", DIAG_UNKNOWN_OBJECT, "no exemption '4990-5020'",
         "the entry is 5000-5009"},
        {"exempt delete 1", DIAG_UNKNOWN_OBJECT, "no exemption '1-1'", "portward mpp exempt list"},
        {"exempt add 65530-65539", DIAG_USAGE, "ports '65530-65539' are outside 0-65535", ""},
        {"exempt add 9-8", DIAG_USAGE, "range '9-8' ends before it begins", ""},
        {"exempt add", DIAG_USAGE, "'' is no range of ports", ""},
        {"exempt list", DIAG_USAGE, "unknown word 'list' for exempt", "exempt: add|delete"},
        {"enable now", DIAG_USAGE, "'now' does not fit here", ""},
        {"enable family", DIAG_USAGE, "a word is missing for family", ""},
        {"enable interface", DIAG_USAGE, "'' is no name of an interface", ""},
        {"enable interface 0123456789abcdef", DIAG_USAGE,
         "'0123456789abcdef' is no name of an interface", ""},
        {"profiles", DIAG_USAGE, "a word is missing for profiles", ""},
        {"profiles on family 4", DIAG_USAGE, "'family' does not fit here", ""},
        {"rate eth0", DIAG_USAGE, "'' is no rate of new connections", ""},
        {"rate eth0 /s", DIAG_USAGE, "'/s' is no rate of new connections", ""},
        {"rate eth0 1000001", DIAG_USAGE, "'1000001' is no rate of new connections", ""},
        {"reset all rates", DIAG_USAGE, "'rates' does not fit here", ""},
        {"", DIAG_USAGE, "a word is missing for mpp", ""},
        {"a b c d e f g h i j k l m", DIAG_USAGE, "too many words, or too long ones", ""},
    };
    struct mpp_settings s = fresh();
    struct diag d;
    assert_int_equal(edit(&s, "exempt add 5000-5009", &d), 0);
    const struct mpp_settings before = s;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (edit(&s, rows[i].text, &d) >= 0)
            fail_msg("'%s' is taken", rows[i].text);
        if (d.code != rows[i].code || strcmp(d.message, rows[i].message) != 0)
            fail_msg("'%s': %d '%s'", rows[i].text, d.code, d.message);
        if (rows[i].hint[0] && strcmp(d.hint, rows[i].hint) != 0)
            fail_msg("'%s': hint '%s'", rows[i].text, d.hint);
        assert_true(mpp_settings_eq(&s, &before));
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct mpp_settings s = fresh();
    struct diag d;
    char text[64];
    for (unsigned i = 0; i < MPP_RANGES_MAX; i++) {
        snprintf(text, sizeof(text), "exempt add %u", i * 2);
        assert_int_equal(edit(&s, text, &d), 0);
    }
    assert_int_equal(edit(&s, "exempt add 60000", &d), -E2BIG);
    assert_int_equal(edit(&s, "exempt add 0", &d), 0); /* is there */
    assert_int_equal(mpp_count_ports(&s.exempt[0]), MPP_RANGES_MAX);
    for (unsigned i = 0; i < MPP_INTERFACES_MAX; i++) {
        snprintf(text, sizeof(text), "rate e%u 1", i);
        assert_int_equal(edit(&s, text, &d), 0);
    }
    assert_int_equal(edit(&s, "rate f 1", &d), -E2BIG);
    assert_int_equal(edit(&s, "rate e0 none", &d), 0);
    assert_int_equal(edit(&s, "rate f 1", &d), 0);
    /* The longest settings there are fit what a setting may hold. */
    struct strbuf out = STRBUF_INIT(65536);
    assert_int_equal(mpp_settings_print(&s, "mpp.rates", &out), 0);
    strbuf_done(&out);
}

/* Adds and deletes against a plain set of entries; each settings survives its own texts. */
static void test_random(void **state)
{
    (void)state;
    const char *given = getenv("PORTWARD_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    struct rng rng = {seed};
    struct mpp_settings s = fresh();
    bool have[64][64] = {{false}};
    printf("# seed %llu\n", (unsigned long long)seed);
    for (unsigned turn = 0; turn < 20000; turn++) {
        unsigned a = (unsigned)rng_below(&rng, 64), b = a + (unsigned)rng_below(&rng, 64 - a);
        bool add = rng_below(&rng, 2) == 0, overlaps = false;
        char text[64];
        struct diag d;
        for (unsigned i = 0; i < 64; i++)
            for (unsigned k = i; k < 64; k++)
                overlaps |= have[i][k] && i <= b && a <= k;
        snprintf(text, sizeof(text), "exempt %s %u-%u", add ? "add" : "delete", a, b);
        int err = edit(&s, text, &d);
        if (add)
            assert_int_equal(err, have[a][b] || !overlaps ? 0 : -EEXIST);
        else
            assert_int_equal(err, have[a][b] ? 0 : -ENOENT);
        if (err == 0)
            have[a][b] = add;
        if (turn % 100 == 0) {
            struct mpp_settings again = fresh();
            const char *key;
            for (unsigned i = 0; (key = mpp_key(i)); i++) {
                struct strbuf out = STRBUF_INIT(65536);
                assert_int_equal(mpp_settings_print(&s, key, &out), 0);
                assert_int_equal(mpp_settings_put(&again, key, out.s, &d), 0);
                strbuf_done(&out);
            }
            assert_true(mpp_settings_eq(&s, &again));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_edits),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests_name("mpp-settings", tests, NULL, NULL);
}
