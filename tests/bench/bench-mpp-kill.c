/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ends every stalled connection of its network namespace with the engine of memory pressure
 * protection, and says how long that took: passes of the iterator, records and bans included.
 *   bench-mpp-kill PINS COOKIE RUNTIME_DIR KILLS_PER_PASS
 * PINS is the directory of an agent's pins for this namespace (cookie COOKIE); the agent has been
 * stopped, so that nobody else runs the iterator. Called by bench-mpp-kill.py. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/mpp/engine.h"

enum { FLOOR_MS = 250, HISTORY_US = 2500000, PASSES_MAX = 10000 };
/* In the order of bpf/mpp.h. */
static const char *const shared_names[MPP_SHARED_MAPS] = {
    "mpp_control",   "mpp_settings", "mpp_ifaces", "mpp_bans",   "mpp_net_bans",
    "mpp_conn_rate", "mpp_syn_rate", "mpp_drops",  "mpp_counts",
};

static void on_event(void *ctx _unused_, const struct mpp_event *e _unused_)
{
}

static int open_shared(const char *pins, struct mpp_options *o)
{
    for (unsigned i = 0; i < MPP_SHARED_MAPS; i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%.200s/map/%s", pins, shared_names[i]); /* fits */
        o->shared[i] = bpf_obj_get(path);
        if (o->shared[i] < 0)
            return o->shared[i];
    }
    return 0;
}

static int pass(struct mpp *m, uint32_t what, uint32_t kills, struct mpp_sums *ret)
{
    struct mpp_scan scan = {.what = what,
                            .epoch = ++m->machine.epoch,
                            .floor_ms = FLOOR_MS,
                            .many_ms = FLOOR_MS,
                            .idle_ms = UINT32_MAX,
                            .budget_bytes = UINT64_MAX,
                            .budget_kills = kills};
    int r = kern_look(&m->kern, &scan, NULL, NULL, ret);

    if (r == 0)
        records_take(m, ret);
    return r;
}

static int end_all(struct mpp *m, uint32_t kills)
{
    struct mpp_sums sums = {.established = 0};
    uint64_t killed = 0, passes = 0;
    int r = pass(m, 0, 0, &sums);

    (void)usleep(HISTORY_US);
    if (r == 0)
        r = pass(m, 0, 0, &sums);
    uint64_t begin = mpp_now_ns(), cpu = mpp_cpu_ns();
    do {
        if (r == 0)
            r = pass(m, MPP_DO_PRUNE, kills, &sums);
        killed += sums.killed;
        passes++;
    } while (r == 0 && sums.killed && passes < PASSES_MAX);
    if (r < 0)
        return r;
    (void)printf("{\"killed\": %lu, \"ns\": %lu, \"cpu_ns\": %lu, \"passes\": %lu}\n", killed,
                 mpp_now_ns() - begin, mpp_cpu_ns() - cpu, passes);
    return 0;
}

int main(int argc, char **argv)
{
    struct mpp_options o = {.event = on_event};
    _cleanup_(mpp_closep) struct mpp *m = NULL;
    char pin_dir[256];
    struct diag d = {0};

    if (argc != 5) {
        (void)fputs("usage: bench-mpp-kill PINS COOKIE RUNTIME_DIR KILLS_PER_PASS\n", stderr);
        return 2;
    }
    (void)snprintf(pin_dir, sizeof(pin_dir), "%.200s/mpp", argv[1]); /* fits */
    o.pin_dir = pin_dir;
    o.netns_cookie = strtoull(argv[2], NULL, 10);
    o.runtime_dir = argv[3];
    int r = open_shared(argv[1], &o);
    if (r == 0)
        r = mpp_open(&o, &d, &m);
    if (r == 0)
        r = end_all(m, (uint32_t)strtoul(argv[4], NULL, 10));
    if (r < 0)
        (void)fprintf(stderr, "bench-mpp-kill: %s (%s)\n", d.message[0] ? d.message : "failed",
                      strerror(-r));
    return r < 0;
}
