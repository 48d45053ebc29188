/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A datapath without a kernel, for tests of the agent's state machine: images are kept as
 * copies of the effective filters, the evaluator answers for the program, failures and lies are
 * switched on by the test. It outlives agents as the kernel does: a new agent finds the pins of
 * the one before. Defines every function of datapath.h that the agent calls. Included once. */
#pragma once
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../src/agent/internal.h"
#include "eval/eval.h"
#include "image.h"
#include "text/text.h"

enum { FAKE_COUNTERS = 4096 };
struct fake_image {
    struct effective e;
    struct effective_filter *v;
    struct filter *filters;
    struct filter_settings settings;
    uint64_t generation;
};
struct datapath {
    int worker_fd, rtnl_fd;
};
static struct {
    struct agent *agent; /* the one that runs */
    struct fake_image active;
    bool adopted;
    /* Images as bytes, for changes in place, and what they were before the last of these. */
    bool in_place;
    struct image candidate_bytes, active_bytes;
    struct fake_image unpatched;
    unsigned n_patches, n_unpatches;
    int patch_error; /* errno */
    void (*at_patch)(void);
    uint64_t candidate, flipping; /* generation numbers, 0 = none */
    uint64_t left_candidate;      /* of an agent that was killed */
    unsigned polls;
    struct counter counters[FAKE_COUNTERS];
    struct flow flows[8];
    unsigned n_flows;
    unsigned n_flips, n_abandoned;
    /* what goes wrong */
    bool lie, refuse_open;
    bool slow_worker; /* it does not end with a flip: the test says when */
    int candidate_error, flip_error, worker_error; /* errno */
    void (*at_flip)(void);
    void (*at_host)(void);
    int late_error;           /* of the worker after the flip has happened */
    struct log_record record; /* that so often is in the ring */
    unsigned n_records;
    struct log_stats log;
    uint64_t n_suppressed;      /* of counter 1, not told yet */
    struct scan_begin scans[4]; /* that the next look finds */
    unsigned n_scans;
    struct scan_state scan_state;
    struct scan_stats scan_stats;
    struct host host;
    struct iface iface;
    struct local_route routes[2];
    struct datapath *dp;
} fake = {
    .iface = {.ifindex = 2, .name = "eth0", .role = IFACE_NORMAL, .zone = 1},
    .routes = {{FAMILY_4, {0, 0xc0000201}, 32, LOCAL_UNICAST},
               {FAMILY_6, {0x20010db800000000ULL, 1}, 128, LOCAL_UNICAST}},
};

/* The agent asks; tests run as anybody. */
uid_t geteuid(void)
{
    return 0;
}

static void fake_image_done(struct fake_image *x)
{
    for (size_t i = 0; i < x->e.n; i++)
        filter_done(&x->filters[i]);
    free(x->filters);
    free(x->v);
    *x = (struct fake_image){0};
}

static void fake_image_copy(const struct effective *e, uint64_t generation, struct fake_image *ret)
{
    ret->v = calloc(e->n + 1, sizeof(*ret->v));
    ret->filters = calloc(e->n + 1, sizeof(*ret->filters));
    ret->settings = *e->settings;
    for (size_t i = 0; i < e->n; i++) {
        filter_init(&ret->filters[i]);
        assert_int_equal(filter_copy(e->v[i].filter, &ret->filters[i]), 0);
        ret->v[i] = e->v[i];
        ret->v[i].filter = &ret->filters[i];
        ret->v[i].policy = ret->v[i].rule = NULL;
    }
    ret->e = (struct effective){ret->v, e->n, &ret->settings, &fake.host};
    ret->generation = generation;
}

