/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/parse_policy.c: files of policies, and going on after an error. Called through text.h.
 * Invariants: a text with an error yields nothing; each loop below either takes a token or ends,
 * and each token is taken once, so the time is linear in the text; at most LIMIT_POLICIES
 * policies are built. */
#include <errno.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "parser.h"
#include "text/text.h"

struct file {
    struct parser p;
    struct diag d;
    struct diag_list *errors;
    int first; /* errno of the first error */
    struct policy_list policies;
};

/* Keeps what *f->d says. Lack of memory alone ends everything: then it returns non-zero. */
static int note(struct file *f, int err)
{
    if (err == 0 || err == -ENOMEM)
        return err;
    diag_list_add(f->errors, &f->d, /* warning= */ false);
    if (f->first == 0)
        f->first = err == -E2BIG ? err : -EINVAL;
    return 0;
}

static bool next_is_string(const struct file *f)
{
    return f->p.next.kind == TOKEN_STRING;
}

static bool at_policy(const struct file *f)
{
    return parser_at(&f->p, WORD_POLICY) && (next_is_string(f) || f->p.tok.first_on_line);
}

static bool at_rule(const struct file *f)
{
    const struct parser *p = &f->p;
    return (parser_at(p, WORD_RULE) && (next_is_string(f) || p->tok.first_on_line)) ||
           (parser_at(p, WORD_INACTIVE) && p->next.kind == TOKEN_WORD && p->next.word == WORD_RULE);
}

/* Where parsing goes on after an error. */
enum level { LEVEL_FILE, LEVEL_POLICY, LEVEL_FILTERS };

/* Skips to the next thing of this level, or to the brace or thing that ends the level. Braces
 * opened on the way are skipped with what they hold. */
static void recover(struct file *f, enum level level)
{
    struct parser *p = &f->p;
    for (size_t depth = 0; p->tok.kind != TOKEN_END; parser_advance(p)) {
        if (at_policy(f) || (level != LEVEL_FILE && at_rule(f)))
            return;
        if (level == LEVEL_FILTERS && depth == 0 && at_action(p) && p->tok.first_on_line)
            return;
        if (p->tok.kind == TOKEN_OPEN)
            depth++;
        if (p->tok.kind == TOKEN_CLOSE && depth > 0)
            depth--;
        else if (p->tok.kind == TOKEN_CLOSE && level != LEVEL_FILE)
            return;
    }
}

static int parse_name(struct file *f, char **ret)
{
    static const struct string_rule rule = {
        "a name", "rule \"Allow SSH\" permit in tcp port 22", LIMIT_NAME_BYTES, false, false,
        false};
    return parser_string(&f->p, &rule, ret);
}

static int parse_connection(struct file *f, enum connection *ret)
{
    struct parser *p = &f->p;
    if (!parser_accept(p, WORD_CONNECTION))
        return 0;
    if (p->tok.kind != TOKEN_WORD || !word_fits(p->tok.word, CTX_CONNECTION_VALUE))
        return parser_unexpected(p, CTX_CONNECTION_VALUE);
    *ret = parser_at(p, WORD_LAN)      ? CONNECTION_LAN
           : parser_at(p, WORD_DIALUP) ? CONNECTION_DIALUP
                                       : CONNECTION_ALL;
    parser_advance(p);
    return 0;
}

static int parse_rule_head(struct file *f, struct rule *r)
{
    struct parser *p = &f->p;
    r->at = p->tok.span;
    r->inactive = parser_accept(p, WORD_INACTIVE);
    int err = parser_expect(p, WORD_RULE, CTX_RULE);
    if (err == 0)
        err = parse_name(f, &r->name);
    bool connection = parser_at(p, WORD_CONNECTION);
    if (err == 0)
        err = parse_connection(f, &r->connection);
    struct span places[LIMIT_ATTRIBUTES];
    if (err == 0)
        err = parse_attributes(p, &r->attributes, places);
    if (err < 0 || p->tok.kind == TOKEN_OPEN || at_action(p))
        return err;
    if (p->tok.kind == TOKEN_END || p->tok.kind == TOKEN_CLOSE || at_rule(f) || at_policy(f)) {
        err = diag_fail_at(&f->d, DIAG_SYNTAX, r->at, "rule '%s' has no filter", r->name);
        diag_hint(&f->d, "write one behind its name: block in tcp port 445, or {} for none");
        return err;
    }
    bool late = connection || r->attributes.n > 0;
    err = parser_unexpected(p, CTX_ACTION | CTX_ATTRIBUTE | (late ? 0 : CTX_CONNECTION));
    if (!connection && parser_at(p, WORD_CONNECTION))
        diag_hint(&f->d, "the connection stands before the attributes");
    return err;
}

/* Filters are large: it is made where it stays. */
static int parse_one_filter(struct file *f, struct rule *r)
{
    struct filter *filter;
    int err = rule_reserve_filter(r, &filter);
    if (err == 0)
        err = parse_filter(&f->p, filter);
    if (err == 0)
        r->n_filters++;
    return err;
}

