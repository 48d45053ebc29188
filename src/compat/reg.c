/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg.c: `reg add`, `reg delete` and `reg query` of the registry values that are settings
 * here (windows.md 15).
 * Called through the table of tools. Invariant: a value means the same as in an imported file: the
 * command is read as a file of one value. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "reg_internal.h"

static const char done[] = "The operation completed successfully.\n";

enum reg_switch { SW_VALUE, SW_TYPE, SW_DATA, SW_SEPARATOR, SW_MAP, SW_FORCE, SW_ALL, _SW_MAX };
static const struct {
    const char *name;
    bool takes;
} switches[_SW_MAX] = {
    [SW_VALUE] = {"v", true},     [SW_TYPE] = {"t", true},  [SW_DATA] = {"d", true},
    [SW_SEPARATOR] = {"s", true}, [SW_MAP] = {"map", true}, [SW_FORCE] = {"f", false},
    [SW_ALL] = {"va", false},
};

struct request {
    const char *verb, *key;
    const char *value[_SW_MAX]; /* NULL = not given, "" for a switch without value */
    char path[REG_PATH_BYTES];
    bool help;
};

/* --- the command line --- */
static int fail_usage(struct diag *d, const char *what)
{
    int err = diag_fail(d, DIAG_USAGE, "%s", what);
    diag_hint(d, "reg add HKLM\\SYSTEM\\CurrentControlSet\\Services\\IPSEC /v NoDefaultExempt "
                 "/t REG_DWORD /d 3");
    return err;
}

static int read_switch(struct tool_run *t, const char *word, const char *next, struct diag *d,
                       struct request *q)
{
    const char *name = word + 1 + (word[0] == '-' && word[1] == '-');
    for (int i = 0; i < _SW_MAX; i++) {
        if (strcasecmp(name, switches[i].name) != 0)
            continue;
        if (q->value[i])
            return tool_fail_at(t, d, word, 0, strlen(word), DIAG_USAGE, "%s twice", word);
        if (switches[i].takes && !next)
            return tool_fail_at(t, d, word, 0, strlen(word), DIAG_USAGE, "%s needs a value", word);
        q->value[i] = switches[i].takes ? next : "";
        return 0;
    }
    int err = tool_fail_at(t, d, word, 0, strlen(word), DIAG_USAGE, "reg does not know '%s'", word);
    diag_hint(d, "reg /?");
    return err;
}

static bool takes_value(const char *word)
{
    const char *name = word + 1 + (word[0] == '-' && word[1] == '-');
    for (int i = 0; i < _SW_MAX; i++)
        if (strcasecmp(name, switches[i].name) == 0)
            return switches[i].takes;
    return false;
}

static int read_request(struct tool_run *t, int argc, char *const *argv, struct diag *d,
                        struct request *q)
{
    for (int i = 0; i < argc; i++) {
        const char *w = argv[i];
        int err = 0;
        if (strcmp(w, "/?") == 0 || strcmp(w, "-?") == 0 || strcasecmp(w, "/help") == 0) {
            q->help = true;
        } else if (w[0] == '/' || (w[0] == '-' && w[1] != '\0')) {
            err = read_switch(t, w, i + 1 < argc ? argv[i + 1] : NULL, d, q);
            i += takes_value(w);
        } else if (!q->verb) {
            q->verb = w;
        } else if (!q->key) {
            q->key = w;
        } else {
            err = tool_fail_at(t, d, w, 0, strlen(w), DIAG_USAGE, "'%s' is too much", w);
        }
        if (err < 0)
            return err;
    }
    return 0;
}

/* --- keys --- */
static int fail_key(struct tool_run *t, const struct request *q, struct diag *d, bool policies)
{
    int err = tool_fail_at(t, d, q->key, 0, strlen(q->key), DIAG_UNKNOWN_OBJECT,
                           policies ? "policies and TCP/IP filtering are not changed value by value"
                                    : "portward has nothing that this registry key sets");
    diag_hint(d, policies ? "portward import reg FILE" : "reg /? lists the keys");
    return err;
}

