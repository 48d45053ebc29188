/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_args.c: words into a command and its arguments by tag (windows.md 6, 1 to 4).
 * Called for every line. Invariant: a tag that is not in the command's table, is given twice, or
 * whose value is left over, refuses the line: nothing is guessed. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "netsh.h"

void netsh_args_done(struct netsh_args *a)
{
    free(a->v);
    *a = (struct netsh_args){0};
}

bool netsh_has_prefix(const char *word, const char *name)
{
    size_t n = strlen(word);
    return n > 0 && strncasecmp(word, name, n) == 0;
}

/* --- tags --- */

/* Index in the command's table, or n_tags. *ret_others: the prefix fits more than this one. */
static size_t find_tag(const struct netsh_command *c, const char *s, size_t n, size_t *ret_others)
{
    size_t found = c->n_tags;
    *ret_others = 0;
    for (size_t i = 0; i < c->n_tags; i++) {
        const char *name = netsh_tag_name(c->tags[i].tag);
        if (n == 0 || c->tags[i].flags & TAG_FLAG || strncasecmp(name, s, n) != 0)
            continue;
        if (strlen(name) == n) {
            *ret_others = 0;
            return i;
        }
        if (found == c->n_tags)
            found = i;
        else
            (*ret_others)++;
    }
    return found;
}

/* Letters in front of '=': the text that names a tag. */
static bool tag_shaped(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalpha((unsigned char)s[i]))
            return false;
    return n > 0;
}

static int fail_unknown_tag(struct netsh *n, const struct netsh_command *c, size_t word, size_t len,
                            struct diag *d)
{
    char text[64];
    const char *best = NULL;
    unsigned least = 4; /* "destaddr" for "dstaddr", "conectype" for "conntype" */
    (void)format_into(text, sizeof(text), "%.*s", (int)len, n->line.v[word].s);
    for (size_t i = 0; i < c->n_tags; i++) {
        const char *name = netsh_tag_name(c->tags[i].tag);
        unsigned distance = suggest_distance(text, name, least);
        if (distance < least) {
            least = distance;
            best = name;
        }
    }
    int err = netsh_fail_word(n, d, NETSH_UNKNOWN_TAG, word, "unknown tag '%s'", text);
    if (best) {
        diag_hint(d, "did you mean %s=", best);
        return err;
    }
    _cleanup_(strbuf_done) struct strbuf usage = STRBUF_INIT(4096);
    netsh_print_usage(c, &usage);
    diag_hint(d, "%s", usage.s ? usage.s : "");
    return err;
}

/* One assignment. */
struct assignment {
    size_t tag_word, tag_len;
    size_t value_word, value_offset;
};

static int give(struct netsh *n, const struct netsh_command *c, size_t at, size_t word,
                size_t offset, struct netsh_args *a)
{
    enum netsh_tag tag = c->tags[at].tag;
    int r = array_reserve(&a->v, &a->cap, a->n + 1, sizeof(*a->v));
    if (r < 0)
        return r;
    a->index[tag] = a->n;
    a->value[tag] = n->line.v[word].s + offset;
    a->v[a->n++] = (struct netsh_given){tag, a->value[tag], word, offset};
    return 0;
}

static int assign_tag(struct netsh *n, const struct netsh_command *c, const struct assignment *x,
                      struct diag *d, struct netsh_args *a)
{
    size_t others, i = find_tag(c, n->line.v[x->tag_word].s, x->tag_len, &others);
    int err;
    if (i == c->n_tags)
        return fail_unknown_tag(n, c, x->tag_word, x->tag_len, d);
    const char *name = netsh_tag_name(c->tags[i].tag);
    if (others > 0) {
        err = tool_remark(n->t, NOTE, d, "read '%.*s=' as %s=", (int)x->tag_len,
                          n->line.v[x->tag_word].s, name);
        if (err < 0)
            return err;
    }
    if (a->value[c->tags[i].tag] && !(c->tags[i].flags & TAG_MANY)) {
        err = netsh_fail_word(n, d, NETSH_TAG_TWICE, x->tag_word, "tag '%s' is given twice", name);
        diag_hint(d, "remove one of them");
        return err;
    }
    return give(n, c, i, x->value_word, x->value_offset, a);
}

