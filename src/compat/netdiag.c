/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netdiag.c: `netdiag /test:ipsec [/debug]`, in the words of the Windows tool (windows.md
 * 10).
 * Called through the table of tools. Changes nothing. Invariants: what is printed comes from what
 * is in force, in the order in which it was made; an agent that does not run is an answer, too. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "derived_guid.h"
#include "netdiag.h"
#include "text/text.h"
#include "winswitch.h"

/* --- words of the tool --- */
static const char title[] = "IP Security test . . . . . . . . . : ";
static const char not_running[] = "    IPSec policy service is not running.\n";
static const char no_policy[] = "    IPSec policy service is active, but no policy is assigned.\n";
static const char local_policy[] = "    Local IPSec Policy Active: '%s'\n";
static const char domain_policy[] = "    Domain IPSec Policy Active: '%s'\n";
static const char local_path[] = "    IP Security Policy Path: SOFTWARE\\Policies\\Microsoft\\"
                                 "Windows\\IPSec\\Policy\\Local\\ipsecPolicy%s\n";
static const char domain_path[] = "    IP Security Policy Path: LDAP://CN=ipsecPolicy%s,"
                                  "CN=IP Security,CN=System\n";
static const char n_filters[] = "\nThere are %zu filters\n";
/* Ours, below what Windows knows. */
static const char overridden[] = "    Policy source : domain\n"
                                 "    Overridden local policy : '%s'\n";
static const char source_domain[] = "    Policy source : domain\n";
static const char still_filtered[] = "    The kernel still filters packets on: ";
static const char not_filtered[] = "    The kernel filters no packets.\n";

#define LOG_FILE "NetDiag.log"

struct options {
    bool debug, verbose, quiet, log;
};

/* --- switches --- */
enum { NETDIAG_TEST, NETDIAG_DEBUG, NETDIAG_VERBOSE, NETDIAG_QUIET, NETDIAG_LOG, NETDIAG_HELP };
static const struct win_switch switches[] = {
    [NETDIAG_TEST] = {"test", WIN_VALUE, "/test:ipsec"},
    [NETDIAG_DEBUG] = {"debug", WIN_FLAG, NULL},
    [NETDIAG_VERBOSE] = {"v", WIN_FLAG, NULL},
    [NETDIAG_QUIET] = {"q", WIN_FLAG, NULL},
    [NETDIAG_LOG] = {"l", WIN_FLAG, NULL},
    [NETDIAG_HELP] = {"?", WIN_FLAG, NULL},
};

static int read_test(struct tool_run *t, const struct win_word *w, struct diag *d)
{
    if (strcasecmp(w->value, "ipsec") == 0)
        return 0;
    int r = win_fail_value(t, w, DIAG_UNKNOWN_OBJECT, d, "only ipsec is tested here, not");
    diag_hint(d, "netdiag /test:ipsec");
    return r;
}

/* 1: only the help was asked for, and is printed. */
static int read_options(struct tool_run *t, int argc, char *const *argv, struct diag *d,
                        struct options *o)
{
    _cleanup_(win_words_done) struct win_words words = {0};
    int r = win_words_read(t, &(struct win_input){argc, argv, switches, ARRAY_SIZE(switches)}, d,
                           &words);
    for (size_t i = 0; i < words.n && r == 0; i++) {
        const struct win_word *w = &words.v[i];
        if (w->index == NETDIAG_HELP)
            return strbuf_add(&t->out, tool_netdiag_help) < 0 ? -ENOMEM : 1;
        if (w->index < 0)
            return win_fail_word(t, w, d, "netdiag /test:ipsec /debug");
        if (w->index == NETDIAG_TEST)
            r = read_test(t, w, d);
        o->debug |= w->index == NETDIAG_DEBUG;
        o->verbose |= w->index == NETDIAG_VERBOSE;
        o->quiet |= w->index == NETDIAG_QUIET;
        o->log |= w->index == NETDIAG_LOG;
    }
    if (r == 0 && o->quiet && (o->debug || o->verbose)) {
        r = diag_fail(d, DIAG_USAGE, "/q and %s exclude each other", o->debug ? "/debug" : "/v");
        diag_hint(d, "netdiag /test:ipsec /debug");
    }
    return r;
}

/* --- what is asked --- */
struct state {
    struct tool_filter *v;
    size_t n;
    struct filter *parsed; /* of v[i] */
    struct netdiag_addresses own;
    const char *local;  /* name of the local policy, "" = none assigned; borrowed */
    const char *domain; /* name of the domain policy, NULL = none; borrowed */
    struct netdiag_section main, dynamic, persistent, ipv6;
};

