/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/diff/analysis_small.c: every packet of a small universe. The filters are made of few
 * bounds only, and one packet for each cell between the bounds stands for all in the cell: what
 * holds for these packets holds for all packets there are. `me` is symbolic in the analysis, so
 * that each cell is asked as to me, from me and neither, on hosts made for it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analysis.h"
#include "eval/eval.h"

/* Places: the interface that filters name, others of both kinds of connection, each in every
 * profile. */
static const char *const ifnames[] = {"eth0", "ppp1", "eth1"};

enum { FILTERS = 9, PROFILES = 3, PLACES = PROFILES * ARRAY_SIZE(ifnames), POINTS = 90000 };

/* Bounds: 10.0.0.0 to 10.0.0.3 and 2001:db8:: to 2001:db8::1. */
static const uint64_t cells4[] = {0x09ffffff, 0x0a000000, 0x0a000001,
                                  0x0a000002, 0x0a000003, 0x0a000004};
static const struct ip cells6[] = {{0x20010db7ffffffff, 1},
                                   {0x20010db800000000, 0},
                                   {0x20010db800000000, 1},
                                   {0x20010db800000000, 2}};
static const uint16_t cell_ports[] = {1, 53, 54, 60};

struct point {
    struct packet packet;
    unsigned class;
};

struct small {
    struct analysis *a;
    struct filter f[2 * FILTERS];
    size_t n_filters;
    struct filter_settings settings;
    struct host inside, outside; /* every address is this host's, none is */
    struct iface ifaces[PLACES];
    struct local_route all[2];
    struct point *points;
    size_t n_points;
    bool places;
};

/* --- policies --- */

static struct addr random_addr(struct rng *r, enum family f)
{
    struct ip base4 = {0, 0x0a000000}, base6 = {0x20010db800000000, 0};
    struct ip base = f == FAMILY_4 ? base4 : base6, next = ip_add1(base);
    unsigned bits = family_bits(f);
    switch (rng_below(r, 12)) {
    case 0:
    case 1:
    case 2:
        return addr_any();
    case 3:
    case 4:
    case 5:
        return addr_me();
    case 6:
        return addr_host(f, base);
    case 7:
        return addr_host(f, next);
    case 8:
        return addr_prefix(f, base, bits - 1);
    case 9:
        return f == FAMILY_4 ? addr_prefix(f, base, bits - 2) : addr_prefix(f, base, bits - 1);
    case 10:
        return f == FAMILY_4 ? addr_range(f, next, ip_add1(next)) : addr_host(f, base);
    default:
        return addr_prefix(f, (struct ip){0}, 0);
    }
}

static int random_ports(struct rng *r, struct portset *ret)
{
    static const struct port_range one[] = {{53, 53}}, two[] = {{53, 54}},
                                   list[] = {{53, 53}, {54, 54}};
    static const struct port_range low[] = {{0, 54}};
    switch (rng_below(r, 7)) {
    case 0:
        return portset_from(one, 1, ret);
    case 1:
        return portset_from(two, 1, ret);
    case 2:
        return portset_from(list, 2, ret);
    case 3:
        return portset_from(low, 1, ret);
    default:
        return 0;
    }
}

static int random_l4(struct rng *r, struct filter *f)
{
    enum family family = filter_family(f);
    switch (rng_below(r, 8)) {
    case 0:
    case 1:
    case 2:
        f->proto = one_in(r, 3) ? PROTO_UDP : PROTO_TCP;
        int err = one_in(r, 3) ? random_ports(r, &f->sport) : 0;
        return err < 0 ? err : random_ports(r, &f->dport);
    case 3:
        f->proto = family == FAMILY_6 ? PROTO_ICMPV6 : PROTO_ICMP;
        f->icmp_type = (int16_t)(one_in(r, 2) ? 133 : 8);
        f->icmp_code = (int16_t)(one_in(r, 2) ? 0 : -1);
        return 0;
    default:
        return 0;
    }
}

