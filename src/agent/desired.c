/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/desired.c: layers -> struct effective, and a print of it.
 * Called by change.c for each change. No I/O, no clock. Invariant: equal digests mean that the
 * generation in force need not be replaced; whatever an image depends on is part of it. */
#include "desired.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"

static bool policy_has_names(const struct policy *p)
{
    for (size_t i = 0; i < p->n_rules; i++)
        for (size_t k = 0; !p->rules[i].inactive && k < p->rules[i].n_filters; k++)
            if (filter_is_resolved(&p->rules[i].filters[k]))
                return true;
    return false;
}

int policy_ref_new(struct policy *p, struct policy_ref **ret)
{
    struct policy_ref *r = malloc(sizeof(*r));
    if (!r)
        return -ENOMEM;
    *r = (struct policy_ref){.refs = 1, .named = policy_has_names(p), .policy = p};
    *ret = r;
    return 0;
}

struct policy_ref *policy_ref_get(struct policy_ref *r)
{
    if (r)
        r->refs++;
    return r;
}

struct policy_ref *policy_ref_put(struct policy_ref *r)
{
    if (r && --r->refs == 0) {
        policy_free(r->policy);
        free(r);
    }
    return NULL;
}

int layers_copy(const struct layers *from, struct layers *ret)
{
    struct layers copy = {.settings = from->settings, .names = from->names};
    int err = dynamic_copy(&from->dynamic, &copy.dynamic);
    if (err < 0)
        return err;
    for (unsigned s = 0; s < _ASSIGN_SLOT_MAX; s++)
        copy.policy[s] = policy_ref_get(from->policy[s]);
    *ret = copy;
    return 0;
}

void layers_done(struct layers *l)
{
    for (unsigned s = 0; s < _ASSIGN_SLOT_MAX; s++)
        l->policy[s] = policy_ref_put(l->policy[s]);
    dynamic_done(&l->dynamic);
}

void layers_share_policy(struct layers *l, enum assign_slot slot, struct policy_ref *r)
{
    policy_ref_get(r); /* first: it may be the one that is there */
    policy_ref_put(l->policy[slot]);
    l->policy[slot] = r;
}

int layers_set_policy(struct layers *l, enum assign_slot slot, struct policy *p)
{
    struct policy_ref *r;
    int err = policy_ref_new(p, &r);
    if (err < 0)
        return err;
    policy_ref_put(l->policy[slot]);
    l->policy[slot] = r;
    return 0;
}

void layers_unset_policy(struct layers *l, enum assign_slot slot)
{
    l->policy[slot] = policy_ref_put(l->policy[slot]);
}

enum layer layer_of_slot(enum assign_slot slot)
{
    return slot == ASSIGN_PERSISTENT ? LAYER_PERSISTENT : LAYER_LOCAL;
}

struct desired *desired_free(struct desired *x)
{
    if (!x)
        return NULL;
    layers_done(&x->layers);
    free(x->v);
    free(x->expanded);
    free(x->origin);
    free(x->fresh);
    free(x);
    return NULL;
}

void desired_freep(struct desired **x)
{
    desired_free(*x);
}

static size_t count_filters(const struct layers *l)
{
    size_t n = l->dynamic.n;
    for (unsigned s = 0; s < _ASSIGN_SLOT_MAX; s++)
        if (l->policy[s])
            n += policy_n_filters(l->policy[s]->policy);
    return n;
}

static int add(struct desired *x, struct effective_filter ef, struct counter_ids *ids,
               struct diag *d)
{
    bool fresh;
    int err = counter_ids_get(ids, &ef.filter->guid, &ef.counter_id, &fresh);
    if (err == -ENOSPC)
        return diag_fail(d, DIAG_LIMIT, "no counters left for %zu filters", x->e.n);
    if (err < 0)
        return err;
    if (fresh)
        x->fresh[x->n_fresh++] = x->e.n;
    x->v[x->e.n++] = ef;
    return 0;
}

