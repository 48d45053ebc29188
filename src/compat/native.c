/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/native.c: what a command of a dialect is in the words of `portward` (--explain).
 * Called by run.c in the place of the commit. Invariant: what is printed can be pasted into a POSIX
 * shell and does the same; what has no command is a comment that says so. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "front.h"
#include "text/text.h"

static bool is_safe(const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "-_./:,=+@%";
    return word[0] != '\0' && word[strspn(word, safe)] == '\0';
}

/* POSIX shell, 2.2: in double quotes only $ ` " \ (and ! of interactive shells) are special. */
int shell_word(const char *word, struct strbuf *out)
{
    if (is_safe(word))
        return strbuf_add(out, word);
    if (!strpbrk(word, "$`\"\\!"))
        return strbuf_addf(out, "\"%s\"", word);
    (void)strbuf_add_char(out, '\''); /* errors are sticky */
    for (const char *p = word; *p; p++)
        (void)(*p == '\'' ? strbuf_add(out, "'\\''") : strbuf_add_char(out, *p));
    return strbuf_add_char(out, '\'');
}

/* "portward VERB WORD [WORD]" without the end of the line. */
static void begin(struct strbuf *out, const char *verb, const char *a, const char *b)
{
    (void)strbuf_addf(out, "portward %s ", verb); /* errors are sticky */
    (void)shell_word(a, out);
    if (b) {
        (void)strbuf_add_char(out, ' ');
        (void)shell_word(b, out);
    }
}

/* Whether `rule add` with the text of its filter makes this rule; the text is added to *ret. */
static bool is_simple(const struct rule *r, struct strbuf *ret)
{
    if (r->n_filters != 1 || r->inactive || r->connection != CONNECTION_ALL ||
        r->attributes.n > 0 || text_print_filter(&r->filters[0], ret) < 0)
        return false;
    return !strpbrk(ret->s, "\"'$`\\!*?[](){}<>|&;#~");
}

static bool same_rule(const struct rule *a, const struct rule *b)
{
    if (a->n_filters != b->n_filters || a->inactive != b->inactive ||
        a->connection != b->connection || !attributes_eq(&a->attributes, &b->attributes))
        return false;
    for (size_t i = 0; i < a->n_filters; i++) {
        const char *x = a->filters[i].description, *y = b->filters[i].description;
        if (!filter_eq(&a->filters[i], &b->filters[i]) || !x != !y || (x && strcmp(x, y) != 0))
            return false;
    }
    return true;
}

static bool same_options(const struct policy *a, const struct policy *b)
{
    const char *x = a->description, *y = b->description;
    return a->poll_s == b->poll_s && a->local_permits == b->local_permits && a->weak == b->weak &&
           attributes_eq(&a->attributes, &b->attributes) && !x == !y && (!x || strcmp(x, y) == 0);
}

/* What there was before as an object; an empty policy without options if nothing. */
static int policy_before(const struct catalog_policy *e, struct policy **ret)
{
    _cleanup_(policy_list_done) struct policy_list list = {0};
    struct diag_list errors = {0};
    if (!e->before)
        return policy_new(e->now->name, ret);
    int err = text_parse_policies(e->before, strlen(e->before), &errors, &list);
    if (err < 0)
        return err;
    *ret = list.v[0];
    list.n = 0;
    return 0;
}

/* The changes of one policy as `rule add` and `rule delete`: 1, or 0 if these cannot say it. */
static int print_rules(const struct catalog_policy *e, const struct policy *before,
                       struct strbuf *out)
{
    const struct policy *p = e->now;
    bool create = !e->before;
    if ((e->before && strcmp(e->before_name, p->name) != 0) || !same_options(before, p))
        return 0;
    for (size_t i = 0; i < before->n_rules; i++)
        if (!policy_find_rule(p, before->rules[i].name)) {
            begin(out, "rule delete", p->name, before->rules[i].name);
            (void)strbuf_add_char(out, '\n'); /* errors are sticky */
        }
    for (size_t i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i], *old = policy_find_rule(before, r->name);
        _cleanup_(strbuf_done) struct strbuf filter = STRBUF_INIT(LIMIT_API_BODY_BYTES);
        if (old && same_rule(old, r))
            continue;
        if (!is_simple(r, &filter))
            return 0;
        begin(out,
              create ? "rule add --create"
              : old  ? "rule add --replace"
                     : "rule add",
              p->name, r->name);
        (void)strbuf_addf(out, " %s\n", filter.s);
        create = false;
    }
    return create ? 0 : 1; /* a new policy without rules */
}

/* The whole text, fed to `policy load`. */
static int print_load(const struct catalog_policy *e, struct strbuf *out)
{
    (void)strbuf_addf(out, "portward policy load %s- <<'PORTWARD'\n",
                      e->before ? "--replace " : ""); /* errors are sticky */
    int err = text_print_policy(e->now, out);
    return err < 0 ? err : strbuf_add(out, "PORTWARD\n");
}

