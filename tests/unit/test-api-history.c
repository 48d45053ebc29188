/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the API makes of the history and of changes that are only tried: members of bodies and
 * queries on their way in, previews and entries on their way out. */
#include "fake-agent.h"

static json_t *member(const json_t *j, const char *path)
{
    char copy[64];

    (void)snprintf(copy, sizeof(copy), "%s", path);
    for (char *key = strtok(copy, "."); key; key = strtok(NULL, "."))
        j = strspn(key, "0123456789") == strlen(key)
                ? json_array_get(j, (size_t)strtoul(key, NULL, 10))
                : json_object_get(j, key);
    return j ? json_incref((json_t *)(uintptr_t)j) : json_null();
}

static void expect_text(const json_t *j, const char *path, const char *text)
{
    _cleanup_json_ json_t *m = member(j, path);

    assert_string_equal(json_string_value(m), text);
}

static void test_tried_change(void **state)
{
    _cleanup_json_ json_t *tried = NULL, *real = NULL;

    (void)state;
    assert_int_equal(ask("POST", "/v1/filters",
                         "{\"text\":\"echo\",\"dry_run\":true,\"if_generation\":7,"
                         "\"peer\":\"2001:db8::7\",\"reason\":\"r\"}",
                         &tried),
                     200);
    expect_text(tried, "data.filter.text", "dry 1 if 7 rev 0 peer 2001:db8::7 reason r");
    expect_text(tried, "data.preview.changes.0.verdict", "block");
    expect_text(tried, "data.preview.changes.0.id", "s1");
    expect_text(tried, "data.preview.changes.1.verdict", "permit");
    expect_text(tried, "data.exceptions.0.set", "dry 1 if 7 rev 0 peer 2001:db8::7 reason r");
    {
        _cleanup_json_ json_t *n = member(tried, "data.preview.connections");
        _cleanup_json_ json_t *id = member(tried, "data.preview.changes.1.id");
        _cleanup_json_ json_t *equal = member(tried, "data.preview.equal");
        _cleanup_json_ json_t *arms = member(tried, "data.preview.arms");

        assert_true(json_is_null(n) && json_is_null(id));
        assert_true(json_is_false(equal) && json_is_true(arms));
    }
    assert_int_equal(ask("POST", "/v1/filters", "{\"text\":\"echo\"}", &real), 200);
    expect_text(real, "data.filter.text", "dry 0 if 0 rev 0 peer  reason -");
    assert_null(json_object_get(json_object_get(real, "data"), "preview"));
}

static void test_rollback_and_history(void **state)
{
    _cleanup_json_ json_t *back = NULL, *h = NULL, *none = NULL, *text = NULL;

    (void)state;
    assert_int_equal(ask("POST", "/v1/policies/A%2FB/rollback", "{\"revision\":6}", &back), 200);
    expect_text(back, "schema", "portward.policy-rollback/1");
    assert_int_equal(ask("GET", "/v1/history?policy=W&limit=3", NULL, &h), 200);
    expect_text(h, "schema", "portward.policy-history/1");
    expect_text(h, "data.policy", "W");
    expect_text(h, "data.entries.0.login", "alice");
    expect_text(h, "data.entries.0.peer", "10.1.4.7");
    expect_text(h, "data.entries.0.time", "2025-11-22T02:47:12Z");
    {
        _cleanup_json_ json_t *limit = member(h, "data.entries.0.revision");
        _cleanup_json_ json_t *revision = member(h, "data.entries.1.revision");
        _cleanup_json_ json_t *generation = member(h, "data.entries.1.generation");

        assert_int_equal(json_integer_value(limit), 3);
        assert_true(json_is_null(revision) && json_is_null(generation));
    }
    assert_int_equal(ask("GET", "/v1/history?policy=none", NULL, &none), 404);
    assert_int_equal(ask("GET", "/v1/policies/W?revision=5", NULL, &text), 200);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(text, "data"), "revision")),
                     5);
}

static void test_numbers_refused(void **state)
{
    static const struct {
        const char *method, *target, *body;
    } cases[] = {
        {"POST", "/v1/filters", "{\"text\":\"x\",\"if_generation\":0}"},
        {"POST", "/v1/filters", "{\"text\":\"x\",\"if_generation\":-1}"},
        {"POST", "/v1/filters", "{\"text\":\"x\",\"if_generation\":\"7\"}"},
        {"POST", "/v1/filters", "{\"text\":\"x\",\"if_generation\":7.5}"},
        {"POST", "/v1/filters", "{\"text\":\"x\",\"dry_run\":1}"},
        {"POST", "/v1/filters", "{\"text\":\"x\",\"peer\":\"localhost\"}"},
        {"POST", "/v1/filters", "{\"text\":\"x\",\"peer\":\"10.1.4.7 sudo\"}"},
        {"POST", "/v1/policies/W/rollback", "{\"revision\":4294967296}"},
        {"GET", "/v1/history?limit=0", NULL},
        {"GET", "/v1/history?limit=x", NULL},
        {"GET", "/v1/history?limit=99999999999999999999", NULL},
        {"GET", "/v1/history?dry_run=1", NULL},
        {"GET", "/v1/policies/W?revision=", NULL},
        {"GET", "/v1/policies/W?revision=1&source=1", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ json_t *doc = NULL;
        unsigned status = ask(cases[i].method, cases[i].target, cases[i].body, &doc);

        if (status != 400)
            fail_msg("%s %s %s: %u", cases[i].method, cases[i].target,
                     cases[i].body ? cases[i].body : "", status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tried_change),
        cmocka_unit_test(test_rollback_and_history),
        cmocka_unit_test(test_numbers_refused),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start, stop);
}
