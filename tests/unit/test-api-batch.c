/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the API makes of a batch: members of its OPs on their way in, results and the OP of an error
 * on their way out; and of the questions and sessions that the dialects need. */
#include "fake-agent.h"

static const json_t *member(const json_t *j, const char *path)
{
    char copy[64];

    (void)snprintf(copy, sizeof(copy), "%s", path);
    for (char *key = strtok(copy, "."); key; key = strtok(NULL, "."))
        j = strspn(key, "0123456789") == strlen(key)
                ? json_array_get(j, (size_t)strtoul(key, NULL, 10))
                : json_object_get(j, key);
    return j;
}

static void expect_text(const json_t *j, const char *path, const char *text)
{
    const char *s = json_string_value(member(j, path));

    if (!s || strcmp(s, text) != 0)
        fail_msg("%s: '%s', not '%s'", path, s ? s : "(none)", text);
}

static void test_members(void **state)
{
    static const char body[] =
        "{\"if_state\":7,\"origin\":\"dialect\",\"ops\":["
        "{\"op\":\"policy-load\",\"text\":\"T\",\"name\":\"N\",\"replace\":true,\"change\":\"C\","
        "\"renamed_from\":\"F\",\"renamed_rules\":{\"new\":\"old\"}},"
        "{\"op\":\"policy-delete\",\"name\":\"N\",\"unassign\":true},"
        "{\"op\":\"assign\",\"name\":\"N\",\"persistent\":true},{\"op\":\"unassign\"},"
        "{\"op\":\"filter-add\",\"text\":\"T\"},"
        "{\"op\":\"filter-delete\",\"items\":[\"d1\",\"d2\"]},{\"op\":\"flush\"},"
        "{\"op\":\"setting\",\"key\":\"K\",\"value\":\"V\"},"
        "{\"op\":\"setting\",\"key\":\"K\",\"value\":null},"
        "{\"op\":\"library\",\"text\":\"\"},{\"op\":\"secret\",\"id\":\"I\",\"value\":\"S\"}]}";
    static const struct {
        enum agent_change_kind kind;
        const char *rest;
    } wanted[] = {
        {AGENT_POLICY_LOAD, "policy N text T key - title C from F renamed 1 new<-old replace 1 "
                            "persistent 0 unassign 0 items 0"},
        {AGENT_POLICY_DELETE, "policy N text - key - title - from - renamed 0 <- replace 0 "
                              "persistent 0 unassign 1 items 0"},
        {AGENT_ASSIGN, "policy N text - key - title - from - renamed 0 <- replace 0 "
                       "persistent 1 unassign 0 items 0"},
        {AGENT_UNASSIGN, "policy - text - key - title - from - renamed 0 <- replace 0 "
                         "persistent 0 unassign 0 items 0"},
        {AGENT_FILTER_ADD, "policy - text T key - title - from - renamed 0 <- replace 0 "
                           "persistent 0 unassign 0 items 0"},
        {AGENT_FILTER_DELETE, "policy - text - key - title - from - renamed 0 <- replace 0 "
                              "persistent 0 unassign 0 items 2"},
        {AGENT_FLUSH, "policy - text - key - title - from - renamed 0 <- replace 0 "
                      "persistent 0 unassign 0 items 0"},
        {AGENT_SETTING, "policy - text V key K title - from - renamed 0 <- replace 0 "
                        "persistent 0 unassign 0 items 0"},
        {AGENT_SETTING, "policy - text - key K title - from - renamed 0 <- replace 0 "
                        "persistent 0 unassign 0 items 0"},
        {AGENT_LIBRARY, "policy - text  key - title - from - renamed 0 <- replace 0 "
                        "persistent 0 unassign 0 items 0"},
        {AGENT_SECRET, "policy - text S key I title - from - renamed 0 <- replace 0 "
                       "persistent 0 unassign 0 items 0"},
    };
    _cleanup_json_ json_t *doc = NULL;

    (void)state;
    assert_int_equal(ask("POST", "/v1/batch", body, &doc), 200);
    expect_text(doc, "schema", "portward.batch/1");
    assert_int_equal(json_array_size(member(doc, "data.results")), ARRAY_SIZE(wanted));
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        char path[64], text[256];

        (void)snprintf(path, sizeof(path), "data.results.%zu.deleted.0.text", i);
        (void)snprintf(text, sizeof(text), "kind %u %s", wanted[i].kind, wanted[i].rest);
        expect_text(doc, path, text);
    }
}

/* An error names its OP, and counts as that OP's request would: a wrong text of a file is a
 * rejected policy, one of a command is wrong use. */