/* The first tag of the table that is not given, and of whose alternatives none is. */
static size_t next_open_tag(const struct netsh_command *c, const struct netsh_args *a)
{
    for (size_t i = 0; i < c->n_tags; i++) {
        bool taken = c->tags[i].flags & (TAG_OR | TAG_NAMED) || a->value[c->tags[i].tag];
        for (size_t k = i + 1; !taken && k < c->n_tags && c->tags[k].flags & TAG_OR; k++)
            taken = a->value[c->tags[k].tag];
        if (!taken)
            return i;
    }
    return c->n_tags;
}

static int take_bare(struct netsh *n, const struct netsh_command *c, size_t word, struct diag *d,
                     struct netsh_args *a)
{
    const struct netsh_word *w = &n->line.v[word];
    for (size_t i = 0; !w->quoted && i < c->n_tags; i++) {
        enum netsh_tag tag = c->tags[i].tag;
        if (c->tags[i].flags & TAG_FLAG && strcasecmp(w->s, netsh_tag_name(tag)) == 0 &&
            !a->value[tag])
            return give(n, c, i, word, 0, a);
    }
    size_t i = next_open_tag(c, a);
    if (i < c->n_tags)
        return give(n, c, i, word, 0, a);
    int err = netsh_fail_word(n, d, NETSH_LEFT_OVER, word, "'%s' is left over", w->s);
    if (c->n_tags == 0)
        diag_hint(d, "%s %s takes no values", c->verb, c->object ? c->object : "");
    else if (c->tags[0].flags & TAG_NAMED)
        diag_hint(d, "%s=%s", netsh_tag_name(c->tags[0].tag), netsh_tag_values(c->tags[0].tag));
    else
        diag_hint(d, "quote a value that has blanks");
    return err;
}

/* Whether word i is "tag=..." of this command: then the tag before it has an empty value. */
static bool begins_assignment(const struct netsh *n, const struct netsh_command *c, size_t i)
{
    const struct netsh_word *w = &n->line.v[i];
    const char *eq = strchr(w->s, '=');
    size_t others;
    return eq && !w->quoted && tag_shaped(w->s, (size_t)(eq - w->s)) &&
           find_tag(c, w->s, (size_t)(eq - w->s), &others) < c->n_tags;
}

/* tag=value, tag= value, tag =value, tag = value. *at moves behind it. */
static int take_assignment(struct netsh *n, const struct netsh_command *c, size_t *at,
                           struct diag *d, struct netsh_args *a)
{
    const struct netsh_line *l = &n->line;
    const struct netsh_word *w = &l->v[*at];
    const char *eq = strchr(w->s, '=');
    size_t i = *at;
    struct assignment x = {.tag_word = i, .tag_len = eq ? (size_t)(eq - w->s) : strlen(w->s)};
    if (!eq) { /* the next word begins with '=' */
        i++;
        eq = l->v[i].s;
    }
    x.value_word = i;
    x.value_offset = (size_t)(eq - l->v[i].s) + 1;
    bool empty = eq[1] == '\0' && !l->v[i].ends_quoted;
    if (empty && i + 1 < l->n && !begins_assignment(n, c, i + 1)) {
        x.value_word = ++i;
        x.value_offset = 0;
    }
    *at = i + 1;
    return assign_tag(n, c, &x, d, a);
}

static bool is_assignment(const struct netsh_line *l, size_t i)
{
    const struct netsh_word *w = &l->v[i];
    if (w->quoted)
        return false;
    const char *eq = strchr(w->s, '=');
    if (eq)
        return eq > w->s && tag_shaped(w->s, (size_t)(eq - w->s));
    return i + 1 < l->n && !l->v[i + 1].quoted && l->v[i + 1].s[0] == '=';
}

static int check_required(struct netsh *n, const struct netsh_command *c,
                          const struct netsh_args *a, struct diag *d)
{
    for (size_t i = 0; i < c->n_tags; i++) {
        bool given = a->value[c->tags[i].tag];
        if (!(c->tags[i].flags & TAG_REQUIRED))
            continue;
        for (size_t k = i + 1; !given && k < c->n_tags && c->tags[k].flags & TAG_OR; k++)
            given = a->value[c->tags[k].tag];
        if (given)
            continue;
        int err = netsh_fail(n, d, NETSH_MISSING_TAG, DIAG_USAGE, "%s%s%s needs %s=", c->verb,
                             c->object ? " " : "", c->object ? c->object : "",
                             netsh_tag_name(c->tags[i].tag));
        _cleanup_(strbuf_done) struct strbuf usage = STRBUF_INIT(4096);
        netsh_print_usage(c, &usage);
        diag_hint(d, "%s", usage.s ? usage.s : "");
        return err;
    }
    return 0;
}

