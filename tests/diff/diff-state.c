/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff-state: `keep state` in the loaded programs against eval_state, packet by packet, in a
 * network and mount namespace of this process alone. Packets go through the very programs of the
 * hooks (BPF_PROG_TEST_RUN); time goes by making the entries of the tables older. Steps of time are
 * few between long ones: the programs write an entry again only after a quarter of its life. TCP
 * has no sockets here, so that it is in the tables, too; tests/netns/test-state.py has real ones.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "compile/compile.h"
#include "datapath/flows.h"
#include "eval/state.h"
#include "flow.h"
#include "kernel_ns.h"
#include "testlib/fixture.h"
#include "testlib/gen.h"
#include "text/text.h"

enum { SKIP = 77, WAIT_MS = 5000, FILTERS = 8, RECENT = 12, FLOWS_MAX = 4096 };
enum { SECONDS = 1000000000 };
static const char pin_root[] = "/sys/fs/bpf/portward-diff-state";

struct bench {
    struct datapath *dp;
    struct diag d;
    uint64_t generation, offset_ns, fresh_ns;
    struct rng rng;
    struct eval_state *state;
    struct filter filters[FILTERS];
    struct effective_filter list[FILTERS];
    struct effective e;
    struct filter_settings settings;
    int prog[2], table[PW_TABLES];
    struct packet recent[RECENT];
    unsigned steps_short, steps_long;
    uint64_t answers, expired, blocked, packets, slow;
};

/* Addresses of this host are put in for L, L6. */
static const char *const templates[] = {
    "block in all",
    "block out all",
    "block all",
    "permit out udp port 53 keep state",
    "permit out udp to 203.0.113.1 port 53 keep state",
    "permit in udp port 4000 keep state",
    "permit in udp from 203.0.113.0/24 to me port 4000 keep state",
    "permit out tcp port 53 keep state",
    "permit in tcp port 4000 keep state",
    "permit out icmp type 8 keep state",
    "permit in icmp type 8 keep state",
    "permit out icmpv6 type 128 keep state",
    "permit out all keep state",
    "permit udp from 203.0.113.0/24 to 198.51.100.0/24 keep state",
    "permit tcp from 203.0.113.0/24 to 198.51.100.0/24 keep state",
    "permit from 2001:db8:f::/48 to 2001:db8:e::/48 keep state",
    "permit out esp keep state",
    "block in from 203.0.113.1",
    "block in from 203.0.113.0/24",
    "block out to 203.0.113.2",
    "block in from 2001:db8:f::1",
    "block in udp override",
    "permit in udp port 53",
    "block in udp from any port 53 to me port 4000",
};

static uint64_t boot_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * SECONDS + (uint64_t)t.tv_nsec;
}

static int wait_for(struct bench *b, unsigned slot)
{
    struct pollfd p = {.fd = datapath_worker_fd(b->dp), .events = POLLIN};
    int n = poll(&p, 1, WAIT_MS);
    if (n <= 0)
        return n < 0 ? -errno : -ETIMEDOUT;
    int err = datapath_worker_process(b->dp);
    if (err < 0)
        return err;
    return datapath_visible(b->dp, slot, b->generation) == 1 ? 0 : -ESTALE;
}

static int install(struct bench *b)
{
    struct compile_options o = {.generation = ++b->generation,
                                .state_epoch = b->generation,
                                .seed = b->generation * 0x9e3779b97f4a7c15ULL,
                                .tag_secret = datapath_tag_secret(b->dp)};
    _cleanup_(image_done) struct image image = {0};
    int err = compile_image(&b->e, &o, &b->d, &image, NULL);
    if (err == 0)
        err = datapath_candidate(b->dp, &image, FILTERS, &b->d);
    if (err == 0)
        err = wait_for(b, DATAPATH_CANDIDATE);
    if (err == 0)
        err = datapath_flip(b->dp, &b->d);
    return err < 0 ? err : wait_for(b, DATAPATH_ACTIVE);
}

/* Other filters, in force under the next epoch. */
static int change_policy(struct bench *b)
{
    size_t n = 3 + rng_below(&b->rng, FILTERS - 2);
    for (size_t i = 0; i < b->e.n; i++)
        filter_done(&b->filters[i]);
    b->e.n = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = i ? rng_below(&b->rng, ARRAY_SIZE(templates)) : rng_below(&b->rng, 3);
        const char *text = templates[at];
        int err = text_parse_filter(text, strlen(text), &b->d, &b->filters[i]);
        if (err < 0)
            return err;
        b->filters[i].guid = (struct guid){{(uint8_t)at, (uint8_t)i}};
        b->list[i] = (struct effective_filter){
            .filter = &b->filters[i], .layer = LAYER_LOCAL, .counter_id = (uint32_t)i};
        b->e.n++;
    }
    b->e.host = datapath_host(b->dp);
    eval_state_next_epoch(b->state);
    return install(b);
}