static int random_filter(struct small *s, struct filter *f)
{
    struct rng *r = &s->a->rng;
    enum family family = one_in(r, 3) ? FAMILY_6 : FAMILY_4;
    filter_init(f);
    s->n_filters++;
    f->src = random_addr(r, family);
    f->dst = random_addr(r, family);
    static const enum action actions[] = {ACTION_BLOCK, ACTION_BLOCK, ACTION_PERMIT, ACTION_PERMIT,
                                          ACTION_PERMIT};
    f->action = one_in(r, 12) ? ACTION_NEGOTIATE : actions[rng_below(r, ARRAY_SIZE(actions))];
    f->mirrored = one_in(r, 5);
    f->override = f->action == ACTION_BLOCK && one_in(r, 8);
    f->keep_state = f->action == ACTION_PERMIT && one_in(r, 8);
    f->inpass = f->action == ACTION_PERMIT && one_in(r, 12);
    f->log = one_in(r, 12);
    f->guid.b[15] = (uint8_t)rng_below(r, 200);
    if (s->places && one_in(r, 3)) {
        f->interface = one_in(r, 2) ? strdup("eth0") : NULL;
        f->profile = f->interface ? PROFILE_NONE : PROFILE_PRIVATE;
    }
    f->guid.b[14] = s->places ? (uint8_t)rng_below(r, _CONNECTION_MAX) : 0; /* see take() */
    int err = random_l4(r, f);
    return err < 0 ? err : filter_validate(f, NULL);
}

static void clear_filters(struct small *s)
{
    for (size_t i = 0; i < s->n_filters; i++)
        filter_done(&s->f[i]);
    s->n_filters = 0;
}

/* --- the universe --- */

static void add_point(struct small *s, struct packet p, unsigned class, unsigned zone)
{
    p.meta.dir = class == CLASS_FROM_ME ? DIR_OUT : DIR_IN;
    p.meta.to_host = class == CLASS_TO_ME;
    p.meta.zone = (uint8_t)zone;
    s->points[s->n_points++] = (struct point){p, class};
}

static void add_l4(struct small *s, struct packet p, unsigned class, unsigned zone)
{
    static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP};
    p.l4_known = true;
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(cell_ports) * ARRAY_SIZE(cell_ports); i++) {
        p.proto = protos[i % 2];
        p.sport = cell_ports[i / 2 % ARRAY_SIZE(cell_ports)];
        p.dport = cell_ports[i / 2 / ARRAY_SIZE(cell_ports)];
        add_point(s, p, class, zone);
    }
    p.sport = p.dport = 0;
    for (unsigned i = 0; i < 12; i++) {
        p.proto = i % 2 ? PROTO_ICMPV6 : PROTO_ICMP;
        p.icmp_type = (uint8_t[]){8, 133, 9}[i / 4];
        p.icmp_code = i / 2 % 2;
        add_point(s, p, class, zone);
        if (p.proto == PROTO_ICMPV6 && p.family == FAMILY_6 && p.icmp_type == 133) {
            p.hop_limit = 255;
            add_point(s, p, class, zone);
            p.hop_limit = 64;
        }
    }
    p.icmp_type = p.icmp_code = 0;
    p.l4_known = false;
    p.proto = PROTO_GRE;
    add_point(s, p, class, zone);
    p.later_fragment = true;
    for (unsigned i = 0; i < 2; i++) {
        p.proto = protos[i];
        add_point(s, p, class, zone);
    }
}

static void make_points(struct small *s)
{
    static const unsigned classes[] = {CLASS_TO_ME, CLASS_FROM_ME, CLASS_OTHER};
    unsigned n4 = ARRAY_SIZE(cells4), n6 = ARRAY_SIZE(cells6);
    s->n_points = 0;
    for (unsigned c = 0; c < 3 * (s->places ? PLACES : 1u); c++) {
        for (unsigned i = 0; i < n4 * n4 + n6 * n6; i++) {
            struct packet p = {.family = i < n4 * n4 ? FAMILY_4 : FAMILY_6, .hop_limit = 64};
            unsigned k = i < n4 * n4 ? i : i - n4 * n4;
            p.src = p.family == FAMILY_4 ? (struct ip){0, cells4[k / n4]} : cells6[k / n6];
            p.dst = p.family == FAMILY_4 ? (struct ip){0, cells4[k % n4]} : cells6[k % n6];
            add_l4(s, p, classes[c % 3], s->places ? 1 + c / 3 : 0);
        }
    }
}

/* The policy as a host sees it that has all addresses, or none. */
static int verdict_at(const struct small *s, const struct effective *e, const struct point *p,
                      size_t *ret_index)
{
    struct effective here = *e;
    here.host = p->class == CLASS_FROM_ME ? &s->inside : &s->outside;
    return analysis_verdict(&here, &p->packet, ret_index);
}

