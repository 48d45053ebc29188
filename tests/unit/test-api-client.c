/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The API client below the socket: the parser of answers against canned bytes, in every cut;
 * encoding of targets; the documents that both ends share. And the exchange itself against a
 * peer that behaves badly. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "apiclient/client.h"
#include "apiclient/document.h"
#include "apiclient/http.h"

/* Feeds bytes in pieces of `step`; the parser's last word. */
static int feed(struct http_answer *a, const char *bytes, size_t n, size_t step)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i += step)
        r = http_answer_feed(a, bytes + i, n - i < step ? n - i : step);
    return r;
}

static void good(const char *bytes, unsigned status, const char *body)
{
    for (size_t step = 1; step <= strlen(bytes); step++) {
        _cleanup_(http_answer_freep) struct http_answer *a = NULL;
        _cleanup_free_ char *got = NULL;
        size_t len;

        assert_int_equal(http_answer_new(1000, &a), 0);
        assert_int_equal(feed(a, bytes, strlen(bytes), step), 1);
        assert_int_equal(http_answer_status(a), status);
        got = http_answer_take_body(a, &len);
        assert_string_equal(got, body);
        assert_int_equal(len, strlen(body));
    }
}

static void bad(const char *bytes, int error)
{
    for (size_t step = 1; step <= strlen(bytes); step++) {
        _cleanup_(http_answer_freep) struct http_answer *a = NULL;

        assert_int_equal(http_answer_new(10, &a), 0);
        assert_int_equal(feed(a, bytes, strlen(bytes), step), error);
        assert_int_equal(http_answer_feed(a, "x", 1), -EBADMSG);
    }
}

static void test_good_answers(void **state)
{
    (void)state;
    good("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello");
    good("HTTP/1.1 404 \r\ncontent-length:  0 \r\nX: y\r\n\r\n", 404, "");
    good("HTTP/1.1 204 No Content\r\n\r\n", 204, "");
    good(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n",
        200, "hello!");
    good(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
        200, "0123456789");
    good("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", 200, "1");
}

static void test_bad_answers(void **state)
{
    (void)state;
    bad("HTTP/1.0 200 OK\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 20 OK\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\nContent-Length: 0\n\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\n\r\n", -EBADMSG); /* ends with the connection */
    bad("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", -EBADMSG);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", -EBADMSG);
}

static void test_limits(void **state)
{
    _cleanup_(http_answer_freep) struct http_answer *a = NULL;
    char line[HTTP_HEAD_BYTES + 16];

    (void)state;
    bad("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", -E2BIG);
    bad("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", -E2BIG);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n", -E2BIG);
    bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", -E2BIG);
    assert_int_equal(http_answer_new(10, &a), 0);
    memset(line, 'a', sizeof(line));
    memcpy(line, "HTTP/1.1 200 ", 13);
    assert_int_equal(feed(a, line, sizeof(line), 1000), -E2BIG);
}

static void test_embedded_nul(void **state)
{
    static const char bytes[] = "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n";
    _cleanup_(http_answer_freep) struct http_answer *a = NULL;

    (void)state;
    assert_int_equal(http_answer_new(10, &a), 0);
    assert_int_equal(feed(a, bytes, sizeof(bytes) - 1, 64), -EBADMSG);
}

static void test_targets(void **state)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(1000), small = STRBUF_INIT(8);

    (void)state;
    assert_int_equal(strbuf_add(&b, "/v1/policies/"), 0);
    assert_int_equal(api_target_add_segment(&b, "A/b ?ü~"), 0);
    assert_int_equal(api_target_add_query(&b, "source", "1"), 0);
    assert_int_equal(api_target_add_query(&b, "x", "a&b+c"), 0);
    assert_string_equal(b.s, "/v1/policies/A%2Fb%20%3F%C3%BC~?source=1&x=a%26b%2Bc");
    assert_int_equal(api_target_add_segment(&small, "aaaa/////"), -E2BIG);
}

static void test_exit_codes(void **state)
{
    static const int order[] = {2, 3, 4, 5, 7, 1, 8, 9, 6};
    struct diag word = {.code = DIAG_UNKNOWN_WORD}, port = {.code = DIAG_PORT_RANGE};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        for (size_t j = i; j < ARRAY_SIZE(order); j++) {
            assert_int_equal(api_exit_worse(order[i], order[j]), order[i]);
            assert_int_equal(api_exit_worse(order[j], order[i]), order[i]);
        }
    assert_int_equal(api_exit_worse(0, 0), 0);
    assert_int_equal(api_exit_worse(0, 6), 6);
    assert_int_equal(api_exit_code(&word, API_TEXT_WORDS), 2);
    assert_int_equal(api_exit_code(&word, API_TEXT_FILE), 7);
    assert_int_equal(api_exit_code(&port, API_TEXT_WORDS), 7);
    for (int i = DIAG_NONE; i < _DIAG_CODE_MAX; i++) {
        struct diag d = {.code = (enum diag_code)i};

        assert_in_range(api_exit_code(&d, API_TEXT_FILE), 1, 9);
    }
}