/* "show policy name=all" is written as often as "show policy all"; what only reads may take it so.
 */
static int read_name_as_all(struct netsh *n, const struct netsh_command *c, struct diag *d,
                            struct netsh_args *a)
{
    const char *name = a->value[T_NAME];
    if (!c->reads || !name || a->value[T_ALL] || strcasecmp(name, netsh_tag_name(T_ALL)) != 0)
        return 0;
    for (size_t i = 0; i < c->n_tags; i++) {
        if (c->tags[i].tag != T_ALL)
            continue;
        a->value[T_ALL] = name;
        a->index[T_ALL] = a->index[T_NAME];
        a->value[T_NAME] = NULL;
        return tool_remark(n->t, NOTE, d, "read name=%s as all", name);
    }
    return 0;
}

int netsh_parse_args(struct netsh *n, const struct netsh_command *c, size_t first, struct diag *d,
                     struct netsh_args *ret)
{
    _cleanup_(netsh_args_done) struct netsh_args a = {.command = c};
    int err = 0;
    for (size_t i = first; err == 0 && i < n->line.n;) {
        if (is_assignment(&n->line, i))
            err = take_assignment(n, c, &i, d, &a);
        else if (n->line.v[i].s[0] == '=' && !n->line.v[i].quoted)
            err = netsh_fail_word(n, d, NETSH_SYNTAX, i, "'=' without a tag before it");
        else
            err = take_bare(n, c, i++, d, &a);
    }
    if (err == 0)
        err = read_name_as_all(n, c, d, &a);
    if (err == 0)
        err = check_required(n, c, &a, d);
    if (err < 0)
        return err;
    *ret = a;
    a = (struct netsh_args){0};
    return 0;
}

/* --- contexts, verbs, objects --- */

/* The names that may stand at one place of a line. */
struct words {
    const char *what; /* "command", "object" */
    const char *v[24];
    size_t n;
};

static void add_choice(struct words *w, const char *name)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->v[i], name) == 0)
            return;
    if (w->n < ARRAY_SIZE(w->v))
        w->v[w->n++] = name;
}

static void list_words(const struct words *w, struct strbuf *out)
{
    for (size_t i = 0; i < w->n; i++)
        (void)strbuf_addf(out, "%s%s", i > 0 ? ", " : "", w->v[i]);
}

/* The one that the word begins or is. */
static int choose(struct netsh *n, const struct words *w, size_t word, struct diag *d,
                  const char **ret)
{
    const char *s = n->line.v[word].s, *found = NULL;
    bool more = false;
    for (size_t i = 0; i < w->n; i++) {
        if (!netsh_has_prefix(s, w->v[i]))
            continue;
        if (strlen(s) == strlen(w->v[i])) {
            *ret = w->v[i];
            return 0;
        }
        more = found != NULL;
        found = w->v[i];
    }
    if (found && !more) {
        *ret = found;
        return 0;
    }
    _cleanup_(strbuf_done) struct strbuf list = STRBUF_INIT(1024);
    list_words(w, &list);
    int err =
        netsh_fail_word(n, d, NETSH_UNKNOWN_COMMAND, word,
                        more ? "%s '%s' can be several things" : "unknown %s '%s'", w->what, s);
    diag_hint(d, "one of: %s", list.s ? list.s : "");
    return err;
}

static void verbs_of(enum netsh_context context, struct words *w)
{
    *w = (struct words){.what = "command"};
    for (size_t i = 0; i < netsh_n_commands; i++)
        if (netsh_commands[i].context == context)
            add_choice(w, netsh_commands[i].verb);
    if (context == CONTEXT_ROOT) {
        add_choice(w, "ipsec");
        add_choice(w, "dump");
        add_choice(w, "interface");
    } else if (context == CONTEXT_IPSEC) {
        add_choice(w, "static");
        add_choice(w, "dynamic");
    }
}