static int fail_not_closed(struct file *f, const char *what, struct span open)
{
    int err = parser_expected(&f->p, what);
    diag_add_span(&f->d, open);
    diag_hint(&f->d, "close the brace of the other place with }");
    return err;
}

/* What stands where a filter should; takes it. */
static int fail_no_filter(struct file *f)
{
    int err = parser_unexpected(&f->p, CTX_ACTION);
    if (f->p.tok.kind != TOKEN_OPEN) /* recover() skips braces with what they hold */
        parser_advance(&f->p);
    return err;
}

/* The filters of a rule in braces; stands behind the opening one. */
static int parse_filters(struct file *f, struct rule *r, struct span open)
{
    struct parser *p = &f->p;
    while (p->tok.kind != TOKEN_CLOSE) {
        int err;
        if (p->tok.kind == TOKEN_END || at_rule(f) || at_policy(f))
            return note(f, fail_not_closed(f, "a filter or '}'", open));
        err = at_action(p) ? parse_one_filter(f, r) : fail_no_filter(f);
        if (err == 0)
            continue;
        err = note(f, err);
        if (err < 0)
            return err;
        recover(f, LEVEL_FILTERS);
    }
    parser_advance(p);
    return 0;
}

static int parse_rule(struct file *f, struct policy *policy)
{
    _cleanup_(rule_done) struct rule r;
    struct parser *p = &f->p;
    rule_init(&r);
    int err = parse_rule_head(f, &r);
    if (err < 0) {
        err = note(f, err);
        recover(f, LEVEL_POLICY);
        return err;
    }
    struct span open = p->tok.span;
    if (p->tok.kind == TOKEN_OPEN) {
        parser_advance(p);
        err = parse_filters(f, &r, open);
    } else {
        err = parse_one_filter(f, &r);
        if (err < 0) {
            err = note(f, err);
            recover(f, LEVEL_POLICY);
        }
    }
    return err < 0 ? err : note(f, policy_add_rule(policy, &r, &f->d));
}

/* yes and no, allow and refuse: the second word of an option. */
static int parse_choice(struct file *f, enum word yes, enum word no, unsigned context, int8_t *ret)
{
    struct parser *p = &f->p;
    if (!parser_at(p, yes) && !parser_at(p, no))
        return parser_unexpected(p, context);
    *ret = parser_at(p, yes);
    parser_advance(p);
    return 0;
}

static int parse_option_value(struct file *f, enum word option, struct policy *policy)
{
    static const struct string_rule description = {
        "a description", "description \"Web servers\"", LIMIT_TEXT_STRING_BYTES, false, true, true};
    if (option == WORD_DESCRIPTION)
        return parser_string(&f->p, &description, &policy->description);
    if (option == WORD_POLL)
        return parser_duration(&f->p, &policy->poll_s);
    if (option == WORD_WEAK)
        return parse_choice(f, WORD_ALLOW, WORD_REFUSE, CTX_WEAK_VALUE, &policy->weak);
    return parse_choice(f, WORD_YES, WORD_NO, CTX_YES_NO, &policy->local_permits);
}

static int parse_options(struct file *f, struct policy *policy)
{
    static const enum word options[] = {WORD_DESCRIPTION, WORD_POLL, WORD_LOCAL_PERMITS, WORD_WEAK};
    struct span at[ARRAY_SIZE(options)] = {{0}}, attributes[LIMIT_ATTRIBUTES];
    struct parser *p = &f->p;
    while (p->tok.kind == TOKEN_WORD) {
        if (at_attribute(p)) {
            int err = parse_attributes(p, &policy->attributes, attributes);
            if (err < 0)
                return err;
            continue;
        }
        size_t i = 0;
        while (i < ARRAY_SIZE(options) && options[i] != p->tok.word)
            i++;
        if (i == ARRAY_SIZE(options))
            break;
        struct span here = p->tok.span;
        if (at[i].line > 0) {
            char buf[SHOWN_BYTES];
            int err = diag_fail_at(&f->d, DIAG_SYNTAX, here, "'%s' given twice",
                                   shown(p->tok.s, p->tok.len, buf));
            diag_add_span(&f->d, at[i]);
            diag_hint(&f->d, "remove one of them");
            return err;
        }
        at[i] = here;
        parser_advance(p);
        int err = parse_option_value(f, options[i], policy);
        if (err < 0)
            return err;
    }
    if (p->tok.kind == TOKEN_OPEN)
        return 0;
    int err = parser_unexpected(p, CTX_OPTION);
    if (p->tok.kind != TOKEN_BAD && !(p->tok.kind == TOKEN_WORD && p->tok.word == WORD_NONE))
        diag_hint(&f->d, "the rules of a policy stand in braces: policy \"NAME\" { ... }");
    return err;
}