/* --- packets --- */

static bool pick_local(struct bench *b, enum family f, struct ip *ret)
{
    const struct host *h = datapath_host(b->dp);
    for (size_t tries = 0; tries < 200; tries++) {
        const struct local_route *l = &h->local[rng_below(&b->rng, (uint32_t)h->n_local)];
        if (l->family != f || l->kind != LOCAL_UNICAST || l->prefix_len != family_bits(f))
            continue;
        *ret = l->prefix;
        return f == FAMILY_4 ? l->prefix.lo >> 24 != 127 : l->prefix.hi != 0;
    }
    return false;
}

static struct ip pick_remote(struct bench *b, enum family f, bool far)
{
    unsigned n = 1 + rng_below(&b->rng, 3);
    if (f == FAMILY_4)
        return (struct ip){.lo = (far ? 0xc6336400u : 0xcb007100u) + n};
    return (struct ip){.hi = far ? 0x20010db8000e0000ULL : 0x20010db8000f0000ULL, .lo = n};
}

static void pick_l4(struct bench *b, struct packet *p)
{
    static const uint8_t flags[] = {2, 2, 2, 18, 16, 16, 24, 17, 4, 20};
    static const uint16_t ports[] = {53, 4000};
    switch (rng_below(&b->rng, 8)) {
    case 0:
        p->proto = p->family == FAMILY_4 ? PROTO_ICMP : PROTO_ICMPV6;
        bool reply = rng_below(&b->rng, 2);
        p->icmp_type = p->family == FAMILY_4 ? (reply ? 0 : 8) : (reply ? 129 : 128);
        p->l4_known = true;
        return;
    case 1:
        p->proto = PROTO_ESP;
        return;
    case 2:
    case 3:
    case 4:
        p->proto = PROTO_TCP;
        p->tcp_flags = flags[rng_below(&b->rng, ARRAY_SIZE(flags))];
        break;
    default:
        p->proto = PROTO_UDP;
    }
    p->l4_known = true;
    p->sport = ports[rng_below(&b->rng, 2)];
    p->dport = ports[rng_below(&b->rng, 2)];
}

/* Between this host and another one, or two others (which is ingress only). */
static bool pick_packet(struct bench *b, struct packet *ret)
{
    struct packet p = {.family = rng_below(&b->rng, 4) ? FAMILY_4 : FAMILY_6, .hop_limit = 64};
    bool forwarded = rng_below(&b->rng, 3) == 0;
    p.meta.dir = forwarded || rng_below(&b->rng, 2) ? DIR_IN : DIR_OUT;
    if (forwarded) {
        bool swap = rng_below(&b->rng, 2);
        p.src = pick_remote(b, p.family, swap);
        p.dst = pick_remote(b, p.family, !swap);
    } else {
        struct ip *local = p.meta.dir == DIR_IN ? &p.dst : &p.src;
        struct ip *remote = p.meta.dir == DIR_IN ? &p.src : &p.dst;
        if (!pick_local(b, p.family, local))
            return false;
        *remote = pick_remote(b, p.family, false);
    }
    pick_l4(b, &p);
    if (rng_below(&b->rng, 12) == 0) {
        p.later_fragment = true;
        p.l4_known = false;
        p.sport = p.dport = 0;
        p.icmp_type = p.tcp_flags = 0;
    }
    *ret = p;
    return true;
}

/* What the other side would send next. */
static struct packet answer_to(struct bench *b, const struct packet *q)
{
    static const uint8_t flags[] = {18, 16, 16, 17, 4, 2};
    struct packet p = *q;
    bool forwarded = q->meta.dir == DIR_IN && !eval_dst_is_me(&b->e, q);
    p.src = q->dst;
    p.dst = q->src;
    p.sport = q->dport;
    p.dport = q->sport;
    p.meta.dir = forwarded || q->meta.dir == DIR_OUT ? DIR_IN : DIR_OUT;
    if (q->proto == PROTO_ICMP)
        p.icmp_type = q->icmp_type ? 0 : 8;
    else if (q->proto == PROTO_ICMPV6)
        p.icmp_type = (uint8_t)(q->icmp_type ^ 1);
    else if (q->proto == PROTO_TCP)
        p.tcp_flags = flags[rng_below(&b->rng, ARRAY_SIZE(flags))];
    return p;
}

