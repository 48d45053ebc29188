/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/ports.c: sets of ports as text and back, names of states, and addresses that must
 * not be scanned. Pure. Called by the command line, and by wire.c for what the target sends. */
#include "exposureprobe/probe.h"

#include <errno.h>

#include "base/strbuf.h"

unsigned probe_ports_count(const struct probe_ports *p)
{
    unsigned n = 0;
    for (size_t i = 0; i < sizeof(p->bits); i++)
        n += (unsigned)__builtin_popcount(p->bits[i]);
    return n;
}

/* Digits of a port at *at. */
static int parse_port(const char *text, size_t len, size_t *at, unsigned *ret)
{
    size_t i = *at;
    unsigned v = 0;
    while (i < len && text[i] >= '0' && text[i] <= '9' && v < PROBE_PORTS)
        v = v * 10 + (unsigned)(text[i++] - '0');
    if (i == *at || v >= PROBE_PORTS)
        return -EINVAL;
    *at = i;
    *ret = v;
    return 0;
}

static int parse_range(const char *text, size_t len, size_t *at, struct probe_ports *p)
{
    unsigned first, last;
    if (parse_port(text, len, at, &first) < 0)
        return -EINVAL;
    last = first;
    if (*at < len && text[*at] == '-') {
        (*at)++;
        if (parse_port(text, len, at, &last) < 0 || last < first)
            return -EINVAL;
    }
    for (unsigned i = first; i <= last; i++)
        probe_ports_add(p, i);
    return 0;
}

int probe_parse_ports(const char *text, size_t len, struct diag *d, struct probe_ports *ret)
{
    struct probe_ports p = {.bits = {0}};
    int err = len ? 0 : -EINVAL;
    for (size_t i = 0; i < len && err == 0; i++) { /* over the comma */
        err = parse_range(text, len, &i, &p);
        if (err == 0 && (i + 1 == len || (i < len && text[i] != ',')))
            err = -EINVAL;
    }
    if (err < 0) {
        (void)diag_fail(d, DIAG_USAGE, "'%.*s' is no list of ports", (int)(len < 80 ? len : 80),
                        text);
        diag_hint(d, "--ports 22,80,8000-8100");
        return err;
    }
    *ret = p;
    return 0;
}

int probe_print_ports(const struct probe_ports *p, struct strbuf *out)
{
    bool is_first = true;
    for (unsigned i = 0; i < PROBE_PORTS; i++) {
        unsigned first = i;
        if (!probe_ports_has(p, i))
            continue;
        while (i + 1 < PROBE_PORTS && probe_ports_has(p, i + 1))
            i++;
        (void)strbuf_add(out, is_first ? "" : ","); /* errors are sticky */
        (void)strbuf_add_number(out, first);
        if (i > first) {
            (void)strbuf_add_char(out, '-');
            (void)strbuf_add_number(out, i);
        }
        is_first = false;
    }
    return out->error;
}

const char *probe_method_name(enum probe_method m)
{
    static const char *const names[_PROBE_METHOD_MAX] = {"syn", "connect", "udp"};
    return m < _PROBE_METHOD_MAX ? names[m] : "unknown";
}

const char *probe_state_name(enum probe_state s)
{
    static const char *const names[_PROBE_STATE_MAX] = {"not scanned", "open",     "closed",
                                                        "rejected",    "filtered", "unknown"};
    return s < _PROBE_STATE_MAX ? names[s] : "unknown";
}

const char *probe_why_name(enum probe_why w)
{
    static const char *const names[_PROBE_WHY_MAX] = {
        [PROBE_WHY_NONE] = "",
        [PROBE_WHY_SILENT] = "silent",
        [PROBE_WHY_LOCAL_ERROR] = "local error",
        [PROBE_WHY_UNREACHABLE] = "host unreachable",
        [PROBE_WHY_CUT_SHORT] = "cut short",
        [PROBE_WHY_PROXY] = "answered by a proxy or SYN cookie device",
        [PROBE_WHY_PATH] = "lost on the path",
        [PROBE_WHY_TARGET] = "dropped by the target",
        [PROBE_WHY_NO_ANSWER] = "delivered, no answer",
    };
    return w < _PROBE_WHY_MAX ? names[w] : "";
}

const char *probe_refuse(enum family family, struct ip ip)
{
    if (family == FAMILY_4) {
        uint64_t first = ip.lo >> 24;
        if (ip.lo == 0xffffffff)
            return "a broadcast address";
        if (first >= 224 && first < 240)
            return "a multicast address";
        return first == 0 ? "no address of a host" : first >= 240 ? "a reserved address" : NULL;
    }
    if (ip.hi >> 56 == 0xff)
        return "a multicast address";
    if (ip.hi == 0 && ip.lo == 0)
        return "no address of a host";
    if (ip.hi == 0 && ip.lo >> 32 == 0xffff)
        return "an IPv4 address in the form of IPv6"; /* refused: name the IPv4 address */
    return NULL;
}
