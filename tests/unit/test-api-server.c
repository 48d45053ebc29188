/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The API server over a real Unix socket, with a stand-in for the agent (fake-agent.h). The server
 * runs in a child process with its own event loop; the tests are its clients. Regression tests for
 * the three traps of libmicrohttpd in an external loop are among them: pipelined requests,
 * half-open clients, large bodies. */
#include "fake-agent.h"

/* --- clients --- */
static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int connect_raw(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(sa.sun_path, server.path, sizeof(server.path));
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static void send_raw(int fd, const char *s)
{
    assert_int_equal(send(fd, s, strlen(s), MSG_NOSIGNAL), (ssize_t)strlen(s));
}

/* Milliseconds until the server closes the connection; what it said before is thrown away. */
static int64_t time_to_close(int fd)
{
    int64_t t0 = now_ms();
    char buf[4096];

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (poll(&p, 1, 8000) <= 0)
            return INT64_MAX;
        if (recv(fd, buf, sizeof(buf), 0) <= 0)
            return now_ms() - t0;
    }
}

/* Counts answers ("HTTP/1.1 ") until there are n or 2 s are over. */
static int count_answers(int fd, int n)
{
    int64_t end = now_ms() + 2000;
    char buf[64 * 1024];
    size_t len = 0;
    int seen = 0;

    while (seen < n && now_ms() < end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (poll(&p, 1, (int)(end - now_ms())) <= 0)
            break;
        got = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
        buf[len] = '\0';
        seen = 0;
        for (const char *s = buf; (s = strstr(s, "HTTP/1.1 ")); s++)
            seen++;
    }
    return seen;
}

static const char *message(const json_t *doc)
{
    return json_string_value(json_object_get(json_object_get(doc, "error"), "message"));
}

static void test_questions(void **state)
{
    _cleanup_json_ json_t *status = NULL, *list = NULL, *text = NULL, *gone = NULL;

    (void)state;
    assert_int_equal(ask("GET", "/v1/status", NULL, &status), 200);
    assert_string_equal(json_string_value(json_object_get(status, "schema")), "portward.status/1");
    assert_true(json_is_true(json_object_get(status, "ok")));
    assert_int_equal(ask("GET", "/v1/filters?layer=local&all=1", NULL, &list), 200);
    assert_string_equal(
        json_string_value(json_object_get(
            json_array_get(json_object_get(json_object_get(list, "data"), "filters"), 0), "text")),
        "permit from any to me");
    assert_int_equal(ask("GET", "/v1/policies/A%2F%C3%BC?source=1", NULL, &text), 200);
    assert_string_equal(json_string_value(json_object_get(json_object_get(text, "data"), "name")),
                        "A/ü");
    assert_string_equal(json_string_value(json_object_get(json_object_get(text, "data"), "text")),
                        "source");
    assert_int_equal(ask("GET", "/v1/filters?policy=gone%2Faway", NULL, &gone), 404);
    assert_int_equal(json_integer_value(json_object_get(gone, "exit")), 1);
}

/* A long list is complete and in order. */
static void test_long_list(void **state)
{
    _cleanup_json_ json_t *list = NULL;

    (void)state;
    assert_int_equal(ask("GET", "/v1/counters?policy=many", NULL, &list), 200);
    const json_t *v = json_object_get(json_object_get(list, "data"), "counters");
    assert_int_equal(json_array_size(v), FAKE_MANY);
    for (size_t i = 0; i < FAKE_MANY; i++)
        assert_int_equal(json_integer_value(json_object_get(json_array_get(v, i), "packets")),
                         7 + i);
}

