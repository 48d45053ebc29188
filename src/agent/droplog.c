/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/droplog.c: reads the ring of records and makes an entry of each (logline.h): an event in
 * the journal, a line of each file, and the history that `portward log` asks for; and once a second
 * one for each filter that says how many were left out. Called by a timer of agent.c. Invariants:
 * the program bounds how many records there are (bpf/log.h), one call reads a bounded number of
 * them; the journal gets no more than its share, so that what others can send never crowds out what
 * an administrator must see; no byte of a packet gets into an event but addresses, ports and the
 * like.
 */
#include "droplog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "eval/eval.h"
#include "internal.h"

enum {
    READ_MAX = 2 * LIMIT_LOG_TOTAL_RATE / 5, /* twice what comes in 200 ms at most */
    POLLS_PER_SECOND = 5,
    /* journald takes 10,000 lines of a unit in 30 s (journald.conf(5)); a fifth of 250 a second is
     * kept for everything that is no record of a packet. */
    JOURNAL_PER_SECOND = 200,
    WINDOW_MS = 1000,
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
        log_tcp_flags(r->tcp_flags, t->tcp);
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

/* --- entries --- */

/* What the record says, and what the filter in force has of names. */
struct named {
    const struct log_record *r;
    const struct effective_filter *ef;
    const char *reason;
    struct texts t;
};

/* A reply that nobody asked for: the packet mirrored would be permitted by a filter that keeps
 * state, so that an answer would have passed. Asked of the program, which looks at few filters. */
static bool is_no_state(struct agent *a, const struct log_record *r)
{
    uint8_t frame[EVAL_FRAME_BYTES];
    struct datapath_answer answer;
    const struct packet p = {
        .meta = {.dir = r->flags & LOG_EGRESS ? DIR_IN : DIR_OUT},
        .family = r->family,
        .src = r->dst,
        .dst = r->src,
        .proto = r->proto,
        .l4_known = true,
        .sport = r->dport,
        .dport = r->sport,
        .hop_limit = 64,
        .tcp_flags = 2, /* SYN: what asks for an answer */
    };
    bool syn = r->proto == PROTO_TCP && (r->tcp_flags & 0x12) == 2;
    if (r->reason != DROP_FILTER || (r->proto != PROTO_UDP && r->proto != PROTO_TCP) || syn ||
        r->flags & (LOG_FRAGMENT | LOG_FORWARDED))
        return false;
    size_t len = eval_build_frame(&p, frame);
    if (datapath_test(a->dp, DATAPATH_ACTIVE, frame, len, &p.meta, &answer) < 0 || answer.block ||
        !answer.by_filter)
        return false;
    const struct effective_filter *ef = filter_of_counter(a, answer.counter_id);
    return ef && ef->filter->keep_state;
}

static int64_t time_ms_of(uint64_t boot_ns)
{
    struct timespec now;
    uint64_t boot = agent_now_ns();
    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return 0; /* cannot fail with this clock */
    int64_t ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    return boot > boot_ns ? ms - (int64_t)((boot - boot_ns) / 1000000) : ms;
}

static struct log_entry entry_of(struct agent *a, const struct named *n)
{
    const struct log_record *r = n->r;
    bool icmp = r->proto == PROTO_ICMP || r->proto == PROTO_ICMPV6;
    struct log_entry e = {
        .time_ms = time_ms_of(r->time_ns),
        .verdict = r->reason == DROP_NONE ? LOG_VERDICT_PERMIT : LOG_VERDICT_BLOCK,
        .dir = direction_of(r),
        .reason = n->reason,
        .filter = given(n->t.id),
        .rule = n->ef ? n->ef->rule : NULL,
        .policy = n->ef ? n->ef->policy : NULL,
        .layer = n->ef ? layer_name(n->ef->layer) : NULL,
        .iface = interface_of(a, r->ifindex),
        .marks = given(n->t.flags),
        .generation = r->generation,
        .family = r->family,
        .src = r->src,
        .dst = r->dst,
        .proto = r->proto,
        .has_ports = proto_has_ports(r->proto) && (r->sport || r->dport),
        .has_icmp = r->family != FAMILY_ANY && icmp,
        .sport = r->sport,
        .dport = r->dport,
        .tcp_flags = r->tcp_flags,
        .icmp_type = r->icmp_type,
        .icmp_code = r->icmp_code,
        .length = r->length,
    };
    memcpy(e.mac, r->mac, sizeof(e.mac));
    memcpy(e.head, r->head, sizeof(e.head));
    e.n_head = r->family == FAMILY_ANY ? 0 : LOG_ENTRY_HEAD;
    uint32_t bytes = log_packet_bytes(&e);
    if (bytes && bytes < e.n_head)
        e.n_head = bytes;
    if (bytes) /* without a link header */
        e.length = bytes;
    return e;
}

static void to_journal(struct agent *a, const struct named *n)
{
    const struct log_record *r = n->r;
    const struct effective_filter *ef = n->ef;
    const struct texts *t = &n->t;
    if (a->config.log.no_journal)
        return;
    if (a->droplog.journal_tokens == 0) {
        a->droplog.not_in_journal++;
        return;
    }
    a->droplog.journal_tokens--;
    event_log(r->reason == DROP_NONE ? EV_PACKET_PASSED : EV_PACKET_DROPPED, "REASON", n->reason,
              "DIRECTION", direction_of(r), "INTERFACE", interface_of(a, r->ifindex), "PROTOCOL",
              given(t->proto), "SOURCE", given(t->src), "SOURCE_PORT", given(t->sport),
              "DESTINATION", given(t->dst), "DESTINATION_PORT", given(t->dport), "ICMP",
              given(t->type), "TCP_FLAGS", given(t->tcp), "FLAGS", given(t->flags), "ID",
              given(t->id), "LAYER", ef ? layer_name(ef->layer) : NULL, "POLICY",
              ef ? ef->policy : NULL, "RULE", ef ? ef->rule : NULL, "WEIGHT", given(t->weight),
              "LENGTH", t->length, "MAC", given(t->mac), "GENERATION", t->generation, "SUPPRESSED",
              given(t->suppressed), NULL);
}

static void on_record(void *ctx, const struct log_record *r)
{
    struct agent *a = ctx;
    struct named n = {.r = r, .ef = filter_of_counter(a, r->counter_id), .t = {.id = ""}};
    print_record(r, &n.t);
    if (n.ef)
        filter_id(n.ef->filter, n.ef->layer, n.t.id);
    if (r->reason != DROP_NONE)
        n.reason = is_no_state(a, r) ? "no-state" : drop_reason_name(r->reason);
    struct log_entry e = entry_of(a, &n);
    log_history_add(&a->droplog.history, &e);
    log_files_add(&a->droplog.files, &e);
    to_journal(a, &n);
}

/* --- numbers --- */

static void on_suppressed(void *ctx, uint32_t counter_id, enum drop_reason reason, uint64_t count)
{
    struct agent *a = ctx;
    const struct effective_filter *ef = filter_of_counter(a, counter_id);
    char id[16] = "";
    if (ef)
        filter_id(ef->filter, ef->layer, id);
    struct log_entry e = {
        .time_ms = time_ms_of(agent_now_ns()),
        .verdict = LOG_VERDICT_SUPPRESSED,
        .reason = reason == DROP_NONE ? NULL : drop_reason_name(reason),
        .filter = given(id),
        .rule = ef ? ef->rule : NULL,
        .policy = ef ? ef->policy : NULL,
        .layer = ef ? layer_name(ef->layer) : NULL,
        .count = count,
        .window_ms = WINDOW_MS,
    };
    log_history_add(&a->droplog.history, &e);
    log_files_add(&a->droplog.files, &e);
}

static void tell_left_out(struct agent *a)
{
    struct droplog *l = &a->droplog;
    struct log_stats s;
    char suppressed[24], lost[24], kept_out[24];
    if (datapath_log_stats(a->dp, &s) < 0 || datapath_log_suppressed(a->dp, on_suppressed, a) < 0)
        return; /* `status` says that the kernel's state cannot be read */
    uint64_t more = s.suppressed - l->suppressed, gone = s.lost - l->lost;
    if ((l->known && (more || gone)) || l->not_in_journal) {
        (void)snprintf(suppressed, sizeof(suppressed), "%" PRIu64, l->known ? more : 0); /* fits */
        (void)snprintf(lost, sizeof(lost), "%" PRIu64, l->known ? gone : 0);             /* fits */
        (void)snprintf(kept_out, sizeof(kept_out), "%" PRIu64, l->not_in_journal);       /* fits */
        event_log(EV_LOG_SUPPRESSED, "SUPPRESSED", suppressed, "LOST", lost, "NOT_IN_JOURNAL",
                  l->not_in_journal ? kept_out : NULL, NULL);
    }
    l->not_in_journal = 0;
    l->suppressed = s.suppressed;
    l->lost = s.lost;
    l->known = true;
}

void droplog_poll(struct agent *a)
{
    struct droplog *l = &a->droplog;
    if (!a->in_force) /* starting: nobody could say yet which filters records are of */
        return;
    if (l->polls % POLLS_PER_SECOND == 0)
        l->journal_tokens = JOURNAL_PER_SECOND;
    int n = datapath_log_read(a->dp, READ_MAX, on_record, a);
    if (n < 0 && l->polls == 0)
        event_log(EV_WORKER_FAILED, "ERROR", strerror(-n), "SOURCE", "log", NULL);
    if (l->polls++ % POLLS_PER_SECOND == 0)
        tell_left_out(a);
    log_files_flush(&l->files);
}

void droplog_apply(struct agent *a)
{
    log_files_apply(&a->droplog.files, &a->config.log);
}

void droplog_done(struct agent *a)
{
    log_files_done(&a->droplog.files);
    log_history_done(&a->droplog.history);
}