/* The key and, if one is named, the value are among ours. */
static int check_key(struct tool_run *t, struct request *q, struct diag *d)
{
    const char *name = q->value[SW_VALUE], *instance;
    bool key = false;
    if (!reg_path_below(q->key, q->path))
        return fail_key(t, q, d, false);
    if (reg_policy_has(q->path) || (name && reg_filtering_has(q->path, name)))
        return fail_key(t, q, d, true);
    for (size_t i = 0; i < reg_n_rows; i++) {
        if (!reg_row_fits(&reg_rows[i], q->path, &instance))
            continue;
        key = true;
        if (!name || strcasecmp(reg_rows[i].name, name) == 0)
            return 0;
    }
    if (!key)
        return fail_key(t, q, d, false);
    int err = tool_fail_at(t, d, name, 0, strlen(name), DIAG_UNKNOWN_OBJECT,
                           "portward has nothing that value '%s' sets", name);
    diag_hint(d, "reg /? lists the values of each key");
    return err;
}

/* Batch files also set keys of other programs, which is no reason to refuse the rest. */
static int leave_out(struct tool_run *t, const struct request *q, struct diag *d)
{
    const char *name = q->value[SW_VALUE];
    t->partly = true;
    t->word = NULL;
    return tool_remark(t, NOTE_WARNING, d, "not run: reg %s %s%s%s: %s", q->verb, q->key,
                       name ? " /v " : "", name ? name : "", d->message);
}

static struct convert_options options(const struct tool_run *t, const struct request *q)
{
    return (struct convert_options){
        .strict = t->strict, .map = &q->value[SW_MAP], .n_map = q->value[SW_MAP] ? 1 : 0};
}

static struct reg_key *make_key(struct reg_tree *tree, const struct request *q)
{
    char path[REG_PATH_BYTES + sizeof(REG_ROOT)];
    (void)format_into(path, sizeof(path), REG_ROOT "%s", q->path);
    return reg_make(tree, path);
}

/* --- add --- */
static const struct {
    const char *name;
    enum reg_type type;
} types[] = {
    {"REG_SZ", REG_SZ},
    {"REG_EXPAND_SZ", REG_EXPAND_SZ},
    {"REG_DWORD", REG_DWORD},
    {"REG_MULTI_SZ", REG_MULTI_SZ},
};

static int read_type(struct tool_run *t, const char *word, struct diag *d, enum reg_type *ret)
{
    *ret = REG_SZ;
    if (!word)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcasecmp(types[i].name, word) == 0) {
            *ret = types[i].type;
            return 0;
        }
    int err =
        tool_fail_at(t, d, word, 0, strlen(word), DIAG_USAGE, "'%s' is no type of these", word);
    diag_hint(d, "REG_DWORD, REG_SZ, REG_EXPAND_SZ or REG_MULTI_SZ");
    return err;
}

static int set_number(struct tool_run *t, const char *data, struct diag *d, struct reg_key *k,
                      const char *name)
{
    bool hex = data[0] == '0' && (data[1] == 'x' || data[1] == 'X');
    const char *s = data + (hex ? 2 : 0);
    size_t n = strspn(s, hex ? "0123456789abcdefABCDEF" : "0123456789");
    unsigned long long v = n > 0 && n <= 10 ? strtoull(s, NULL, hex ? 16 : 10) : UINT64_MAX;
    if (s[n] == '\0' && v <= UINT32_MAX)
        return reg_set_number(k, name, (uint32_t)v);
    int err = tool_fail_at(t, d, data, 0, strlen(data), DIAG_USAGE, "'%s' is no REG_DWORD", data);
    diag_hint(d, "a number up to 4294967295, or 0x and up to 8 hexadecimal digits");
    return err;
}

/* Cuts the data at each separator; empty strings do not count. */
static int set_strings(const char *data, const char *separator, struct reg_key *k, const char *name)
{
    _cleanup_free_ char *copy = strdup(data);
    _cleanup_free_ const char **v = NULL;
    size_t n = 0, cap = 0, len = strlen(separator);
    if (!copy)
        return -ENOMEM;
    for (char *s = copy, *end; s; s = end) {
        end = strstr(s, separator);
        if (end) {
            *end = '\0';
            end += len;
        }
        if (*s == '\0')
            continue;
        int err = array_reserve(&v, &cap, n + 1, sizeof(*v));
        if (err < 0)
            return err;
        v[n++] = s;
    }
    return reg_set_strings(k, name, v, n);
}

static int set_value(struct tool_run *t, const struct request *q, struct reg_key *k, struct diag *d)
{
    const char *name = q->value[SW_VALUE], *separator = q->value[SW_SEPARATOR];
    const char *data = q->value[SW_DATA] ? q->value[SW_DATA] : "";
    enum reg_type type;
    int err = read_type(t, q->value[SW_TYPE], d, &type);
    if (err < 0)
        return err;
    if (separator && strlen(separator) != 1)
        return tool_fail_at(t, d, separator, 0, strlen(separator), DIAG_USAGE,
                            "a separator is one character");
    if (type == REG_DWORD)
        return set_number(t, data, d, k, name);
    if (type == REG_MULTI_SZ)
        return set_strings(data, separator ? separator : "\\0", k, name);
    return reg_set_text(k, name, type, data);
}