/* Who asks while a long list is made is answered before it. */
static void test_served_between(void **state)
{
    int fd = connect_raw();
    struct pollfd p = {.fd = fd, .events = POLLIN};
    _cleanup_json_ json_t *status = NULL, *added = NULL;

    (void)state;
    send_raw(fd, "GET /v1/filters?policy=many HTTP/1.1\r\nHost: portward\r\n\r\n");
    (void)poll(NULL, 0, 20); /* it has begun */
    assert_int_equal(ask("GET", "/v1/status", NULL, &status), 200);
    assert_int_equal(poll(&p, 1, 0), 0); /* nothing yet */
    assert_int_equal(ask("POST", "/v1/filters", "{\"text\":\"block x\"}", &added), 200);
    assert_int_equal(poll(&p, 1, 30000), 1);
    close(fd);
    /* Whoever goes away in the middle of it leaves nothing behind. */
    fd = connect_raw();
    send_raw(fd, "GET /v1/filters?policy=many HTTP/1.1\r\nHost: portward\r\n\r\n");
    (void)poll(NULL, 0, 20);
    close(fd);
    json_decrefp(&status);
    assert_int_equal(ask("GET", "/v1/status", NULL, &status), 200);
}

static void test_change(void **state)
{
    _cleanup_json_ json_t *added = NULL, *conflict = NULL;
    const json_t *data;
    int64_t t0 = now_ms();

    (void)state;
    assert_int_equal(ask("POST", "/v1/filters", "{\"text\":\"block x\",\"reason\":\"r\"}", &added),
                     200);
    assert_true(now_ms() - t0 >= CHANGE_DELAY_US / 1000 - 1);
    data = json_object_get(added, "data");
    assert_int_equal(json_integer_value(json_object_get(added, "generation")), 43);
    assert_int_equal(json_integer_value(json_object_get(data, "interfaces")), 3);
    assert_string_equal(json_string_value(json_object_get(json_object_get(data, "filter"), "text")),
                        "block x");
    assert_int_equal(ask("POST", "/v1/filters", "{\"text\":\"conflict\"}", &conflict), 409);
    assert_int_equal(json_integer_value(json_object_get(conflict, "exit")), 5);
}

/* A question is answered while a change waits. */
static void test_not_blocked(void **state)
{
    _cleanup_json_ json_t *doc = NULL;
    _cleanup_(close_p) int fd = connect_raw();
    int64_t t0;

    (void)state;
    send_raw(fd, "POST /v1/filters HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n"
                 "{\"text\":\"never\"}");
    usleep(20 * 1000);
    t0 = now_ms();
    assert_int_equal(ask("GET", "/v1/status", NULL, &doc), 200);
    assert_true(now_ms() - t0 < 1000);
}

