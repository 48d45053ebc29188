/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/log_entry.c: see cli/logentry.h. Called by cmd_log.c. What the agent says is read as if
 * anybody could have said it: a member that is wrong makes the entry none. */
#include "cli/logentry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/proto.h"

/* --- reading --- */

static const char *text_of(const json_t *j, const char *key)
{
    return json_string_value(json_object_get(j, key));
}

/* False if it is there and no number up to max. */
static bool number_of(const json_t *j, const char *key, uint64_t max, uint64_t *ret, bool *ret_is)
{
    const json_t *v = json_object_get(j, key);

    *ret = 0;
    *ret_is = v && !json_is_null(v);
    if (!*ret_is)
        return true;
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *ret = (uint64_t)json_integer_value(v);
    return *ret <= max;
}

int64_t log_time_from_text(const char *text)
{
    struct tm utc = {0};
    const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;
    int64_t ms = 0;

    if (!end)
        return -1;
    if (*end == '.') {
        size_t n = strspn(end + 1, "0123456789");

        if (n == 0)
            return -1;
        for (size_t i = 0; i < 3; i++)
            ms = ms * 10 + (i < n ? end[1 + i] - '0' : 0);
        end += 1 + n;
    }
    if (strcmp(end, "Z") != 0)
        return -1;
    return (int64_t)timegm(&utc) * 1000 + ms;
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool read_hex(const char *text, uint8_t *bytes, size_t max, unsigned *ret_n)
{
    size_t n = text ? strlen(text) / 2 : 0;

    if (n > max || (text && strlen(text) % 2))
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high * 16 + low);
    }
    *ret_n = (unsigned)n;
    return true;
}

static bool read_addresses(const json_t *j, struct log_entry *e)
{
    const char *src = text_of(j, "src"), *dst = text_of(j, "dst"), *proto = text_of(j, "proto");
    enum family other;

    if (!src && !dst && !proto)
        return true;
    if (!src || !dst || !proto || ip_parse(src, strlen(src), &e->family, &e->src) < 0 ||
        ip_parse(dst, strlen(dst), &other, &e->dst) < 0 || other != e->family)
        return false;
    size_t len = strlen(proto);
    int n = proto_from_name(proto, len);
    if (n < 0 && len > 0 && len <= 3 && strspn(proto, "0123456789") == len)
        n = atoi(proto);
    e->proto = (uint8_t)n;
    return n >= 0 && n <= 255;
}

static uint8_t flags_of(const char *text)
{
    static const char letters[] = "FSRPAUEC";
    uint8_t flags = 0;

    for (const char *c = text ? text : ""; *c; c++) {
        const char *at = strchr(letters, *c);

        if (at)
            flags |= (uint8_t)(1 << (at - letters));
    }
    return flags;
}

static bool read_numbers(const json_t *j, struct log_entry *e)
{
    uint64_t n[8];
    bool is[8];

    if (!number_of(j, "seq", INT64_MAX, &n[0], &is[0]) ||
        !number_of(j, "gen", INT64_MAX, &n[1], &is[1]) ||
        !number_of(j, "sport", 65535, &n[2], &is[2]) ||
        !number_of(j, "dport", 65535, &n[3], &is[3]) ||
        !number_of(j, "len", UINT32_MAX, &n[4], &is[4]) ||
        !number_of(j, "icmp_type", 255, &n[5], &is[5]) ||
        !number_of(j, "icmp_code", 255, &n[6], &is[6]) ||
        !number_of(j, "count", INT64_MAX, &n[7], &is[7]))
        return false;
    e->seq = n[0];
    e->generation = n[1];
    e->has_ports = is[2] && is[3];
    e->sport = (uint16_t)n[2];
    e->dport = (uint16_t)n[3];
    e->length = (uint32_t)n[4];
    e->has_icmp = is[5] && is[6];
    e->icmp_type = (uint8_t)n[5];
    e->icmp_code = (uint8_t)n[6];
    e->count = n[7];
    if (!number_of(j, "window_ms", UINT32_MAX, &n[0], &is[0]))
        return false;
    e->window_ms = (uint32_t)n[0];
    return true;
}

