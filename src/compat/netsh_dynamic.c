/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_dynamic.c: netsh ipsec dynamic add, set, delete rule and delete all (windows.md 5).
 * Called through the table of commands. A dynamic rule has one action for packets that come in and
 * one for packets that go out; it becomes one filter if they are equal, else one for each half.
 * Invariant: a half whose direction cannot be told is refused, never guessed. */
#include <errno.h>
#include <string.h>

#include "mirror_hole.h"
#include "netsh.h"

/* What the line asks for, and the filters it becomes: a filter and its twin, two each. */
enum { HALVES = 4 };
struct dynamic_rule {
    struct filter filter; /* as written, without mirrored */
    bool mirrored;
    enum action in, out;
    struct filter made[HALVES];
    size_t n_made;
    struct addr *own; /* addresses of this host; NULL = not known */
    size_t n_own;
};

static void rule_release(struct dynamic_rule *r)
{
    for (size_t i = 0; i < r->n_made; i++)
        filter_done(&r->made[i]);
    filter_done(&r->filter);
    free(r->own);
}

static int swap_sides(const struct filter *f, struct filter *ret)
{
    int err = filter_copy(f, ret);
    if (err < 0)
        return err;
    struct addr a = ret->src;
    struct portset p = ret->sport;
    ret->src = ret->dst;
    ret->dst = a;
    ret->sport = ret->dport;
    ret->dport = p;
    return 0;
}

/* --- directions --- */

enum side { SIDE_ANY, SIDE_ME, SIDE_LOCAL, SIDE_REMOTE, SIDE_UNKNOWN };

static bool holds(const struct addr *a, const struct addr *host)
{
    return a->family == host->family && ip_cmp(a->first, host->first) <= 0 &&
           ip_cmp(host->first, a->last) <= 0;
}

static enum side side_of(const struct dynamic_rule *r, const struct addr *a)
{
    if (a->kind == ADDR_ANY || a->kind == ADDR_ME)
        return a->kind == ADDR_ANY ? SIDE_ANY : SIDE_ME;
    if (addr_is_resolved(a))
        return SIDE_REMOTE;
    if (!r->own)
        return SIDE_UNKNOWN;
    for (size_t i = 0; i < r->n_own; i++)
        if (holds(a, &r->own[i]))
            return a->kind == ADDR_HOST ? SIDE_LOCAL : SIDE_UNKNOWN;
    return SIDE_REMOTE;
}

static int load_addresses(struct netsh *n, struct dynamic_rule *r, struct diag *d)
{
    const struct tool_host *host = n->t->host;
    if (!host || !host->addresses)
        return 0;
    int err = host->addresses(host->ctx, d, &r->own, &r->n_own);
    return err == -ENOTCONN ? 0 : err;
}

/* Adds f with this action; me_src, me_dst: with me on that side. */
struct form {
    enum action action;
    bool me_src, me_dst;
};

static int add_form(struct dynamic_rule *r, const struct filter *f, struct form form)
{
    struct filter *made = &r->made[r->n_made];
    int err = filter_copy(f, made);
    if (err < 0)
        return err;
    r->n_made++;
    made->action = form.action;
    if (form.me_src) {
        addr_done(&made->src);
        made->src = addr_me();
    }
    if (form.me_dst) {
        addr_done(&made->dst);
        made->dst = addr_me();
    }
    return 0;
}

/* The half or halves that one filter stands for. */
static int add_halves(struct netsh *n, struct dynamic_rule *r, const struct filter *f,
                      struct diag *d)
{
    enum side src = side_of(r, &f->src), dst = side_of(r, &f->dst);
    if (src == SIDE_ME || src == SIDE_LOCAL)
        return add_form(r, f, (struct form){.action = r->out});
    if (dst == SIDE_ME || dst == SIDE_LOCAL || src == SIDE_REMOTE)
        return add_form(r, f, (struct form){.action = r->in});
    if (src == SIDE_ANY) {
        int err = add_form(r, f, (struct form){.action = r->in, .me_dst = dst == SIDE_ANY});
        return err < 0 ? err : add_form(r, f, (struct form){.action = r->out, .me_src = true});
    }
    int err = netsh_fail(n, d, NETSH_VALUE, DIAG_USAGE,
                         "which packets come in and which go out cannot be told");
    diag_hint(d, "write me for the address of this host, or give both actions alike");
    return err;
}