static void test_wrong_requests(void **state)
{
    static const struct {
        const char *method, *target, *body;
        unsigned status;
        int exit;
        const char *message;
    } cases[] = {
        {"POST", "/v1/filters", "{\"text\":\"a\",\"x\":1}", 400, 2, "unknown member 'x'"},
        {"POST", "/v1/filters", "{\"text\":\"a\",\"name\":\"x\"}", 400, 2, "unknown member 'name'"},
        {"POST", "/v1/filters", "{\"text\":\"a\",\"text\":\"b\"}", 400, 2, "body is not JSON"},
        {"POST", "/v1/filters", "{\"text\":1}", 400, 2, "member 'text' must be a string"},
        {"POST", "/v1/filters", "{\"text\":null}", 400, 2, "member 'text' is missing"},
        {"POST", "/v1/filters", "{}", 400, 2, "member 'text' is missing"},
        {"POST", "/v1/filters", NULL, 400, 2, "member 'text' is missing"},
        {"POST", "/v1/filters", "[]", 400, 2, "body is not a JSON object"},
        {"POST", "/v1/filters", "{\"text\":\"a\"} {}", 400, 2, "body is not JSON"},
        {"POST", "/v1/filters", "{\"text\":\"a\\u0000b\"}", 400, 2, "body is not JSON"},
        {"POST", "/v1/filters", "{\"text\":\"\xff\"}", 400, 2, "body is not JSON"},
        {"POST", "/v1/filters?text=a", "{}", 400, 2, "this request takes its members in the body"},
        {"DELETE", "/v1/filters", "{\"items\":[]}", 400, 2, "must be an array of strings"},
        {"DELETE", "/v1/filters", "{\"items\":[1]}", 400, 2, "must be an array of strings"},
        {"DELETE", "/v1/filters", "{\"items\":\"d1\"}", 400, 2, "must be an array of strings"},
        {"POST", "/v1/unassign", "{\"persistent\":1}", 400, 2, "must be true or false"},
        {"GET", "/v1/filters?x=1", NULL, 400, 2, "unknown member 'x'"},
        {"GET", "/v1/filters?all=2", NULL, 400, 2, "must be 0 or 1"},
        {"GET", "/v1/filters?layer=dynamic&layer=local", NULL, 400, 2, "given twice"},
        {"GET", "/v1/filters?layer=lokal", NULL, 400, 2, "unknown layer 'lokal'"},
        {"GET", "/v1/filters?policy=%zz", NULL, 400, 2, "percent-encoded"},
        {"GET", "/v1/policies/%ff", NULL, 400, 2, "name in the path"},
        {"GET", "/v1/nothing", NULL, 404, 1, "no such request"},
        {"PUT", "/v1/filters", "{}", 404, 1, "no such request"},
        {"POST", "/v1/explain", "{\"packet\":\"in tpc\"}", 400, 2, "unknown word 'in tpc'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ json_t *doc = NULL;

        assert_int_equal(ask(cases[i].method, cases[i].target, cases[i].body, &doc),
                         cases[i].status);
        assert_int_equal(json_integer_value(json_object_get(doc, "exit")), cases[i].exit);
        assert_non_null(strstr(message(doc), cases[i].message));
    }
}

static void test_reason_limit(void **state)
{
    _cleanup_json_ json_t *doc = NULL;
    char body[1200];

    (void)state;
    (void)snprintf(body, sizeof(body), "{\"reason\":\"%01025d\"}", 0);
    assert_int_equal(ask("POST", "/v1/flush", body, &doc), 422);
    assert_int_equal(json_integer_value(json_object_get(doc, "exit")), 7);
}

/* Without the timer of MHD_get_timeout() some of these never come. */
static void test_pipelined(void **state)
{
    static const char get[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
    _cleanup_(close_p) int fd = connect_raw();
    char five[5 * sizeof(get)] = "";
    int64_t t0 = now_ms();

    (void)state;
    for (int i = 0; i < 5; i++)
        (void)strcat(five, get);
    send_raw(fd, five);
    assert_int_equal(count_answers(fd, 5), 5);
    assert_true(now_ms() - t0 < 200);
}

/* Pipelined changes wait for each other. */
static void test_pipelined_changes(void **state)
{
    static const char post[] = "POST /v1/flush HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
    _cleanup_(close_p) int fd = connect_raw();
    char three[3 * sizeof(post)] = "";

    (void)state;
    for (int i = 0; i < 3; i++)
        (void)strcat(three, post);
    send_raw(fd, three);
    assert_int_equal(count_answers(fd, 3), 3);
}

static void test_keep_alive(void **state)
{
    _cleanup_(close_p) int fd = connect_raw();

    (void)state;
    for (int i = 0; i < 4; i++) {
        send_raw(fd, i % 2 ? "POST /v1/explain HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
                           : "GET /v1/filters HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(count_answers(fd, 1), 1);
    }
}

static void test_half_open(void **state)
{
    _cleanup_(close_p) int silent = connect_raw(), head = connect_raw(), body = connect_raw();

    (void)state;
    send_raw(head, "GET /v1/status HTTP/1.1\r\nHo");
    send_raw(body, "POST /v1/flush HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{");
    assert_in_range(time_to_close(silent), 900, 2500);
    assert_in_range(time_to_close(head), 0, 1500);
    assert_in_range(time_to_close(body), 0, 1500);
}

/* Never idle for long, never complete. */
static void test_drip(void **state)
{
    _cleanup_(close_p) int fd = connect_raw();
    int64_t t0 = now_ms();
    char c;

    (void)state;
    send_raw(fd, "POST /v1/flush HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n{");
    while (now_ms() - t0 < 6000) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (poll(&p, 1, 200) > 0 && recv(fd, &c, 1, 0) <= 0)
            break;
        if (send(fd, " ", 1, MSG_NOSIGNAL) < 0)
            break;
    }
    assert_in_range(now_ms() - t0, 1500, 3500);
}

/* With sd-event's default accuracy this takes minutes. */
static void test_large_body(void **state)
{
    size_t n = 16 * 1024 * 1024;
    _cleanup_free_ char *body = malloc(n + 32);
    _cleanup_json_ json_t *doc = NULL;
    int64_t t0;

    (void)state;
    assert_non_null(body);
    memcpy(body, "{\"text\":\"", 9);
    memset(body + 9, 'a', n);
    memcpy(body + 9 + n, "\"}", 3);
    t0 = now_ms();
    assert_int_equal(ask("POST", "/v1/policies", body, &doc), 200);
    assert_true(now_ms() - t0 < 3000);
}

/* --- a text as body --- */
/* Sends one request with a body of its own type; *ret_doc is the answer. */
static unsigned ask_as(const char *type, const char *target, const char *body, size_t len,
                       json_t **ret_doc)
{
    _cleanup_(close_p) int fd = connect_raw();
    char head[512], answer[64 * 1024] = "";
    size_t got = 0;
    ssize_t n;

    (void)snprintf(head, sizeof(head),
                   "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   target, type, len);
    send_raw(fd, head);
    for (size_t sent = 0; sent < len; sent += (size_t)n) {
        n = send(fd, body + sent, len - sent, MSG_NOSIGNAL);
        assert_true(n > 0);
    }
    while (got < sizeof(answer) - 1 &&
           (n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
        got += (size_t)n;
    const char *text = strstr(answer, "\r\n\r\n");
    assert_non_null(text);
    *ret_doc = json_loads(text + 4, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(*ret_doc);
    return (unsigned)strtoul(answer + strlen("HTTP/1.1 "), NULL, 10);
}

static void test_text_body(void **state)
{
    static const struct {
        const char *type, *target, *body;
        unsigned status;
        const char *message;
    } cases[] = {
        {"text/plain", "/v1/policies", "conflict", 409, NULL}, /* the body is the text */
        {"text/plain; charset=utf-8", "/v1/policies?replace=1", "conflict", 409, NULL},
        {"TEXT/PLAIN", "/v1/policies", "{\"text\":\"x\"}", 200, NULL},
        {"text/plain", "/v1/policies?name=%22%C3%BC&reason=a%26b&peer=192.0.2.1", "x", 200, NULL},
        {"text/plain", "/v1/policies", "", 200, NULL},
        {"text/plain", "/v1/policies?text=y", "x", 400, "parameter 'text' is given beside a text"},
        {"text/plain", "/v1/policies?nothing=1", "x", 400, "unknown member 'nothing'"},
        {"text/plain", "/v1/policies?replace=2", "x", 400, "must be 0 or 1"},
        {"text/plain", "/v1/policies?peer=here", "x", 400, "'peer' must be an address"},
        {"text/plainer", "/v1/policies", "x", 400, "body is not JSON"},
        {"application/json", "/v1/policies?replace=1", "{}", 400, "takes its members in the body"},
        {"text/plain", "/v1/policies/P/rules?name=N", "x", 400, "takes its members in the body"},
        {"text/plain", "/v1/filters", "block in all", 400, "body is not JSON"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ json_t *doc = NULL;
        unsigned status =
            ask_as(cases[i].type, cases[i].target, cases[i].body, strlen(cases[i].body), &doc);

        if (status != cases[i].status)
            print_error("%zu: %u %s\n", i, status, message(doc) ? message(doc) : "");
        assert_int_equal(status, cases[i].status);
        if (cases[i].message)
            assert_non_null(strstr(message(doc), cases[i].message));
    }
    _cleanup_json_ json_t *nul = NULL;
    assert_int_equal(ask_as("text/plain", "/v1/policies", "a\0b", 3, &nul), 400);
    assert_non_null(strstr(message(nul), "NUL byte"));
}

/* 32 MiB, which JSON would have escaped: as they are. */
static void test_large_text_body(void **state)
{
    size_t n = 32 * 1024 * 1024;
    _cleanup_free_ char *body = malloc(n);
    _cleanup_json_ json_t *doc = NULL;
    int64_t t0 = now_ms();

    (void)state;
    assert_non_null(body);
    memset(body, '"', n);
    assert_int_equal(ask_as("text/plain", "/v1/policies", body, n, &doc), 200);
    assert_true(now_ms() - t0 < 3000);
}

static void test_too_large(void **state)
{
    _cleanup_json_ json_t *doc = NULL;
    _cleanup_(close_p) int fd = connect_raw();
    size_t n = 300 * 1024;
    _cleanup_free_ char *body = malloc(n + 1);

    (void)state;
    assert_non_null(body);
    memset(body, ' ', n);
    body[n] = '\0';
    assert_int_equal(ask("POST", "/v1/flush", body, &doc), 413);
    assert_int_equal(json_integer_value(json_object_get(doc, "exit")), 7);
    assert_non_null(strstr(message(doc), "body exceeds 262144 bytes"));
    /* Without a length it is seen on the way. */
    send_raw(fd,
             "POST /v1/flush HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4b000\r\n");
    send_raw(fd, body);
    send_raw(fd, &"00000000\r\n0\r\n\r\n"[8]);
    assert_int_equal(count_answers(fd, 1), 1);
}

/* Requests that wait for the agent keep what they brought: their sum is bounded. */
static void test_large_waiting(void **state)
{
    enum { N = 4, BYTES = 60 * 1024 * 1024 };
    _cleanup_free_ char *body = malloc(BYTES + 1);
    char head[128], answer[1024] = "";
    int fds[N];

    assert_true(state && body);
    memset(body, ' ', BYTES);
    memcpy(body, "{\"text\":\"never\"", 15);
    memcpy(body + BYTES - 1, "}", 2);
    (void)snprintf(head, sizeof(head),
                   "POST /v1/policies HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", BYTES);
    for (int i = 0; i < N; i++) {
        struct pollfd p = {.fd = fds[i] = connect_raw(), .events = POLLIN};
        send_raw(p.fd, head);
        send_raw(p.fd, body);
        assert_int_equal(poll(&p, 1, i < N - 1 ? 100 : 2000), i == N - 1);
    }
    assert_true(recv(fds[N - 1], answer, sizeof(answer) - 1, 0) > 0);
    assert_non_null(strstr(answer, "too many large requests"));
    for (int i = 0; i < N; i++)
        close(fds[i]);
}

/* More idle clients than connections: they are closed, and somebody else gets in. */
static void test_many_idle(void **state)
{
    enum { N = 80 };
    _cleanup_json_ json_t *doc = NULL;
    int fds[N];

    (void)state;
    for (int i = 0; i < N; i++)
        fds[i] = connect_raw();
    assert_int_equal(ask("GET", "/v1/status", NULL, &doc), 200);
    for (int i = 0; i < N; i++)
        close(fds[i]);
}

static void test_asker_gone(void **state)
{
    _cleanup_json_ json_t *doc = NULL;
    int fd = connect_raw();

    (void)state;
    send_raw(fd, "POST /v1/flush HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    usleep(5000);
    close(fd);
    usleep(60 * 1000);
    assert_int_equal(ask("GET", "/v1/status", NULL, &doc), 200);
}

static void test_second_server(void **state)
{
    struct api_options o = {.socket_path = server.path, .group_file = "/nonexistent"};
    struct agent agent = {0};
    struct api_server *s = NULL;
    struct stat st;
    struct diag d;

    (void)state;
    assert_int_equal(stat(server.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600); /* no group: root alone */
    assert_int_equal(sd_event_new(&agent.event), 0);
    assert_int_equal(api_server_start(agent.event, &agent, &o, &d, &s), -EADDRINUSE);
    assert_null(s);
    assert_int_equal(access(server.path, F_OK), 0);
    sd_event_unref(agent.event);
}

/* With the group the socket is its; a socket nobody listens at is replaced. */
static void test_socket_of_group(void **state)
{
    char path[64], groups[64];
    struct api_options o = {.socket_path = path, .group_file = groups};
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct agent agent = {0};
    struct api_server *s = NULL;
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    struct stat st;
    struct diag d;
    FILE *f;

    (void)state;
    if (geteuid() != 0)
        skip();
    (void)snprintf(path, sizeof(path), "/tmp/pw-group-%d.sock", getpid());
    (void)snprintf(groups, sizeof(groups), "/tmp/pw-group-%d.txt", getpid());
    f = fopen(groups, "w");
    assert_non_null(f);
    assert_true(fputs("portward:x:12345:\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    memcpy(sa.sun_path, path, sizeof(path));
    assert_int_equal(bind(dead, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    close(dead);
    assert_int_equal(sd_event_new(&agent.event), 0);
    assert_int_equal(api_server_start(agent.event, &agent, &o, &d, &s), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(st.st_gid, 12345);
    assert_null(api_server_stop(s));
    assert_int_equal(access(path, F_OK), -1);
    sd_event_unref(agent.event);
    (void)unlink(groups);
}

static void test_no_right(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(server.path, 0666), 0);
    pid = fork();
    if (pid == 0) {
        struct api_request r = {.method = "GET", .target = "/v1/status", .timeout_ms = 3000};
        struct api_answer a = {0};
        struct diag d;
        bool good;

        if (setgid(65534) < 0 || setuid(65534) < 0 || api_client_call(server.path, &r, &d, &a) < 0)
            _exit(1);
        good = a.status == 403 && strstr(a.body, "\"exit\":4") &&
               strstr(a.body, "no permission to read");
        r.method = "POST";
        r.target = "/v1/flush";
        r.body = "{}";
        r.body_len = 2;
        api_answer_done(&a);
        if (api_client_call(server.path, &r, &d, &a) < 0)
            _exit(2);
        _exit(good && a.status == 403 && strstr(a.body, "no permission to change") ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A change that waits when the server stops is answered: 3, not silence. */
static void test_stop_while_waiting(void **state)
{
    _cleanup_(close_p) int fd = connect_raw();
    char buf[4096];
    ssize_t n;

    send_raw(fd, "POST /v1/filters HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n"
                 "{\"text\":\"never\"}");
    usleep(50 * 1000);
    assert_int_equal(stop(state), 0);
    n = recv(fd, buf, sizeof(buf) - 1, 0);
    assert_true(n > 0);
    buf[n] = '\0';
    assert_non_null(strstr(buf, "HTTP/1.1 503"));
    assert_non_null(strstr(buf, "agent is stopping"));
    assert_int_equal(start(state), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),          cmocka_unit_test(test_change),
        cmocka_unit_test(test_long_list),          cmocka_unit_test(test_served_between),
        cmocka_unit_test(test_not_blocked),        cmocka_unit_test(test_wrong_requests),
        cmocka_unit_test(test_reason_limit),       cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_pipelined_changes),  cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_half_open),          cmocka_unit_test(test_drip),
        cmocka_unit_test(test_large_body),         cmocka_unit_test(test_text_body),
        cmocka_unit_test(test_large_text_body),    cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_large_waiting),      cmocka_unit_test(test_many_idle),
        cmocka_unit_test(test_asker_gone),         cmocka_unit_test(test_second_server),
        cmocka_unit_test(test_socket_of_group),    cmocka_unit_test(test_no_right),
        cmocka_unit_test(test_stop_while_waiting),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start, stop);
}