int log_entry_from_json(const json_t *j, struct log_entry *ret)
{
    static const char *const verdicts[] = {"block", "permit", "suppressed"};
    const char *verdict = text_of(j, "verdict");
    struct log_entry e = {.time_ms = log_time_from_text(text_of(j, "t"))};
    unsigned v = 0, n_mac = 0;

    while (verdict && v < ARRAY_SIZE(verdicts) && strcmp(verdict, verdicts[v]) != 0)
        v++;
    if (!verdict || v == ARRAY_SIZE(verdicts) || e.time_ms < 0 || !read_numbers(j, &e) ||
        !read_addresses(j, &e) || !read_hex(text_of(j, "mac"), e.mac, sizeof(e.mac), &n_mac) ||
        !read_hex(text_of(j, "head"), e.head, sizeof(e.head), &e.n_head))
        return -EBADMSG;
    e.verdict = (enum log_verdict)v;
    e.dir = text_of(j, "dir");
    e.reason = text_of(j, "reason");
    e.filter = text_of(j, "filter");
    e.rule = text_of(j, "rule");
    e.policy = text_of(j, "policy");
    e.layer = text_of(j, "layer");
    e.iface = text_of(j, "if");
    e.marks = text_of(j, "marks");
    e.tcp_flags = flags_of(text_of(j, "flags"));
    *ret = e;
    return 0;
}

/* --- matching --- */

static bool addr_matches(const struct addr *a, enum family f, struct ip ip, bool is_me)
{
    switch (a->kind) {
    case ADDR_ANY:
        return true;
    case ADDR_ME:
        return is_me;
    case ADDR_HOST:
    case ADDR_RANGE:
        return a->family == f && ip_cmp(ip, a->first) >= 0 && ip_cmp(ip, a->last) <= 0;
    case ADDR_PREFIX:
        return a->family == f && ip_eq(ip_and(ip, ip_mask(f, a->prefix_len)), a->first);
    case ADDR_NAME:
    case ADDR_KEYWORD_DNS:
    case ADDR_KEYWORD_WINS:
    case ADDR_KEYWORD_DHCP:
    case ADDR_KEYWORD_GATEWAY:
    case _ADDR_KIND_MAX:
        break;
    }
    return false;
}

static bool ports_match(const struct portset *s, const struct log_entry *e, uint16_t port)
{
    return s->n == 0 || (e->has_ports && portset_contains(s, port));
}

bool log_entry_matches(const struct log_entry *e, const struct filter *f)
{
    bool in = e->dir && strcmp(e->dir, "in") == 0, out = e->dir && strcmp(e->dir, "out") == 0;
    enum log_verdict want = f->action == ACTION_BLOCK ? LOG_VERDICT_BLOCK : LOG_VERDICT_PERMIT;

    if (e->verdict != want || e->family == FAMILY_ANY)
        return false;
    if (f->proto != PROTO_ANY && f->proto != e->proto)
        return false;
    if (f->interface && (!e->iface || strcmp(e->iface, f->interface) != 0))
        return false;
    if ((f->icmp_type >= 0 && (!e->has_icmp || f->icmp_type != e->icmp_type)) ||
        (f->icmp_code >= 0 && (!e->has_icmp || f->icmp_code != e->icmp_code)))
        return false;
    return addr_matches(&f->src, e->family, e->src, out) &&
           addr_matches(&f->dst, e->family, e->dst, in) && ports_match(&f->sport, e, e->sport) &&
           ports_match(&f->dport, e, e->dport);
}

/* --- pcap --- */

static void put_number(FILE *out, uint32_t n)
{
    (void)fwrite(&n, sizeof(n), 1, out); /* host order: the magic number says which */
}

void pcap_put_header(FILE *out)
{
    enum { LINKTYPE_RAW = 101 };
    static const uint16_t version[2] = {2, 4};

    put_number(out, 0xa1b2c3d4);                    /* microseconds */
    (void)fwrite(version, sizeof(version), 1, out); /* as above */
    put_number(out, 0);
    put_number(out, 0);
    put_number(out, LOG_ENTRY_HEAD);
    put_number(out, LINKTYPE_RAW);
}

void pcap_put_entry(FILE *out, const struct log_entry *e)
{
    uint32_t bytes = log_packet_bytes(e);

    if (!bytes)
        return;
    put_number(out, (uint32_t)(e->time_ms / 1000));
    put_number(out, (uint32_t)(e->time_ms % 1000) * 1000);
    put_number(out, e->n_head < bytes ? e->n_head : bytes);
    put_number(out, bytes);
    (void)fwrite(e->head, 1, e->n_head < bytes ? e->n_head : bytes, out); /* as above */
}
