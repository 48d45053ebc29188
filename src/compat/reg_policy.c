/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg_policy.c: a registry export as a whole: settings, TCP/IP filtering, policies, and one
 * line for every key that is none of these.
 * Called by convert_read(), and by compat reg with a tree of one value. Invariant: nothing of the
 * file is passed over in silence. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "reg_internal.h"

struct reg_place reg_place_of(const struct reg_reader *r, uint32_t line)
{
    struct reg_place p = {.text = ""};
    if (r->o->file && line > 0)
        (void)format_into(p.text, sizeof(p.text), "%.255s:%u: ", r->o->file, line);
    return p;
}

int reg_lost(struct reg_reader *r, const char *fmt, ...)
{
    char text[DIAG_MESSAGE_BYTES];
    va_list ap;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(64 * 1024);
    va_start(ap, fmt);
    (void)strbuf_vaddf(&b, fmt, ap); /* too long: nothing is lost but the end */
    va_end(ap);
    (void)format_into(text, sizeof(text), "%s", b.s ? b.s : "");
    r->t->partly = true;
    if (!r->o->strict)
        return tool_remark(r->t, NOTE_WARNING, r->d, "%s", text);
    int err = diag_fail(r->d, DIAG_SYNTAX, "%s", text);
    diag_hint(r->d, "without --strict the rest is taken over");
    return err;
}

bool reg_is_removed(const struct reg_key *k)
{
    return k->removed && k->n == 0;
}

/* --- paths --- */
static bool skip_prefix(const char **s, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncasecmp(*s, prefix, n) != 0)
        return false;
    *s += n;
    return true;
}

bool reg_path_below(const char *path, char ret[REG_PATH_BYTES])
{
    static const char *const sets[] = {"SYSTEM\\CurrentControlSet\\", "SYSTEM\\CCS\\",
                                       "SYSTEM\\ControlSet001\\"};
    const char *p = path, *set = "";
    if (!skip_prefix(&p, REG_ROOT) && !skip_prefix(&p, "HKLM\\"))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(sets) && set[0] == '\0'; i++)
        if (skip_prefix(&p, sets[i]))
            set = sets[0];
    size_t n = strlen(p);
    while (n > 0 && p[n - 1] == '\\')
        n--;
    if (strlen(set) + n >= REG_PATH_BYTES)
        return false;
    (void)format_into(ret, REG_PATH_BYTES, "%s%.*s", set, (int)n, p);
    return true;
}

/* The GUID with or without its braces. */
const char *reg_interface(const struct reg_reader *r, const char *guid)
{
    size_t n = strlen(guid), braced = n > 2 && guid[0] == '{' && guid[n - 1] == '}';
    for (size_t i = 0; i < r->o->n_map; i++) {
        const char *m = r->o->map[i], *end = strchr(m, '=');
        if (!end)
            continue;
        size_t len = (size_t)(end - m);
        if ((len == n && strncasecmp(m, guid, n) == 0) ||
            (braced && len == n - 2 && strncasecmp(m, guid + 1, n - 2) == 0))
            return end + 1;
    }
    return NULL;
}

/* --- what is left over --- */
static bool is_taken(const char *path, const char *name)
{
    const char *instance;
    for (size_t i = 0; i < reg_n_rows; i++)
        if (reg_row_fits(&reg_rows[i], path, &instance) && strcasecmp(reg_rows[i].name, name) == 0)
            return true;
    return reg_filtering_has(path, name);
}

static bool is_known_key(const char *path)
{
    const char *instance;
    for (size_t i = 0; i < reg_n_rows; i++)
        if (reg_row_fits(&reg_rows[i], path, &instance))
            return true;
    return false;
}

/* "'A', 'B' and 7 more" of the values that nothing here understands; how many there are. */
static size_t name_ignored(const struct reg_key *k, const char *path, struct strbuf *out)
{
    enum { NAMED = 4 };
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++) {
        const char *name = k->v[i].name[0] ? k->v[i].name : "@";
        if ((path && is_taken(path, k->v[i].name)) || n++ >= NAMED)
            continue;
        (void)strbuf_addf(out, "%s'%.80s'", n > 1 ? ", " : "", name); /* errors are sticky */
    }
    if (n > NAMED)
        (void)strbuf_addf(out, " and %zu more", n - NAMED);
    return n;
}

static int list_ignored(struct reg_reader *r, const struct reg_key *k)
{
    _cleanup_(strbuf_done) struct strbuf names = STRBUF_INIT(4096);
    char path[REG_PATH_BYTES];
    bool below = reg_path_below(k->path, path);
    if (below && reg_policy_has(path))
        return 0;
    if (reg_is_removed(k))
        return below && is_known_key(path) ? 0
                                           : reg_lost(r, "%s%s: ignored, the file removes it",
                                                      reg_place_of(r, k->line).text, k->path);
    size_t n = name_ignored(k, below ? path : NULL, &names);
    if (n == 0 || names.error < 0)
        return n == 0 ? 0 : names.error;
    return reg_lost(r, "%s%s: ignored: %s", reg_place_of(r, k->line).text, k->path, names.s);
}

int convert_read_reg_tree(struct tool_run *t, const struct reg_tree *tree,
                          const struct convert_options *o, struct diag *d)
{
    struct reg_reader r = {t, tree, o, d};
    int err = reg_settings_read(&r);
    if (err == 0)
        err = reg_filtering_read(&r);
    if (err == 0)
        err = reg_policy_read(&r);
    for (size_t i = 0; err == 0 && i < tree->n; i++)
        err = list_ignored(&r, &tree->v[i]);
    return err;
}

int convert_read_reg(struct tool_run *t, const char *data, size_t len,
                     const struct convert_options *o, struct diag *d)
{
    _cleanup_(reg_tree_done) struct reg_tree tree = {0};
    int err = reg_read(data, len, d, &tree);
    if (err < 0 && err != -ENOMEM && o->file) {
        char text[DIAG_MESSAGE_BYTES], line[16] = "";
        if (d->n_spans > 0)
            (void)format_into(line, sizeof(line), ":%u", d->span[0].line);
        (void)format_into(text, sizeof(text), "%.200s%s: %s", o->file, line, d->message);
        memcpy(d->message, text, sizeof(d->message));
    }
    return err < 0 ? err : convert_read_reg_tree(t, &tree, o, d);
}
