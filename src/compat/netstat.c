/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netstat.c: `netstat -a -n [-o] [-q] [-p PROTO]`: sockets in the layout of Windows
 * (windows.md 18). Called through the table of tools. Changes nothing. A socket that is bound and
 * does not listen is never called LISTENING: -q shows it as BOUND. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "sockets/sockets.h"
#include "winswitch.h"

static const char hint[] = "netstat -a -n";

enum {
    NETSTAT_ALL,
    NETSTAT_NUMBERS,
    NETSTAT_PID,
    NETSTAT_BOUND,
    NETSTAT_PROTO,
    NETSTAT_ALL_NUMBERS,
    NETSTAT_ALL_PID,
    NETSTAT_HELP,
};
static const struct win_switch switches[] = {
    [NETSTAT_ALL] = {"a", WIN_FLAG, NULL},       [NETSTAT_NUMBERS] = {"n", WIN_FLAG, NULL},
    [NETSTAT_PID] = {"o", WIN_FLAG, NULL},       [NETSTAT_BOUND] = {"q", WIN_FLAG, NULL},
    [NETSTAT_PROTO] = {"p", WIN_FLAG, NULL},     [NETSTAT_ALL_NUMBERS] = {"an", WIN_FLAG, NULL},
    [NETSTAT_ALL_PID] = {"ano", WIN_FLAG, NULL}, [NETSTAT_HELP] = {"?", WIN_FLAG, NULL},
};

static const struct {
    const char *name;
    uint8_t proto, family;
} protos[] = {
    {"tcp", IPPROTO_TCP, AF_INET},
    {"udp", IPPROTO_UDP, AF_INET},
    {"tcpv6", IPPROTO_TCP, AF_INET6},
    {"udpv6", IPPROTO_UDP, AF_INET6},
};

struct request {
    bool all, numbers, pid, bound, help;
    int proto; /* index of protos[], -1 = all */
};

static int take_proto(struct tool_run *t, const struct win_word *w, struct diag *d,
                      struct request *q)
{
    for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
        if (strcasecmp(protos[i].name, w->value) == 0) {
            q->proto = (int)i;
            return 0;
        }
    return win_fail_value(t, w, DIAG_PROTOCOL, d, "TCP, UDP, TCPv6 or UDPv6");
}

static int take_word(struct tool_run *t, const struct win_words *l, size_t *i, struct diag *d,
                     struct request *q)
{
    const struct win_word *w = &l->v[*i];

    if (w->index < 0)
        return win_fail_word(t, w, d, hint);
    if (w->index == NETSTAT_PROTO) {
        if (*i + 1 < l->n && l->v[*i + 1].index == WIN_WORD)
            return take_proto(t, &l->v[++*i], d, q);
        int r = tool_fail_at(t, d, w->typed, w->at, w->len, DIAG_USAGE, "'-p' needs a protocol");
        diag_hint(d, "netstat -a -n -p TCP");
        return r;
    }
    bool both = w->index == NETSTAT_ALL_NUMBERS || w->index == NETSTAT_ALL_PID;
    q->all |= w->index == NETSTAT_ALL || both;
    q->numbers |= w->index == NETSTAT_NUMBERS || both;
    q->pid |= w->index == NETSTAT_PID || w->index == NETSTAT_ALL_PID;
    q->bound |= w->index == NETSTAT_BOUND;
    q->help |= w->index == NETSTAT_HELP;
    return 0;
}