static int add_policy(struct desired *x, enum assign_slot slot, struct counter_ids *ids,
                      struct diag *d)
{
    if (!x->layers.policy[slot])
        return 0;
    const struct policy *p = x->layers.policy[slot]->policy;
    int err = 0;
    for (size_t i = 0; err == 0 && i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        for (size_t k = 0; err == 0 && !r->inactive && k < r->n_filters; k++) {
            struct effective_filter ef = {.filter = &r->filters[k],
                                          .layer = layer_of_slot(slot),
                                          .connection = r->connection,
                                          .policy = p->name,
                                          .rule = r->name};
            err = add(x, ef, ids, d);
        }
    }
    return err;
}

static int add_dynamic(struct desired *x, struct counter_ids *ids, struct diag *d)
{
    int err = 0;
    x->dynamic_first = x->e.n;
    for (size_t i = 0; err == 0 && i < x->layers.dynamic.n; i++) {
        const struct dynamic_entry *e = x->layers.dynamic.v[i];
        struct effective_filter ef = {
            .filter = &e->filter, .layer = LAYER_DYNAMIC, .deadline_ns = e->deadline_ns};
        err = add(x, ef, ids, d);
    }
    x->n_dynamic = x->e.n - x->dynamic_first;
    return err;
}

/* --- names and keywords --- */
/* Room for the expansions of what was written. */
static int reserve_expansions(struct desired *x, struct diag *d)
{
    size_t n = 0, more = 0;
    for (size_t i = 0; i < x->n_written; i++) {
        if (!filter_is_resolved(x->v[i].filter))
            continue;
        size_t k = names_expand(x->layers.names, x->v[i].filter, NULL);
        n += k;
        more += k > 1 ? k - 1 : 0;
    }
    if (n == 0)
        return 0;
    if (x->n_written + more > LIMIT_EFFECTIVE_FILTERS)
        return diag_fail(d, DIAG_LIMIT, "%zu filters with the addresses of names, limit %d",
                         x->n_written + more, LIMIT_EFFECTIVE_FILTERS);
    struct effective_filter *v = realloc(x->v, (x->n_written + more + 1) * sizeof(*v));
    if (!v)
        return -ENOMEM;
    x->v = v;
    x->cap_v = x->n_written + more + 1;
    x->expanded = calloc(n, sizeof(*x->expanded));
    x->origin = calloc(n, sizeof(*x->origin));
    return x->expanded && x->origin ? 0 : -ENOMEM;
}

static int expand_names(struct desired *x, struct diag *d)
{
    x->n_written = x->e.n;
    int err = reserve_expansions(x, d);
    for (size_t i = 0; err == 0 && x->expanded && i < x->n_written; i++) {
        const struct filter *written = x->v[i].filter;
        if (!filter_is_resolved(written))
            continue;
        size_t first = x->n_expanded;
        x->n_expanded += names_expand(x->layers.names, written, &x->expanded[first]);
        for (size_t k = first; k < x->n_expanded; k++) {
            struct effective_filter *to = k == first ? &x->v[i] : &x->v[x->e.n++];
            *to = x->v[i];
            to->filter = &x->expanded[k];
            x->origin[k] = (struct expansion_origin){written, i};
        }
    }
    return err;
}

static const struct expansion_origin *origin_of(const struct desired *x, size_t i)
{
    const struct filter *f = x->e.v[i].filter;
    bool expanded = x->expanded && f >= x->expanded && f < x->expanded + x->n_expanded;
    return expanded ? &x->origin[f - x->expanded] : NULL;
}

const struct filter *desired_written(const struct desired *x, size_t i)
{
    const struct expansion_origin *o = origin_of(x, i);
    return o ? o->written : x->e.v[i].filter;
}

size_t desired_origin(const struct desired *x, size_t i)
{
    const struct expansion_origin *o = origin_of(x, i);
    return o ? o->index : i;
}

/* Origins are in ascending order, see expand_names(). */
const struct filter *desired_expansions(const struct desired *x, size_t origin, size_t *ret_n)
{
    size_t lo = 0, hi = x->n_expanded;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->origin[mid].index < origin)
            lo = mid + 1;
        else
            hi = mid;
    }
    size_t n = 0;
    while (lo + n < x->n_expanded && x->origin[lo + n].index == origin)
        n++;
    *ret_n = n;
    return n > 0 ? &x->expanded[lo] : NULL;
}