/* Everything that survives agents is forgotten: a reboot. */
static void _unused_ fake_reset(void)
{
    fake_image_done(&fake.active);
    fake_image_done(&fake.unpatched);
    image_done(&fake.active_bytes);
    image_done(&fake.candidate_bytes);
    fake.in_place = false;
    fake.n_patches = fake.n_unpatches = 0;
    fake.patch_error = 0;
    fake.at_patch = NULL;
    fake.adopted = fake.lie = fake.refuse_open = fake.slow_worker = false;
    fake.candidate = fake.flipping = 0;
    fake.candidate_error = fake.flip_error = fake.worker_error = fake.late_error = 0;
    fake.left_candidate = 0;
    fake.n_flips = fake.n_abandoned = 0;
    fake.at_flip = fake.at_host = NULL;
    fake.iface.dhcp4 = false;
    memset(fake.counters, 0, sizeof(fake.counters));
}

/* Whether the image in force blocks a packet. */
static bool _unused_ fake_blocks(const char *packet)
{
    struct packet_text t = {0};
    struct diag d = {0};
    assert_int_equal(text_parse_packet(packet, strlen(packet), &d, &t), 0);
    return fake.active.generation && eval_packet(&fake.active.e, &t.packet, agent_now_ns()).block;
}

int datapath_open(const struct datapath_options *o _unused_, struct diag *d, struct datapath **ret)
{
    if (fake.refuse_open)
        return diag_fail(d, DIAG_SYSTEM, "another agent protects this network namespace");
    struct datapath *dp = calloc(1, sizeof(*dp));
    assert_non_null(dp);
    dp->worker_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    dp->rtnl_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fake.host =
        (struct host){.local = fake.routes, .n_local = 2, .ifaces = &fake.iface, .n_ifaces = 1};
    fake.adopted = fake.active.generation != 0;
    fake.candidate = fake.flipping = 0;
    fake.dp = *ret = dp;
    return 0;
}
struct datapath *datapath_close(struct datapath *dp)
{
    if (dp) {
        close(dp->worker_fd);
        close(dp->rtnl_fd);
        free(dp);
    }
    return fake.dp = NULL;
}
int datapath_collect_dead(const char *pin_root _unused_)
{
    return 0;
}
uint64_t datapath_netns_cookie(const struct datapath *dp _unused_)
{
    return 7;
}
/* No maps: memory pressure protection does not start, as on a kernel that cannot. */
int datapath_mpp_map(const struct datapath *dp _unused_, unsigned index _unused_)
{
    return -1;
}
const char *datapath_pin_dir(const struct datapath *dp _unused_)
{
    return "/nonexistent";
}
uint64_t datapath_generation(const struct datapath *dp _unused_)
{
    return fake.active.generation;
}
uint64_t datapath_newest(const struct datapath *dp _unused_)
{
    return fake.left_candidate > fake.active.generation ? fake.left_candidate
                                                        : fake.active.generation;
}
bool datapath_adopted(const struct datapath *dp _unused_)
{
    return fake.adopted;
}
uint16_t datapath_tag_secret(const struct datapath *dp _unused_)
{
    return 64;
}
enum hook_mode datapath_hook(const struct datapath *dp _unused_)
{
    return HOOK_TCX;
}
const char *hook_mode_name(enum hook_mode m _unused_)
{
    return "tcx";
}
int datapath_log_read(struct datapath *dp _unused_, unsigned max, datapath_log_fn *fn, void *ctx)
{
    unsigned n = fake.n_records < max ? fake.n_records : max;
    for (unsigned i = 0; i < n; i++)
        fn(ctx, &fake.record);
    fake.n_records -= n;
    return (int)n;
}
int datapath_log_stats(struct datapath *dp _unused_, struct log_stats *ret)
{
    *ret = fake.log;
    return 0;
}
/* No scans, no maps for them. */
int datapath_scan_set(struct datapath *dp _unused_, const struct scan_limits *l _unused_)
{
    return 0;
}
int datapath_scan_widen(struct datapath *dp _unused_, bool wide _unused_)
{
    return 0;
}
int datapath_scan_read(struct datapath *dp _unused_, unsigned max _unused_, datapath_scan_fn *fn,
                       void *ctx)
{
    for (unsigned i = 0; i < fake.n_scans; i++)
        fn(ctx, &fake.scans[i]);
    int n = (int)fake.n_scans;
    fake.n_scans = 0;
    return n;
}
int datapath_scan_state(struct datapath *dp _unused_, uint64_t source, struct scan_state *ret)
{
    if (fake.scan_state.source != source)
        return -ENOENT;
    *ret = fake.scan_state;
    return 0;
}
int datapath_scan_list(struct datapath *dp _unused_, uint64_t *sources _unused_,
                       size_t max _unused_)
{
    return 0;
}
int datapath_scan_end(struct datapath *dp _unused_, uint64_t source)
{
    if (fake.scan_state.source == source)
        fake.scan_state.source = 0;
    return 0;
}
int datapath_scan_stats(struct datapath *dp _unused_, struct scan_stats *ret)
{
    *ret = fake.scan_stats;
    return 0;
}
int datapath_log_suppressed(struct datapath *dp _unused_, datapath_suppressed_fn *fn, void *ctx)
{
    if (fake.n_suppressed)
        fn(ctx, 1, DROP_NONE, fake.n_suppressed);
    fake.n_suppressed = 0;
    return 0;
}
void datapath_set_profiles(struct datapath *dp _unused_, const struct profile_patterns *l)
{
    for (size_t i = 0; i < fake.host.n_ifaces; i++)
        fake.host.ifaces[i].profile = profile_patterns_find(l, fake.host.ifaces[i].name);
}
const struct host *datapath_host(const struct datapath *dp _unused_)
{
    if (fake.at_host)
        fake.at_host();
    return &fake.host;
}
int datapath_attach_all(struct datapath *dp _unused_, struct diag *d _unused_, unsigned *ret_n)
{
    *ret_n = 1;
    return 0;
}
int datapath_iface_status(const struct datapath *dp _unused_, struct iface_status **ret,
                          size_t *ret_n)
{
    struct iface_status *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    *s = (struct iface_status){.ifindex = 2,
                               .name = "eth0",
                               .role = IFACE_NORMAL,
                               .attached_in = true,
                               .attached_out = true};
    *ret = s;
    *ret_n = 1;
    return 0;
}
int datapath_beside(unsigned max_ms _unused_, struct beside **ret, size_t *ret_n)
{
    *ret = NULL;
    *ret_n = 0;
    return 0;
}
void datapath_guard_status(const struct datapath *dp _unused_, struct guard_status *ret)
{
    *ret = (struct guard_status){.state = GUARD_ON};
}
bool datapath_front_news(struct datapath *dp _unused_, struct front_news *ret _unused_)
{
    return false;
}
int datapath_rtnl_fd(const struct datapath *dp)
{
    return dp->rtnl_fd;
}
int datapath_rtnl_process(struct datapath *dp, unsigned *ret_changes)
{
    uint64_t n;
    (void)!read(dp->rtnl_fd, &n, sizeof(n));
    *ret_changes = HOST_CHANGED_DHCP;
    return 0;
}
int datapath_reconcile(struct datapath *dp _unused_)
{
    return 0;
}
int datapath_resync(struct datapath *dp _unused_, unsigned *ret_changes)
{
    *ret_changes = 0;
    return 0;
}

