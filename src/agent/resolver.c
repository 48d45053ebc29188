/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/resolver.c: names and keywords of filters between the table (names.c), their sources
 * (fetch_link.c, keywords.c, gateways.c) and the generations.
 * Called as resolver.h says. Invariants: what is in force changes only through a generation of
 * its own, at most one a second; the file of last good addresses is written before the generation
 * that uses them; a request with a name that never had an answer changes nothing until it has
 * one, and holds up no other request. */
#include "resolver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "internal.h"
#include "keywords.h"

#define NAMES_FILE "names"
enum {
    FILE_BYTES_MAX = 8 * 1024 * 1024,
    KEYWORD_US = 2000000, /* how often files and routes are looked at while keywords are used */
};
static const uint64_t wait_ns = 8000000000ULL;    /* for the first answer about a name */
static const uint64_t apply_ns = 1000000000ULL;   /* between two generations for new addresses */
static const uint64_t linger_ns = 30000000000ULL; /* how long an unused name is kept */

int resolver_new(struct resolver *r)
{
    return names_new(&r->names);
}

/* --- walking over filters --- */
/* Called for each side of an active filter that is a name or keyword; negative ends the walk. */
typedef int (*named_fn)(void *ctx, const struct filter *f, const struct addr *side);

static int visit(const struct filter *f, named_fn fn, void *ctx)
{
    int err = addr_is_resolved(&f->src) ? fn(ctx, f, &f->src) : 0;
    return err == 0 && addr_is_resolved(&f->dst) ? fn(ctx, f, &f->dst) : err;
}

static int each_named(const struct layers *l, named_fn fn, void *ctx)
{
    int err = 0;
    for (unsigned s = 0; s < _ASSIGN_SLOT_MAX; s++) {
        const struct policy *p = l->policy[s] && l->policy[s]->named ? l->policy[s]->policy : NULL;
        for (size_t i = 0; p && i < p->n_rules; i++)
            for (size_t k = 0; err == 0 && !p->rules[i].inactive && k < p->rules[i].n_filters; k++)
                err = visit(&p->rules[i].filters[k], fn, ctx);
    }
    for (size_t i = 0; err == 0 && l->dynamic.n_named > 0 && i < l->dynamic.n; i++)
        err = visit(&l->dynamic.v[i]->filter, fn, ctx);
    return err;
}

/* --- changes of addresses --- */
static int on_apply(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
    struct agent *a = userdata;
    a->resolver.applied_ns = agent_now_ns();
    if (agent_queue_internal(a, JOB_NAMES, NULL) < 0)
        event_log(EV_AGENT_FAILED, "ERROR", "out of memory", NULL);
    return 0;
}

/* One generation for all changes of a second, so that a flood of answers costs no more. */
static void schedule_apply(struct agent *a)
{
    struct resolver *r = &a->resolver;
    uint64_t now = agent_now_ns(), due = r->applied_ns + apply_ns;
    uint64_t delay_us = due > now ? (due - now) / 1000 : 0;
    int enabled = 0;
    if (!r->apply_timer) {
        if (sd_event_add_time_relative(a->event, &r->apply_timer, CLOCK_BOOTTIME, delay_us, 1000,
                                       on_apply, a) < 0)
            event_log(EV_AGENT_FAILED, "ERROR", "out of memory", NULL);
        return;
    }
    if (sd_event_source_get_enabled(r->apply_timer, &enabled) >= 0 && enabled != SD_EVENT_OFF)
        return;
    /* Neither fails for a timer of this process (sd_event_source_set_time(3)). */
    (void)sd_event_source_set_time_relative(r->apply_timer, delay_us);
    (void)sd_event_source_set_enabled(r->apply_timer, SD_EVENT_ONESHOT);
}

static void addresses_changed(struct agent *a, struct name_entry *e)
{
    struct resolver *r = &a->resolver;
    e->version = ++r->version;
    if (!e->used) /* nor by a generation on its way */
        return;
    r->dirty |= e->kind == ADDR_NAME;
    schedule_apply(a);
}

static void log_kept(enum agent_event_id id, const struct name_entry *e)
{
    char n[24];
    (void)snprintf(n, sizeof(n), "%zu", e->now.n); /* fits */
    event_log(id, "NAME", e->name, "REASON", e->failure, "KEPT", n, NULL);
}

