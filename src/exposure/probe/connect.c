/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/connect.c: the scan by connect(), which needs no right (exposure.md 3.4). Called
 * by child.c. The kernel repeats a SYN after a second, so a time limit of a second is one probe
 * only; therefore the same rounds as for SYN: silent ports get a new socket in the next round.
 * What this host cannot do (descriptors, source ports, buffers) makes the window smaller, and the
 * port is tried again: it is never a verdict. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "board.h"

enum {
    WINDOW = 200, /* measured: 1000 and 4000 are slower where everything answers */
    WINDOW_MIN = 1,
    WINDOW_MAX = 15000, /* where most is silent */
    SPARE_FILES = 16,
    FIRST_WAIT_US = 300000,
    LOCAL_ERRORS_MAX = 1000, /* in a row */
    SOON_US = 1000000,       /* an error that comes sooner is an ICMP error, not a failed ARP */
    EVENTS = 512,
};

/* Attempts begin in the order of the board's list, one socket per port. */
struct window {
    struct board *b;
    int epoll;
    uint32_t size, in_flight, max;
    int fd_of[PROBE_PORTS];         /* -1 = none */
    uint64_t until_us[PROBE_PORTS]; /* of the attempt of this round */
    uint32_t oldest, next;          /* into todo: what may still run, what comes */
    uint32_t answers, timeouts;     /* since the window was changed */
    uint32_t errors;                /* in a row */
};

static void end(struct window *w, uint16_t port)
{
    close_p(&w->fd_of[port]);
    w->fd_of[port] = -1;
    w->in_flight--;
}

static void judge(struct window *w, uint16_t port, int err)
{
    struct board *b = w->b;
    uint32_t round = b->rounds.round - 1;
    uint64_t now = board_now_us();
    uint64_t sent = b->start_us + b->sent_at[(size_t)round * PROBE_PORTS + port];
    struct answer a = {.port = port, .round = round, .state = PROBE_OPEN};
    if (err == ECONNREFUSED || err == ECONNRESET) {
        a.state = PROBE_CLOSED;
    } else if (err == EHOSTUNREACH || err == ENETUNREACH || err == ENOPROTOOPT || err == EACCES) {
        bool soon = now < sent + SOON_US;
        a.state = soon ? PROBE_REJECTED : PROBE_UNKNOWN;
        a.why = soon ? PROBE_WHY_NONE : PROBE_WHY_UNREACHABLE;
    } else if (err == ETIMEDOUT) {
        return; /* silent */
    } else if (err != 0) {
        board_failed(b, port, err);
        return;
    }
    w->answers++;
    board_take(b, &a, now);
}

/* This host has run out of something: fewer at a time. True: try the same port again. */
static bool must_retry(struct window *w, int err)
{
    static const int lacking[] = {EADDRNOTAVAIL, ENOBUFS, EMFILE, ENFILE, EAGAIN, ENOMEM};
    for (size_t i = 0; i < ARRAY_SIZE(lacking); i++)
        if (err == lacking[i]) {
            uint32_t less = w->in_flight / 2;
            w->size = w->max = less > WINDOW_MIN ? less : WINDOW_MIN;
            w->b->out->local_errors++;
            if (!w->b->out->first_errno)
                w->b->out->first_errno = err;
            return ++w->errors < LOCAL_ERRORS_MAX;
        }
    return false;
}

static int new_socket(const struct window *w)
{
    struct linger reset = {1, 0};
    int fd =
        socket(address_family(w->b->request->route), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) /* a failure leaves connections in TIME_WAIT, no more */
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    return fd;
}