static int apply(struct tool_run *t, const struct request *q, const struct reg_tree *tree,
                 struct diag *d)
{
    struct convert_options o = options(t, q);
    struct reg_reader r = {t, tree, &o, d};
    int err = reg_settings_read(&r);
    return err < 0 ? err : strbuf_add(&t->out, done);
}

static int add(struct tool_run *t, const struct request *q, struct diag *d)
{
    _cleanup_(reg_tree_done) struct reg_tree tree = {0};
    if (!q->value[SW_VALUE])
        return fail_usage(d, "say which value: /v NAME");
    struct reg_key *k = make_key(&tree, q);
    if (!k)
        return -ENOMEM;
    int err = set_value(t, q, k, d);
    return err < 0 ? err : apply(t, q, &tree, d);
}

/* --- delete --- */
static int delete (struct tool_run *t, const struct request *q, struct diag *d)
{
    _cleanup_(reg_tree_done) struct reg_tree tree = {0};
    const char *name = q->value[SW_VALUE];
    if (name && q->value[SW_ALL])
        return fail_usage(d, "either /v NAME or /va");
    struct reg_key *k = make_key(&tree, q);
    int err = !k ? -ENOMEM : name ? reg_set_text(k, name, REG_SZ, "") : 0;
    if (err < 0)
        return err;
    struct reg_value *v = name ? reg_value_find(k, name) : NULL;
    if (v)
        v->removed = true;
    else
        k->removed = true;
    return apply(t, q, &tree, d);
}

/* --- query --- */
static void print_value(const struct reg_value *v, struct strbuf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (types[i].type == v->type)
            (void)strbuf_addf(out, "    %s    %s    ", v->name, types[i].name);
    if (v->type == REG_DWORD)
        (void)strbuf_addf(out, "0x%llx", (unsigned long long)v->number);
    for (size_t i = 0; i < v->n_strings; i++)
        (void)strbuf_addf(out, "%s%s", i > 0 ? "\\0" : "", v->strings[i]);
    (void)strbuf_addf(out, "%s\n", v->text ? v->text : ""); /* errors are sticky */
}

static int query(struct tool_run *t, const struct request *q, struct diag *d)
{
    _cleanup_(reg_tree_done) struct reg_tree tree = {0};
    struct convert_options o = options(t, q);
    struct reg_reader r = {t, &tree, &o, d};
    struct reg_key *k = make_key(&tree, q);
    int err = k ? 0 : -ENOMEM;
    for (size_t i = 0; err == 0 && i < reg_n_rows; i++) {
        const struct reg_row *row = &reg_rows[i];
        const char *instance;
        if (reg_row_fits(row, q->path, &instance) &&
            (!q->value[SW_VALUE] || strcasecmp(q->value[SW_VALUE], row->name) == 0))
            err = row->show(&r, row, instance, k);
    }
    if (err < 0)
        return err;
    if (k->n == 0)
        return diag_fail(d, DIAG_UNKNOWN_OBJECT, "no value is set there");
    (void)strbuf_addf(&t->out, "\n%s\n", k->path);
    for (size_t i = 0; i < k->n; i++)
        print_value(&k->v[i], &t->out);
    return strbuf_add(&t->out, "\n");
}

int tool_reg(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    static const struct {
        const char *name;
        int (*run)(struct tool_run *t, const struct request *q, struct diag *d);
    } verbs[] = {{"add", add}, {"delete", delete}, {"query", query}};
    struct request q = {.help = false};
    int err = read_request(t, argc, argv, d, &q);
    if (err < 0)
        return err;
    if (q.help)
        return strbuf_add(&t->out, tool_reg_help);
    if (!q.verb)
        return fail_usage(d, "say what to do: add, delete or query");
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (strcasecmp(q.verb, verbs[i].name) != 0)
            continue;
        if (!q.key)
            return fail_usage(d, "say which key");
        err = check_key(t, &q, d);
        if (err == -ENOENT && t->from_file)
            return leave_out(t, &q, d);
        return err < 0 ? err : verbs[i].run(t, &q, d);
    }
    err = tool_fail_at(t, d, q.verb, 0, strlen(q.verb), DIAG_USAGE, "unknown verb '%s'", q.verb);
    diag_hint(d, "add, delete or query");
    return err;
}
