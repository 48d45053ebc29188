/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/foreign.c: chains and verdicts of foreign rules (exposure/foreign.h). Called by
 * `portward audit`, by tests and by the fuzzer. Accept is final for its base chain only; drop is
 * final. A rule that may match and ends the chain is unknown unless the rest ends alike. */
#include "exposure/foreign.h"

#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "foreign.h"
#include "model/proto.h"

enum { JUMPS_MAX = 16, RULES_MAX = 100000 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

/* --- document --- */
static bool is_ours(const char *family)
{
    return strcmp(family, "ip") == 0 || strcmp(family, "ip6") == 0 || strcmp(family, "inet") == 0;
}

static int add_chain(struct foreign *f, const json_t *c)
{
    const char *hook = text_of(c, "hook");
    bool input = strcmp(hook, "input") == 0;

    if (!is_ours(text_of(c, "family")) || (!input && strcmp(hook, "prerouting") != 0))
        return 0;
    int r = array_reserve(&f->chains, &f->cap, f->n + 1, sizeof(*f->chains));
    if (r == 0)
        f->chains[f->n++] =
            (struct base_chain){.family = text_of(c, "family"),
                                .table = text_of(c, "table"),
                                .name = text_of(c, "name"),
                                .input = input,
                                .prio = json_integer_value(json_object_get(c, "prio")),
                                .drops = strcmp(text_of(c, "policy"), "drop") == 0};
    return r;
}

static int by_prio(const void *pa, const void *pb)
{
    const struct base_chain *a = pa, *b = pb;

    if (a->input != b->input)
        return a->input ? 1 : -1;
    return (a->prio > b->prio) - (a->prio < b->prio);
}

int foreign_parse(const char *text, size_t len, struct diag *d, struct foreign **ret)
{
    _cleanup_(foreign_freep) struct foreign *f = calloc(1, sizeof(*f));
    const json_t *j;
    json_error_t e;
    size_t i;
    int r = 0;

    if (!f)
        return diag_errno(d, ENOMEM, "cannot read the rules of nftables");
    f->doc = json_loadb(text, len, 0, &e);
    f->list = json_object_get(f->doc, "nftables");
    if (!json_is_array(f->list))
        return diag_fail(d, DIAG_SYSTEM, "what 'nft -j list ruleset' printed is not understood");
    json_array_foreach(f->list, i, j)
    {
        const json_t *c = json_object_get(j, "chain");

        if (r == 0 && c && json_object_get(c, "hook"))
            r = add_chain(f, c);
    }
    if (r < 0)
        return diag_errno(d, r, "cannot read the rules of nftables");
    if (f->n)
        qsort(f->chains, f->n, sizeof(*f->chains), by_prio);
    *ret = TAKE_PTR(f);
    return 0;
}

struct foreign *foreign_free(struct foreign *f)
{
    if (f) {
        json_decref(f->doc);
        free(f->chains);
        free(f);
    }
    return NULL;
}

void foreign_freep(struct foreign **f)
{
    *f = foreign_free(*f);
}

size_t foreign_n_chains(const struct foreign *f)
{
    return f->n;
}

const char *foreign_verdict_name(enum foreign_verdict v)
{
    static const char *const names[_FOREIGN_MAX] = {
        [FOREIGN_ACCEPT] = "accept", [FOREIGN_DROP] = "drop", [FOREIGN_UNKNOWN] = "unknown"};

    return names[v];
}

/* --- verdicts --- */
/* How a chain, or what is left of it, ends. */
enum end { END_FALL, END_ACCEPT, END_DROP, END_RETURN, END_UNKNOWN };
struct walk {
    struct match_place at;
    struct foreign_packet packet; /* as rewritten so far */
    struct foreign_answer *answer;
    unsigned rules; /* looked at, against loops */
};

static enum end chain_from(struct walk *w, const char *chain, size_t from, unsigned depth);

static void name_rule(const json_t *rule, char ret[FOREIGN_RULE_BYTES])
{
    json_int_t handle = json_integer_value(json_object_get(rule, "handle"));

    (void)format_into(ret, FOREIGN_RULE_BYTES, "%s %s %s handle %lld", text_of(rule, "family"),
                      text_of(rule, "table"), text_of(rule, "chain"), (long long)handle);
}

/* Two ways that the packet may have gone. */
static enum end either(enum end a, enum end b)
{
    return a == b ? a : END_UNKNOWN;
}

static bool rewrite(struct walk *w, const json_t *to, bool here)
{
    const json_t *port = json_object_get(to, "port"), *addr = json_object_get(to, "addr");
    struct ip ip = w->packet.dst;

    if ((addr && !foreign_ip(addr, w->packet.family, &ip)) || (!addr && !here && !port) ||
        (port && !json_is_integer(port)))
        return false;
    w->packet.dst = ip;
    if (port)
        w->packet.dport = (uint16_t)json_integer_value(port);
    w->answer->redirected = true;
    w->answer->to = ip;
    w->answer->to_port = w->packet.dport;
    w->answer->elsewhere = !foreign_is_local(w->at.host, w->packet.family, ip);
    return true;
}

/* END_FALL: the statement ends nothing. */
static enum end follow(struct walk *w, const json_t *verdict, const json_t *rule, unsigned depth)
{
    const json_t *to;
    enum end e;

