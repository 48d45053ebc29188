/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/log_query.c: entries of the packet log as JSON (docs/api.md, Log). Called by the API and by
 * logfile.c. Nothing here changes anything. Invariant: what is not known is left out of an entry;
 * names are JSON strings, so that none can end a line. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/log.h"
#include "base/utf8.h"
#include "internal.h"
#include "model/proto.h"

static void set(json_t *j, const char *key, json_t *value)
{
    (void)json_object_set_new(j, key, value); /* a member may be lost for memory */
}

/* Names of policies are UTF-8; whatever else comes is shown byte by byte. */
static void set_text(json_t *j, const char *key, const char *text)
{
    if (!text || !*text)
        return;
    if (utf8_valid(text, strlen(text)))
        set(j, key, json_string(text));
    else
        set(j, key, json_string("?"));
}

static void set_time(json_t *j, int64_t ms)
{
    char text[64] = "";
    time_t s = (time_t)(ms / 1000);
    struct tm utc;
    if (!gmtime_r(&s, &utc))
        return;
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(ms % 1000)); /* fits */
    set(j, "t", json_string(text));
}

static void set_hex(json_t *j, const char *key, const uint8_t *bytes, unsigned n)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * LOG_ENTRY_HEAD + 1];
    for (unsigned i = 0; i < n && i < LOG_ENTRY_HEAD; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * (n < LOG_ENTRY_HEAD ? n : LOG_ENTRY_HEAD)] = '\0';
    set(j, key, json_string(text));
}

static void set_address(json_t *j, const char *key, enum family f, struct ip ip)
{
    char text[IP_TEXT_BYTES];
    ip_print(f, ip, text);
    set(j, key, json_string(text));
}

static void set_packet(json_t *j, const struct log_entry *e)
{
    static const uint8_t no_mac[6];
    char flags[LOG_TCP_FLAGS_BYTES], number[8];
    const char *proto = proto_name(e->proto);
    if (e->family != FAMILY_ANY) {
        (void)snprintf(number, sizeof(number), "%u", e->proto); /* fits */
        set(j, "proto", json_string(proto ? proto : number));
        set_address(j, "src", e->family, e->src);
        if (e->has_ports)
            set(j, "sport", json_integer(e->sport));
        set_address(j, "dst", e->family, e->dst);
        if (e->has_ports)
            set(j, "dport", json_integer(e->dport));
    }
    set(j, "len", json_integer(e->length));
    log_tcp_flags(e->tcp_flags, flags);
    if (e->family != FAMILY_ANY && e->proto == PROTO_TCP && *flags)
        set(j, "flags", json_string(flags));
    if (e->has_icmp) {
        set(j, "icmp_type", json_integer(e->icmp_type));
        set(j, "icmp_code", json_integer(e->icmp_code));
    }
    if (memcmp(e->mac, no_mac, sizeof(no_mac)) != 0)
        set_hex(j, "mac", e->mac, sizeof(e->mac));
    set_text(j, "marks", e->marks);
}

/* Members of an entry, in their order. */
static const char *const members[] = {
    "seq", "t",         "verdict",   "dir",   "reason", "filter",    "rule",  "policy", "layer",
    "gen", "if",        "proto",     "src",   "sport",  "dst",       "dport", "len",    "flags",
    "mac", "icmp_type", "icmp_code", "marks", "count",  "window_ms", "head",
};

static json_t *with_nulls(json_t *known)
{
    json_t *j = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(members) && j; i++) {
        json_t *v = json_object_get(known, members[i]);
        set(j, members[i], v ? json_incref(v) : json_null());
    }
    json_decref(known);
    return j;
}

json_t *agent_log_json(const struct log_entry *e, bool full)
{
    static const char *const verdicts[] = {[LOG_VERDICT_BLOCK] = "block",
                                           [LOG_VERDICT_PERMIT] = "permit",
                                           [LOG_VERDICT_SUPPRESSED] = "suppressed"};
    json_t *j = json_object();
    if (!j)
        return NULL;
    set(j, "seq", json_integer((json_int_t)e->seq));
    set_time(j, e->time_ms);
    set(j, "verdict", json_string(verdicts[e->verdict]));
    set_text(j, "dir", e->dir);
    set_text(j, "reason", e->reason);
    set_text(j, "filter", e->filter);
    set_text(j, "rule", e->rule);
    set_text(j, "policy", e->policy);
    set_text(j, "layer", e->layer);
    if (e->verdict == LOG_VERDICT_SUPPRESSED) {
        set(j, "count", json_integer((json_int_t)e->count));
        set(j, "window_ms", json_integer(e->window_ms));
    } else {
        set(j, "gen", json_integer((json_int_t)e->generation));
        set_text(j, "if", e->iface);
        set_packet(j, e);
        if (full && e->n_head > 0)
            set_hex(j, "head", e->head, e->n_head);
    }
    return full ? with_nulls(j) : j;
}

json_t *agent_log_entries(struct agent *a, uint64_t after, size_t max, uint64_t *ret_next,
                          uint64_t *ret_lost)
{
    const struct log_history *h = &a->droplog.history;
    json_t *list = json_array();
    size_t i = 0;
    *ret_next = h->next_seq ? h->next_seq - 1 : 0;
    *ret_lost = 0;
    if (after > *ret_next) { /* a number of an agent before this one */
        i = 0;
    } else if (!after) {
        i = h->n > max ? h->n - max : 0;
    } else {
        while (i < h->n && log_history_at(h, i)->seq <= after)
            i++;
        uint64_t first = i < h->n ? log_history_at(h, i)->seq : *ret_next + 1;
        *ret_lost = first > after + 1 && *ret_next > after ? first - after - 1 : 0;
    }
    for (size_t n = 0; i < h->n && n < max && list; i++, n++) {
        const struct log_entry *e = log_history_at(h, i);
        *ret_next = e->seq;
        if (json_array_append_new(list, agent_log_json(e, true)) < 0)
            return json_decref(list), NULL;
    }
    return list;
}