static void state_done(struct state *s)
{
    for (size_t i = 0; s->parsed && i < s->n; i++)
        filter_done(&s->parsed[i]);
    free(s->parsed);
    tool_filters_free(s->v, s->n);
    free(s->own.v);
    strbuf_done(&s->main.text);
    strbuf_done(&s->dynamic.text);
    strbuf_done(&s->persistent.text);
    strbuf_done(&s->ipv6.text);
}

/* Ids grow as filters are made: "s2" before "s10". */
static int compare_made(const void *pa, const void *pb)
{
    const struct tool_filter *a = pa, *b = pb;
    size_t la = strlen(a->id), lb = strlen(b->id);
    return la != lb ? (la < lb ? -1 : 1) : strcmp(a->id, b->id);
}

static int read_filters(struct tool_run *t, struct diag *d, struct state *s)
{
    int r = t->host->filters(t->host->ctx, d, &s->v, &s->n);
    if (r < 0)
        return r;
    if (s->n > 1)
        qsort(s->v, s->n, sizeof(*s->v), compare_made);
    s->parsed = calloc(s->n + 1, sizeof(*s->parsed));
    if (!s->parsed)
        return -ENOMEM;
    for (size_t i = 0; i < s->n; i++)
        filter_init(&s->parsed[i]);
    for (size_t i = 0; i < s->n; i++) {
        r = text_parse_filter(s->v[i].text, strlen(s->v[i].text), d, &s->parsed[i]);
        if (r < 0)
            return r;
        if (strcmp(s->v[i].layer, "domain") == 0)
            s->domain = s->v[i].policy;
    }
    return 0;
}

static int read_state(struct tool_run *t, struct diag *d, struct state *s)
{
    int r = read_filters(t, d, s);
    if (r == 0)
        r = t->host->addresses(t->host->ctx, d, &s->own.v, &s->own.n);
    return r < 0 ? r : catalog_assigned(t->catalog, CATALOG_LOCAL, d, &s->local);
}

/* --- identities --- */
/* What a filter's rule does, and its end point. A filter action that rules share has a GUID; the
 * others get one of their rule, so that rules made one by one differ. */
static int describe_rule(struct tool_run *t, const struct tool_filter *f, struct diag *d,
                         struct netdiag_filter *ret)
{
    struct policy *p = NULL;
    struct filter_action *a = NULL;
    _cleanup_(strbuf_done) struct strbuf identity = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    const char *policy = f->policy ? f->policy : "", *name = f->rule ? f->rule : f->id;
    struct diag ignored = {0}; /* a policy of the domain is in no catalog */
    int r = *policy ? catalog_policy(t->catalog, policy, &ignored, &p) : -ENOENT;
    if (r < 0 && r != -ENOENT) {
        *d = ignored;
        return r;
    }
    const struct rule *rule = r == 0 && f->rule ? policy_find_rule(p, f->rule) : NULL;
    const char *shared = rule ? attributes_get(&rule->attributes, "filteraction") : NULL;
    ret->tunnel = rule ? attributes_get(&rule->attributes, "tunnel") : NULL;
    if (shared && catalog_action(t->catalog, shared, &ignored, &a) == 0) {
        ret->action = a->guid;
        return 0;
    }
    r = strbuf_addf(&identity, "%s\n%s\n%s", f->layer, policy, name);
    if (r == 0)
        ret->action = derived_guid("netdiag action", identity.s, identity.len);
    return r;
}

/* GUID of the policy in force, in braces. */
static int policy_guid(struct tool_run *t, const struct state *s, struct diag *d,
                       char out[GUID_BRACED_BYTES])
{
    struct policy *p = NULL;
    struct guid g;
    if (s->domain) {
        g = derived_guid("netdiag policy", s->domain, strlen(s->domain));
    } else {
        int r = catalog_policy(t->catalog, s->local, d, &p);
        if (r < 0)
            return r;
        g = p->guid;
    }
    guid_print_braced(&g, out);
    return 0;
}

/* --- print --- */
static struct netdiag_section *section_of(struct state *s, size_t i)
{
    if (strcmp(s->v[i].layer, "dynamic") == 0)
        return &s->dynamic;
    if (strcmp(s->v[i].layer, "persistent") == 0)
        return &s->persistent;
    bool six = filter_family(&s->parsed[i]) == FAMILY_6 || s->parsed[i].proto == PROTO_ICMPV6;
    return six ? &s->ipv6 : &s->main;
}

static int fill_sections(struct tool_run *t, struct state *s, struct diag *d)
{
    for (size_t i = 0; i < s->n; i++) {
        struct netdiag_filter f = {.filter = &s->parsed[i], .guid = &s->v[i].guid};
        int r = describe_rule(t, &s->v[i], d, &f);
        if (r == 0)
            r = netdiag_print_filter(&f, &s->own, section_of(s, i));
        if (r < 0)
            return diag_errno(d, r, "cannot show filter '%s'", s->v[i].id);
    }
    return 0;
}

