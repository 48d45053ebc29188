/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stand-in for the agent that answers the command line with canned documents, for tests of verbs:
 * what they ask for, what they print, their exit code. Included by one test program each. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli_run.h"

static struct cli_env env = {.term = "xterm",
                             .pin_root = "/nonexistent/pins",
                             .now_s = 1763779632}; /* 2025-11-22 02:47:12 UTC */
static char dir[64], asked[64 * 1024];

static size_t read_request(int c, char *buf, size_t size)
{
    size_t n = 0, need = SIZE_MAX;

    while (n < size - 1 && n < need) {
        ssize_t got = read(c, buf + n, size - 1 - n);
        const char *head, *length;

        if (got <= 0)
            break;
        n += (size_t)got;
        buf[n] = '\0';
        head = strstr(buf, "\r\n\r\n");
        length = strstr(buf, "Content-Length: ");
        if (head)
            need = (size_t)(head + 4 - buf) + (length ? strtoul(length + 16, NULL, 10) : 0);
    }
    return n;
}

/* The child: answers `n` requests one after the other, tells the parent what they were. */
static void stand_in(int fd, int report, const char *const *answers, int n)
{
    for (int i = 0; i < n; i++) {
        static char buf[64 * 1024];
        char head[128];
        int c = accept(fd, NULL, NULL);
        size_t len = read_request(c, buf, sizeof(buf));
        const char *body = strstr(buf, "\r\n\r\n");

        dprintf(report, "%.*s%s%s\n", (int)strcspn(buf, "\r") - 9, buf, body && body[4] ? " " : "",
                body ? body + 4 : "");
        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                       strlen(answers[i]));
        if (len == 0 || write(c, head, strlen(head)) < 0 ||
            write(c, answers[i], strlen(answers[i])) < 0)
            _exit(1);
        close(c);
    }
    _exit(0);
}

/* Runs `line` with these answers waiting; what was asked is in `asked`. */
static void converse(const char *line, const char *const *answers, int n)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), report[2], status;
    ssize_t got;
    size_t len = 0;
    pid_t pid;

    (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/portward.sock", dir);
    (void)unlink(sa.sun_path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(pipe(report), 0);
    pid = fork();
    if (pid == 0)
        stand_in(fd, report[1], answers, n);
    close(fd);
    close(report[1]);
    run_cli(&env, line);
    while ((got = read(report[0], asked + len, sizeof(asked) - 1 - len)) > 0)
        len += (size_t)got;
    asked[len] = '\0';
    close(report[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void with(const char *line, const char *answer)
{
    converse(line, &answer, 1);
}

static void expect(int code, const char *request, const char *out, const char *err)
{
    assert_string_equal(asked, request);
    assert_string_equal(run.err, err);
    assert_string_equal(run.out, out);
    assert_int_equal(run.code, code);
}

#define OK(generation, data, warnings)                                     \
    "{\"schema\":\"portward.x/1\",\"ok\":true,\"generation\":" #generation \
    ",\"time\":\"2025-11-22T02:47:12.345Z\",\"data\":" data ",\"warnings\":[" warnings "]}\n"
#define FAILURE(exit, error)                                                            \
    "{\"schema\":\"portward.error/1\",\"ok\":false,\"exit\":" #exit ",\"error\":" error \
    ",\"errors\":[],\"n_errors\":1}\n"
