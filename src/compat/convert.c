/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/convert.c: which foreign form a file has, and who reads and writes it.
 * Called by import, export, importpolicy and exportpolicy. Invariant: reading a file assigns
 * nothing unless the caller wants it. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "catalog_internal.h"
#include "convert_internal.h"
#include "netsh.h"
#include "reg_tree.h"
#include "text/text.h"

static int read_text(struct tool_run *t, const char *data, size_t len,
                     const struct convert_options *o, struct diag *d);
static int write_text(struct catalog *c _unused_, const struct policy *p, bool assigned _unused_,
                      struct strbuf *out, struct convert_losses *l _unused_)
{
    return text_print_policy(p, out);
}
static int write_all_netsh(struct catalog *c, struct strbuf *out, struct convert_losses *l,
                           struct diag *d)
{
    return netsh_write_all(c, /* replace= */ false, out, l, d);
}

static const struct {
    const char *name, *begin;
    int (*read)(struct tool_run *t, const char *data, size_t len, const struct convert_options *o,
                struct diag *d);
    int (*write)(struct catalog *c, const struct policy *p, bool assigned, struct strbuf *out,
                 struct convert_losses *l);
    /* Objects that policies share stand once; NULL = one policy after the other. */
    int (*write_all)(struct catalog *c, struct strbuf *out, struct convert_losses *l,
                     struct diag *d);
} forms[_CONVERT_FORMAT_MAX] = {
    [CONVERT_TEXT] = {"text", "", read_text, write_text, NULL},
    [CONVERT_REG] = {"reg", "Windows Registry Editor Version 5.00\n\n", convert_read_reg,
                     convert_write_reg, convert_write_reg_all},
    [CONVERT_NETSH] = {"netsh", "", convert_read_netsh, convert_write_netsh, write_all_netsh},
    [CONVERT_IPSECCMD] = {"ipseccmd", "", convert_read_ipseccmd, convert_write_ipseccmd, NULL},
};

const char *convert_format_name(enum convert_format format)
{
    return forms[format].name;
}

int convert_format_from_name(const char *name)
{
    for (int i = 0; i < _CONVERT_FORMAT_MAX; i++)
        if (strcasecmp(name, forms[i].name) == 0)
            return i;
    return strcasecmp(name, "ipsecpol") == 0 ? CONVERT_IPSECCMD : -1;
}

/* --- guessing --- */

/* First words of lines; .exe and quotes round the word do not count. */
static const struct {
    const char *word;
    enum convert_format format;
} first_words[] = {
    {"policy", CONVERT_TEXT},       {"windows", CONVERT_REG},       {"regedit4", CONVERT_REG},
    {"netsh", CONVERT_NETSH},       {"pushd", CONVERT_NETSH},       {"ipsec", CONVERT_NETSH},
    {"ipseccmd", CONVERT_IPSECCMD}, {"ipsecpol", CONVERT_IPSECCMD},
};
static const struct {
    const char *end;
    enum convert_format format;
} endings[] = {
    {".pw", CONVERT_TEXT},
    {".reg", CONVERT_REG},
    {".netsh", CONVERT_NETSH},
};

static int guess_line(const char *s, size_t n)
{
    while (n > 0 && (isblank((unsigned char)*s) || *s == '"' || *s == '@')) {
        s++;
        n--;
    }
    for (size_t i = 0; i < ARRAY_SIZE(first_words); i++) {
        size_t len = strlen(first_words[i].word);
        if (n < len || strncasecmp(s, first_words[i].word, len) != 0)
            continue;
        if (n == len || !isalnum((unsigned char)s[len]))
            return (int)first_words[i].format;
    }
    return -1;
}

int convert_guess(const char *name, const char *data, size_t len)
{
    enum { LINES = 1000 };
    const uint8_t *u = (const uint8_t *)data;
    if (len >= 2 && ((u[0] == 0xff && u[1] == 0xfe) || (u[0] == 0xfe && u[1] == 0xff)))
        return CONVERT_REG; /* UTF-16: what regedit writes */
    size_t at = len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (unsigned line = 0; at < len && line < LINES; line++) {
        const char *end = memchr(data + at, '\n', len - at);
        size_t n = end ? (size_t)(end - data) - at : len - at;
        int format = guess_line(data + at, n);
        if (format >= 0)
            return format;
        at += n + 1;
    }
    size_t n = name ? strlen(name) : 0;
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        size_t k = strlen(endings[i].end);
        if (n > k && strcasecmp(name + n - k, endings[i].end) == 0)
            return (int)endings[i].format;
    }
    return -1;
}

/* --- native text --- */

/* Everything of a policy that was read, in place of what has its name. */
static int take_policy(struct tool_run *t, struct policy *from, const char *name, struct diag *d)
{
    struct catalog *c = t->catalog;
    struct policy *p;
    size_t unbound = 0;
    bool made, replaced;
    int err = catalog_policy_make(c, name, d, &p, &made);
    if (err < 0)
        return err;
    while (p->n_rules > 0)
        policy_remove_rule(p, p->n_rules - 1);
    free(p->description);
    p->description = TAKE_PTR(from->description);
    p->poll_s = from->poll_s;
    p->local_permits = from->local_permits;
    p->weak = from->weak;
    attributes_done(&p->attributes);
    p->attributes = from->attributes;
    from->attributes = (struct attributes){0};
    for (size_t i = 0; err == 0 && i < from->n_rules; i++)
        err = catalog_rule_put(c, p, &from->rules[i], d, &replaced);
    if (err == 0)
        err = catalog_check_given(c, p, d, &unbound);
    if (err < 0)
        return err;
    catalog_policy_changed(c, p, "import");
    if (unbound == 0)
        return 0;
    return tool_remark(t, NOTE, d,
                       "policy '%s': %zu rule%s keep%s the filters of the text, the filter lists "
                       "and actions of these names are not the same here",
                       p->name, unbound, unbound == 1 ? "" : "s", unbound == 1 ? "s" : "");
}

