/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads bpf/classify.bpf.c through its generated skeleton; the only file that sees it. Called by
 * set.c. Load time is said in docs/internals/datapath.md: programs are loaded before anything is
 * changed, never between two generations. */
#include "progs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/verifier.h"
#include "counters.h"
#include "flow.h"
#include "image.h"
#include "mpp.h"
#include "record.h"
#include "scan.h"

#include "classify.skel.h"

enum { LOG_BYTES = 64 * 1024 };

static const char *const map_names[_MAP_MAX] = {
    [MAP_ROOTS] = "roots",
    [MAP_IFROLE] = "ifrole",
    [MAP_IFROLE_LOW] = "ifrole_low",
    [MAP_LOCAL4] = "local4",
    [MAP_LOCAL6] = "local6",
    [MAP_LOCAL_HINT] = "local_hint",
    [MAP_LOCAL_EXACT] = "local_exact",
    [MAP_COUNTERS] = "counters",
    [MAP_STATS] = "stats",
    [MAP_LOG_RING] = "log_ring",
    [MAP_LOG_BUCKETS] = "log_buckets",
    [MAP_LOG_STATS] = "log_stats",
    [MAP_LO_NEW] = "lo_new",
    [MAP_LO_EST] = "lo_est",
    [MAP_RE_NEW] = "re_new",
    [MAP_RE_EST] = "re_est",
    [MAP_STATE_SHARES] = "state_shares",
    [MAP_STATE_STAMPS] = "st_sk",
    [MAP_STATE_WORK] = "state_work",
    [MAP_STATE_NEXT] = "state_next",
    [MAP_GUARD_NEXT] = "guard_next",
    [MAP_MPP_CONTROL] = "mpp_control",
    [MAP_MPP_SETTINGS] = "mpp_settings",
    [MAP_MPP_IFACES] = "mpp_ifaces",
    [MAP_MPP_BANS] = "mpp_bans",
    [MAP_MPP_NET_BANS] = "mpp_net_bans",
    [MAP_MPP_CONN_RATE] = "mpp_conn_rate",
    [MAP_MPP_SYN_RATE] = "mpp_syn_rate",
    [MAP_MPP_DROPS] = "mpp_drops",
    [MAP_MPP_COUNTS] = "mpp_counts",
    [MAP_SCAN_SPOOFABLE] = "scan_spoofable",
    [MAP_SCAN_PROVEN] = "scan_proven",
    [MAP_SCAN_CONTROL] = "scan_control",
    [MAP_SCAN_ACTIVE] = "scan_active",
    [MAP_SCAN_RING] = "scan_ring",
    [MAP_SCAN_COUNTS] = "scan_counts",
};
static const char *const prog_names[_PROG_MAX] = {
    [PROG_IN] = "pw_in",          [PROG_OUT] = "pw_out",          [PROG_TEST] = "pw_test",
    [PROG_STATE] = "pw_state_tc", [PROG_FORGET] = "state_forget",
};

const char *progs_map_name(unsigned map)
{
    return map_names[map];
}

const char *progs_prog_name(unsigned prog)
{
    return prog_names[prog];
}

static void classify_destroyp(struct classify **s)
{
    classify__destroy(*s);
}

/* Library code is silent: what libbpf would print is in the diagnostic. */
static int print_nothing(enum libbpf_print_level level _unused_, const char *format _unused_,
                         va_list args _unused_)
{
    return 0;
}

static struct bpf_map *skeleton_map(struct classify *s, unsigned map)
{
    return bpf_object__find_map_by_name(s->obj, map_names[map]);
}