/* What stands where a rule should; takes it. */
static int fail_no_rule(struct file *f)
{
    int err = parser_unexpected(&f->p, CTX_RULE);
    if (at_action(&f->p))
        diag_hint(&f->d, "a filter needs a rule: rule \"NAME\" FILTER; several filters stand in "
                         "braces: rule \"NAME\" { ... }");
    if (f->p.tok.kind != TOKEN_OPEN) /* recover() skips braces with what they hold */
        parser_advance(&f->p);
    return err;
}

/* The rules of a policy; stands behind the opening brace. */
static int parse_rules(struct file *f, struct policy *policy, struct span open)
{
    struct parser *p = &f->p;
    while (p->tok.kind != TOKEN_CLOSE) {
        int err;
        if (p->tok.kind == TOKEN_END || at_policy(f))
            return note(f, fail_not_closed(f, "a rule or '}'", open));
        if (parser_at(p, WORD_RULE) || parser_at(p, WORD_INACTIVE)) {
            err = parse_rule(f, policy);
        } else {
            err = note(f, fail_no_rule(f));
            recover(f, LEVEL_POLICY);
        }
        if (err < 0)
            return err;
    }
    parser_advance(p);
    return 0;
}

/* Names are unique in a file, as they are in a layer. */
static int add_policy(struct file *f, struct policy **policy)
{
    struct policy_list *l = &f->policies;
    for (size_t i = 0; i < l->n; i++) {
        if (utf8_casecmp(l->v[i]->name, (*policy)->name) != 0)
            continue;
        int err = diag_fail_at(&f->d, DIAG_DUPLICATE, (*policy)->at,
                               "policy '%s' stands twice in the text", (*policy)->name);
        diag_add_span(&f->d, l->v[i]->at);
        diag_hint(&f->d, "give one of them another name");
        return err;
    }
    int err = policy_list_add(l, *policy);
    if (err == 0)
        *policy = NULL; /* handed over */
    return err;
}

static int parse_policy(struct file *f)
{
    _cleanup_(policy_freep) struct policy *policy = NULL;
    _cleanup_free_ char *name = NULL;
    struct parser *p = &f->p;
    struct span at = p->tok.span;
    parser_advance(p); /* "policy" */
    int err = parse_name(f, &name);
    int fatal = note(f, err);
    if (fatal == 0)
        fatal = policy_new(name ? name : "", &policy);
    if (fatal < 0)
        return fatal;
    policy->at = at;
    if (err == 0)
        err = parse_options(f, policy);
    if (err < 0) {
        if (name)
            fatal = note(f, err);
        while (p->tok.kind != TOKEN_END && p->tok.kind != TOKEN_OPEN && !at_policy(f))
            parser_advance(p);
    }
    struct span open = p->tok.span;
    if (fatal < 0 || p->tok.kind != TOKEN_OPEN)
        return fatal;
    parser_advance(p);
    fatal = parse_rules(f, policy, open);
    if (fatal < 0 || !name)
        return fatal;
    return note(f, add_policy(f, &policy));
}

/* What stands where a policy should; takes it. */
static int fail_no_policy(struct file *f)
{
    const struct parser *p = &f->p;
    int err = parser_unexpected(&f->p, CTX_FILE);
    if (at_action(p) || parser_at(p, WORD_RULE) || parser_at(p, WORD_INACTIVE))
        diag_hint(&f->d, "rules stand in a policy: policy \"NAME\" { rule \"NAME\" FILTER }");
    if (p->tok.kind != TOKEN_OPEN) /* recover() skips braces with what they hold */
        parser_advance(&f->p);
    return err;
}

static int parse_file(struct file *f)
{
    struct parser *p = &f->p;
    while (p->tok.kind != TOKEN_END) {
        int err;
        if (f->policies.n == LIMIT_POLICIES) {
            err = diag_fail_at(&f->d, DIAG_LIMIT, p->tok.span, "more than %d policies in one text",
                               LIMIT_POLICIES);
            diag_hint(&f->d, "split the text");
            return note(f, err);
        }
        if (parser_at(p, WORD_POLICY)) {
            err = parse_policy(f);
        } else {
            err = note(f, fail_no_policy(f));
            recover(f, LEVEL_FILE);
        }
        if (err < 0)
            return err;
    }
    return 0;
}

int text_parse_policies(const char *text, size_t len, struct diag_list *dl, struct policy_list *ret)
{
    struct file f = {.errors = dl};
    int err = parser_init(&f.p, text, len, &f.d);
    f.p.after = CTX_ACTION | CTX_RULE | CTX_FILE; /* a mistyped word may begin the next thing */
    if (err == 0)
        err = parse_file(&f);
    else
        err = note(&f, err);
    if (err == 0)
        err = f.first;
    if (err < 0) {
        policy_list_done(&f.policies);
        return err;
    }
    *ret = f.policies;
    return 0;
}