static void test_error_document(void **state)
{
    struct diag_list l = {0};
    struct diag d, back;
    struct span at = {.line = 3, .column = 64, .len = 5, .offset = 151};
    _cleanup_json_ json_t *doc = NULL;

    (void)state;
    assert_int_equal(diag_fail_at(&d, DIAG_PORT_RANGE, at, "port '70000' is out of range"),
                     -EINVAL);
    diag_hint(&d, "ports are 0 to 65535");
    diag_list_add(&l, &d, false);
    (void)diag_fail(&d, DIAG_UNKNOWN_WORD, "unknown word '\xff'");
    diag_list_add(&l, &d, false);
    doc = api_error_document(&l, API_TEXT_FILE, "web.pw");
    assert_non_null(doc);
    assert_string_equal(json_string_value(json_object_get(doc, "schema")), "portward.error/1");
    assert_true(json_is_false(json_object_get(doc, "ok")));
    assert_int_equal(json_integer_value(json_object_get(doc, "exit")), 7);
    assert_int_equal(json_integer_value(json_object_get(doc, "n_errors")), 2);
    api_diag_from_json(json_object_get(doc, "error"), &back);
    assert_int_equal(back.code, DIAG_PORT_RANGE);
    assert_string_equal(back.message, "port '70000' is out of range");
    assert_string_equal(back.hint, "ports are 0 to 65535");
    assert_int_equal(back.n_spans, 1);
    assert_memory_equal(&back.span[0], &at, sizeof(at));
    api_diag_from_json(json_array_get(json_object_get(doc, "errors"), 0), &back);
    assert_string_equal(back.message, "unknown word '\\xff'");
    assert_true(
        json_is_null(json_object_get(json_array_get(json_object_get(doc, "errors"), 0), "hint")));
}

static void test_ok_document(void **state)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(1000);

    (void)state;
    assert_int_equal(api_ok_begin(&b, "list", 42, 1763779632345), 0);
    assert_int_equal(strbuf_add(&b, "{}"), 0);
    assert_int_equal(api_ok_end(&b, NULL), 0);
    assert_string_equal(b.s,
                        "{\"schema\":\"portward.list/1\",\"ok\":true,\"generation\":42,"
                        "\"time\":\"2025-11-22T02:47:12.345Z\",\"data\":{},\"warnings\":[]}\n");
}

static char socket_path[108];

static int hang_ups; /* how many connections the next peer closes before that */

/* A peer in a child process: accepts once, reads until it has seen `until`, says `say`, closes
 * after `wait_ms`. */
static pid_t peer(const char *until, const char *say, int wait_ms)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), c;
    char buf[4096];
    size_t n = 0;
    pid_t pid;

    (void)snprintf(socket_path, sizeof(socket_path), "/tmp/pw-client-%d.sock", getpid());
    (void)unlink(socket_path);
    memcpy(sa.sun_path, socket_path, sizeof(socket_path));
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 4), 0);
    pid = fork();
    if (pid != 0) {
        close(fd);
        return pid;
    }
    while (hang_ups-- > 0)
        close(accept(fd, NULL, NULL));
    c = accept(fd, NULL, NULL);
    while (*until && n < sizeof(buf) - 1) {
        ssize_t got = read(c, buf + n, sizeof(buf) - 1 - n);

        if (got <= 0)
            break;
        n += (size_t)got;
        buf[n] = '\0';
        if (strstr(buf, until))
            break;
    }
    if (write(c, say, strlen(say)) < 0)
        _exit(1);
    usleep((useconds_t)wait_ms * 1000);
    _exit(0);
}

static int call(const struct api_request *r, struct diag *d, struct api_answer *a, pid_t pid)
{
    int e = api_client_call(socket_path, r, d, a), status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)unlink(socket_path);
    return e;
}

