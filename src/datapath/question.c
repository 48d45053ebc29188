/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to the loaded programs by BPF_PROG_TEST_RUN of the test entry, which writes no map;
 * and what the maps have counted. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

#include "image.h"
#include "internal.h"

_Static_assert((int)PW_DROP_FILTER == (int)DROP_FILTER && (int)PW_DROP_NO_SA == (int)DROP_NO_SA &&
                   (int)PW_DROP_BAD_HEADER == (int)DROP_BAD_HEADER &&
                   (int)PW_DROP_EXT_HEADERS == (int)DROP_EXT_HEADERS &&
                   (int)PW_DROP_TRUNCATED_L4 == (int)DROP_TRUNCATED_L4 &&
                   (int)PW_DROP_TINY_FRAGMENT == (int)DROP_TINY_FRAGMENT &&
                   (int)PW_DROP_FRAGMENT == (int)DROP_FRAGMENT &&
                   (int)PW_DROP_STATE_EXPIRED == (int)DROP_STATE_EXPIRED &&
                   (int)PW_DROP_TIMED_BLOCK == (int)DROP_TIMED_BLOCK &&
                   (int)PW_DROP_INTERNAL == (int)DROP_INTERNAL &&
                   (int)PW_DROP_MARTIAN == (int)DROP_MARTIAN &&
                   (int)PW_DROP_SOURCE_ROUTE == (int)DROP_SOURCE_ROUTE &&
                   (int)PW_DROP_VLAN_DEPTH == (int)DROP_VLAN_DEPTH &&
                   (int)PW_DROP_OVERRIDE == (int)DROP_OVERRIDE,
               "reasons");
_Static_assert((int)PW_ACTION_PERMIT == (int)ACTION_PERMIT &&
                   (int)PW_ACTION_NEGOTIATE == (int)ACTION_NEGOTIATE &&
                   (int)PW_TIER_OVERRIDE == (int)TIER_OVERRIDE,
               "actions and tiers");
_Static_assert((int)PW_ROOT_ACTIVE == (int)DATAPATH_ACTIVE &&
                   (int)PW_ROOT_CANDIDATE == (int)DATAPATH_CANDIDATE &&
                   (int)PW_ROOT_PREVIOUS == (int)DATAPATH_PREVIOUS &&
                   PW_CHUNKS * PW_CHUNK_IDS == (int)DATAPATH_COUNTER_IDS,
               "numbers of the public header");
_Static_assert((int)_DROP_REASON_MAX <= (int)PW_STAT_EXEMPT_ND, "reasons fit into the statistics");

/* One run of the test entry. */
static int ask(int prog_fd, const struct pw_test_in *in, const void *frame, size_t len,
               struct pw_test_out *ret_out, uint32_t *ret_verdict)
{
    struct __sk_buff skb = {0};
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = (uint32_t)len,
                .ctx_in = &skb, .ctx_size_in = sizeof(skb), .ctx_out = &skb,
                .ctx_size_out = sizeof(skb));

    memcpy(skb.cb, in, sizeof(*in));
    int r = bpf_prog_test_run_opts(prog_fd, &o);
    if (r < 0)
        return r;
    memcpy(ret_out, skb.cb, sizeof(*ret_out));
    *ret_verdict = o.retval;
    return 0;
}

int datapath_test(struct datapath *dp, unsigned root_slot, const uint8_t *frame, size_t len,
                  const struct packet_meta *meta, struct datapath_answer *ret)
{
    struct pw_test_in in = {
        .root = root_slot,
        .flags = (meta->to_host ? PW_TEST_TO_HOST : 0) |
                 (meta->accept_local ? PW_TEST_ACCEPT_LOCAL : 0) |
                 (meta->judged ? PW_TEST_JUDGED : 0) | (meta->dir == DIR_OUT ? PW_TEST_EGRESS : 0),
        .zone = meta->zone,
    };
    struct pw_test_out out;
    uint32_t v;
    int r = ask(dp->set.progs.prog[PROG_TEST], &in, frame, len, &out, &v);

    if (r < 0)
        return r;
    *ret = (struct datapath_answer){
        .block = v >> 8 & 1,
        .reason = (enum drop_reason)(v & 0xff),
        .by_filter = v >> 16 & 1,
        .generation = out.generation,
        .counter_id = out.counter_id,
        .weight = out.weight,
        .probes = out.probes,
        .tier = (enum tier)out.tier,
    };
    return 0;
}

int datapath_visible(struct datapath *dp, unsigned root_slot, uint64_t generation)
{
    static const uint8_t arp[60] = {[12] = ETH_P_ARP >> 8, [13] = ETH_P_ARP & 0xff};
    struct pw_test_in in = {.root = root_slot};
    struct pw_test_out out;
    uint32_t v;
    int r = ask(dp->set.progs.prog[PROG_TEST], &in, arp, sizeof(arp), &out, &v);

    if (r < 0)
        return r;
    /* Programs of the old layout decide until the job is done and the links are moved. */
    if (root_slot == PW_ROOT_ACTIVE && dp->waits_beside)
        return 0;
    bool seen = !(v >> 8 & 1) && out.generation == (uint32_t)generation;
    if (seen && root_slot == PW_ROOT_ACTIVE && dp->install == INSTALL_FLIPPING &&
        generation == dp->candidate_generation)
        dp->generation = generation;
    return seen;
}

int datapath_counters(struct datapath *dp, uint32_t first, uint32_t n, struct counter *out)
{
    counters_read(&dp->counters, first, n, out);
    return 0;
}

int datapath_counter_reset(struct datapath *dp, uint32_t id)
{
    counters_reset(&dp->counters, id);
    return log_forget(dp, id);
}

int datapath_stats(struct datapath *dp, enum direction dir, uint64_t *ret_passed,
                   uint64_t ret_dropped[_DROP_REASON_MAX])
{
    unsigned n_cpus = dp->counters.n_cpus;
    _cleanup_free_ uint64_t *per_cpu = calloc(n_cpus, sizeof(*per_cpu));
    uint64_t sum[PW_STAT_MAX] = {0};

    if (!per_cpu)
        return -ENOMEM;
    for (uint32_t i = 0; i < PW_STAT_MAX; i++) {
        uint32_t key = (dir == DIR_IN ? 0 : PW_STAT_MAX) + i;
        int r = bpf_map_lookup_elem(dp->set.progs.map[MAP_STATS], &key, per_cpu);

        if (r < 0)
            return r;
        for (unsigned cpu = 0; cpu < n_cpus; cpu++)
            sum[i] += per_cpu[cpu];
    }
    *ret_passed = sum[PW_STAT_PASSED] + sum[PW_STAT_EXEMPT_ND];
    for (unsigned reason = 0; reason < _DROP_REASON_MAX; reason++)
        ret_dropped[reason] = reason == DROP_NONE ? 0 : sum[reason];
    return 0;
}