static void fake_worker_ends(struct datapath *dp)
{
    uint64_t one = 1;
    assert_int_equal(write(dp->worker_fd, &one, sizeof(one)), sizeof(one));
}

int datapath_candidate(struct datapath *dp _unused_, const struct image *img,
                       uint32_t n_counters _unused_, struct diag *d)
{
    if (fake.candidate_error)
        return diag_errno(d, fake.candidate_error, "cannot make a map");
    assert_int_equal(fake.candidate, 0);
    assert_true(img->generation > fake.active.generation);
    fake.candidate = img->generation;
    fake.polls = 0;
    image_done(&fake.candidate_bytes);
    fake.candidate_bytes = *img;
    fake.candidate_bytes.lines = malloc((size_t)img->n_lines * IMG_LINE_BYTES);
    assert_non_null(fake.candidate_bytes.lines);
    memcpy(fake.candidate_bytes.lines, img->lines, (size_t)img->n_lines * IMG_LINE_BYTES);
    return 0;
}
int datapath_flip(struct datapath *dp _unused_, struct diag *d)
{
    if (fake.flip_error)
        return diag_errno(d, fake.flip_error, "cannot flip");
    if (fake.at_flip)
        fake.at_flip();
    fake.flipping = fake.candidate;
    fake.candidate = 0;
    fake.polls = 0;
    return 0;
}
void datapath_abandon(struct datapath *dp _unused_)
{
    fake.candidate = fake.flipping = 0;
    fake.n_abandoned++;
}
static void fake_flip(void)
{
    fake_image_done(&fake.active);
    image_done(&fake.active_bytes);
    fake.active_bytes = fake.candidate_bytes;
    fake.candidate_bytes = (struct image){.lines = NULL};
    fake_image_copy(&fake.agent->install.next->e, fake.flipping, &fake.active);
    fake.n_flips++;
}
/* Seen at the second look; the worker ends at the same time. */
int datapath_visible(struct datapath *dp, unsigned root_slot, uint64_t generation)
{
    uint64_t waits = root_slot == DATAPATH_CANDIDATE ? fake.candidate : fake.flipping;
    if (waits != generation)
        return root_slot == DATAPATH_ACTIVE && fake.active.generation == generation;
    if (++fake.polls != 2)
        return fake.polls > 2;
    if (root_slot == DATAPATH_CANDIDATE || !fake.slow_worker)
        fake_worker_ends(dp);
    if (root_slot == DATAPATH_ACTIVE && (fake.worker_error || fake.late_error))
        return --fake.polls, 0;
    if (root_slot == DATAPATH_ACTIVE)
        fake_flip();
    return 1;
}
int datapath_image(struct datapath *dp _unused_, struct image *ret)
{
    if (!fake.in_place || !fake.active_bytes.lines)
        return -EBUSY;
    *ret = fake.active_bytes;
    return 0;
}