/* A packet of the past once more, or what it leads to, or a new one. */
static bool next_packet(struct bench *b, struct packet *ret)
{
    unsigned dice = rng_below(&b->rng, 8);
    const struct packet *old = &b->recent[rng_below(&b->rng, RECENT)];
    if (dice < 2 || old->family == FAMILY_ANY) {
        if (!pick_packet(b, ret))
            return false;
    } else {
        *ret = dice == 2 ? *old : answer_to(b, old);
    }
    b->recent[rng_below(&b->rng, RECENT)] = *ret;
    return true;
}

/* An error of a router about a packet that its receiver may have sent. */
static void make_error(struct bench *b, const struct packet *quoted, struct packet *ret)
{
    struct packet p = {.family = quoted->family,
                       .src = pick_remote(b, quoted->family, true),
                       .dst = quoted->src,
                       .l4_known = true,
                       .hop_limit = 64};
    p.meta.dir = DIR_IN;
    p.proto = p.family == FAMILY_4 ? PROTO_ICMP : PROTO_ICMPV6;
    p.icmp_type = p.family == FAMILY_4 ? 3 : 2;
    p.icmp_code = p.family == FAMILY_4 ? 4 : 0;
    *ret = p;
}

/* --- one step --- */

static size_t append_quoted(const struct packet *q, uint8_t *frame, size_t len)
{
    uint8_t inner[EVAL_FRAME_BYTES];
    size_t n = eval_build_frame(q, inner) - 14;
    memcpy(frame + len, inner + 14, n);
    unsigned at = q->family == FAMILY_4 ? 16 : 18; /* total or payload length */
    unsigned bytes = (unsigned)frame[at] << 8 | frame[at + 1];
    bytes += (unsigned)n;
    frame[at] = (uint8_t)(bytes >> 8);
    frame[at + 1] = (uint8_t)bytes;
    return len + n;
}

static int run(struct bench *b, const struct packet *p, const struct packet *quoted,
               bool *ret_block)
{
    uint8_t frame[GEN_FRAME_BYTES];
    size_t len = eval_build_frame(p, frame);
    struct __sk_buff skb = {0};
    if (quoted)
        len = append_quoted(quoted, frame, len);
    len = gen_dress_frame(&b->rng, frame, len);
    memset(frame, 0xff, 6); /* not for this host by its frame: the address alone says it */
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = (uint32_t)len,
                .ctx_in = &skb, .ctx_size_in = sizeof(skb));
    int err = bpf_prog_test_run_opts(b->prog[p->meta.dir], &o);
    *ret_block = o.retval == 2;
    return err;
}

/* Keys first: an entry that is written moves to the head of its bucket, in front of the walk. */
static size_t collect_keys(int table, struct pw_flow *keys)
{
    size_t n = 0;
    int r = bpf_map_get_next_key(table, NULL, &keys[0]);
    while (r == 0 && ++n < FLOWS_MAX)
        r = bpf_map_get_next_key(table, &keys[n - 1], &keys[n]);
    return n;
}

static int grow_older(struct bench *b, uint64_t seconds)
{
    static struct pw_flow keys[FLOWS_MAX];
    struct pw_entry e;
    for (unsigned t = 0; t < PW_TABLES; t++) {
        size_t n = collect_keys(b->table[t], keys);
        if (n == FLOWS_MAX)
            return -E2BIG;
        for (size_t i = 0; i < n; i++) {
            if (bpf_map_lookup_elem(b->table[t], &keys[i], &e) < 0)
                continue;
            e.last_seen_ns -= seconds * SECONDS;
            (void)bpf_map_update_elem(b->table[t], &keys[i], &e, BPF_EXIST);
        }
    }
    b->offset_ns += seconds * SECONDS;
    return 0;
}

/* Real time goes by, too: on a slow machine all is forgotten before it can make a difference. */
static int pass_time(struct bench *b)
{
    unsigned dice = rng_below(&b->rng, 200);
    if (boot_ns() - b->fresh_ns > 2ULL * SECONDS) {
        dice = 6;
        b->slow++;
    }
    if (dice < 4 && b->steps_short < 3) {
        b->steps_short++;
        return grow_older(b, 20);
    }
    if (dice < 6 && b->steps_long < 8) {
        b->steps_short = 0;
        b->steps_long++;
        return grow_older(b, 200);
    }
    if (dice == 6) {
        b->steps_short = b->steps_long = 0;
        b->fresh_ns = boot_ns();
        return grow_older(b, 8000);
    }
    return 0;
}