static void make_hosts(struct small *s)
{
    static const enum profile profiles[PROFILES] = {PROFILE_DOMAIN, PROFILE_PRIVATE,
                                                    PROFILE_PUBLIC};
    for (unsigned i = 0; i < ARRAY_SIZE(s->ifaces); i++) {
        s->ifaces[i] = (struct iface){.ifindex = i + 2,
                                      .role = IFACE_NORMAL,
                                      .zone = (uint8_t)(i + 1),
                                      .profile = profiles[i % PROFILES]};
        snprintf(s->ifaces[i].name, sizeof(s->ifaces[i].name), "%s", ifnames[i / PROFILES]);
    }
    s->all[0] = (struct local_route){.family = FAMILY_4, .kind = LOCAL_UNICAST};
    s->all[1] = (struct local_route){.family = FAMILY_6, .kind = LOCAL_UNICAST};
    s->outside = (struct host){.ifaces = s->ifaces, .n_ifaces = ARRAY_SIZE(s->ifaces)};
    s->inside = s->outside;
    s->inside.local = s->all;
    s->inside.n_local = 2;
}

/* --- diff --- */

/* How the result says that the packet changes: 0 not, 1 newly blocked, 2 newly permitted. */
static int said(const struct small *s, const struct diff_result *d, const struct point *p)
{
    int ret = 0;
    for (size_t i = 0; i < d->n; i++) {
        if (packetset_has(&d->v[i].set, &p->packet, p->class, &s->outside))
            ret |= d->v[i].blocked ? 1 : 2;
    }
    return ret;
}

static int compare_diff(struct small *s, const struct effective *x, const struct effective *y)
{
    _cleanup_(diff_result_done) struct diff_result d = {0};
    int r = analysis_diff(s->a, x, y, &d);
    if (r < 0)
        return r;
    s->a->diffs++;
    s->a->equal += d.equal;
    s->a->incomplete += !d.complete;
    s->a->changes += d.n;
    for (size_t i = 0; i < s->n_points; i++) {
        const struct point *p = &s->points[i];
        size_t who;
        int before = verdict_at(s, x, p, &who), after = verdict_at(s, y, p, &who);
        int expected = before == after ? 0 : after > before ? 1 : 2;
        if (before < 0 || after < 0)
            continue;
        s->a->points++;
        s->a->points_changed += expected != 0;
        int got = d.n ? said(s, &d, p) : 0;
        if (got == expected && !(expected && d.equal))
            continue;
        printf("SMALL DIFF: eval %d -> %d, diff says %d (1 newly blocked, 2 newly permitted)\n",
               before, after, got);
        analysis_print_packet(&p->packet, p->class);
        analysis_print("before", x);
        analysis_print("after", y);
        return -EILSEQ;
    }
    return 0;
}

/* --- check --- */

struct fate {
    bool decides, matters;
};

static void find_fates(const struct small *s, const struct effective *e, struct fate *fate)
{
    struct effective_filter rest[FILTERS];
    memset(fate, 0, FILTERS * sizeof(*fate));
    for (size_t i = 0; i < s->n_points; i++) {
        size_t who, other;
        int verdict = verdict_at(s, e, &s->points[i], &who);
        if (verdict < 0 || who == SIZE_MAX)
            continue;
        fate[who].decides = true;
        if (fate[who].matters)
            continue;
        struct effective less = {.v = rest, .settings = e->settings, .host = e->host};
        for (size_t k = 0; k < e->n; k++) {
            if (k != who)
                rest[less.n++] = e->v[k];
        }
        fate[who].matters = verdict_at(s, &less, &s->points[i], &other) != verdict;
    }
}

static bool is_reported(const struct finding_list *l, enum finding_kind kind, size_t filter,
                        unsigned place)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].kind == kind && l->v[i].n_filters > place &&
            l->v[i].filter[place].index == filter)
            return true;
    }
    return false;
}