static bool digest_of(const struct effective *e, const struct host *host, uint64_t ret[2]);

int desired_build(struct layers *l, const struct host *host, struct counter_ids *ids,
                  struct diag *d, struct desired **ret)
{
    size_t n = count_filters(l);
    counter_ids_begin(ids);
    if (n > LIMIT_EFFECTIVE_FILTERS)
        return diag_fail(d, DIAG_LIMIT, "%zu filters, limit %d", n, LIMIT_EFFECTIVE_FILTERS);
    _cleanup_(desired_freep) struct desired *x = calloc(1, sizeof(*x));
    if (!x)
        return -ENOMEM;
    x->cap_v = n + 1;
    x->v = calloc(n + 1, sizeof(*x->v));
    x->fresh = calloc(n + 1, sizeof(*x->fresh));
    if (!x->v || !x->fresh)
        return -ENOMEM;
    int err = layers_copy(l, &x->layers);
    if (err == 0)
        err = counter_ids_expect(ids, n);
    if (err == 0)
        err = add_policy(x, ASSIGN_PERSISTENT, ids, d);
    if (err == 0)
        err = add_policy(x, ASSIGN_LOCAL, ids, d);
    if (err == 0)
        err = add_dynamic(x, ids, d);
    if (err == 0)
        err = expand_names(x, d);
    if (err < 0)
        return err;
    x->e.v = x->v;
    x->e.settings = &x->layers.settings;
    x->e.host = host;
    x->places = digest_of(&x->e, host, x->digest);
    layers_done(l);
    *l = (struct layers){0};
    *ret = TAKE_PTR(x);
    return 0;
}

const struct dynamic_entry *desired_dynamic(const struct desired *x, size_t i)
{
    return i >= x->dynamic_first && i - x->dynamic_first < x->n_dynamic
               ? x->layers.dynamic.v[i - x->dynamic_first]
               : NULL;
}

/* --- print --- */
/* SipHash of 128 bits, each record keyed by the result of the one before. A fixed first key:
 * this is a comparison of our own data, not a table that others fill. */
struct print {
    uint64_t lane[2];
};

static void print_add(struct print *p, const void *data, size_t len)
{
    siphash24_128(data, len, (struct hash_seed){p->lane[0], p->lane[1]}, p->lane);
}

static void print_string(struct print *p, const char *s)
{
    print_add(p, s ? s : "", s ? strlen(s) + 1 : 0);
}

/* Of a filter, with the first port of each side; what else it has follows as records. */
struct filter_record {
    uint64_t src[2], dst[2];
    uint64_t deadline_ns;
    uint8_t guid[16];
    uint32_t counter_id;
    int16_t numbers[3];
    uint16_t n_ports[2];
    struct port_range ports[2];
    uint8_t flags[8], kinds[6];
};

static void print_addr(const struct addr *a, uint64_t out[2], uint8_t kinds[3])
{
    out[0] = a->first.hi;
    out[1] = a->first.lo;
    kinds[0] = (uint8_t)a->kind;
    kinds[1] = (uint8_t)a->family;
    kinds[2] = a->prefix_len;
}

static void print_ports(const struct portset *s, struct port_range *ret_first, uint16_t *ret_n)
{
    *ret_n = (uint16_t)s->n;
    if (s->n > 0)
        *ret_first = s->range[0];
}

/* What few filters have. Which of these records there are follows from the first one, but for
 * strings, so that these come with what they are. */
static void print_rest(struct print *p, const struct filter *f)
{
    const struct addr *addrs[] = {&f->src, &f->dst};
    const struct portset *ports[] = {&f->sport, &f->dport};
    const char *strings[] = {f->interface, f->methods, f->src.name, f->dst.name};
    for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
        const uint64_t last[] = {addrs[i]->last.hi, addrs[i]->last.lo};
        if (addrs[i]->kind == ADDR_RANGE)
            print_add(p, last, sizeof(last));
        if (ports[i]->n > 1)
            print_add(p, ports[i]->range, ports[i]->n * sizeof(*ports[i]->range));
    }
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        if (!strings[i])
            continue;
        print_add(p, &i, sizeof(i));
        print_string(p, strings[i]);
    }
}