/* Begins an attempt. False: not now. */
static bool begin(struct window *w, uint16_t port)
{
    const struct probe_route *r = w->b->request->route;
    union address a;
    _cleanup_(close_p) int fd = new_socket(w);
    struct epoll_event e = {.events = EPOLLOUT, .data.u32 = port};
    int err = fd < 0 ? errno : 0;
    if (!err && epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        err = errno;
    if (err)
        return !must_retry(w, err);
    board_sent(w->b, port, board_now_us());
    if (connect(fd, &a.any, address_fill(&a, r, r->ip, port)) < 0)
        err = errno;
    if (err == EINPROGRESS) {
        w->fd_of[port] = TAKE_FD(fd);
        w->until_us[port] = board_now_us() + rounds_wait_us(&w->b->rounds);
        w->in_flight++;
        w->errors = 0;
        return true;
    }
    if (err == 0 || err == ECONNREFUSED) {
        judge(w, port, err);
        return true;
    }
    if (must_retry(w, err))
        return false;
    board_failed(w->b, port, err);
    return true;
}

static void begin_more(struct window *w)
{
    struct board *b = w->b;
    while (w->next < b->n_todo && w->in_flight < w->size &&
           pace_may(&b->pace, board_now_us(), 1) > 0) {
        if (!begin(w, b->todo[w->next]))
            return;
        pace_sent(&b->pace, 1);
        w->next++;
    }
}

static void take_events(struct window *w, int timeout_ms)
{
    struct epoll_event ev[EVENTS];
    int n = epoll_wait(w->epoll, ev, EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        uint16_t port = (uint16_t)ev[i].data.u32;
        int err = 0;
        socklen_t len = sizeof(err);
        if (w->fd_of[port] < 0)
            continue;
        if (getsockopt(w->fd_of[port], SOL_SOCKET, SO_ERROR, &err, &len) < 0)
            err = errno;
        end(w, port);
        judge(w, port, err);
    }
}

/* Attempts begin in order and have the same limit: the oldest ones end first. */
static void end_late(struct window *w)
{
    uint64_t now = board_now_us();
    for (; w->oldest < w->next; w->oldest++) {
        uint16_t port = w->b->todo[w->oldest];
        if (w->fd_of[port] < 0)
            continue;
        if (w->until_us[port] > now)
            return;
        end(w, port);
        w->timeouts++;
    }
}

/* Where most is silent, the window and not the target decides how long it takes. */
static void adapt(struct window *w)
{
    if (w->answers + w->timeouts < w->size)
        return;
    if (w->timeouts > w->answers)
        w->size = w->size * 4 < w->max ? w->size * 4 : w->max;
    w->answers = w->timeouts = 0;
}

static void run_round(struct window *w)
{
    w->oldest = w->next = 0;
    while ((w->next < w->b->n_todo || w->in_flight > 0) && !board_must_stop()) {
        bool is_full = w->in_flight >= w->size || w->next >= w->b->n_todo;
        begin_more(w);
        take_events(w, is_full || w->b->rate ? 1 : 0);
        end_late(w);
        adapt(w);
    }
    for (uint32_t i = w->oldest; i < w->next; i++)
        if (w->fd_of[w->b->todo[i]] >= 0)
            end(w, w->b->todo[i]);
}

static uint32_t max_window(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return WINDOW;
    l.rlim_cur = l.rlim_max; /* up to what the administrator allows; else what we have */
    if (setrlimit(RLIMIT_NOFILE, &l) < 0 && getrlimit(RLIMIT_NOFILE, &l) < 0)
        return WINDOW;
    if (l.rlim_cur >= WINDOW_MAX + SPARE_FILES)
        return WINDOW_MAX;
    return l.rlim_cur > SPARE_FILES + WINDOW_MIN ? (uint32_t)l.rlim_cur - SPARE_FILES : WINDOW_MIN;
}

int connect_run(struct board *b, struct diag *d)
{
    _cleanup_free_ struct window *w = calloc(1, sizeof(*w));
    _cleanup_(close_p) int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!w)
        return -ENOMEM;
    if (epoll < 0)
        return diag_errno(d, errno, "cannot wait for connections");
    w->b = b;
    w->epoll = epoll;
    w->max = max_window();
    w->size = w->max < WINDOW ? w->max : WINDOW;
    memset(w->fd_of, -1, sizeof(w->fd_of));
    b->rounds.minimum_us = FIRST_WAIT_US;
    do {
        board_next_round(b, false);
        run_round(w);
    } while (!board_is_over(b));
    return 0;
}