static int make_filters(struct netsh *n, struct dynamic_rule *r, struct diag *d)
{
    _cleanup_(filter_done) struct filter twin;
    filter_init(&twin);
    int err;
    if (r->in == r->out) {
        err = add_form(r, &r->filter, (struct form){.action = r->in});
        if (err == 0)
            r->made[0].mirrored = r->mirrored;
        return err;
    }
    err = load_addresses(n, r, d);
    if (err == 0)
        err = add_halves(n, r, &r->filter, d);
    if (err < 0 || !r->mirrored)
        return err;
    err = swap_sides(&r->filter, &twin);
    return err < 0 ? err : add_halves(n, r, &twin, d);
}

/* --- add --- */

static bool in_clear(enum action action)
{
    return action != ACTION_NEGOTIATE;
}

/* What a dynamic filter has no place for. */
static int check_rest(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    static const enum netsh_tag lost[] = {T_TUNNELDSTADDRESS, T_KERBEROS, T_PSK, T_ROOTCA};
    enum connection connection = CONNECTION_ALL;
    int err = netsh_get_connection(n, a, d, &connection);
    if (err == 0 && connection != CONNECTION_ALL) {
        err = netsh_fail(n, d, NETSH_REFUSED, DIAG_NOT_ENFORCED, "not enforced here: conntype=%s",
                         connection_name(connection));
        diag_hint(d, "conntype=all");
    }
    for (size_t i = 0; err == 0 && i < ARRAY_SIZE(lost); i++)
        if (a->value[lost[i]])
            err = tool_remark(n->t, NOTE, d, "%s is kept with the rule of a policy only",
                              netsh_tag_name(lost[i]));
    return err;
}

static int check_ike(struct netsh *n, const struct netsh_args *a, const struct dynamic_rule *r,
                     struct diag *d)
{
    bool needed = !in_clear(r->in) || !in_clear(r->out);
    static const enum netsh_tag names[] = {T_QMPOLICY, T_MMPOLICY};
    for (int main_mode = 0; needed && main_mode < 2; main_mode++) {
        const char *name = a->value[names[main_mode]];
        bool has = false;
        int err = name ? netsh_has_ike_policy(n, main_mode, name, d, &has) : 0;
        if (err < 0)
            return err;
        if (name && !has) {
            err = netsh_fail(n, d, NETSH_NOT_FOUND, DIAG_UNKNOWN_OBJECT, "unknown %s '%s'",
                             netsh_tag_name(names[main_mode]), name);
            diag_hint(d, "add %s name=\"%s\" makes it", netsh_tag_name(names[main_mode]), name);
            return err;
        }
    }
    if (!needed || a->value[T_MMPOLICY])
        return 0;
    int err =
        netsh_fail(n, d, NETSH_MISSING_TAG, DIAG_USAGE, "a rule that negotiates needs mmpolicy=");
    diag_hint(d, "give actioninbound= and actionoutbound= as permit or block, or mmpolicy=");
    return err;
}

static int add_made(struct netsh *n, struct dynamic_rule *r, struct diag *d)
{
    struct tool_run *t = n->t;
    int err = 0;
    for (size_t i = 0; err == 0 && i < r->n_made; i++) {
        enum action action = r->made[i].action;
        bool known;
        if (action == ACTION_NEGOTIATE)
            err = tool_remark(t, NOTE_FORETOLD, d,
                              "the rule needs negotiated security: its packets are denied in the "
                              "clear");
        if (err == 0)
            err = mirror_hole_check(t, "the rule", &r->made[i], d);
        if (err == 0)
            err = catalog_dynamic_add(t->catalog, &r->made[i], d, &known);
        if (err == 0 && known)
            err = tool_remark(t, NOTE, d, "this filter is there already");
    }
    return err;
}