static bool fate_is_right(struct analysis *a, const struct effective *e,
                          const struct finding_list *l, const struct fate *fate, size_t i)
{
    const struct filter *f = e->v[i].filter;
    bool shadowed = is_reported(l, FINDING_SHADOWED, i, 0);
    bool redundant = is_reported(l, FINDING_REDUNDANT, i, 0);
    bool never = is_reported(l, FINDING_NEVER_WINS, i, 0);
    bool lost = is_reported(l, FINDING_CONFLICT, i, 1);
    a->dead[FINDING_SHADOWED] += shadowed;
    a->dead[FINDING_REDUNDANT] += redundant;
    a->dead[FINDING_NEVER_WINS] += never;
    a->dead[FINDING_CONFLICT] += lost;
    if (filter_effect(f) == ACTION_NEGOTIATE) { /* its exemption of IKE goes with it */
        bool nowhere = f->interface && e->v[i].connection != CONNECTION_ALL &&
                       (e->v[i].connection == CONNECTION_DIALUP) != ifname_is_dialup(f->interface);
        bool empty = nowhere || (f->src.kind == ADDR_ME && f->dst.kind == ADDR_ME);
        return !redundant && !never && (!shadowed || empty);
    }
    if (!fate->decides)
        return (shadowed || never || lost) && !redundant;
    if (!fate->matters && !f->keep_state && !f->log)
        return (redundant || never) && !shadowed;
    a->alive++;
    return !shadowed && !redundant && !never;
}

static int compare_check(struct small *s, const struct effective *e)
{
    _cleanup_(finding_list_done) struct finding_list l = {0};
    struct fate fate[FILTERS];
    int r = analysis_check(s->a, e, &(struct check_options){.now_ns = ANALYSIS_NOW}, &l);
    if (r < 0)
        return r;
    s->a->policies++;
    s->a->dead[FINDING_OVERLAP] += l.counts[FINDING_OVERLAP];
    find_fates(s, e, fate);
    for (size_t i = 0; i < e->n; i++) {
        if (fate_is_right(s->a, e, &l, &fate[i], i))
            continue;
        printf("SMALL CHECK: filter %zu: decides %d, matters %d; reported:", i, fate[i].decides,
               fate[i].matters);
        for (size_t k = 0; k < l.n; k++)
            printf(" %s(%zu,%zu)", finding_kind_name(l.v[k].kind), l.v[k].filter[0].index,
                   l.v[k].filter[1].index);
        analysis_print("\npolicy", e);
        return -EILSEQ;
    }
    return 0;
}

/* --- the loop --- */

static void take(struct small *s, struct effective *e, struct effective_filter *v, size_t from,
                 size_t n)
{
    *e = (struct effective){.v = v, .settings = &s->settings, .host = &s->outside};
    for (size_t i = from; i < from + n; i++)
        v[e->n++] =
            (struct effective_filter){.filter = &s->f[i],
                                      .connection = (enum connection)s->f[i].guid.b[14],
                                      .layer = (enum layer)(i % 2 ? LAYER_LOCAL : LAYER_DYNAMIC),
                                      .counter_id = COUNTER_NONE};
}

static int one_pair(struct small *s)
{
    struct rng *r = &s->a->rng;
    struct effective_filter v[FILTERS], w[FILTERS];
    struct effective x, y;
    s->places = one_in(r, 8);
    make_points(s);
    filter_settings_init(&s->settings);
    size_t n = 1 + rng_below(r, FILTERS - 2);
    for (size_t i = 0; i < n + 2; i++) {
        int err = random_filter(s, &s->f[i]);
        if (err < 0)
            return err;
    }
    take(s, &x, v, 0, n);
    if (one_in(r, 3)) /* two filters more, or one for another, or one less */
        take(s, &y, w, 0, n + 2 > FILTERS ? n : n + 2);
    else if (one_in(r, 2))
        take(s, &y, w, 1 + rng_below(r, 2), n);
    else
        take(s, &y, w, 1, n - 1);
    int err = compare_check(s, &x);
    return err < 0 ? err : compare_diff(s, &x, &y);
}

int analysis_small(struct analysis *a)
{
    struct small *s = calloc(1, sizeof(*s));
    int r = -ENOMEM;
    if (s)
        s->points = calloc(POINTS, sizeof(*s->points));
    if (s && s->points) {
        s->a = a;
        make_hosts(s);
        r = 0;
    }
    for (uint64_t i = 0; i < a->pairs && r == 0; i++) {
        r = one_pair(s);
        clear_filters(s);
    }
    free(s ? s->points : NULL);
    free(s);
    return r;
}