static void put_section(struct tool_run *t, const char *heading, const struct netdiag_section *s)
{
    if (s->n > 0)
        (void)strbuf_addf(&t->out, "\n%s: %zu\n%s", heading, s->n, s->text.s);
}

static int put_debug(struct tool_run *t, struct state *s, const struct options *o, struct diag *d)
{
    char guid[GUID_BRACED_BYTES];
    bool assigned = s->domain || s->local[0];
    int r = assigned ? policy_guid(t, s, d, guid) : 0;
    if (r == 0 && o->debug)
        r = fill_sections(t, s, d);
    if (r < 0)
        return r;
    if (assigned) /* errors of t->out are sticky, whoever prints it looks */
        (void)strbuf_addf(&t->out, s->domain ? domain_path : local_path, guid);
    if (s->domain && s->local[0])
        (void)strbuf_addf(&t->out, overridden, s->local);
    else if (s->domain)
        (void)strbuf_add(&t->out, source_domain);
    if (!o->debug)
        return 0;
    if (assigned)
        (void)strbuf_addf(&t->out, n_filters, s->main.n);
    (void)strbuf_add(&t->out, s->main.text.s ? s->main.text.s : "");
    put_section(t, "Dynamic filters", &s->dynamic);
    put_section(t, "Persistent filters", &s->persistent);
    put_section(t, "IPv6 filters", &s->ipv6);
    return 0;
}

static int put_passed(struct tool_run *t, struct state *s, const struct options *o, struct diag *d)
{
    (void)strbuf_addf(&t->out, "%sPassed\n", title);
    if (s->domain)
        (void)strbuf_addf(&t->out, domain_policy, s->domain);
    else if (s->local[0])
        (void)strbuf_addf(&t->out, local_policy, s->local);
    else
        (void)strbuf_add(&t->out, no_policy);
    return o->debug || o->verbose ? put_debug(t, s, o, d) : 0;
}

/* --- no agent --- */
static void put_pins(struct tool_run *t, const struct tool_pin *v, size_t n)
{
    static const char *const ways[] = {"nothing", "in", "out", "in and out"};
    (void)strbuf_add(&t->out, n > 0 ? still_filtered : not_filtered);
    for (size_t i = 0; i < n; i++)
        (void)strbuf_addf(&t->out, "%s%s (%s)%s", i ? ", " : "", v[i].name[0] ? v[i].name : "?",
                          ways[v[i].in + 2 * v[i].out], i + 1 < n ? "" : "\n");
}

static int put_failed(struct tool_run *t, struct diag *d)
{
    _cleanup_free_ struct tool_pin *v = NULL;
    size_t n = 0;
    struct diag ignored = {0};
    (void)strbuf_addf(&t->out, "%sFailed\n%s", title, not_running);
    if (t->host->pins && t->host->pins(t->host->ctx, &ignored, &v, &n) == 0)
        put_pins(t, v, n);
    else if (ignored.message[0])
        return tool_remark(t, NOTE_WARNING, d, "%s", ignored.message);
    return 0;
}

/* --- the tool --- */
static int write_log(struct tool_run *t, struct diag *d)
{
    if (t->explain)
        return tool_remark(t, NOTE, d, "%s would be written", LOG_FILE);
    return t->host->write_file(t->host->ctx, LOG_FILE, t->out.s ? t->out.s : "", t->out.len, d);
}

int tool_netdiag(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    _cleanup_(state_done) struct state s = {.main.text = STRBUF_INIT(LIMIT_API_ANSWER_BYTES),
                                            .dynamic.text = STRBUF_INIT(LIMIT_API_ANSWER_BYTES),
                                            .persistent.text = STRBUF_INIT(LIMIT_API_ANSWER_BYTES),
                                            .ipv6.text = STRBUF_INIT(LIMIT_API_ANSWER_BYTES)};
    struct options o = {.debug = false};
    int r = read_options(t, argc, argv, d, &o);
    if (r != 0)
        return r < 0 ? r : 0;
    if (!t->host)
        return diag_fail(d, DIAG_USAGE, "netdiag asks the running agent, there is none here");
    r = read_state(t, d, &s);
    if (r == -ENOTCONN) {
        t->exit = diag_exit_code(DIAG_AGENT);
        r = put_failed(t, d);
    } else if (r == 0) {
        r = put_passed(t, &s, &o, d);
    }
    if (r == 0 && o.log)
        r = write_log(t, d);
    if (r == 0 && o.quiet && t->exit == 0)
        strbuf_done(&t->out); /* errors only */
    return r;
}