static int read_rule(struct netsh *n, const struct netsh_args *a, struct diag *d,
                     struct dynamic_rule *r)
{
    int err = netsh_get_filter(n, a, d, &r->filter);
    if (err < 0)
        return err;
    r->mirrored = r->filter.mirrored;
    r->filter.mirrored = false;
    err = check_rest(n, a, d);
    if (err == 0)
        err = netsh_get_action(n, a, T_ACTIONINBOUND, d, &r->in);
    return err < 0 ? err : netsh_get_action(n, a, T_ACTIONOUTBOUND, d, &r->out);
}

int netsh_dynamic_add_rule(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    _cleanup_(rule_release) struct dynamic_rule r = {.in = ACTION_NEGOTIATE,
                                                     .out = ACTION_NEGOTIATE};
    filter_init(&r.filter);
    int err = read_rule(n, a, d, &r);
    if (err == 0)
        err = check_ike(n, a, &r, d);
    if (err == 0)
        err = make_filters(n, &r, d);
    return err < 0 ? err : add_made(n, &r, d);
}

/* --- delete and set --- */

/* What was found, so that set can keep what is not given. */
struct found {
    size_t n;
    bool mirrored;
    enum action in, out; /* 0 = no such half */
};

/* Same packets; the action does not count. */
static bool same_keys(const struct filter *a, const struct filter *b)
{
    return a->proto == b->proto && addr_eq(&a->src, &b->src) && addr_eq(&a->dst, &b->dst) &&
           portset_eq(&a->sport, &b->sport) && portset_eq(&a->dport, &b->dport) &&
           a->icmp_type == b->icmp_type && !a->interface == !b->interface &&
           a->profile == b->profile && a->keep_state == b->keep_state;
}

static void take(struct catalog_dynamic *e, const struct filter *key, bool twin,
                 struct found *found)
{
    e->gone = true;
    found->n++;
    found->mirrored = found->mirrored || e->filter.mirrored || twin;
    if (key->src.kind == ADDR_ME || e->filter.mirrored || key->dst.kind != ADDR_ME)
        found->out = e->filter.action;
    if (key->dst.kind == ADDR_ME || e->filter.mirrored || key->src.kind != ADDR_ME)
        found->in = e->filter.action;
}

static void take_all(struct netsh *n, const struct netsh_args *a, const struct filter *key,
                     bool twin, struct found *found)
{
    struct catalog *c = n->t->catalog;
    for (size_t i = 0; i < c->n_dynamic; i++) {
        struct catalog_dynamic *e = &c->dynamic[i];
        bool wrong_mirror = a->value[T_MIRRORED] && !twin && e->filter.mirrored &&
                            !strchr("yY", a->value[T_MIRRORED][0]);
        if (!e->gone && same_keys(&e->filter, key) && !wrong_mirror &&
            !(twin && e->filter.mirrored))
            take(e, key, twin, found);
    }
}

/* The forms that make_filters() may have given a filter whose direction is not in its text. */
static int take_split(struct netsh *n, const struct netsh_args *a, const struct filter *f,
                      bool twin, struct found *found)
{
    static const struct form forms[] = {{ACTION_BLOCK, false, true}, {ACTION_BLOCK, true, false}};
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct dynamic_rule one = {0};
        int err = add_form(&one, f, forms[i]);
        if (err < 0)
            return err;
        take_all(n, a, &one.made[0], twin, found);
        filter_done(&one.made[0]);
    }
    return 0;
}