static int print_policy(const struct catalog_policy *e, struct strbuf *out)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    _cleanup_(strbuf_done) struct strbuf lines = STRBUF_INIT(LIMIT_API_BODY_BYTES);
    _cleanup_(policy_freep) struct policy *before = NULL;
    int err = text_print_policy(e->now, &text);
    if (err < 0 || (e->before && strcmp(text.s, e->before) == 0))
        return err;
    err = policy_before(e, &before);
    if (err < 0)
        return err;
    if (print_rules(e, before, &lines) > 0)
        return strbuf_add(out, lines.s ? lines.s : "");
    return print_load(e, out);
}

static int print_assignment(const struct catalog *c, struct strbuf *out)
{
    for (int i = 0; i < _CATALOG_SLOT_MAX; i++) {
        const char *now = c->assigned[i];
        const char *option = i == CATALOG_PERSISTENT ? " --persistent" : "";
        if (!c->has_assigned[i] || utf8_casecmp(now, c->assigned_before[i]) == 0)
            continue;
        if (now[0] == '\0') {
            (void)strbuf_addf(out, "portward policy unassign -y%s\n", option); /* sticky */
            continue;
        }
        begin(out, "policy assign", now, NULL);
        (void)strbuf_addf(out, "%s\n", option);
    }
    return out->error;
}

/* Deleted policies, and the old names of renamed ones. */
static int print_deletions(struct catalog *c, struct strbuf *out)
{
    for (size_t i = 0; i < c->n_policies; i++) {
        const struct catalog_policy *e = &c->policies[i];
        bool again = false;
        for (size_t k = 0; e->before && k < c->n_policies; k++)
            again |=
                c->policies[k].now && utf8_casecmp(c->policies[k].now->name, e->before_name) == 0;
        if (!e->before || again)
            continue;
        begin(out, "policy delete", e->before_name, NULL);
        (void)strbuf_add_char(out, '\n'); /* errors are sticky */
    }
    return out->error;
}

static int print_dynamic(const struct catalog *c, struct strbuf *out)
{
    bool any = false;
    if (c->flush)
        (void)strbuf_add(out, "portward flush\n"); /* errors are sticky */
    for (size_t i = 0; !c->flush && i < c->n_dynamic; i++)
        if (c->dynamic[i].gone && c->dynamic[i].id[0] != '\0') {
            (void)strbuf_addf(out, "%s %s", any ? "" : "portward delete", c->dynamic[i].id);
            any = true;
        }
    if (any)
        (void)strbuf_add_char(out, '\n');
    for (size_t i = 0; i < c->n_dynamic; i++) {
        const struct filter *f = &c->dynamic[i].filter;
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_API_BODY_BYTES);
        if (c->dynamic[i].gone || c->dynamic[i].id[0] != '\0')
            continue;
        if (text_print_filter(f, &text) < 0)
            return text.error;
        if (f->action == ACTION_NEGOTIATE || f->inpass || strpbrk(text.s, "\"'$`\\!"))
            (void)strbuf_addf(out, "# no native command adds the dynamic filter: %s\n", text.s);
        else
            (void)strbuf_addf(out, "portward %s\n", text.s);
    }
    return out->error;
}

static int print_values(struct catalog *c, struct strbuf *out)
{
    _cleanup_(strbuf_done) struct strbuf library = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    if (c->mpp_reset)
        (void)strbuf_add(out, "portward mpp reset\n");
    for (size_t i = 0; i < c->n_settings; i++)
        if (!native_mpp(c->settings[i].key, c->settings[i].value, out))
            (void)strbuf_addf(out, "# portward.conf: %s = %s\n", c->settings[i].key,
                              c->settings[i].value ? c->settings[i].value : "(as in the file)");
    if (c->n_secrets > 0)
        (void)strbuf_add(out, "# preshared keys are kept by the agent, no native command shows "
                              "them\n");
    int err = c->has_library ? catalog_library_print(c, &library) : 0;
    if (err < 0)
        return err;
    if (c->has_library &&
        strcmp(library.s ? library.s : "", c->library_before ? c->library_before : "") != 0)
        (void)strbuf_add(out, "# the shared filter lists and filter actions change as well\n");
    return out->error;
}

int native_print(struct catalog *c, struct strbuf *out)
{
    int err = print_values(c, out);
    for (size_t i = 0; err == 0 && i < c->n_policies; i++)
        if (c->policies[i].now)
            err = print_policy(&c->policies[i], out);
    if (err == 0)
        err = print_assignment(c, out);
    if (err == 0)
        err = print_deletions(c, out);
    return err < 0 ? err : print_dynamic(c, out);
}
