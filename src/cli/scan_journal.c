/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/scan_journal.c: every scan of a host that is not this one leaves an entry with the caller's
 * uid. Called by `scan` and `spp` before the first packet. One datagram of fields in journald's own
 * protocol: none of our values has a newline, so no field needs its binary form. */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/strbuf.h"
#include "cli/scan.h"

enum { ENTRY_BYTES = 64 * 1024 };

static void add_fields(const struct cli_scan_note *n, struct strbuf *b)
{
    char address[IP_TEXT_BYTES];

    ip_print(n->target->family, n->target->ip, address);
    (void)strbuf_addf(b, "MESSAGE=uid %u scans %s (%s)", n->uid, address,
                      probe_method_name(n->method)); /* errors are sticky */
    (void)strbuf_addf(b,
                      "\nPRIORITY=5\nSYSLOG_IDENTIFIER=portward\nPORTWARD_EVENT=scan-started\n"
                      "PORTWARD_UID=%u\nPORTWARD_TARGET=%s\nPORTWARD_METHOD=%s\n"
                      "PORTWARD_PORTS=%s\n",
                      n->uid, address, probe_method_name(n->method), n->ports);
    if (n->rate)
        (void)strbuf_addf(b, "PORTWARD_RATE=%u\n", n->rate);
}

bool cli_scan_write_journal(const struct cli_scan_note *n, const char *socket_path)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(ENTRY_BYTES);
    _cleanup_(close_p) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    if (n->target->is_ours)
        return true;
    add_fields(n, &b);
    if (b.error || fd < 0)
        return false;
    (void)format_into(a.sun_path, sizeof(a.sun_path), "%s", socket_path);
    return sendto(fd, b.s, b.len, MSG_NOSIGNAL, (const struct sockaddr *)&a, sizeof(a)) ==
           (ssize_t)b.len;
}