static int take_rule(struct netsh *n, const struct netsh_args *a, const struct dynamic_rule *r,
                     struct diag *d, struct found *found)
{
    _cleanup_(filter_done) struct filter twin;
    filter_init(&twin);
    *found = (struct found){0};
    int err = catalog_load_dynamic(n->t->catalog, d);
    if (err == 0)
        err = swap_sides(&r->filter, &twin);
    if (err < 0)
        return err;
    bool open = r->filter.src.kind == ADDR_ANY && r->filter.dst.kind != ADDR_ME;
    bool twin_open = r->mirrored && twin.src.kind == ADDR_ANY && twin.dst.kind != ADDR_ME;
    take_all(n, a, &r->filter, false, found);
    bool whole = found->n > 0 && found->mirrored;
    if (r->mirrored && !whole)
        take_all(n, a, &twin, true, found);
    if (open && !whole)
        err = take_split(n, a, &r->filter, false, found);
    if (err == 0 && twin_open && !whole)
        err = take_split(n, a, &twin, true, found);
    if (err < 0 || found->n > 0)
        return err;
    err = netsh_fail(n, d, NETSH_NOT_FOUND, DIAG_UNKNOWN_OBJECT, "there is no such dynamic rule");
    diag_hint(d, "netsh ipsec dynamic show rule");
    return err;
}

int netsh_dynamic_delete_rule(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    _cleanup_(rule_release) struct dynamic_rule r = {0};
    struct found found;
    filter_init(&r.filter);
    int err = read_rule(n, a, d, &r);
    return err < 0 ? err : take_rule(n, a, &r, d, &found);
}

int netsh_dynamic_set_rule(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    _cleanup_(rule_release) struct dynamic_rule r = {0};
    struct found found;
    filter_init(&r.filter);
    int err = read_rule(n, a, d, &r);
    if (err == 0)
        err = take_rule(n, a, &r, d, &found);
    if (err < 0)
        return err;
    if (!a->value[T_MIRRORED])
        r.mirrored = found.mirrored;
    if (r.in == 0)
        r.in = found.in != 0 ? found.in : found.out;
    if (r.out == 0)
        r.out = found.out != 0 ? found.out : found.in;
    err = check_ike(n, a, &r, d);
    if (err == 0)
        err = make_filters(n, &r, d);
    return err < 0 ? err : add_made(n, &r, d);
}

int netsh_dynamic_delete_all(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    (void)a;
    catalog_dynamic_flush(n->t->catalog);
    return netsh_drop_ike_policies(n, d);
}

/* --- show --- */

/* Only what the line asks for; the two actions are halves of a rule. */
static bool is_wanted(const struct netsh_args *a, const struct filter *want, enum action in,
                      enum action out, const struct filter *have)
{
    bool goes_in = have->mirrored || have->src.kind != ADDR_ME;
    bool goes_out = have->mirrored || have->dst.kind != ADDR_ME;
    return netsh_filter_matches(a, want, have) && (in == 0 || (goes_in && have->action == in)) &&
           (out == 0 || (goes_out && have->action == out));
}

int netsh_dynamic_show_rule(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    static const char *const types[] = {"transport", "tunnel", NULL};
    struct catalog *c = n->t->catalog;
    struct netsh_look look;
    _cleanup_(filter_done) struct filter want;
    enum action in = 0, out = 0;
    int type = 0;
    size_t shown = 0;
    filter_init(&want);
    int err = netsh_get_look(n, a, true, d, &look);
    if (err == 0)
        err = netsh_get_choice(n, a, T_TYPE, types, d, &type);
    if (err == 0)
        err = netsh_get_filter(n, a, d, &want);
    if (err == 0)
        err = netsh_get_action(n, a, T_ACTIONINBOUND, d, &in);
    if (err == 0)
        err = netsh_get_action(n, a, T_ACTIONOUTBOUND, d, &out);
    if (err == 0)
        err = catalog_load_dynamic(c, d);
    if (err < 0)
        return err;
    for (size_t i = 0; type == 0 && i < c->n_dynamic; i++) {
        const struct catalog_dynamic *e = &c->dynamic[i];
        if (e->gone || !is_wanted(a, &want, in, out, &e->filter))
            continue;
        netsh_print_filter(&n->t->out, &e->filter, &look);
        netsh_print_field(&n->t->out, "Action", action_name(e->filter.action));
        shown++;
    }
    (void)strbuf_addf(&n->t->out, "\nNo. of dynamic filters : %zu\n", shown); /* sticky */
    return 0;
}