static void objects_of(enum netsh_context context, const char *verb, struct words *w)
{
    *w = (struct words){.what = "object"};
    for (size_t i = 0; i < netsh_n_commands; i++) {
        const struct netsh_command *c = &netsh_commands[i];
        if (c->context == context && c->object && strcmp(c->verb, verb) == 0)
            add_choice(w, c->object);
    }
}

static const struct netsh_command *command_of(enum netsh_context context, const char *verb,
                                              const char *object)
{
    for (size_t i = 0; i < netsh_n_commands; i++) {
        const struct netsh_command *c = &netsh_commands[i];
        if (c->context == context && strcmp(c->verb, verb) == 0 &&
            (object ? c->object && strcmp(c->object, object) == 0 : !c->object))
            return c;
    }
    return NULL;
}

/* Words that change the context: "ipsec", "static"; from anywhere, as netsh does. */
static bool enter_context(const char *word, enum netsh_context *context)
{
    static const struct {
        const char *name;
        enum netsh_context from, to;
    } steps[] = {
        {"ipsec", CONTEXT_ROOT, CONTEXT_IPSEC},      {"static", CONTEXT_IPSEC, CONTEXT_STATIC},
        {"dynamic", CONTEXT_IPSEC, CONTEXT_DYNAMIC}, {"interface", CONTEXT_ROOT, CONTEXT_INTERFACE},
        {"tcp", CONTEXT_INTERFACE, CONTEXT_TCP},
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        if (*context == steps[i].from && netsh_has_prefix(word, steps[i].name) &&
            (strlen(word) > 1 || steps[i].from != CONTEXT_ROOT)) {
            *context = steps[i].to;
            return true;
        }
    return false;
}

static int fail_context(struct netsh *n, size_t word, struct diag *d)
{
    const char *s = n->line.v[word].s;
    int err = netsh_fail_word(n, d, NETSH_UNKNOWN_CONTEXT, word, "unknown context '%s'", s);
    diag_hint(d, "contexts: ipsec static, ipsec dynamic, interface tcp");
    return err;
}

/* A line that begins with "ipsec" leaves the context it is in. */
static enum netsh_context start_context(const struct netsh *n, size_t first)
{
    const char *s = n->line.v[first].s;
    if (n->context == CONTEXT_ROOT || strcasecmp(s, "ipsec") == 0 ||
        (strlen(s) > 2 && netsh_has_prefix(s, "interface")))
        return CONTEXT_ROOT;
    bool sibling = strcasecmp(s, "static") == 0 || strcasecmp(s, "dynamic") == 0;
    return sibling ? CONTEXT_IPSEC : n->context;
}

int netsh_find_command(struct netsh *n, size_t first, struct diag *d,
                       const struct netsh_command **ret, size_t *ret_next)
{
    struct words w;
    const char *verb, *object;
    size_t i = first;
    enum netsh_context context = start_context(n, first);
    *ret = NULL;
    while (i < n->line.n && enter_context(n->line.v[i].s, &context))
        i++;
    n->context = context;
    *ret_next = i;
    if (i == n->line.n)
        return 0;
    if (context == CONTEXT_ROOT && strcasecmp(n->line.v[i].s, "dump") == 0)
        n->context = context = CONTEXT_IPSEC;
    if (context == CONTEXT_ROOT || context == CONTEXT_INTERFACE)
        return fail_context(n, i, d);
    verbs_of(context, &w);
    int err = choose(n, &w, i, d, &verb);
    if (err < 0)
        return err;
    *ret = command_of(context, verb, NULL);
    *ret_next = ++i;
    if (*ret)
        return 0;
    objects_of(context, verb, &w);
    if (i == n->line.n) {
        _cleanup_(strbuf_done) struct strbuf list = STRBUF_INIT(1024);
        list_words(&w, &list);
        err = netsh_fail(n, d, NETSH_UNKNOWN_COMMAND, DIAG_USAGE, "%s of what", verb);
        diag_hint(d, "one of: %s", list.s ? list.s : "");
        return err;
    }
    err = choose(n, &w, i, d, &object);
    if (err < 0)
        return err;
    *ret = command_of(context, verb, object);
    *ret_next = i + 1;
    return 0;
}