static void test_errors(void **state)
{
    static const struct {
        const char *ops;
        unsigned status;
        int op, exit;
    } wrong[] = {
        {"[{\"op\":\"flush\"},{\"op\":\"filter-add\",\"text\":\"conflict\"}]", 400, 1, 2},
        {"[{\"op\":\"policy-load\",\"text\":\"conflict\"},{\"op\":\"flush\"}]", 422, 0, 7},
        {"[{\"op\":\"flush\"},{\"op\":\"flush\",\"text\":\"x\"}]", 400, 1, 2},
        {"[{\"op\":\"filter-add\"}]", 400, 0, 2},
        {"[{\"op\":\"filter-add\",\"text\":1}]", 400, 0, 2},
        {"[{\"op\":\"filter-delete\",\"items\":[]}]", 400, 0, 2},
        {"[{\"op\":\"batch\"}]", 400, 0, 2},
        {"[{}]", 400, 0, 2},
        {"[7]", 400, 0, 2},
        {"[{\"op\":\"policy-load\",\"text\":\"\",\"renamed_rules\":{\"a\":7}}]", 400, 0, 2},
        {"{}", 400, -1, 2},
        {"7", 400, -1, 2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        _cleanup_json_ json_t *doc = NULL;
        _cleanup_free_ char *body = NULL;

        assert_true(asprintf(&body, "{\"ops\":%s}", wrong[i].ops) > 0);
        assert_int_equal(ask("POST", "/v1/batch", body, &doc), wrong[i].status);
        assert_int_equal(json_integer_value(member(doc, "exit")), wrong[i].exit);
        if (wrong[i].op >= 0)
            assert_int_equal(json_integer_value(member(doc, "op")), wrong[i].op);
        else
            assert_null(member(doc, "op"));
    }
}

static void test_other_members(void **state)
{
    static const char *const refused[] = {"{}",
                                          "{\"ops\":[],\"origin\":\"agent\"}",
                                          "{\"ops\":[],\"if_state\":0}",
                                          "{\"ops\":[],\"if_state\":\"7\"}",
                                          "{\"ops\":[],\"text\":\"x\"}",
                                          "{\"ops\":[],\"op\":\"flush\"}"};
    _cleanup_json_ json_t *none = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        _cleanup_json_ json_t *doc = NULL;

        assert_int_equal(ask("POST", "/v1/batch", refused[i], &doc), 400);
        assert_null(member(doc, "op"));
    }
    assert_int_equal(ask("POST", "/v1/batch", "{\"ops\":null,\"if_state\":7}", &none), 400);
}

/* As many as there may be; each is read once. */
static void test_many(void **state)
{
    enum { N = 10000 };
    static const char one[] = "{\"op\":\"filter-add\",\"text\":\"x\"},";
    _cleanup_free_ char *body = malloc(N * sizeof(one) + 64);
    _cleanup_json_ json_t *doc = NULL;
    char *at = body;

    (void)state;
    assert_non_null(body);
    at = stpcpy(at, "{\"ops\":[");
    for (size_t i = 0; i < N; i++)
        at = stpcpy(at, one);
    (void)stpcpy(at - 1, "]}");
    assert_int_equal(ask("POST", "/v1/batch", body, &doc), 200);
    assert_int_equal(json_array_size(member(doc, "data.results")), N);
}

static void test_questions(void **state)
{
    _cleanup_json_ json_t *number = NULL, *library = NULL, *all = NULL, *one = NULL, *none = NULL,
                          *host = NULL, *ids = NULL;

    (void)state;
    assert_int_equal(ask("GET", "/v1/state", NULL, &number), 200);
    assert_true(json_integer_value(member(number, "data.state")) == 9007199254740993);
    assert_int_equal(ask("GET", "/v1/library", NULL, &library), 200);
    expect_text(library, "data.text", "policy \"filterlists\" { }");
    assert_int_equal(ask("GET", "/v1/settings", NULL, &all), 200);
    expect_text(all, "data.settings.0.value", "3");
    assert_true(json_is_null(member(all, "data.settings.1.value")));
    assert_int_equal(ask("GET", "/v1/settings?key=filter.exempt", NULL, &one), 200);
    assert_int_equal(json_array_size(member(one, "data.settings")), 1);
    assert_int_equal(ask("GET", "/v1/settings?key=x", NULL, &none), 404);
    assert_int_equal(ask("GET", "/v1/host", NULL, &host), 200);
    expect_text(host, "data.addresses.0", "192.0.2.1");
    assert_int_equal(ask("GET", "/v1/policies/P?ids=1", NULL, &ids), 200);
    expect_text(ids, "data.rules.0.name", "first");
    assert_int_equal(json_array_size(member(ids, "data.rules.0.filters")), 0);
}

static void put(const char *body, unsigned status)
{
    _cleanup_json_ json_t *doc = NULL;

    assert_int_equal(ask("POST", "/v1/session", body, &doc), status);
}

static void test_session(void **state)
{
    _cleanup_json_ json_t *none = NULL, *some = NULL, *gone = NULL, *no_key = NULL;

    (void)state;
    assert_int_equal(ask("GET", "/v1/session?key=store", NULL, &none), 200);
    assert_true(json_is_null(member(none, "data.value")));
    put("{\"key\":\"store\",\"value\":\"one\"}", 200);
    put("{\"key\":\"store\",\"value\":\"local\"}", 200);
    assert_int_equal(ask("GET", "/v1/session?key=store", NULL, &some), 200);
    expect_text(some, "data.value", "local");
    put("{\"key\":\"store\"}", 200);
    assert_int_equal(ask("GET", "/v1/session?key=store", NULL, &gone), 200);
    assert_true(json_is_null(member(gone, "data.value")));
    put("{\"value\":\"x\"}", 400);
    put("{\"key\":\"\",\"value\":\"x\"}", 422);
    assert_int_equal(ask("GET", "/v1/session", NULL, &no_key), 400);
    for (int i = 0; i < 17; i++) {
        char body[64];

        (void)snprintf(body, sizeof(body), "{\"key\":\"k%d\",\"value\":\"\"}", i);
        put(body, i < 16 ? 200 : 422);
    }
}

/* The answer arrives whole, and only then the end begins; stop() sees the server end by itself. */
static void test_stop(void **state)
{
    _cleanup_json_ json_t *doc = NULL;

    (void)state;
    assert_int_equal(ask("POST", "/v1/stop", NULL, &doc), 200);
    assert_int_equal(json_integer_value(member(doc, "data.pid")), server.pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),       cmocka_unit_test(test_errors),
        cmocka_unit_test(test_other_members), cmocka_unit_test(test_many),
        cmocka_unit_test(test_questions),     cmocka_unit_test(test_session),
        cmocka_unit_test(test_stop), /* the last one: it ends the server */
    };

    return cmocka_run_group_tests(tests, start, stop);
}
