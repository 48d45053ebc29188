/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/wire_io.c: the scanner's end of a cooperative scan's lines. Called by coop.c and
 * child.c, in the process without rights. Whatever the target sends is bounded in size and time. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "board.h"
#include "wire_io.h"

enum { LIMIT_MS = 30000 }; /* ssh may have to log in first */

void wire_freep(struct wire **w)
{
    if (*w)
        free((*w)->line);
    free(*w);
    *w = NULL;
}

int wire_new(int in, int out, struct wire **ret)
{
    _cleanup_(wire_freep) struct wire *w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->in = in;
    w->out = out;
    w->line = malloc(WIRE_LINE_BYTES);
    if (!w->line)
        return -ENOMEM;
    if (getrandom(w->key, sizeof(w->key), 0) != (ssize_t)sizeof(w->key))
        return -EIO;
    *ret = TAKE_PTR(w);
    return 0;
}

int wire_send(struct wire *w, const char *line, struct diag *d)
{
    for (size_t n = strlen(line); n > 0;) {
        ssize_t written = write(w->out, line, n);
        if (written < 0 && errno == EINTR && !board_must_stop())
            continue;
        if (written < 0)
            return diag_errno(d, errno, "cannot talk to the target's side");
        line += written;
        n -= (size_t)written;
    }
    return 0;
}

/* More bytes behind those that are there. */
static int fill(struct wire *w, struct diag *d)
{
    struct pollfd p = {.fd = w->in, .events = POLLIN};
    if (w->len == WIRE_LINE_BYTES)
        return diag_fail(d, DIAG_SYSTEM, "the target's side sent a line without end");
    int ready = poll(&p, 1, LIMIT_MS);
    if (ready < 0 && errno == EINTR && !board_must_stop())
        return 0;
    if (ready <= 0)
        return diag_errno(d, ready < 0 ? errno : ETIMEDOUT, "no answer of the target's side");
    ssize_t n = read(w->in, w->line + w->len, WIRE_LINE_BYTES - w->len);
    if (n < 0)
        return diag_errno(d, errno, "cannot read from the target's side");
    if (n == 0) {
        (void)diag_fail(d, DIAG_SYSTEM, "the target's side ended");
        diag_hint(d, "--with-agent 'ssh HOST portward scan --listen'");
        return -EPIPE;
    }
    w->len += (size_t)n;
    return 0;
}

int wire_next(struct wire *w, struct diag *d, struct wire_line *ret)
{
    const char *end;
    memmove(w->line, w->line + w->used, w->len - w->used);
    w->len -= w->used;
    w->used = 0;
    while (!(end = memchr(w->line, '\n', w->len))) {
        int err = fill(w, d);
        if (err < 0)
            return err;
    }
    w->used = (size_t)(end - w->line) + 1;
    if (wire_parse(w->line, w->used - 1, ret) < 0)
        return diag_fail(d, DIAG_SYSTEM, "the target's side sent something else than an answer");
    if (ret->word == WIRE_ERROR)
        return diag_fail(d, DIAG_SYSTEM, "the target says: %s", ret->text);
    return 0;
}

static int expect_ready(struct wire *w, struct diag *d)
{
    struct wire_line *l = malloc(sizeof(*l));
    int err = l ? wire_next(w, d, l) : -ENOMEM;
    if (err == 0 && l->word != WIRE_READY)
        err = diag_fail(d, DIAG_SYSTEM, "the target's side is no 'portward scan --listen'");
    free(l);
    return err;
}

int wire_begin(struct wire *w, const struct probe_request *r, struct diag *d)
{
    char line[80];
    int err = expect_ready(w, d);
    (void)snprintf(line, sizeof(line), "key %016llx%016llx %s %d\n", (unsigned long long)w->key[0],
                   (unsigned long long)w->key[1], r->method == PROBE_UDP ? "udp" : "tcp",
                   r->route->family == FAMILY_4 ? 4 : 6); /* fits */
    if (err == 0)
        err = wire_send(w, line, d);
    return err < 0 ? err : expect_ready(w, d);
}