static int by_number(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* TCP before UDP, IPv4 before IPv6, wildcard before address, then by address and port. */
static int by_place(const void *pa, const void *pb)
{
    const struct socket_row *a = pa, *b = pb;
    int c = by_number(a->proto == IPPROTO_UDP, b->proto == IPPROTO_UDP);

    if (!c)
        c = by_number(a->family, b->family);
    if (!c)
        c = memcmp(a->local, b->local, sizeof(a->local));
    if (!c)
        c = by_number(a->port, b->port);
    if (!c)
        c = memcmp(a->peer, b->peer, sizeof(a->peer));
    return c ? c : by_number(a->peer_port, b->peer_port);
}

static bool is_wanted(const struct request *q, const struct socket_row *r)
{
    if (r->proto != IPPROTO_TCP && r->proto != IPPROTO_UDP)
        return false;
    if (q->proto >= 0 &&
        (r->proto != protos[q->proto].proto || r->family != protos[q->proto].family))
        return false;
    switch (r->state) {
    case SOCKET_LISTEN:
    case SOCKET_BOUND:
        return q->all;
    case SOCKET_RESERVED:
        return q->bound;
    case SOCKET_CONNECTED:
        return r->proto == IPPROTO_TCP || q->all;
    case SOCKET_RAW:
    case SOCKET_SNIFF:
    case SOCKET_XSK:
    case _SOCKET_STATE_MAX:
        return false;
    }
    return false;
}

static const char *state_of(const struct socket_row *r)
{
    static const char *const names[] = {
        [TCP_ESTABLISHED] = "ESTABLISHED",
        [TCP_SYN_SENT] = "SYN_SENT",
        [TCP_SYN_RECV] = "SYN_RECEIVED",
        [TCP_FIN_WAIT1] = "FIN_WAIT_1",
        [TCP_FIN_WAIT2] = "FIN_WAIT_2",
        [TCP_TIME_WAIT] = "TIME_WAIT",
        [TCP_CLOSE] = "CLOSED",
        [TCP_CLOSE_WAIT] = "CLOSE_WAIT",
        [TCP_LAST_ACK] = "LAST_ACK",
        [TCP_LISTEN] = "LISTENING",
        [TCP_CLOSING] = "CLOSING",
        [TCP_CLOSING + 1] = "SYN_RECEIVED",
    };

    if (r->proto == IPPROTO_UDP)
        return "";
    if (r->state == SOCKET_RESERVED)
        return "BOUND";
    return r->tcp_state < ARRAY_SIZE(names) && names[r->tcp_state] ? names[r->tcp_state] : "";
}

static void put_row(struct tool_run *t, const struct request *q, const struct sockets *s,
                    const struct socket_row *r)
{
    char local[SOCKET_TEXT_BYTES], peer[SOCKET_TEXT_BYTES], line[256];
    bool udp = r->proto == IPPROTO_UDP;

    socket_print(r, false, NULL, local);
    if (udp)
        (void)format_into(peer, sizeof(peer), "*:*");
    else
        socket_print(r, true, NULL, peer);
    size_t n = format_into(line, sizeof(line), "  %-6s %-22s %-22s %-*s", udp ? "UDP" : "TCP",
                           local, peer, q->pid ? 15 : 0, state_of(r));
    if (q->pid)
        n += format_into(line + n, sizeof(line) - n, " %u",
                         r->n_holders ? s->holders[r->holder].pid : 0);
    while (n && line[n - 1] == ' ')
        line[--n] = '\0';
    (void)strbuf_addf(&t->out, "%s\n", line); /* errors are sticky */
}

static int print(struct tool_run *t, const struct request *q, struct sockets *s)
{
    if (s->n)
        qsort(s->v, s->n, sizeof(*s->v), by_place);
    (void)strbuf_addf(&t->out,
                      "Active Connections\n\n"
                      "  Proto  Local Address          Foreign Address        State%s\n",
                      q->pid ? "           PID" : ""); /* errors are sticky */
    for (size_t i = 0; i < s->n; i++)
        if (is_wanted(q, &s->v[i]))
            put_row(t, q, s, &s->v[i]);
    return t->out.error;
}

int tool_netstat(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    _cleanup_(win_words_done) struct win_words l = {0};
    _cleanup_(sockets_done) struct sockets s = {0};
    struct request q = {.proto = -1};
    int r =
        win_words_read(t, &(struct win_input){argc, argv, switches, ARRAY_SIZE(switches)}, d, &l);

    for (size_t i = 0; r == 0 && i < l.n; i++)
        r = take_word(t, &l, &i, d, &q);
    if (r < 0)
        return r;
    if (q.help)
        return strbuf_add(&t->out, tool_netstat_help);
    if (!t->host || !t->host->sockets)
        return diag_fail(d, DIAG_USAGE, "there is no host here to ask for its sockets");
    r = t->host->sockets(t->host->ctx, d, &s);
    if (r == 0)
        r = print(t, &q, &s);
    if (r == 0 && !q.numbers)
        r = tool_remark(t, NOTE, d, "names are not looked up, as with -n");
    return r;
}

const char tool_netstat_help[] =
    "Lists the sockets of this host.\n"
    "\n"
    "netstat [-a] [-n] [-o] [-q] [-p PROTO]\n"
    "\n"
    "  -a        also those that listen; without it connections only\n"
    "  -n        numbers instead of names, which are never looked up\n"
    "  -o        also the process\n"
    "  -q        also sockets that have a port and do not listen (BOUND)\n"
    "  -p PROTO  only TCP, UDP, TCPv6 or UDPv6\n"
    "\n"
    "-an and -ano may be written as one. What the filters say of a port, and\n"
    "whose it is: portward sockets.\n";
