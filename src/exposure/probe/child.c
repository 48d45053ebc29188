/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/child.c: probe_scan(): the two processes of a scan. Called by the command line and
 * by the audit. The child opens its sockets, drops every right, scans; the parent only looks at the
 * memory they share, and believes no value in it that it has not checked. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board.h"
#include "rights.h"
#include "wire_io.h"

enum { POLL_MS = 100, PROXY_MIN = 1000, HIGH_PORT = 1024, PROXY_PERCENT = 90 };

static int run_udp(struct board *b, struct wire *w, struct diag *d)
{
    _cleanup_(udp_freep) struct udp *u = NULL;
    int err = udp_open(b->request, d, &u);
    if (err == 0)
        err = rights_drop();
    if (err == 0 && w)
        return coop_udp_run(u, b, w, d);
    if (err == 0)
        err = board_start(b);
    return err < 0 ? err : udp_run(u, b, d);
}

static int run_syn(struct board *b, struct wire *w, struct diag *d)
{
    _cleanup_(syn_freep) struct syn *s = NULL;
    int err = syn_open(b->request, d, &s);
    if (err == 0)
        err = rights_drop();
    if (err == 0 && w) {
        syn_use_key(s, w->key);
        err = wire_begin(w, b->request, d);
    }
    if (err == 0)
        err = board_start(b); /* the time until the target listens is not the scan's */
    if (err == 0)
        err = syn_run(s, b, d);
    if (err == 0 && w)
        err = coop_finish_tcp(b, w, d);
    return err;
}

static int run_connect(struct board *b, struct diag *d)
{
    int err = rights_drop();
    if (err == 0)
        err = board_start(b);
    return err < 0 ? err : connect_run(b, d);
}

static int run_method(struct board *b, struct diag *d)
{
    const struct probe_request *r = b->request;
    _cleanup_(wire_freep) struct wire *w = NULL;
    int err = r->agent_in >= 0 ? wire_new(r->agent_in, r->agent_out, &w) : 0;
    if (err < 0)
        return err;
    switch (r->method) {
    case PROBE_SYN:
        return run_syn(b, w, d);
    case PROBE_CONNECT:
        return run_connect(b, d);
    case PROBE_UDP:
        return run_udp(b, w, d);
    case _PROBE_METHOD_MAX:
        break;
    }
    return -EINVAL;
}

static _Noreturn void child(const struct probe_request *r, struct shared *out, int events)
{
    struct board *b = NULL;
    struct diag d = {.code = DIAG_NONE};
    int err = board_new(&b); /* ends with this process */
    board_catch_signals();
    if (b) {
        board_init(b, r, out, events);
        err = run_method(b, &d);
        if (err == 0)
            board_finish(b);
        board_done(b);
    }
    if (err < 0 && d.code == DIAG_NONE)
        (void)diag_errno(&d, err, "cannot scan");
    out->error = err;
    (void)snprintf(out->message, sizeof(out->message), "%s", d.message);
    _exit(0);
}

/* Open ports as they come, and progress, until the child closes its end. */
static void follow(const struct probe_request *r, const struct shared *s, int events)
{
    for (;;) {
        struct pollfd p = {.fd = events, .events = POLLIN};
        uint16_t ports[256];
        int ready = poll(&p, 1, POLL_MS);
        if (r->on_progress)
            r->on_progress(r->ctx, s->answered, s->rounds, s->sent);
        if (ready <= 0)
            continue;
        ssize_t n = read(events, ports, sizeof(ports));
        if (n == 0 || (n < 0 && errno != EINTR))
            return;
        for (ssize_t i = 0; r->on_open && i < n / (ssize_t)sizeof(ports[0]); i++)
            if (probe_ports_has(r->ports, ports[i]))
                r->on_open(r->ctx, ports[i]);
    }
}

static void take_text(char *out, size_t size, const char *in)
{
    memcpy(out, in, size);
    out[size - 1] = '\0';
}

