/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pw-inject: CPU time of one UDP packet on its way into this network namespace.
 *   pw-inject --device DEV --kind legit|hit|miss|fixed|near [--filters N] [--v6] ...
 *     from inside: live frames of BPF_PROG_TEST_RUN into the receive path of DEV
 *   pw-inject --flood --device DEV --mac MAC --receiver /run/netns/NAME ...
 *     from outside: frames through a packet socket on DEV, the other end of NAME's veth pair
 *   pw-inject --drop-all --device DEV
 *     no packets: says "ready", and DEV drops everything until standard input ends
 * Prints one JSON object: per round the packets sent, lost before they were judged and delivered
 * to a UDP socket, and the CPU time of each. Called by bench.py; judges nothing itself. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject-tool.h"
/* Generated code; clang knows none of gcc's further warnings. */
#include "inject.skel.h"

/* Not in the headers of Linux 6.1's predecessors under these names. */
enum { LIVE_FRAMES = 1 << 1, XDP_DRIVER_MODE = 1 << 2 };
enum { FRAMES_AT_ONCE = 64, CALIBRATE = 512, COUNT_MIN = 256, COUNT_MAX = 400000 };
static const char *const kinds[_INJECT_KIND_MAX] = {"legit", "hit", "miss", "fixed", "near"};

struct source {
    struct inject *skel;
    int ifindex;
    uint8_t frame[INJECT_FRAME6];
    unsigned len;
};

static void source_done(struct source *s)
{
    if (s->ifindex)
        (void)bpf_xdp_detach(s->ifindex, XDP_DRIVER_MODE, NULL);
    if (s->skel)
        inject__destroy(s->skel);
}

static int source_init(struct source *s, struct inject_options *o)
{
    int ifindex = (int)if_nametoindex(o->device);
    int err = ifindex ? inject_device_mac(o->device, o->mac) : -ENODEV;

    if (err < 0)
        return err;
    s->skel = inject__open_and_load();
    if (!s->skel)
        return -errno;
    s->len = inject_frame(o, s->frame);
    memcpy((void *)(uintptr_t)&s->skel->bss->job, &o->job, sizeof(o->job));
    err = bpf_xdp_attach(ifindex, bpf_program__fd(s->skel->progs.pass), XDP_DRIVER_MODE, NULL);
    if (err == 0)
        s->ifindex = ifindex;
    return err;
}

static int source_run(struct source *s, unsigned count, struct inject_round *ret)
{
    struct xdp_md ctx = {.data_end = s->len, .ingress_ifindex = (uint32_t)s->ifindex};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = s->frame, .data_size_in = s->len,
                .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int)count,
                .flags = LIVE_FRAMES, .batch_size = FRAMES_AT_ONCE);
    double cpu = inject_cpu_ns(), wall = inject_wall_ns();

    if (bpf_prog_test_run_opts(bpf_program__fd(s->skel->progs.inject), &opts) < 0)
        return -errno;
    *ret = (struct inject_round){
        .sent = count, .cpu_ns = inject_cpu_ns() - cpu, .wall_ns = inject_wall_ns() - wall};
    return 0;
}

/* How many packets fill the time of a round. */
static int calibrate(struct source *s, const struct inject_options *o, unsigned *ret)
{
    struct inject_round r;
    unsigned n = CALIBRATE;
    int err = source_run(s, n / 8, &r);

    if (err == 0 && r.cpu_ns < o->round_ms * 1e6)
        err = source_run(s, n, &r);
    if (err < 0)
        return err;
    double want = (double)r.sent * o->round_ms * 1e6 / (r.cpu_ns > 0 ? r.cpu_ns : 1);
    *ret = want < COUNT_MIN ? COUNT_MIN : want > COUNT_MAX ? COUNT_MAX : (unsigned)want;
    return 0;
}

static void print_round(const struct inject_round *r, bool first)
{
    uint64_t judged = r->sent - (r->lost < r->sent ? r->lost : 0);
    double n = judged ? (double)judged : 1;

    printf("%s{\"sent\": %llu, \"lost\": %llu, \"delivered\": %llu, \"ns\": %.2f, \"pps\": %.0f}",
           first ? "" : ", ", (unsigned long long)r->sent, (unsigned long long)r->lost,
           (unsigned long long)r->delivered, r->cpu_ns / n,
           r->wall_ns > 0 ? (double)judged * 1e9 / r->wall_ns : 0);
}

static int run_inside(struct inject_options *o, int receiver)
{
    struct source s = {0};
    uint64_t drops = 0;
    unsigned count = 0;
    int err = source_init(&s, o);

    if (err == 0)
        err = calibrate(&s, o, &count);
    (void)inject_delivered(receiver, &drops);
    for (unsigned i = 0; i < o->rounds && err == 0; i++) {
        struct inject_round r;
        err = source_run(&s, count, &r);
        if (err < 0)
            break;
        r.delivered = inject_delivered(receiver, &drops);
        print_round(&r, i == 0);
    }
    source_done(&s);
    return err;
}

