/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may do what: the right of a peer from its credentials and the group file, the right each
 * request needs, and the credentials of a real peer. */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/api/request.h"

static const struct api_groups both = {true, true, 100, 200}, none = {false, false, 0, 0};

static void test_right_of_peer(void **state)
{
    gid_t of_admin[] = {5, 100}, of_read[] = {200, 7}, others[] = {5, 7};
    const struct {
        struct api_peer peer;
        struct api_groups groups;
        enum api_right right;
    } cases[] = {
        {{0, 0, NULL, 0, ""}, none, RIGHT_CHANGE},
        {{0, 9, NULL, 0, ""}, both, RIGHT_CHANGE},
        {{1000, 100, NULL, 0, ""}, both, RIGHT_CHANGE},
        {{1000, 1000, of_admin, 2, ""}, both, RIGHT_CHANGE},
        {{1000, 200, NULL, 0, ""}, both, RIGHT_READ},
        {{1000, 1000, of_read, 2, ""}, both, RIGHT_READ},
        {{1000, 1000, others, 2, ""}, both, RIGHT_NONE},
        {{1000, 1000, NULL, 0, ""}, both, RIGHT_NONE},
        /* No groups: only root; group 0 is not "no group". */
        {{1000, 0, NULL, 0, ""}, none, RIGHT_NONE},
        {{1000, 1000, of_admin, 2, ""}, none, RIGHT_NONE},
        {{1000, 100, NULL, 0, ""}, {false, true, 100, 200}, RIGHT_NONE},
        {{1000, 200, NULL, 0, ""}, {true, false, 100, 200}, RIGHT_NONE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(api_peer_right(&cases[i].peer, &cases[i].groups), cases[i].right);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_group_file(void **state)
{
    struct api_groups g;
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/pw-group-%d", getpid());
    write_file(path, "root:x:0:\nportward:x:990:alice,bob\nportward-admin:x:991:\n"
                     "portward:x:5:\nportward-adminx:x:3:\n");
    assert_int_equal(api_groups_read(path, "portward-admin", "portward", &g), 0);
    assert_true(g.has_admin && g.has_read);
    assert_int_equal(g.admin, 991);
    assert_int_equal(g.read, 990); /* the first one counts */
    write_file(path, "portward-admin:x:7:\nbroken line\n");
    assert_int_equal(api_groups_read(path, "portward-admin", "portward", &g), 0);
    assert_true(g.has_admin && !g.has_read);
    (void)unlink(path);
    assert_int_equal(api_groups_read(path, "portward-admin", "portward", &g), 0);
    assert_true(!g.has_admin && !g.has_read);
}

/* The right of each request follows from whether it changes something, by its method; explain,
 * reach and the values that a caller keeps for himself are the POSTs that do not. */
static void test_right_of_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_n_routes; i++) {
        const struct route *route = &api_routes[i];
        bool reads = strcmp(route->method, "GET") == 0 || strcmp(route->path, "/v1/explain") == 0 ||
                     strcmp(route->path, "/v1/session") == 0 ||
                     strcmp(route->path, "/v1/reach") == 0;

        assert_int_equal(route->right, reads ? RIGHT_READ : RIGHT_CHANGE);
        assert_int_equal(!!(route->params & PARAM_BIT(PARAM_REASON)), !reads);
        assert_int_equal(route->required & ~route->params, 0);
        for (int right = RIGHT_NONE; right <= RIGHT_CHANGE; right++) {
            struct request r = {.route = route, .right = (enum api_right)right};

            assert_int_equal(route_authorise(&r) == 0, right >= (int)route->right);
            if (right < (int)route->right)
                assert_int_equal(diag_exit_code(r.diag.code), 4);
        }
    }
}

static void test_decode(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"abc", "abc"}, {"A%2Fb%20c", "A/b c"}, {"%c3%BC", "ü"}, {"", ""},
        {"a+b", "a+b"}, {"%00", NULL},          {"%2", NULL},    {"%", NULL},
        {"%zz", NULL},  {"%ff", NULL},          {"%c3", NULL},   {"%%%", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *out = NULL;
        int e = route_decode(cases[i].in, strlen(cases[i].in), &out);

        if (cases[i].out) {
            assert_int_equal(e, 0);
            assert_string_equal(out, cases[i].out);
        } else {
            assert_int_equal(e, -EINVAL);
        }
    }
}

static void test_find(void **state)
{
    static const struct {
        const char *method, *path, *verb, *first, *second;
    } cases[] = {
        {"GET", "/v1/status", "status", NULL, NULL},
        {"POST", "/v1/filters", "block", NULL, NULL},
        {"DELETE", "/v1/filters", "delete", NULL, NULL},
        {"GET", "/v1/policies/a%2Fb", "policy-show", "a/b", NULL},
        {"POST", "/v1/policies/assign/assign", "policy-assign", "assign", NULL},
        {"DELETE", "/v1/policies/a/rules/b%20c", "rule-delete", "a", "b c"},
        {"PUT", "/v1/status", NULL, NULL, NULL},
        {"GET", "/v1/status/", NULL, NULL, NULL},
        {"GET", "/v1", NULL, NULL, NULL},
        {"GET", "", NULL, NULL, NULL},
        {"GET", "v1/status", NULL, NULL, NULL},
        {"GET", "/v1/policies/", NULL, NULL, NULL},
        {"GET", "/v1/policies/a/b", NULL, NULL, NULL},
        {"GET", "//v1/status", NULL, NULL, NULL},
        {"GET", "/v1/policies/%00", NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct request r = {0};
        int e = route_find(&r, cases[i].method, cases[i].path);

        assert_int_equal(e == 0, cases[i].verb != NULL);
        if (cases[i].verb)
            assert_string_equal(r.route->verb, cases[i].verb);
        if (cases[i].first)
            assert_string_equal(r.capture[0], cases[i].first);
        if (cases[i].second)
            assert_string_equal(r.capture[1], cases[i].second);
        request_done(&r);
    }
}

/* A child with other ids connects; what the kernel says of it must be these. */
static void test_real_peer(void **state)
{
    static const gid_t groups[] = {11, 12, 13};
    int pair[2], status;
    struct api_peer p;
    bool found = false;
    char passwd[64];
    pid_t pid;

    (void)state;
    if (geteuid() != 0)
        skip();
    (void)snprintf(passwd, sizeof(passwd), "/tmp/pw-passwd-%d", getpid());
    write_file(passwd, "root:x:0:0::/:\nwilma:x:4711:11::/:\n");
    pid = fork();
    if (pid == 0) {
        if (setgroups(3, groups) < 0 || setgid(11) < 0 || setuid(4711) < 0)
            _exit(1);
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || api_peer_read(pair[0], passwd, &p) < 0)
            _exit(2);
        for (size_t i = 0; i < p.n_groups; i++)
            found = found || p.groups[i] == 13;
        _exit(p.uid == 4711 && p.gid == 11 && p.n_groups == 3 && found &&
                      strcmp(p.login, "wilma") == 0
                  ? 0
                  : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)unlink(passwd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_of_peer),
        cmocka_unit_test(test_group_file),
        cmocka_unit_test(test_right_of_requests),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_real_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