static int fail_text(const struct convert_options *o, const struct diag_list *errors,
                     struct diag *d)
{
    const struct diag *first = &errors->d[0];
    int err = diag_fail(d, DIAG_SYNTAX, "%s:%u: %s", o->file ? o->file : "text",
                        first->n_spans > 0 ? first->span[0].line : 0, first->message);
    diag_hint(d, "%s", first->hint);
    return err;
}

static int read_text(struct tool_run *t, const char *data, size_t len,
                     const struct convert_options *o, struct diag *d)
{
    _cleanup_(policy_list_done) struct policy_list list = {0};
    struct diag_list errors = {0};
    int err = text_parse_policies(data, len, &errors, &list);
    if (err < 0)
        return errors.n > 0 ? fail_text(o, &errors, d) : err;
    if (o->name && list.n != 1) {
        err = diag_fail(d, DIAG_USAGE, "%s holds %zu policies, one name is given",
                        o->file ? o->file : "the text", list.n);
        diag_hint(d, "leave --name out");
        return err;
    }
    for (size_t i = 0; err == 0 && i < list.n; i++)
        err = take_policy(t, list.v[i], o->name ? o->name : list.v[i]->name, d);
    return err;
}

/* --- all forms --- */

/* What was assigned before a file was read. */
struct assignments {
    char before[_CATALOG_SLOT_MAX][256];
};

static int note_assignments(struct catalog *c, struct diag *d, struct assignments *ret)
{
    int err = 0;
    for (int i = 0; err == 0 && i < _CATALOG_SLOT_MAX; i++) {
        const char *name = "";
        err = catalog_assigned(c, (enum catalog_slot)i, d, &name);
        if (err == 0)
            (void)format_into(ret->before[i], sizeof(ret->before[i]), "%s", name);
    }
    return err;
}

/* A file is stored, not put in force: what was assigned stays assigned while there is a policy of
 * that name. */
static int keep_assignments(struct tool_run *t, const struct assignments *a, struct diag *d)
{
    struct catalog *c = t->catalog;
    int err = 0;
    for (int i = 0; err == 0 && i < _CATALOG_SLOT_MAX; i++) {
        _cleanup_free_ char *now = NULL;
        const char *name = "";
        struct policy *p;
        struct diag ignored;
        err = catalog_assigned(c, (enum catalog_slot)i, d, &name);
        if (err < 0 || strcmp(name, a->before[i]) == 0)
            continue;
        now = strdup(name);
        if (!now)
            return -ENOMEM;
        bool back = a->before[i][0] && catalog_policy(c, a->before[i], &ignored, &p) == 0;
        err = catalog_assign(c, (enum catalog_slot)i, back ? a->before[i] : NULL, d);
        if (err == 0 && now[0])
            err = tool_remark(t, NOTE, d,
                              "policy '%s' is the assigned one of the file; here it is only stored",
                              now);
    }
    return err;
}

int convert_read(struct tool_run *t, enum convert_format format, const char *data, size_t len,
                 const struct convert_options *o, struct diag *d)
{
    struct assignments a;
    int err = o->assign ? 0 : note_assignments(t->catalog, d, &a);
    if (err == 0)
        err = forms[format].read(t, data, len, o, d);
    return err < 0 || o->assign ? err : keep_assignments(t, &a, d);
}

int convert_write_begin(enum convert_format format, struct strbuf *out)
{
    return strbuf_add(out, forms[format].begin);
}

int convert_write(enum convert_format format, struct catalog *c, const struct policy *p,
                  bool assigned, struct strbuf *out, struct convert_losses *l)
{
    return forms[format].write(c, p, assigned, out, l);
}

static int write_each(enum convert_format format, struct catalog *c, const char *assigned,
                      struct strbuf *out, struct convert_losses *l)
{
    bool first = true;
    int err = 0;
    for (size_t i = 0; err == 0 && i < c->n_policies; i++) {
        const struct policy *p = c->policies[i].now;
        if (!p)
            continue;
        err = first ? 0 : strbuf_add_char(out, '\n');
        first = false;
        if (err == 0)
            err = convert_write(format, c, p, strcmp(p->name, assigned) == 0, out, l);
    }
    return err;
}

int convert_write_all(enum convert_format format, struct catalog *c, struct strbuf *out,
                      struct convert_losses *l, struct diag *d)
{
    const char *assigned = "";
    int err = catalog_load_all(c, d);
    if (err == 0)
        err = catalog_settle(c, d);
    if (err == 0)
        err = catalog_assigned(c, CATALOG_LOCAL, d, &assigned);
    if (err == 0)
        err = convert_write_begin(format, out);
    if (err < 0)
        return err;
    return forms[format].write_all ? forms[format].write_all(c, out, l, d)
                                   : write_each(format, c, assigned, out, l);
}

int convert_encode(enum convert_format format, const struct strbuf *text, char **ret,
                   size_t *ret_len)
{
    if (format == CONVERT_REG)
        return reg_encode(text->s ? text->s : "", text->len, ret, ret_len);
    *ret_len = text->len;
    *ret = strdup(text->s ? text->s : "");
    return *ret ? 0 : -ENOMEM;
}