/* What the agent is about to enforce: the layers of its job, of which only the dynamic one is new.
 */
static void fake_patch_filters(uint64_t generation)
{
    struct agent *a = fake.agent;
    const struct dynamic *l = &a->current->next_layers.dynamic;
    struct effective e = a->in_force->e;
    struct effective_filter *v = calloc(a->in_force->dynamic_first + l->n + 1, sizeof(*v));
    assert_non_null(v);
    e.n = a->in_force->dynamic_first;
    memcpy(v, e.v, e.n * sizeof(*v));
    e.v = v;
    for (size_t i = 0; i < l->n; i++, e.n++) {
        v[e.n] = (struct effective_filter){.filter = &l->v[i]->filter,
                                           .layer = LAYER_DYNAMIC,
                                           .deadline_ns = l->v[i]->deadline_ns};
        assert_int_equal(counter_ids_get(a->ids, &l->v[i]->filter.guid, &v[e.n].counter_id, NULL),
                         0);
    }
    fake_image_done(&fake.unpatched);
    fake.unpatched = fake.active;
    fake_image_copy(&e, generation, &fake.active);
    free(v);
}

static void fake_store(const struct image_patch *p, bool back)
{
    uint64_t *words = fake.active_bytes.lines;
    for (size_t i = 0; i < p->n; i++) {
        const struct image_store *s = &p->v[back ? p->n - 1 - i : i];
        assert_int_equal(words[s->word], back ? s->value : s->before);
        words[s->word] = back ? s->before : s->value;
    }
    fake.active_bytes.generation = back ? p->before : p->generation;
}