    if (json_object_get(verdict, "accept"))
        return END_ACCEPT;
    if (json_object_get(verdict, "drop") || json_object_get(verdict, "reject")) {
        name_rule(rule, w->answer->rule);
        return END_DROP;
    }
    if (json_object_get(verdict, "return"))
        return END_RETURN;
    if ((to = json_object_get(verdict, "jump")) || (to = json_object_get(verdict, "goto"))) {
        if (depth >= JUMPS_MAX)
            return END_UNKNOWN;
        e = chain_from(w, text_of(to, "target"), 0, depth + 1);
        if (e == END_RETURN || e == END_FALL)
            return json_object_get(verdict, "goto") ? END_RETURN : END_FALL;
        return e;
    }
    if ((to = json_object_get(verdict, "dnat")) || (to = json_object_get(verdict, "redirect"))) {
        if (!rewrite(w, to, json_object_get(verdict, "redirect") != NULL))
            return END_UNKNOWN;
        name_rule(rule, w->answer->redirect);
        return END_ACCEPT; /* of a nat chain */
    }
    return END_FALL;
}

/* Statements without effect on where the packet goes. */
static bool is_harmless(const char *key)
{
    static const char *const names[] = {"counter", "log", "continue", "mangle", "notrack", "last"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], key) == 0)
            return true;
    return false;
}

static bool is_verdict(const char *key)
{
    static const char *const names[] = {"accept", "drop", "reject", "return",
                                        "jump",   "goto", "dnat",   "redirect"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], key) == 0)
            return true;
    return false;
}

/* What a rule does: whether it matches, and how it ends then. */
struct outcome {
    enum truth matches;
    enum end end;
};

static void apply(struct walk *w, const json_t *rule, const char *key, const json_t *statement,
                  unsigned depth, struct outcome *o)
{
    const json_t *value = json_object_get(statement, key);
    bool sure = true;

    if (strcmp(key, "match") == 0) {
        enum truth t = foreign_match(&w->at, value);

        o->matches = t == TRUTH_NO || o->matches == TRUTH_NO ? TRUTH_NO
                     : t == TRUTH_UNKNOWN                    ? t
                                                             : o->matches;
    } else if (strcmp(key, "vmap") == 0) {
        const json_t *verdict = foreign_vmap(&w->at, value, &sure);

        if (!sure)
            o->end = END_UNKNOWN;
        else if (verdict)
            o->end = follow(w, verdict, rule, depth);
    } else if (is_verdict(key)) {
        o->end = follow(w, statement, rule, depth);
    } else if (!is_harmless(key)) { /* limit, xt, queue, tproxy ... */
        o->matches = o->matches == TRUTH_NO ? TRUTH_NO : TRUTH_UNKNOWN;
    }
}

static struct outcome try_rule(struct walk *w, const json_t *rule, unsigned depth)
{
    struct outcome o = {TRUTH_YES, END_FALL};
    const json_t *statement;
    struct walk before = *w;
    struct foreign_answer answer = *w->answer;
    size_t i;

    json_array_foreach(json_object_get(rule, "expr"), i, statement)
    {
        void *it = json_object_iter((json_t *)(uintptr_t)statement);

        if (it && o.matches != TRUTH_NO && o.end == END_FALL)
            apply(w, rule, json_object_iter_key(it), statement, depth, &o);
    }
    if (o.matches == TRUTH_UNKNOWN && w->answer->redirected != before.answer->redirected)
        o.end = END_UNKNOWN;      /* perhaps rewritten */
    if (o.matches != TRUTH_YES) { /* what it would have rewritten is not */
        w->packet = before.packet;
        if (o.matches == TRUTH_NO)
            *w->answer = answer;
    }
    return o;
}

static bool is_of(const json_t *rule, const struct walk *w, const char *chain)
{
    return strcmp(text_of(rule, "chain"), chain) == 0 &&
           strcmp(text_of(rule, "table"), w->at.table) == 0 &&
           strcmp(text_of(rule, "family"), w->at.family) == 0;
}

static enum end chain_from(struct walk *w, const char *chain, size_t from, unsigned depth)
{
    char unknown[FOREIGN_RULE_BYTES] = "";
    enum end maybe = END_FALL;
    bool has_maybe = false;