static void test_exchange(void **state)
{
    struct api_request r = {.method = "POST",
                            .target = "/v1/x",
                            .body = "{\"a\":1}",
                            .body_len = 7,
                            .timeout_ms = 2000};
    struct api_answer a = {0};
    struct diag d;

    (void)state;
    assert_int_equal(
        call(&r, &d, &a,
             peer("\r\n\r\n{\"a\":1}", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0)),
        0);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "{}");
    api_answer_done(&a);
}

/* The peer refuses before it has read the body, and reads no further. */
static void test_early_refusal(void **state)
{
    size_t size = 4 * 1024 * 1024;
    _cleanup_free_ char *body = malloc(size);
    struct api_request r = {
        .method = "POST", .target = "/v1/x", .body = body, .body_len = size, .timeout_ms = 3000};
    struct api_answer a = {0};
    struct diag d;

    (void)state;
    assert_non_null(body);
    memset(body, 'x', size);
    assert_int_equal(
        call(&r, &d, &a, peer("\r\n\r\n", "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\n{}", 0)), 0);
    assert_int_equal(a.status, 413);
    api_answer_done(&a);
}

static void test_no_answer(void **state)
{
    struct api_request r = {.method = "GET", .target = "/v1/x", .timeout_ms = 300};
    struct api_answer a = {0};
    struct timespec t0, t1;
    struct diag d;
    pid_t pid = peer("\r\n\r\n", "HTTP/1.1 200 OK\r\n", 600);

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    assert_int_equal(api_client_call(socket_path, &r, &d, &a), -ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    assert_in_range((t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000, 250, 550);
    assert_int_equal(d.code, DIAG_AGENT);
    assert_non_null(strstr(d.message, "did not answer within 1s"));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)unlink(socket_path);

    assert_true(call(&r, &d, &a, peer("\r\n\r\n", "HTTP/1.1 200 OK\r\n", 0)) < 0);
    assert_int_equal(d.code, DIAG_AGENT);
    assert_true(call(&r, &d, &a, peer("\r\n\r\n", "what?\r\n", 0)) < 0);
    assert_int_equal(d.code, DIAG_AGENT);
}

/* A busy agent closes connections that have not asked yet. */
static void test_hang_up(void **state)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    struct api_request question = {.method = "GET", .target = "/v1/x", .timeout_ms = 3000};
    struct api_request change = {.method = "POST",
                                 .target = "/v1/x",
                                 .body = "{\"a\":1}",
                                 .body_len = 7,
                                 .timeout_ms = 3000};
    struct api_answer a = {0};
    struct diag d;

    (void)state;
    hang_ups = 3;
    assert_int_equal(call(&question, &d, &a, peer("\r\n\r\n", ok, 0)), 0);
    api_answer_done(&a);
    /* Something of it was sent: it may have been done. */
    hang_ups = 0;
    assert_int_equal(call(&change, &d, &a, peer("\r\n\r\n{\"a\":1}", "", 0)), -ECONNRESET);
    assert_non_null(strstr(d.message, "closed the connection without an answer"));
    /* No end of it. */
    hang_ups = 100;
    pid_t pid = peer("\r\n\r\n", ok, 0);
    assert_int_equal(api_client_call(socket_path, &question, &d, &a), -ECONNRESET);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)unlink(socket_path);
    hang_ups = 0;
}

static void test_no_agent(void **state)
{
    struct api_request r = {.method = "GET", .target = "/v1/x", .timeout_ms = 300};
    struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "/tmp/pw-client-dead.sock"};
    struct api_answer a = {0};
    char long_path[200];
    struct diag d;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    assert_true(api_client_call("/tmp/pw-none/portward.sock", &r, &d, &a) < 0);
    assert_string_equal(
        d.message, "agent not running (/tmp/pw-none/portward.sock: no such file or directory)");
    assert_int_equal(d.code, DIAG_AGENT);
    (void)unlink(sa.sun_path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    close(fd);
    assert_true(api_client_call(sa.sun_path, &r, &d, &a) < 0);
    assert_string_equal(d.message,
                        "agent not running (/tmp/pw-client-dead.sock: connection refused)");
    (void)unlink(sa.sun_path);
    memset(long_path, 'a', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(api_client_call(long_path, &r, &d, &a), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_answers),   cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_limits),         cmocka_unit_test(test_embedded_nul),
        cmocka_unit_test(test_targets),        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_error_document), cmocka_unit_test(test_ok_document),
        cmocka_unit_test(test_exchange),       cmocka_unit_test(test_early_refusal),
        cmocka_unit_test(test_no_answer),      cmocka_unit_test(test_no_agent),
        cmocka_unit_test(test_hang_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