static int step(struct bench *b)
{
    struct packet p, quoted;
    struct verdict v, plain;
    bool block = false, error;
    int err = pass_time(b);
    if (err < 0 || !next_packet(b, &p))
        return err;
    error = !p.later_fragment && p.meta.dir == DIR_IN && rng_below(&b->rng, 10) == 0;
    if (error) { /* about a packet the other way */
        quoted = p;
        quoted.src = p.dst;
        quoted.dst = p.src;
        quoted.sport = p.dport;
        quoted.dport = p.sport;
        make_error(b, &quoted, &p);
    }
    uint64_t now = boot_ns() + b->offset_ns;
    plain = eval_packet(&b->e, &p, now);
    err = eval_state_packet(b->state, &b->e, &p, error ? &quoted : NULL, now, &v);
    if (err == 0)
        err = run(b, &p, error ? &quoted : NULL, &block);
    if (err < 0)
        return err;
    if (getenv("PORTWARD_BREAK") && plain.block && !v.block)
        block = !block;
    b->packets++;
    b->answers += plain.block && !v.block;
    b->expired += v.reason == DROP_STATE_EXPIRED;
    b->blocked += v.block;
    if (block == v.block)
        return 0;
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
    int told = text_print_packet(error ? &quoted : &p, &text);
    printf("packet %" PRIu64 "%s: %s%s flags %u: program %s, evaluator %s\n", b->packets,
           error ? ", an error about" : "", told == 0 ? text.s : "?",
           p.later_fragment ? " (later fragment)" : "", p.tcp_flags, block ? "drops" : "passes",
           v.block ? "drops" : "passes");
    for (size_t i = 0; i < b->e.n; i++) {
        _cleanup_(strbuf_done) struct strbuf f = STRBUF_INIT(4096);
        told = text_print_filter(&b->filters[i], &f);
        printf("    %s\n", told == 0 ? f.s : "?");
    }
    return -EBADMSG;
}

static int open_objects(struct bench *b)
{
    static const char *const progs[2] = {[DIR_IN] = "prog/pw_in", [DIR_OUT] = "prog/pw_out"};
    static const char *const tables[PW_TABLES] = {"map/lo_new", "map/lo_est", "map/re_new",
                                                  "map/re_est"};
    char path[128];
    for (unsigned i = 0; i < 2 + PW_TABLES; i++) {
        snprintf(path, sizeof(path), "%s/%" PRIu64 "/%s", pin_root, datapath_netns_cookie(b->dp),
                 i < 2 ? progs[i] : tables[i - 2]);
        int fd = bpf_obj_get(path);
        if (fd < 0)
            return fd;
        *(i < 2 ? &b->prog[i] : &b->table[i - 2]) = fd;
    }
    return 0;
}

static int start(struct bench *b)
{
    unsigned changes;
    int err = kernel_ns_enter();
    if (err < 0)
        return err;
    err = kernel_ns_shuffle(&b->rng);
    if (err < 0)
        return err;
    struct datapath_options o = {.pin_root = pin_root, .hook = HOOK_AUTO};
    err = datapath_open(&o, &b->d, &b->dp);
    if (err == 0)
        err = datapath_rtnl_process(b->dp, &changes);
    if (err == 0)
        err = open_objects(b);
    b->fresh_ns = boot_ns();
    b->e.v = b->list;
    b->e.settings = &b->settings;
    return err < 0 ? err : eval_state_new(&b->state);
}

static uint64_t number(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    static struct bench b;
    const char *env = getenv("PORTWARD_SEED");
    uint64_t n = number(argc, argv, "--pairs", 10000);
    uint64_t per_policy = number(argc, argv, "--packets-per-policy", 100);
    uint64_t seed = number(argc, argv, "--seed", env ? strtoull(env, NULL, 10) : boot_ns());
    printf("seed %" PRIu64 "\n", seed);
    b.rng = (struct rng){seed};
    b.settings.exempt = 3;
    int err = start(&b);
    if (err == -EPERM || err == -EACCES) {
        printf("SKIP: needs root\n");
        return SKIP;
    }
    for (uint64_t i = 0; i < n && err == 0; i++) {
        if (i % per_policy == 0)
            err = change_policy(&b);
        if (err == 0)
            err = step(&b);
    }
    printf("%" PRIu64 " packets: %" PRIu64 " dropped, %" PRIu64 " answers passed by state, %" PRIu64
           " expired, %" PRIu64 " times too slow for the seed to repeat\n",
           b.packets, b.blocked, b.answers, b.expired, b.slow);
    if (err < 0)
        printf("%s: %s\n", strerror(-err), b.d.message);
    if (err == 0 && (b.answers * 100 < b.packets || b.expired == 0)) {
        printf("too few packets met state\n");
        err = -ENODATA;
    }
    for (size_t i = 0; i < b.e.n; i++)
        filter_done(&b.filters[i]);
    eval_state_free(b.state);
    if (b.dp && datapath_clear(b.dp, &b.d) < 0)
        printf("cleaning up: %s\n", b.d.message);
    return err < 0;
}