static int run_flood(const struct inject_options *o, int receiver)
{
    struct flood *f;
    uint64_t drops = 0;
    int err = flood_new(o, &f);

    if (err < 0)
        return err;
    (void)inject_delivered(receiver, &drops);
    for (unsigned i = 0; i < o->rounds && err == 0; i++) {
        struct inject_round r = {0};
        err = flood_round(f, &r);
        r.delivered = inject_delivered(receiver, &drops);
        if (err == 0)
            print_round(&r, i == 0);
    }
    flood_free(f);
    return err;
}

/* Until standard input ends. */
static int drop_all(const char *device)
{
    int ifindex = (int)if_nametoindex(device);
    struct inject *skel = inject__open_and_load();
    char ignored;

    if (!skel)
        return -errno;
    int err = bpf_xdp_attach(ifindex, bpf_program__fd(skel->progs.drop), XDP_DRIVER_MODE, NULL);
    if (err == 0) {
        printf("ready\n");
        fflush(stdout);
        while (read(STDIN_FILENO, &ignored, 1) > 0)
            ;
        err = bpf_xdp_detach(ifindex, XDP_DRIVER_MODE, NULL);
    }
    inject__destroy(skel);
    return err;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4,
                  mac + 5) == 6;
}

static bool parse_kind(const char *text, uint32_t *ret)
{
    for (uint32_t i = 0; i < _INJECT_KIND_MAX; i++)
        if (strcmp(text, kinds[i]) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

static bool parse_option(int c, const char *value, struct inject_options *o)
{
    unsigned n = value ? (unsigned)strtoul(value, NULL, 10) : 0;

    switch (c) {
    case 'd':
        o->device = value;
        return true;
    case 'k':
        return parse_kind(value, &o->job.kind);
    case 'm':
        return parse_mac(value, o->mac);
    case 'r':
        o->receiver = value;
        return true;
    case 'n':
        o->job.n_filters = n;
        return n > 0 && n <= INJECT_INDEX_MASK;
    case 's':
        o->job.n_sources = n;
        return n > 0;
    case 'l':
        o->job.n_lengths = n;
        return n > 0 && n <= 8;
    case 'p':
        o->port = (uint16_t)n;
        return n > 0 && n <= UINT16_MAX;
    case 'R':
        o->rounds = n;
        return n > 0;
    case 't':
        o->round_ms = n;
        return n > 0;
    case 'c':
        o->cpu = n;
        return n < CPU_SETSIZE;
    case '6':
        o->job.v6 = 1;
        return true;
    case 'f':
        o->flood = true;
        return true;
    case 'x':
        o->drop_all = true;
        return true;
    default:
        return false;
    }
}

static int measure(struct inject_options *o)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(o->cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        return -errno;
    int receiver = inject_listen(o);
    if (receiver < 0)
        return receiver;
    printf("{\"rounds\": [");
    int err = o->flood ? run_flood(o, receiver) : run_inside(o, receiver);
    printf("]}\n");
    close(receiver);
    return err;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"device", required_argument, NULL, 'd'},
                                            {"kind", required_argument, NULL, 'k'},
                                            {"mac", required_argument, NULL, 'm'},
                                            {"receiver", required_argument, NULL, 'r'},
                                            {"filters", required_argument, NULL, 'n'},
                                            {"sources", required_argument, NULL, 's'},
                                            {"lengths", required_argument, NULL, 'l'},
                                            {"port", required_argument, NULL, 'p'},
                                            {"rounds", required_argument, NULL, 'R'},
                                            {"round-ms", required_argument, NULL, 't'},
                                            {"cpu", required_argument, NULL, 'c'},
                                            {"v6", no_argument, NULL, '6'},
                                            {"flood", no_argument, NULL, 'f'},
                                            {"drop-all", no_argument, NULL, 'x'},
                                            {0}};
    struct inject_options o = {.port = 5000,
                               .rounds = 5,
                               .round_ms = 40,
                               .job = {.n_filters = 1, .n_sources = 64, .n_lengths = 1}};
    bool good = true;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        good = good && parse_option(c, optarg, &o);
    if (!good || !o.device || optind != argc) {
        fprintf(stderr,
                "usage: pw-inject --device DEV --kind legit|hit|miss|fixed|near "
                "[--filters N] [--sources N] [--lengths N] [--port P] [--v6] [--rounds N] "
                "[--round-ms MS] [--cpu N] [--flood --mac MAC] [--receiver NETNS] [--drop-all]\n");
        return 2;
    }
    int err = o.drop_all ? drop_all(o.device) : measure(&o);
    if (err < 0)
        fprintf(stderr, "pw-inject: %s\n", strerror(-err));
    return err < 0;
}