static void print_filter(struct print *p, const struct effective_filter *ef)
{
    const struct filter *f = ef->filter;
    struct filter_record r;
    memset(&r, 0, sizeof(r)); /* padding is hashed too */
    print_addr(&f->src, r.src, &r.kinds[0]);
    print_addr(&f->dst, r.dst, &r.kinds[3]);
    /* Of what denies the image knows that there is an end, as the reason of a drop, but not when.
     */
    r.deadline_ns = filter_effect(f) == ACTION_PERMIT ? ef->deadline_ns : ef->deadline_ns != 0;
    r.counter_id = ef->counter_id;
    r.numbers[0] = f->proto;
    r.numbers[1] = f->icmp_type;
    r.numbers[2] = f->icmp_code;
    memcpy(r.guid, f->guid.b, sizeof(r.guid)); /* decides between equal weights */
    const bool flags[5] = {f->inpass, f->mirrored, f->override, f->keep_state, f->log};
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        r.flags[i] = flags[i];
    r.flags[5] = (uint8_t)f->action;
    r.flags[6] = (uint8_t)f->profile;
    r.flags[7] = (uint8_t)(ef->layer | ef->connection << 4);
    print_ports(&f->sport, &r.ports[0], &r.n_ports[0]);
    print_ports(&f->dport, &r.ports[1], &r.n_ports[1]);
    print_add(p, &r, sizeof(r));
    print_rest(p, f);
}

static void print_settings(struct print *p, const struct filter_settings *s)
{
    const uint8_t flags[] = {s->exempt,          s->source_route_classify, s->masqueraded_pass,
                             s->dhcp_client_off, s->counters_off,          (uint8_t)s->n_failsafe};
    print_add(p, flags, sizeof(flags));
    const uint32_t rates[] = {s->log_rate, s->log_total_rate};
    print_add(p, rates, sizeof(rates));
    for (unsigned i = 0; i < s->n_failsafe; i++) {
        const struct failsafe *f = &s->failsafe[i];
        const uint64_t r[] = {f->proto,     f->port,      f->family,
                              f->prefix.hi, f->prefix.lo, f->prefix_len};
        print_add(p, r, sizeof(r));
    }
}

static void print_host(struct print *p, const struct host *h, bool dhcp, bool places)
{
    for (size_t i = 0; i < h->n_ifaces; i++) {
        const struct iface *f = &h->ifaces[i];
        const uint32_t r[] = {f->ifindex, f->zone, f->dhcp4, f->dhcp6, iface_profile(f)};
        if (!places && !(dhcp && (f->dhcp4 || f->dhcp6)))
            continue;
        print_add(p, r, sizeof(r));
        if (places)
            print_string(p, f->name);
    }
}

uint64_t host_print(const struct host *h, bool places)
{
    struct print p = {{0, 0}};
    print_host(&p, h, true, places);
    return p.lane[0];
}

/* Returns whether a filter asks for interfaces: all filters are looked at once. */
static bool digest_of(const struct effective *e, const struct host *host, uint64_t ret[2])
{
    struct print p = {{0x5057, 0x4447}};
    uint64_t sum[2] = {0, 0}, print[2];
    bool places = false;
    for (size_t i = 0; i < e->n; i++) {
        struct effective one = {.v = &e->v[i], .n = 1};
        places = places || effective_asks_place(&one);
        desired_filter_print(&e->v[i], print);
        sum[0] += print[0];
        sum[1] += print[1];
    }
    /* Another version may compile the same filters to other bytes. */
    print_string(&p, PORTWARD_VERSION);
    print_settings(&p, e->settings);
    print_host(&p, host, !e->settings->dhcp_client_off, places);
    ret[0] = p.lane[0] + sum[0];
    ret[1] = p.lane[1] + sum[1];
    return places;
}

void desired_digest(const struct effective *e, const struct host *host, uint64_t ret[2])
{
    (void)digest_of(e, host, ret);
}

void desired_filter_print(const struct effective_filter *ef, uint64_t ret[2])
{
    struct print p = {{0x5057, 0x4447}};
    print_filter(&p, ef);
    ret[0] = p.lane[0];
    ret[1] = p.lane[1];
}