static void unpark_all(struct agent *a)
{
    for (struct job *j; (j = resolver_unpark_one(a));)
        queue_again(a, j);
}

static void on_answer(void *u, const struct fetch_answer *answer)
{
    struct agent *a = u;
    enum name_effect effect;
    struct name_entry *e;
    int err =
        names_answer(a->resolver.names, answer, datapath_host(a->dp), agent_now_ns(), &effect, &e);
    if (err < 0) {
        event_log(EV_AGENT_FAILED, "ERROR", "out of memory", NULL);
        return;
    }
    switch (effect) {
    case NAME_SAME:
        break;
    case NAME_CHANGED:
        addresses_changed(a, e);
        break;
    case NAME_FAILED: /* a lie is worth another event than silence */
        log_kept(answer->outcome == FETCH_FOUND || strcmp(answer->reason, "too-many") == 0
                     ? EV_ADDRESS_REFUSED
                     : EV_NAME_FAILED,
                 e);
        break;
    case NAME_UNKNOWN: /* an answer that crossed our "drop", or was never asked for: ignored */
        return;
    }
    if (!e->used)
        unpark_all(a);
}

static void tell(struct agent *a, struct name_entry *e)
{
    if (!fetch_link_is_up(a->resolver.link))
        return;
    fetch_link_send(a->resolver.link, FETCH_WANT, e->name);
    e->told = true;
}

static void on_up(void *u)
{
    struct agent *a = u;
    event_log(EV_FETCH_CONNECTED, NULL);
    for (size_t i = 0; i < names_n(a->resolver.names); i++) {
        struct name_entry *e = names_at(a->resolver.names, i);
        e->told = false;
        if (e->kind == ADDR_NAME)
            tell(a, e);
    }
}

static void on_down(void *u, const char *reason)
{
    struct agent *a = u;
    event_log(EV_FETCH_LOST, "REASON", reason, NULL);
    unpark_all(a);
}

/* --- keywords --- */
static int read_keyword(struct agent *a, enum addr_kind kind, struct address_list *l)
{
    if (kind == ADDR_KEYWORD_GATEWAY)
        return gateways_read(l);
    if (kind != ADDR_KEYWORD_WINS)
        return keywords_read(kind, "", l);
    *l = a->config.wins;
    return 0;
}

/* Servers that no filter may name (loopback, own, ...) are left out one by one: the host's own
 * configuration is not one answer of one sender. */
static void drop_unfit(const struct host *h, struct address_list *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (!address_fault(&l->v[i], h, /* link_local_ok= */ true))
            l->v[n++] = l->v[i];
    l->n = n;
}

static void look_at_keyword(struct agent *a, size_t i)
{
    struct resolver *r = &a->resolver;
    struct name_entry *e = names_at(r->names, i);
    struct address_list l = {.n = 0};
    struct address_set s;
    int err = read_keyword(a, e->kind, &l);
    drop_unfit(datapath_host(a->dp), &l);
    /* A file that is being rewritten is empty for a moment: it must be so twice. */
    bool empties = err == 0 && l.n == 0 && e->used && e->now.n > 0;
    bool believe = !empties || r->was_empty[i];
    r->was_empty[i] = empties;
    if (err == 0 && believe)
        err = address_set_make(l.v, l.n, &s);
    if (err < 0) {
        /* Routes that change during a dump spoil it (netlink(7), NLM_F_DUMP_INTR). */
        r->routes_changed |= e->kind == ADDR_KEYWORD_GATEWAY;
        if (!e->failure[0])
            event_log(EV_NAME_FAILED, "NAME", e->name, "REASON", strerror(-err), NULL);
        (void)snprintf(e->failure, sizeof(e->failure), "%s", strerror(-err)); /* cut */
        return;
    }
    e->failure[0] = '\0';
    if (believe && names_set_keyword(r->names, e->kind, &s))
        addresses_changed(a, e);
}

/* Looks at the keyword of e, once for all the filters that one question goes through. */
static void look_once(struct agent *a, const struct name_entry *e,
                      bool looked_at[RESOLVER_KEYWORDS])
{
    for (size_t i = 0; i < RESOLVER_KEYWORDS; i++)
        if (names_at(a->resolver.names, i) == e && !looked_at[i]) {
            looked_at[i] = true;
            look_at_keyword(a, i);
        }
}