int datapath_patch(struct datapath *dp _unused_, const struct image_patch *p)
{
    if (fake.patch_error)
        return -fake.patch_error;
    /* The long way has taken the layers already: it is not followed here. */
    if (fake.agent->current->next_layers.settings.log_rate == 0)
        return -EBUSY;
    if (fake.at_patch)
        fake.at_patch();
    assert_true(p->before == fake.active_bytes.generation);
    fake_store(p, /* back= */ false);
    fake_patch_filters(p->generation);
    fake.n_patches++;
    return 0;
}
int datapath_unpatch(struct datapath *dp _unused_, const struct image_patch *p)
{
    fake_store(p, /* back= */ true);
    fake_image_done(&fake.active);
    fake.active = fake.unpatched;
    fake.unpatched = (struct fake_image){.generation = 0};
    fake.n_unpatches++;
    return 0;
}
uint32_t datapath_counter_room(const struct datapath *dp _unused_)
{
    return FAKE_COUNTERS;
}
int datapath_worker_fd(const struct datapath *dp)
{
    return dp->worker_fd;
}
int datapath_worker_process(struct datapath *dp)
{
    uint64_t n;
    if (read(dp->worker_fd, &n, sizeof(n)) != sizeof(n))
        return -EAGAIN;
    if (fake.late_error && fake.flipping && fake.flipping != fake.active.generation) {
        fake_flip();
        return -fake.late_error;
    }
    return fake.flipping && fake.worker_error ? -fake.worker_error : 0;
}
int datapath_test(struct datapath *dp _unused_, unsigned root_slot, const uint8_t *frame,
                  size_t len, const struct packet_meta *meta, struct datapath_answer *ret)
{
    struct effective e =
        root_slot == DATAPATH_CANDIDATE ? fake.agent->install.next->e : fake.active.e;
    e.host = &fake.host;
    struct verdict v = eval_frame(&e, frame, len, meta, agent_now_ns());
    *ret = (struct datapath_answer){
        .block = v.block,
        .reason = v.reason,
        .by_filter = v.decider == DECIDED_FILTER,
        .generation =
            (uint32_t)(root_slot == DATAPATH_CANDIDATE ? fake.candidate : fake.active.generation),
        .counter_id = v.counter_id,
        .weight = v.weight,
        .tier = v.tier};
    if (fake.lie && ret->by_filter && ret->block)
        ret->block = false;
    return 0;
}
int datapath_counters(struct datapath *dp _unused_, uint32_t first, uint32_t n, struct counter *out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = first + i < FAKE_COUNTERS ? fake.counters[first + i] : (struct counter){0, 0};
    return 0;
}
int datapath_flows(const struct datapath *dp _unused_, flow_visitor *visit, void *arg)
{
    int r = 0;
    for (unsigned i = 0; i < fake.n_flows && r == 0; i++)
        r = visit(arg, &fake.flows[i]);
    return r;
}
int datapath_flow_find(const struct datapath *dp _unused_, const struct packet *p, struct flow *ret)
{
    for (unsigned i = 0; i < fake.n_flows; i++) {
        const struct flow *f = &fake.flows[i];
        bool forward = ip_eq(f->src, p->src) && ip_eq(f->dst, p->dst) && f->sport == p->sport;
        bool answer = ip_eq(f->src, p->dst) && ip_eq(f->dst, p->src) && f->sport == p->dport;
        if ((forward || answer) && f->proto == p->proto) {
            *ret = *f;
            return 0;
        }
    }
    return -ENOENT;
}
int datapath_flow_delete(struct datapath *dp _unused_, const struct flow *f)
{
    for (unsigned i = 0; i < fake.n_flows; i++)
        if (memcmp(&fake.flows[i], f, sizeof(*f)) == 0) {
            fake.flows[i] = fake.flows[--fake.n_flows];
            return 0;
        }
    return -ENOENT;
}
int datapath_flows_sweep(struct datapath *dp _unused_, bool wanted _unused_,
                         struct flow_counts *ret)
{
    *ret = (struct flow_counts){.n = {fake.n_flows}};
    return 0;
}
int datapath_counter_reset(struct datapath *dp _unused_, uint32_t id)
{
    if (id < FAKE_COUNTERS)
        fake.counters[id] = (struct counter){0, 0};
    return 0;
}
int datapath_stats(struct datapath *dp _unused_, enum direction dir _unused_, uint64_t *ret_passed,
                   uint64_t ret_dropped[_DROP_REASON_MAX])
{
    *ret_passed = 1;
    memset(ret_dropped, 0, _DROP_REASON_MAX * sizeof(*ret_dropped));
    return 0;
}