/* --- changes of what is in force --- */
size_t desired_find_dynamic(const struct desired *x, uint32_t id)
{
    size_t i = id ? dynamic_find_id(&x->layers.dynamic, id) : SIZE_MAX;
    return i == SIZE_MAX ? SIZE_MAX : x->dynamic_first + i;
}

int desired_reserve(struct desired *x, const struct dynamic_delta *delta)
{
    int err = array_reserve(&x->v, &x->cap_v, x->e.n + delta->n_added + 1, sizeof(*x->v));
    x->e.v = x->v; /* also after a failure */
    return err;
}

static struct effective_filter effective_of(const struct dynamic_entry *e, uint32_t counter_id)
{
    return (struct effective_filter){.filter = &e->filter,
                                     .layer = LAYER_DYNAMIC,
                                     .counter_id = counter_id,
                                     .deadline_ns = e->deadline_ns};
}

static void count_print(const struct effective_filter *ef, bool comes, uint64_t digest[2])
{
    uint64_t print[2];
    desired_filter_print(ef, print);
    for (unsigned i = 0; i < 2; i++)
        digest[i] = comes ? digest[i] + print[i] : digest[i] - print[i];
}

void desired_digest_after(const struct desired *x, const struct dynamic_delta *delta,
                          const struct dynamic *next, uint32_t counter_id, uint64_t ret[2])
{
    const struct effective_filter *v = &x->v[x->dynamic_first];
    struct effective_filter ef;
    ret[0] = x->digest[0];
    ret[1] = x->digest[1];
    for (unsigned i = 0; i < delta->n_deleted; i++)
        count_print(&v[delta->deleted[i]], /* comes= */ false, ret);
    for (unsigned i = 0; i < delta->n_replaced; i++) {
        const struct effective_filter *old = &v[delta->replaced[i].before];
        ef = effective_of(next->v[delta->replaced[i].after], old->counter_id);
        count_print(old, /* comes= */ false, ret);
        count_print(&ef, /* comes= */ true, ret);
    }
    if (delta->n_added > 0) {
        ef = effective_of(next->v[delta->added], counter_id);
        count_print(&ef, /* comes= */ true, ret);
    }
}

/* Filters behind the dynamic layer are expansions, which are found by their address in memory. */
static void take_out(struct desired *x, size_t at)
{
    memmove(&x->v[at], &x->v[at + 1], (x->e.n - at - 1) * sizeof(*x->v));
    x->e.n--;
    x->n_written--;
    x->n_dynamic--;
    for (size_t i = 0; i < x->n_expanded; i++)
        x->origin[i].index -= x->origin[i].index > at;
}

/* Its id is larger than all others: it is the last one. */
static void put_in(struct desired *x, const struct dynamic_entry *e, uint32_t counter_id)
{
    size_t at = x->n_written;
    memmove(&x->v[at + 1], &x->v[at], (x->e.n - at) * sizeof(*x->v));
    x->v[at] = effective_of(e, counter_id);
    x->e.n++;
    x->n_written++;
    x->n_dynamic++;
    x->fresh[x->n_fresh++] = at;
}

void desired_change(struct desired *x, const struct dynamic_delta *delta, struct dynamic *next,
                    uint32_t counter_id)
{
    uint64_t digest[2];
    desired_digest_after(x, delta, next, counter_id, digest);
    memcpy(x->digest, digest, sizeof(digest));
    x->n_fresh = 0;
    for (unsigned i = 0; i < delta->n_replaced; i++) {
        struct effective_filter *ef = &x->v[x->dynamic_first + delta->replaced[i].before];
        *ef = effective_of(next->v[delta->replaced[i].after], ef->counter_id);
    }
    for (unsigned i = delta->n_deleted; i-- > 0;)
        take_out(x, x->dynamic_first + delta->deleted[i]);
    if (delta->n_added > 0)
        put_in(x, next->v[delta->added], counter_id);
    dynamic_done(&x->layers.dynamic);
    x->layers.dynamic = *next;
    *next = (struct dynamic){0};
}