static int on_keywords(sd_event_source *s, uint64_t usec _unused_, void *userdata)
{
    struct agent *a = userdata;
    struct resolver *r = &a->resolver;
    for (size_t i = 0; i < RESOLVER_KEYWORDS; i++) {
        const struct name_entry *e = names_at(r->names, i);
        /* A dump of routes is dear on a router: only after one changed. */
        bool gateway = e->kind == ADDR_KEYWORD_GATEWAY;
        if (!e->used || (gateway && !r->routes_changed && !r->was_empty[i]))
            continue;
        if (gateway)
            r->routes_changed = false;
        look_at_keyword(a, i);
    }
    int err = sd_event_source_set_time_relative(s, KEYWORD_US);
    return err < 0 ? err : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

void resolver_routes_changed(struct agent *a)
{
    struct resolver *r = &a->resolver;
    if (r->routes_changed || !r->keyword_timer)
        return;
    r->routes_changed = true;
    /* Soon, together with what else changes at once; cannot fail for a timer of this process. */
    (void)sd_event_source_set_time_relative(r->keyword_timer, KEYWORD_US / 10);
}

/* --- parked jobs --- */
static int on_park_timer(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
    unpark_all(userdata);
    return 0;
}

static int park(struct agent *a, struct job *j)
{
    struct resolver *r = &a->resolver;
    uint64_t now = agent_now_ns(), due = j->names_asked_ns + wait_ns;
    for (const struct job *p = r->parked; p; p = p->next)
        if (p->names_asked_ns + wait_ns < due)
            due = p->names_asked_ns + wait_ns;
    r->park_timer = sd_event_source_disable_unref(r->park_timer);
    int err =
        sd_event_add_time_relative(a->event, &r->park_timer, CLOCK_BOOTTIME,
                                   due > now ? (due - now) / 1000 + 1 : 0, 1000, on_park_timer, a);
    if (err < 0)
        return err;
    j->next = r->parked;
    r->parked = j;
    r->n_parked++;
    return 1;
}

struct job *resolver_unpark_one(struct agent *a)
{
    struct job *j = a->resolver.parked;
    if (j) {
        a->resolver.parked = j->next;
        a->resolver.n_parked--;
        j->next = NULL;
    }
    return j;
}

void resolver_forget(struct agent *a, uint64_t id)
{
    for (struct job *j = a->resolver.parked; j; j = j->next)
        if (j->id == id)
            j->done = NULL;
}

/* --- what a generation needs --- */
/* Names that nothing in force uses: those of a while ago, and those that a request of this time
 * (0 = none) asked for in vain, unless others may wait for them. */
static void remove_unused(struct agent *a, uint64_t asked_in_vain_ns)
{
    struct resolver *r = &a->resolver;
    uint64_t now = agent_now_ns();
    for (size_t i = names_n(r->names); i-- > RESOLVER_KEYWORDS;) {
        struct name_entry *e = names_at(r->names, i);
        bool in_vain =
            asked_in_vain_ns && e->asked_ns == asked_in_vain_ns && !e->resolved && r->n_parked == 0;
        bool fresh = now - e->asked_ns < linger_ns || now - e->answered_ns < linger_ns;
        if (e->used || (fresh && !in_vain))
            continue;
        fetch_link_send(r->link, FETCH_DROP, e->name);
        r->dirty |= e->resolved;
        names_remove(r->names, e);
    }
}

static int add_name(struct agent *a, const char *name, struct diag *d, struct name_entry **ret)
{
    int err = names_add(a->resolver.names, name, ret);
    if (err == -E2BIG) {
        remove_unused(a, 0);
        err = names_add(a->resolver.names, name, ret);
    }
    if (err == -E2BIG)
        return diag_fail(d, DIAG_LIMIT, "more than %d DNS names", LIMIT_NAMES);
    return err;
}

struct need {
    struct agent *a;
    struct job *j;
    struct diag *d;
    bool first; /* this job was not parked before */
    size_t n_missing;
    bool looked_at[RESOLVER_KEYWORDS]; /* many filters, one look */
};

/* Why a name cannot be had, 0 if it still may be. */
static int refuse_name(const struct need *n, const struct name_entry *e)
{
    uint64_t now = agent_now_ns();
    int err = 0;
    if (!fetch_link_is_up(n->a->resolver.link)) {
        err =
            diag_fail(n->d, DIAG_SYSTEM,
                      "cannot resolve '%s': the resolver portward-fetch is not connected", e->name);
        diag_hint(n->d, "systemctl start portward-fetch");
    } else if (!n->first && e->failure[0] && e->answered_ns >= n->j->names_asked_ns) {
        err = diag_fail(n->d, DIAG_ADDRESS, "cannot resolve '%s': %s", e->name, e->failure);
        diag_hint(n->d, "write the address, or check the name: host %s", e->name);
    } else if (!n->first && now >= n->j->names_asked_ns + wait_ns) {
        err = diag_fail(n->d, DIAG_SYSTEM, "cannot resolve '%s': no answer within %d s", e->name,
                        (int)(wait_ns / 1000000000));
        diag_hint(n->d, "write the address, or check the name: host %s", e->name);
    }
    return err;
}

static int need_name(void *ctx, const struct filter *f _unused_, const struct addr *side)
{
    struct need *n = ctx;
    struct name_entry *e = names_find(n->a->resolver.names, side);
    if (side->kind != ADDR_NAME) {
        if (!e->used)
            look_once(n->a, e, n->looked_at);
        return 0;
    }
    int err = e ? 0 : add_name(n->a, side->name, n->d, &e);
    if (err < 0 || e->resolved || e->used || n->j->kind != JOB_REQUEST)
        return err;
    err = refuse_name(n, e);
    if (err < 0)
        return err;
    n->n_missing++;
    if (n->first && e->asked_ns < n->j->names_asked_ns) {
        e->asked_ns = n->j->names_asked_ns;
        tell(n->a, e);
    }
    return 0;
}

/* From here on a change of its addresses is a change of what is (nearly) in force. */
static int mark_used(void *ctx, const struct filter *f _unused_, const struct addr *side)
{
    struct resolver *r = ctx;
    struct name_entry *e = names_find(r->names, side);
    if (!e || e->used)
        return 0;
    e->used = true;
    r->dirty |= e->kind == ADDR_NAME;
    return 0;
}

/* At start: of what the file holds, this is needed, so it is not what makes room for others. */
static int mark_read(void *ctx, const struct filter *f _unused_, const struct addr *side)
{
    const struct resolver *r = ctx;
    struct name_entry *e = side->kind == ADDR_NAME ? names_find(r->names, side) : NULL;
    if (e)
        e->used = true;
    return 0;
}

static int save(struct agent *a, struct diag *d)
{
    _cleanup_free_ char *text = NULL;
    if (!a->resolver.dirty)
        return 0;
    int err = names_print(a->resolver.names, &text);
    if (err == 0)
        err = file_replace(a->options.state_dir, NAMES_FILE, text, strlen(text));
    if (err < 0)
        return diag_errno(d, err, "cannot write '%s/" NAMES_FILE "'", a->options.state_dir);
    a->resolver.dirty = false;
    return 0;
}

int resolver_ready(struct agent *a, struct job *j, struct diag *d)
{
    struct resolver *r = &a->resolver;
    bool first = j->names_asked_ns == 0;
    if (first)
        j->names_asked_ns = agent_now_ns();
    struct need n = {.a = a, .j = j, .d = d, .first = first};
    if (j->kind == JOB_START)
        (void)each_named(&j->next_layers, mark_read, r); /* mark_read() never fails */
    int err = each_named(&j->next_layers, need_name, &n);
    if (err < 0)
        return err;
    if (n.n_missing > 0)
        return park(a, j);
    if (j->change.dry_run) /* files stay as they are */
        return 0;
    (void)each_named(&j->next_layers, mark_used, r); /* mark_used() never fails */
    struct diag why = {0};
    err = save(a, &why);
    if (err < 0 && j->kind == JOB_REQUEST) {
        *d = why;
        return err;
    }
    if (err < 0) /* what the agent must do itself goes on; a restart has older addresses */
        event_log(EV_WORKER_FAILED, "ERROR", why.message, "SOURCE", "names", NULL);
    r->built = r->version;
    return 0;
}

static void log_changes(struct agent *a)
{
    struct names *t = a->resolver.names;
    for (size_t i = 0; i < names_n(t); i++) {
        struct name_entry *e = names_at(t, i);
        if (!e->changed || e->version > a->resolver.built)
            continue;
        _cleanup_free_ char *before = address_set_text(&e->in_force);
        _cleanup_free_ char *after = address_set_text(&e->now);
        event_log(EV_ADDRESS_CHANGED, "NAME", e->name, "BEFORE", before, "AFTER", after, NULL);
    }
}

static void use_names_in_force(struct agent *a)
{
    struct resolver *r = &a->resolver;
    bool dirty = r->dirty; /* the file has those that are in force */
    for (size_t i = 0; i < names_n(r->names); i++)
        names_at(r->names, i)->used = false;
    (void)each_named(&a->in_force->layers, mark_used, r); /* mark_used() never fails */
    r->dirty = dirty;
    for (size_t i = 0; i < names_n(r->names); i++) {
        struct name_entry *e = names_at(r->names, i);
        if (!e->used)
            names_forget_change(e);
        else if (e->kind == ADDR_NAME && !e->told)
            tell(a, e);
    }
    if (!r->parked)
        remove_unused(a, 0);
}

/* The new addresses cannot be enforced, or not now: on with those that are, after a restart too.
 * The next answer or look tries again. */
static void go_back(struct agent *a)
{
    struct resolver *r = &a->resolver;
    struct diag d = {0};
    names_revert(r->names, r->built);
    r->routes_changed = true;
    r->dirty = true;
    if (save(a, &d) < 0)
        event_log(EV_WORKER_FAILED, "ERROR", d.message, "SOURCE", "names", NULL);
    if (names_has_changes(r->names)) /* younger than what was tried */
        schedule_apply(a);
}

void resolver_job_done(struct agent *a, const struct job *j, bool ok)
{
    struct resolver *r = &a->resolver;
    if (ok && j->enforce) {
        log_changes(a);
        names_confirm(r->names, r->built);
    }
    if (!ok && j->kind == JOB_NAMES)
        go_back(a);
    if (a->in_force)
        use_names_in_force(a);
    if (!ok && j->kind == JOB_REQUEST && j->names_asked_ns)
        remove_unused(a, j->names_asked_ns);
}

/* --- what people see --- */
struct notes {
    struct agent *a;
    struct job *j;
    bool warned[_ADDR_KIND_MAX];
};

static int note_empty(void *ctx, const struct filter *f, const struct addr *side)
{
    struct notes *n = ctx;
    const struct name_entry *e = names_find(n->a->resolver.names, side);
    if (n->warned[side->kind] || !e || e->now.n > 0)
        return 0;
    n->warned[side->kind] = true;
    if (side->kind == ADDR_NAME) { /* in force already, but its addresses were lost */
        warning_add(&n->j->result.warnings, "name-empty", "portward status",
                    "'%s' stands for no address: the filter %ss nothing until it is resolved",
                    e->name, action_name(f->action));
        return 0;
    }
    warning_add(&n->j->result.warnings, "keyword-empty",
                side->kind == ADDR_KEYWORD_WINS ? "portward.conf: [filter] wins = ADDR" : NULL,
                "'%s' stands for no address on this host: the filter %ss nothing", e->name,
                action_name(f->action));
    return 0;
}

void resolver_notes(struct agent *a, struct job *j)
{
    struct notes n = {.a = a, .j = j};
    bool policies = j->change.kind != AGENT_FILTER_ADD && j->result.flipped;
    size_t i = j->change.kind == AGENT_FILTER_ADD ? desired_find_dynamic(a->in_force, j->subject_id)
                                                  : SIZE_MAX;
    if (i != SIZE_MAX)
        (void)visit(desired_written(a->in_force, i), note_empty, &n); /* never fails */
    if (policies)
        (void)each_named(&a->in_force->layers, note_empty, &n);
}

void resolver_status(struct agent *a, struct agent_warnings *w)
{
    const struct resolver *r = &a->resolver;
    size_t n_names = 0;
    for (size_t i = 0; i < names_n(r->names); i++) {
        const struct name_entry *e = names_at(r->names, i);
        if (!e->used)
            continue;
        n_names += e->kind == ADDR_NAME;
        if (e->now.n == 0)
            warning_add(w, "name-empty", NULL,
                        "'%s' stands for no address: its filters match nothing", e->name);
        else if (e->failure[0])
            warning_add(w, "name-failed", NULL, "'%s': %s; its last %zu addresses are in force",
                        e->name, e->failure, e->now.n);
    }
    if (n_names > 0 && !fetch_link_is_up(r->link))
        warning_add(w, "fetch-not-connected", "systemctl start portward-fetch",
                    "portward-fetch is not connected: the addresses of %zu names are not renewed",
                    n_names);
}

/* --- start and end --- */
static int read_file(struct agent *a, struct diag *d)
{
    struct resolver *r = &a->resolver;
    _cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(4096);
    _cleanup_free_ char *text = NULL;
    size_t len;
    int err = strbuf_addf(&path, "%s/" NAMES_FILE, a->options.state_dir);
    if (err == 0)
        err = file_read(path.s, FILE_BYTES_MAX, &text, &len);
    if (err == -ENOENT)
        return 0;
    if (err < 0)
        return diag_errno(d, err, "cannot read '%s'", path.s ? path.s : NAMES_FILE);
    err = names_parse(r->names, text, len);
    if (err != -EBADMSG)
        return err;
    /* Whether it matters, resolver_check_start() finds out. */
    event_log(EV_NAMES_LOST, "FILE", path.s, NULL);
    r->names = names_free(r->names);
    return names_new(&r->names);
}

int resolver_start(struct agent *a, struct diag *d)
{
    static const struct fetch_link_ops ops = {on_up, on_down, on_answer};
    struct resolver *r = &a->resolver;
    int err = read_file(a, d);
    if (err == 0)
        err = fetch_link_new(a->event, a->options.runtime_dir, &ops, a, d, &r->link);
    if (err < 0)
        return err;
    err = sd_event_add_time_relative(a->event, &r->keyword_timer, CLOCK_MONOTONIC, KEYWORD_US, 0,
                                     on_keywords, a);
    return err < 0 ? diag_errno(d, err, "cannot start a timer") : 0;
}

struct start_check {
    struct agent *a;
    struct diag *d;
    bool looked_at[RESOLVER_KEYWORDS];
};

/* A server that is configured but cannot be read would open the block just as well. */
static int check_keyword(struct start_check *c, const struct name_entry *e)
{
    look_once(c->a, e, c->looked_at);
    if (!e->failure[0])
        return 0;
    int err = diag_fail(c->d, DIAG_CORRUPT,
                        "cannot read what '%s', which is blocked, stands for: %s; what is in force "
                        "stays",
                        e->name, e->failure);
    diag_hint(c->d, "make it readable, or give dynamic filters up: portwardd --forget-dynamic");
    return err;
}

static int check_block(void *ctx, const struct filter *f, const struct addr *side)
{
    struct start_check *c = ctx;
    const struct name_entry *e = names_find(c->a->resolver.names, side);
    if (filter_effect(f) == ACTION_PERMIT)
        return 0;
    if (side->kind != ADDR_NAME)
        return check_keyword(c, e);
    if (e && e->resolved)
        return 0;
    int err = diag_fail(c->d, DIAG_CORRUPT,
                        "the addresses of '%s', which is blocked, are lost: '%s/" NAMES_FILE
                        "'; what is in force stays",
                        side->name, c->a->options.state_dir);
    diag_hint(c->d, "restore the file, or give these addresses up: portwardd --forget-dynamic");
    return err;
}

int resolver_check_start(struct agent *a, const struct layers *l, struct diag *d)
{
    struct start_check c = {.a = a, .d = d};
    if (!datapath_adopted(a->dp) || datapath_generation(a->dp) == 0 || a->options.forget_dynamic)
        return 0;
    return each_named(l, check_block, &c);
}

void resolver_done(struct resolver *r)
{
    r->park_timer = sd_event_source_disable_unref(r->park_timer);
    r->apply_timer = sd_event_source_disable_unref(r->apply_timer);
    r->keyword_timer = sd_event_source_disable_unref(r->keyword_timer);
    r->link = fetch_link_free(r->link);
    r->names = names_free(r->names);
}