static int reuse_maps(struct classify *s, const struct progs *p)
{
    for (unsigned m = 0; m < _MAP_MAX; m++) {
        struct bpf_map *map = skeleton_map(s, m);
        int r = map ? 0 : -ENOENT;

        if (!r && p->map[m] >= 0)
            r = bpf_map__reuse_fd(map, p->map[m]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Chunks that are added later must have the size of the template, which depends on the machine.
 * Stays open until the programs are loaded. */
static int size_counters(struct classify *s, const struct progs *p, int *ret_fd)
{
    if (p->map[MAP_COUNTERS] >= 0) /* taken over */
        return 0;
    int fd = counters_new_chunk();
    if (fd < 0)
        return fd;
    *ret_fd = fd;
    return bpf_map__set_inner_map_fd(skeleton_map(s, MAP_COUNTERS), fd);
}

static int copy_fd(int fd, int *ret)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0)
        return -errno;
    *ret = copy;
    return 0;
}

static int take_fds(struct classify *s, struct progs *p)
{
    int r = 0;

    for (unsigned m = 0; !r && m < _MAP_MAX; m++)
        if (p->map[m] < 0)
            r = copy_fd(bpf_map__fd(skeleton_map(s, m)), &p->map[m]);
    for (unsigned i = 0; !r && i < _PROG_MAX; i++) {
        struct bpf_program *prog = bpf_object__find_program_by_name(s->obj, prog_names[i]);

        r = prog ? copy_fd(bpf_program__fd(prog), &p->prog[i]) : -ENOENT;
    }
    return r;
}

void progs_quote_log(struct diag *d, int r, const char *what, char *log)
{
    const char *line = verifier_last_words(log);

    diag_errno(d, r, "cannot load the %s%s%s", what, *line ? ": " : "", line);
    if (r == -EPERM)
        diag_hint(d, "run as root");
}

int progs_go_on(int map, int prog)
{
    uint32_t slot = 0;

    return bpf_map_update_elem(map, &slot, &prog, BPF_ANY);
}

int progs_load(struct progs *p, struct diag *d)
{
    _cleanup_free_ char *log = calloc(1, LOG_BYTES);
    /* The macro clears the padding too, which libbpf takes for an option it does not know. */
    LIBBPF_OPTS(bpf_object_open_opts, o, .kernel_log_buf = log, .kernel_log_size = LOG_BYTES);
    struct progs fresh = *p;

    if (!log)
        return diag_errno(d, ENOMEM, "cannot load the classifier");
    libbpf_set_print(print_nothing);
    _cleanup_(classify_destroyp) struct classify *s = classify__open_opts(&o);
    if (!s)
        return diag_errno(d, errno, "cannot read the classifier's object");
    _cleanup_(close_p) int chunk = -1;
    int r = reuse_maps(s, p);
    if (!r)
        r = size_counters(s, p, &chunk);
    if (!r)
        r = classify__load(s);
    if (r < 0) {
        progs_quote_log(d, r, "classifier", log);
        return r;
    }
    r = take_fds(s, &fresh);
    if (!r)
        r = progs_go_on(fresh.map[MAP_STATE_NEXT], fresh.prog[PROG_STATE]);
    if (r < 0) {
        for (unsigned m = 0; m < _MAP_MAX; m++)
            if (p->map[m] < 0)
                close_p(&fresh.map[m]);
        for (unsigned i = 0; i < _PROG_MAX; i++)
            close_p(&fresh.prog[i]);
        return diag_errno(d, r, "cannot load the classifier");
    }
    *p = fresh;
    return 0;
}

enum { FLOW = sizeof(struct pw_flow), ENTRY = sizeof(struct pw_entry) };
static const struct {
    uint32_t type, key_size, value_size, max_entries;
} map_shape[_MAP_MAX] = {
    [MAP_ROOTS] = {BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, PW_ROOTS},
    [MAP_IFROLE] = {BPF_MAP_TYPE_HASH, 4, sizeof(struct pw_ifrole), 0},
    [MAP_IFROLE_LOW] = {BPF_MAP_TYPE_ARRAY, 4, sizeof(struct pw_ifrole), PW_IFROLES_LOW},
    [MAP_LOCAL4] = {BPF_MAP_TYPE_LPM_TRIE, sizeof(struct pw_lpm4), 4, 0},
    [MAP_LOCAL6] = {BPF_MAP_TYPE_LPM_TRIE, sizeof(struct pw_lpm6), 4, 0},
    [MAP_LOCAL_HINT] = {BPF_MAP_TYPE_ARRAY, 4, PW_HINT_WORDS * sizeof(uint64_t), 2},
    [MAP_LOCAL_EXACT] = {BPF_MAP_TYPE_ARRAY, 4, 8, PW_EXACT_WORDS},
    [MAP_COUNTERS] = {BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, PW_CHUNKS},
    [MAP_STATS] = {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 2 * PW_STAT_MAX},
    [MAP_LOG_RING] = {BPF_MAP_TYPE_RINGBUF, 0, 0, PW_LOG_RING_BYTES},
    [MAP_LOG_BUCKETS] = {BPF_MAP_TYPE_ARRAY, 4, sizeof(struct pw_bucket), PW_BUCKETS},
    [MAP_LOG_STATS] = {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, PW_LOG_STATS},
    [MAP_LO_NEW] = {BPF_MAP_TYPE_LRU_HASH, FLOW, ENTRY, PW_NEW_MAX},
    [MAP_LO_EST] = {BPF_MAP_TYPE_HASH, FLOW, ENTRY, PW_EST_MAX},
    [MAP_RE_NEW] = {BPF_MAP_TYPE_LRU_HASH, FLOW, ENTRY, PW_NEW_MAX},
    [MAP_RE_EST] = {BPF_MAP_TYPE_HASH, FLOW, ENTRY, PW_EST_MAX},
    [MAP_STATE_SHARES] = {BPF_MAP_TYPE_LRU_HASH, sizeof(struct pw_share), 4, PW_SHARES_MAX},
    [MAP_STATE_STAMPS] = {BPF_MAP_TYPE_SK_STORAGE, 4, sizeof(struct pw_stamp), 0},
    [MAP_STATE_WORK] = {BPF_MAP_TYPE_PERCPU_ARRAY, 4, PW_WORK_BYTES, 0},
    [MAP_STATE_NEXT] = {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1},
    [MAP_GUARD_NEXT] = {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1},
    [MAP_MPP_CONTROL] = {BPF_MAP_TYPE_ARRAY, 4, sizeof(struct mpp_control), 1},
    [MAP_MPP_SETTINGS] = {BPF_MAP_TYPE_ARRAY, 4, sizeof(struct mpp_ruleset), MPP_SLOTS},
    [MAP_MPP_IFACES] = {BPF_MAP_TYPE_HASH, 4, sizeof(struct mpp_ifrule), MPP_IFACES_MAX},
    [MAP_MPP_BANS] = {BPF_MAP_TYPE_HASH, 8, 8, MPP_BANS_MAX},
    [MAP_MPP_NET_BANS] = {BPF_MAP_TYPE_HASH, 8, 8, MPP_NET_BANS_MAX},
    [MAP_MPP_CONN_RATE] = {BPF_MAP_TYPE_LRU_HASH, 8, sizeof(struct mpp_rate), MPP_CONN_RATE_MAX},
    [MAP_MPP_SYN_RATE] = {BPF_MAP_TYPE_LRU_HASH, 8, sizeof(struct mpp_rate), MPP_SYN_RATE_MAX},
    [MAP_MPP_DROPS] = {BPF_MAP_TYPE_HASH, sizeof(struct mpp_drop_key), 8, MPP_DROPS_MAX},
    [MAP_MPP_COUNTS] = {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, _MPP_N_MAX},
    [MAP_SCAN_SPOOFABLE] = {BPF_MAP_TYPE_ARRAY, 4, sizeof(struct scan_set), SCAN_SPOOFABLE_SETS},
    [MAP_SCAN_PROVEN] = {BPF_MAP_TYPE_ARRAY, 4, sizeof(struct scan_set), SCAN_PROVEN_SETS},
    [MAP_SCAN_CONTROL] = {BPF_MAP_TYPE_ARRAY, 4, sizeof(struct scan_control), 1},
    [MAP_SCAN_ACTIVE] = {BPF_MAP_TYPE_HASH, 8, sizeof(struct scan_progress), SCAN_ACTIVE_MAX},
    [MAP_SCAN_RING] = {BPF_MAP_TYPE_RINGBUF, 0, 0, SCAN_RING_BYTES},
    [MAP_SCAN_COUNTS] = {BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, _SCAN_N_MAX},
};

bool progs_map_fits(int fd, unsigned map)
{
    struct bpf_map_info info = {0};
    uint32_t len = sizeof(info);

    if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
        return false;
    return info.type == map_shape[map].type && info.key_size == map_shape[map].key_size &&
           info.value_size == map_shape[map].value_size &&
           (!map_shape[map].max_entries || info.max_entries == map_shape[map].max_entries);
}

void progs_done(struct progs *p)
{
    for (unsigned m = 0; m < _MAP_MAX; m++)
        close_p(&p->map[m]);
    for (unsigned i = 0; i < _PROG_MAX; i++)
        close_p(&p->prog[i]);
}
