/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/droplog.c: reads the ring of records and writes an event for each, and one a second that
 * says how many were left out. Called by a timer of agent.c. Invariants: the program bounds how
 * many records there are (bpf/log.h), one call reads a bounded number of them; no byte of a packet
 * gets into an event but addresses, ports and the like. */
#include "droplog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

enum {
    READ_MAX = 2 * LIMIT_LOG_TOTAL_RATE / 5, /* twice what comes in 200 ms at most */
    POLLS_PER_SECOND = 5,
};

static const char *interface_of(struct agent *a, uint32_t ifindex)
{
    const struct host *h = datapath_host(a->dp);
    for (size_t i = 0; i < h->n_ifaces; i++) {
        if (h->ifaces[i].ifindex == ifindex)
            return h->ifaces[i].name;
    }
    return NULL;
}

/* --- texts --- */

struct texts {
    char src[IP_TEXT_BYTES], dst[IP_TEXT_BYTES];
    char proto[16], sport[8], dport[8], type[16], tcp[16], flags[96];
    char length[16], suppressed[16], generation[16], weight[16], id[16], mac[24];
};

static const char *direction_of(const struct log_record *r)
{
    return r->flags & LOG_FORWARDED ? "forwarded" : r->flags & LOG_EGRESS ? "out" : "in";
}

static void add_word(char *text, size_t size, bool is, const char *word)
{
    size_t len = strlen(text);
    if (is)
        (void)snprintf(text + len, size - len, "%s%s", len ? "," : "", word); /* fits */
}

static void print_flags(const struct log_record *r, struct texts *t)
{
    static const struct {
        unsigned flag;
        const char *word;
    } words[] = {{LOG_GUARD, "guard"},
                 {LOG_FRAGMENT, "fragment"},
                 {LOG_WOULD_BLOCK, "would-block"},
                 {LOG_MASQUERADED, "masqueraded"},
                 {LOG_DECAPSULATED, "decapsulated"}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        add_word(t->flags, sizeof(t->flags), r->flags & words[i].flag, words[i].word);
}

/* FIN SYN RST PSH ACK URG ECE CWR, as tcpdump has them. */
static void print_tcp_flags(const struct log_record *r, struct texts *t)
{
    static const char letters[] = "FSRPAUEC";
    size_t n = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (r->tcp_flags >> i & 1)
            t->tcp[n++] = letters[i];
    }
}

static void print_l4(const struct log_record *r, struct texts *t)
{
    const char *name = proto_name(r->proto);
    (void)snprintf(t->proto, sizeof(t->proto), "%s", name ? name : "");
    if (!name)
        (void)snprintf(t->proto, sizeof(t->proto), "%u", r->proto);
    if (r->proto == PROTO_ICMP || r->proto == PROTO_ICMPV6) {
        (void)snprintf(t->type, sizeof(t->type), "%u/%u", r->icmp_type, r->icmp_code);
    } else if (proto_has_ports(r->proto) && (r->sport || r->dport)) {
        (void)snprintf(t->sport, sizeof(t->sport), "%u", r->sport);
        (void)snprintf(t->dport, sizeof(t->dport), "%u", r->dport);
    }
    if (r->proto == PROTO_TCP)
        print_tcp_flags(r, t);
}

static void print_record(const struct log_record *r, struct texts *t)
{
    static const uint8_t no_mac[6];
    if (r->family != FAMILY_ANY) {
        ip_print(r->family, r->src, t->src);
        ip_print(r->family, r->dst, t->dst);
        print_l4(r, t);
    }
    print_flags(r, t);
    (void)snprintf(t->length, sizeof(t->length), "%u", r->length);
    (void)snprintf(t->generation, sizeof(t->generation), "%u", r->generation);
    if (r->weight)
        (void)snprintf(t->weight, sizeof(t->weight), "%08x", r->weight);
    if (r->suppressed)
        (void)snprintf(t->suppressed, sizeof(t->suppressed), "%u", r->suppressed);
    if (memcmp(r->mac, no_mac, sizeof(no_mac)) != 0)
        (void)snprintf(t->mac, sizeof(t->mac), "%02x:%02x:%02x:%02x:%02x:%02x", r->mac[0],
                       r->mac[1], r->mac[2], r->mac[3], r->mac[4], r->mac[5]);
}

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

static void on_record(void *ctx, const struct log_record *r)
{
    struct agent *a = ctx;
    const struct effective_filter *ef = filter_of_counter(a, r->counter_id);
    struct texts t = {.id = ""};
    print_record(r, &t);
    if (ef)
        filter_id(ef->filter, ef->layer, t.id);
    event_log(r->reason == DROP_NONE ? EV_PACKET_PASSED : EV_PACKET_DROPPED, "REASON",
              r->reason == DROP_NONE ? NULL : drop_reason_name(r->reason), "DIRECTION",
              direction_of(r), "INTERFACE", interface_of(a, r->ifindex), "PROTOCOL", given(t.proto),
              "SOURCE", given(t.src), "SOURCE_PORT", given(t.sport), "DESTINATION", given(t.dst),
              "DESTINATION_PORT", given(t.dport), "ICMP", given(t.type), "TCP_FLAGS", given(t.tcp),
              "FLAGS", given(t.flags), "ID", given(t.id), "LAYER",
              ef ? layer_name(ef->layer) : NULL, "POLICY", ef ? ef->policy : NULL, "RULE",
              ef ? ef->rule : NULL, "WEIGHT", given(t.weight), "LENGTH", t.length, "MAC",
              given(t.mac), "GENERATION", t.generation, "SUPPRESSED", given(t.suppressed), NULL);
}

/* --- numbers --- */

static void tell_left_out(struct agent *a)
{
    struct droplog *l = &a->droplog;
    struct log_stats s;
    char suppressed[24], lost[24];
    if (datapath_log_stats(a->dp, &s) < 0)
        return; /* `status` says that the kernel's state cannot be read */
    uint64_t more = s.suppressed - l->suppressed, gone = s.lost - l->lost;
    if (l->known && (more || gone)) {
        (void)snprintf(suppressed, sizeof(suppressed), "%" PRIu64, more); /* fits */
        (void)snprintf(lost, sizeof(lost), "%" PRIu64, gone);             /* fits */
        event_log(EV_LOG_SUPPRESSED, "SUPPRESSED", suppressed, "LOST", lost, NULL);
    }
    l->suppressed = s.suppressed;
    l->lost = s.lost;
    l->known = true;
}

void droplog_poll(struct agent *a)
{
    if (!a->in_force) /* starting: nobody could say yet which filters records are of */
        return;
    int n = datapath_log_read(a->dp, READ_MAX, on_record, a);
    if (n < 0 && a->droplog.polls == 0)
        event_log(EV_WORKER_FAILED, "ERROR", strerror(-n), "SOURCE", "log", NULL);
    if (a->droplog.polls++ % POLLS_PER_SECOND == 0)
        tell_left_out(a);
}