static void take_decisions(const struct shared *s, struct probe_result *ret)
{
    uint32_t n = s->n_decisions;
    ret->n_decisions = n < PROBE_DECISIONS_MAX ? n : PROBE_DECISIONS_MAX;
    for (uint32_t i = 0; i < ret->n_decisions; i++) {
        const struct probe_decision *from = &s->decisions[i];
        struct probe_decision *to = &ret->decisions[i];
        to->first = from->first;
        to->last = from->last;
        take_text(to->verdict, sizeof(to->verdict), from->verdict);
        take_text(to->id, sizeof(to->id), from->id);
        take_text(to->text, sizeof(to->text), from->text);
    }
}

/* A device that answers for every port says nothing about the ports. Judged only where so many
 * high ports were asked for that nobody would have listeners on all of them. */
static bool is_proxy(const struct probe_request *r, const struct probe_result *p)
{
    unsigned n = 0, open = 0;
    for (unsigned i = HIGH_PORT; i < PROBE_PORTS; i++) {
        n += probe_ports_has(r->ports, i);
        open += p->port[i].state == PROBE_OPEN;
    }
    return r->method != PROBE_UDP && n >= PROXY_MIN && open * 100 > n * PROXY_PERCENT;
}

static void copy_ports(const struct probe_request *r, const struct shared *s,
                       struct probe_result *ret)
{
    for (unsigned i = 0; i < PROBE_PORTS; i++) {
        struct probe_port p = s->port[i];
        bool asked = probe_ports_has(r->ports, i);
        if (!asked)
            p = (struct probe_port){.state = PROBE_NOT_SCANNED};
        else if (p.state == PROBE_NOT_SCANNED || p.state >= _PROBE_STATE_MAX ||
                 p.why >= _PROBE_WHY_MAX)
            p = (struct probe_port){.state = PROBE_UNKNOWN, .why = PROBE_WHY_CUT_SHORT};
        ret->port[i] = p;
        ret->service[i] = asked ? s->service[i] : 0;
    }
}

static void count(struct probe_result *ret)
{
    for (unsigned i = 0; i < PROBE_PORTS; i++) {
        struct probe_port *p = &ret->port[i];
        if (ret->is_proxy && p->state == PROBE_OPEN)
            *p = (struct probe_port){.state = PROBE_UNKNOWN, .why = PROBE_WHY_PROXY};
        ret->n[p->state]++;
    }
}

static int collect(const struct probe_request *r, const struct shared *s, int status,
                   struct diag *d, struct probe_result *ret)
{
    char message[DIAG_MESSAGE_BYTES];
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return diag_fail(d, DIAG_INTERNAL, "the scan ended by itself (status %d)", status);
    if (s->error < 0) {
        take_text(message, sizeof(message), s->message);
        (void)diag_fail(d, s->error == -EPERM ? DIAG_PERMISSION : DIAG_SYSTEM, "%s", message);
        return s->error;
    }
    memset(ret, 0, sizeof(*ret));
    copy_ports(r, s, ret);
    ret->sent = s->sent;
    ret->rounds = s->rounds;
    ret->elapsed_us = s->elapsed_us;
    ret->local_errors = s->local_errors;
    ret->first_errno = s->first_errno;
    ret->is_stopped = s->is_stopped;
    ret->backed_off = s->backed_off;
    ret->is_proxy = is_proxy(r, ret);
    take_decisions(s, ret);
    count(ret);
    return 0;
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

int probe_scan(const struct probe_request *r, struct diag *d, struct probe_result *ret)
{
    struct shared *s =
        mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    int events[2];
    if (s == MAP_FAILED)
        return diag_errno(d, errno, "cannot share memory");
    if (pipe(events) < 0) {
        (void)munmap(s, sizeof(*s));
        return diag_errno(d, errno, "cannot make a pipe");
    }
    (void)sigaction(SIGINT, &ignore, &before); /* the child ends the scan, this process prints it */
    pid_t pid = fork();
    if (pid == 0) {
        close_p(&events[0]);
        child(r, s, events[1]);
    }
    close_p(&events[1]);
    int err = pid < 0 ? diag_errno(d, errno, "cannot start a process") : 0;
    if (err == 0) {
        follow(r, s, events[0]);
        err = collect(r, s, wait_for(pid), d, ret);
    }
    (void)sigaction(SIGINT, &before, NULL);
    close_p(&events[0]);
    (void)munmap(s, sizeof(*s));
    return err;
}