    for (size_t i = from; i < json_array_size(w->at.f->list); i++) {
        const json_t *rule = json_object_get(json_array_get(w->at.f->list, i), "rule");

        if (!rule || !is_of(rule, w, chain))
            continue;
        if (++w->rules > RULES_MAX)
            return END_UNKNOWN;
        struct outcome o = try_rule(w, rule, depth);
        if (o.matches == TRUTH_NO || (o.end == END_FALL && o.matches == TRUTH_YES))
            continue;
        if (o.matches == TRUTH_YES && o.end != END_UNKNOWN) {
            maybe = has_maybe ? either(maybe, o.end) : o.end;
            if (maybe == END_UNKNOWN)
                (void)format_into(w->answer->rule, FOREIGN_RULE_BYTES, "%s", unknown);
            return maybe;
        }
        if (o.end == END_FALL)
            continue; /* it may match, and ends nothing */
        if (!has_maybe)
            name_rule(rule, unknown);
        maybe = has_maybe ? either(maybe, o.end) : o.end;
        has_maybe = true;
    }
    if (!has_maybe)
        return END_FALL;
    (void)format_into(w->answer->rule, FOREIGN_RULE_BYTES, "%s", unknown);
    return either(maybe, END_FALL);
}

/* The verdict of a base chain; true: the packet goes on. */
static bool run_chain(struct walk *w, const struct base_chain *c)
{
    struct foreign_answer *a = w->answer;

    w->at.family = c->family;
    w->at.table = c->table;
    enum end e = chain_from(w, c->name, 0, 0);
    if (e == END_UNKNOWN) {
        a->verdict = FOREIGN_UNKNOWN;
        return true; /* a later drop is certain all the same */
    }
    if (e == END_ACCEPT || (!c->drops && e != END_DROP))
        return true;
    if (e != END_DROP)
        (void)format_into(a->rule, FOREIGN_RULE_BYTES, "%s %s %s policy drop", c->family, c->table,
                          c->name);
    a->verdict = FOREIGN_DROP;
    return false;
}

static bool is_for(const struct base_chain *c, enum family f)
{
    return strcmp(c->family, "inet") == 0 || (strcmp(c->family, "ip") == 0) == (f == FAMILY_4);
}

void foreign_judge(const struct foreign *f, const struct host *h, const struct foreign_packet *p,
                   struct foreign_answer *ret)
{
    struct walk w = {.packet = *p, .answer = ret, .at = {.f = f, .host = h}};

    *ret = (struct foreign_answer){.verdict = FOREIGN_ACCEPT};
    w.at.p = &w.packet;
    for (size_t i = 0; i < f->n; i++) {
        if (!is_for(&f->chains[i], p->family))
            continue;
        if (ret->elsewhere) /* forwarded: not modelled */
            break;
        if (!run_chain(&w, &f->chains[i]))
            return;
    }
    if (ret->elsewhere && ret->verdict == FOREIGN_ACCEPT)
        ret->verdict = FOREIGN_UNKNOWN;
    if (ret->verdict == FOREIGN_ACCEPT)
        ret->rule[0] = '\0';
}

/* --- published ports --- */
struct ports {
    uint16_t *v;
    size_t n, cap;
};

static int add_ports(struct ports *l, const json_t *right, unsigned depth)
{
    const json_t *range = json_object_get(right, "range"), *set = json_object_get(right, "set");
    const json_t *j;
    size_t i;
    int r = 0;

    if (json_is_integer(right)) {
        json_int_t n = json_integer_value(right);

        r = n < 1 || n > UINT16_MAX ? 0 : array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
        if (r == 0 && n >= 1 && n <= UINT16_MAX)
            l->v[l->n++] = (uint16_t)n;
        return r;
    }
    if (json_array_size(range) == 2)
        return add_ports(l, json_array_get(range, 0), depth); /* the first stands for all */
    json_array_foreach(set ? set : right, i, j)
    {
        if (r == 0 && depth < 2)
            r = add_ports(l, j, depth + 1);
    }
    return r;
}

int foreign_redirected_ports(const struct foreign *f, uint8_t proto, uint16_t **ret, size_t *ret_n)
{
    const char *name = proto == PROTO_TCP ? "tcp" : "udp";
    struct ports l = {0};
    const json_t *j, *s;
    size_t i, k;
    int r = 0;

    json_array_foreach(f->list, i, j)
    {
        const json_t *expr = json_object_get(json_object_get(j, "rule"), "expr");
        bool rewrites = false;

        json_array_foreach(expr, k, s) rewrites |=
            json_object_get(s, "dnat") || json_object_get(s, "redirect");
        json_array_foreach(expr, k, s)
        {
            const json_t *match = json_object_get(s, "match");
            const json_t *left = json_object_get(json_object_get(match, "left"), "payload");

            if (r == 0 && rewrites && strcmp(text_of(left, "field"), "dport") == 0 &&
                (strcmp(text_of(left, "protocol"), name) == 0 ||
                 strcmp(text_of(left, "protocol"), "th") == 0))
                r = add_ports(&l, json_object_get(match, "right"), 0);
        }
    }
    if (r < 0) {
        free(l.v);
        return r;
    }
    *ret = l.v;
    *ret_n = l.n;
    return 0;
}
