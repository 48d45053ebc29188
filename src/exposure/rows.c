/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/rows.c: sockets, units and processes read together (exposure/rows.h). */
#include "exposure/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/utf8.h"

void exposure_rows_done(struct exposure_rows *r)
{
    sockets_done(&r->s);
    socket_units_done(&r->units);
    socket_processes_done(&r->processes);
}

/* The path behind "0::" in /proc/PID/cgroup, for sockets whose cgroup the kernel does not tell. */
static uint64_t cgroup_of_process(const struct socket_units *u, uint32_t pid)
{
    char path[32], text[4096];

    (void)snprintf(path, sizeof(path), "/proc/%u/cgroup", pid); /* fits */
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (!line)
        return 0;
    line += *line == '\n' ? 4 : 3;
    size_t len = strcspn(line, "\n");
    for (size_t i = 0; i < u->n; i++)
        if (strlen(u->v[i].path) == len && memcmp(u->v[i].path, line, len) == 0)
            return u->v[i].id;
    return 0;
}

static void add_cgroups(struct exposure_rows *r)
{
    for (size_t i = 0; i < r->s.n; i++) {
        struct socket_row *row = &r->s.v[i];

        if ((row->family == AF_PACKET || row->family == AF_XDP) && row->n_holders)
            row->cgroup = cgroup_of_process(&r->units, r->s.holders[row->holder].pid);
    }
}

int exposure_rows_read(unsigned what, const char *pin, struct diag *d, struct exposure_rows *ret)
{
    _cleanup_(exposure_rows_done) struct exposure_rows r = {0};
    int e = sockets_read(what | SOCKETS_HOLDERS, pin, d, &r.s);

    if (e < 0)
        return e;
    e = socket_processes_read(&r.s, true, &r.processes);
    if (e == 0) /* after the sockets: what is new meanwhile is there */
        e = socket_units_read(&r.units);
    if (e < 0)
        return diag_errno(d, e, "cannot read the owners of sockets");
    add_cgroups(&r);
    *ret = r;
    r = (struct exposure_rows){0};
    return 0;
}

enum exposure_unit exposure_unit_of(const struct exposure_rows *r, const struct socket_row *row,
                                    const char **ret, size_t *ret_len, const char **ret_path)
{
    const struct socket_unit *u = socket_units_find(&r->units, row->cgroup);

    if (!u)
        return row->cgroup && r->units.known && !r->units.partial ? UNIT_DEAD : UNIT_UNKNOWN;
    *ret = socket_unit_name(u->path, ret_len);
    *ret_path = u->path;
    return UNIT_FOUND;
}

enum exposure_owner exposure_owner_of(const struct exposure_rows *r, const struct socket_row *row)
{
    if (row->n_holders)
        return OWNER_PROCESS;
    if (!row->inode)
        return OWNER_KERNEL;
    return r->s.by == HOLDERS_PROC ? OWNER_UNKNOWN : OWNER_NONE;
}

/* --- JSON --- */
static int add_character(uint32_t cp, const char *s, size_t n, struct strbuf *out)
{
    if (cp == '"' || cp == '\\')
        return strbuf_addf(out, "\\%c", (char)cp);
    if (cp < 0x20)
        return strbuf_addf(out, "\\u%04x", cp);
    return strbuf_add_n(out, s, n);
}

int exposure_json_string(const char *s, size_t n, struct strbuf *out)
{
    if (!s)
        return strbuf_add(out, "null");
    (void)strbuf_add_char(out, '"'); /* errors are sticky */
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = utf8_decode(s + i, n - i, &cp);

        if (len)
            (void)add_character(cp, s + i, len, out);
        else /* not UTF-8: shown as elsewhere, and JSON needs its backslash doubled */
            (void)strbuf_addf(out, "\\\\x%02x", (unsigned char)s[i]);
        i += len ? len : 1;
    }
    return strbuf_add_char(out, '"');
}

static void add_text(const char *key, const char *s, struct strbuf *out)
{
    (void)strbuf_addf(out, ",\"%s\":", key); /* errors are sticky */
    (void)exposure_json_string(s, s ? strlen(s) : 0, out);
}

static void add_number_or_null(const char *key, bool known, uint32_t n, struct strbuf *out)
{
    if (known)
        (void)strbuf_addf(out, ",\"%s\":%u", key, n); /* errors are sticky */
    else
        (void)strbuf_addf(out, ",\"%s\":null", key);
}

static void add_processes(const struct exposure_rows *r, const struct socket_row *row,
                          struct strbuf *out)
{
    (void)strbuf_add(out, ",\"processes\":["); /* errors are sticky */
    for (uint32_t i = 0; i < row->n_holders; i++) {
        uint32_t pid = r->s.holders[row->holder + i].pid;
        const struct socket_process *p = socket_processes_find(&r->processes, pid);
        bool known = p && p->known;

        (void)strbuf_addf(out, "%s{\"pid\":%u", i ? "," : "", pid);
        add_text("name", known ? p->name : NULL, out);
        add_text("exe", known ? p->exe : NULL, out);
        (void)strbuf_add_char(out, '}');
    }
    (void)strbuf_add_char(out, ']');
}

static void add_unit(const struct exposure_rows *r, const struct socket_row *row,
                     struct strbuf *out)
{
    const char *name = NULL, *path = NULL;
    size_t len = 0;
    enum exposure_unit u = exposure_unit_of(r, row, &name, &len, &path);

    (void)strbuf_add(out, ",\"unit\":"); /* errors are sticky */
    (void)exposure_json_string(name, len, out);
    add_text("cgroup", path, out);
    (void)strbuf_addf(out, ",\"unit_dead\":%s", u == UNIT_DEAD ? "true" : "false");
}

int exposure_row_json(const struct exposure_rows *r, const struct socket_row *row,
                      const struct exposure_words *w, struct strbuf *out)
{
    static const char *const owners[] = {[OWNER_PROCESS] = "process",
                                         [OWNER_KERNEL] = "kernel",
                                         [OWNER_UNKNOWN] = "unknown",
                                         [OWNER_NONE] = "none"};
    char local[SOCKET_TEXT_BYTES], peer[SOCKET_TEXT_BYTES];
    bool has_ports = row->state <= SOCKET_CONNECTED, ip = has_ports || row->state == SOCKET_RAW;
    bool connected = row->state == SOCKET_CONNECTED;

    socket_address_print(row, false, local);
    socket_address_print(row, true, peer);
    (void)strbuf_addf(out, "{\"protocol\":\"%s\",\"family\":", socket_proto_name(row)); /* sticky */
    (void)strbuf_add(out, !ip ? "null" : row->family == AF_INET ? "4" : "6");
    add_text("state", socket_state_name(row->state), out);
    add_text("address", ip ? local : NULL, out);
    add_number_or_null("port", has_ports, row->port, out);
    add_text("peer", connected ? peer : NULL, out);
    add_number_or_null("peer_port", connected, row->peer_port, out);
    add_number_or_null("number", row->state == SOCKET_RAW || row->family == AF_PACKET,
                       row->state == SOCKET_RAW ? row->proto : row->port, out);
    (void)strbuf_addf(out, ",\"ipv6_only\":%s", row->six_only ? "true" : "false");
    add_text("interface", w->device, out);
    add_number_or_null("uid", true, row->uid, out);
    add_unit(r, row, out);
    add_text("owner", owners[exposure_owner_of(r, row)], out);
    add_processes(r, row, out);
    add_text("policy", w->policy, out);
    add_text("netns", w->netns, out);
    return strbuf_add_char(out, '}');
}
