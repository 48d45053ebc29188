/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-golden.c: runs every file of the golden directory.
 *   x.in    must parse; x.ok is its canonical text, x.json its model. Canonical text read again,
 *           and JSON read back into the model, must print the same canonical text.
 *   x.fail  must not parse and must yield nothing; x.err is what the user sees.
 * The name says what a file holds: filter-*, command-* and packet-* have one item per line,
 * failsafe-* is one setting, all others are policy files. UPDATE=1 rewrites the expectations,
 * to be read as a diff. Speaks TAP, one line per file. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "golden.h"
#include "model/settings.h"

enum { OUTPUT_BYTES = 64 * 1024 * 1024 };

/* What one kind of text can do: parse into *object, print and turn it into JSON and back. */
struct kind {
    const char *prefix;
    bool by_line;
    size_t object_size;
    int (*parse)(const char *s, size_t n, struct diag_list *dl, void *object);
    int (*print)(const void *object, struct strbuf *out);
    json_t *(*to_json)(const void *object);
    void (*from_json)(const json_t *j, void *object);
    bool (*equal)(const void *a, const void *b);
    void (*done)(void *object);
};

/* For the kinds with a single diagnostic. */
static int collect(int err, const struct diag *d, struct diag_list *dl)
{
    if (err < 0)
        diag_list_add(dl, d, false);
    return err;
}

static int filter_parse(const char *s, size_t n, struct diag_list *dl, void *object)
{
    struct diag d;
    return collect(text_parse_filter(s, n, &d, object), &d, dl);
}

static int filter_print(const void *object, struct strbuf *out)
{
    return text_print_filter(object, out);
}

static json_t *filter_to_json(const void *object)
{
    return golden_filter_to_json(object);
}

static void filter_from_json(const json_t *j, void *object)
{
    golden_filter_from_json(j, object);
}

static bool filter_equal(const void *a, const void *b)
{
    return filter_eq(a, b);
}

static void filter_finish(void *object)
{
    filter_done(object);
}

static int command_parse(const char *s, size_t n, struct diag_list *dl, void *object)
{
    struct diag d;
    return collect(text_parse_command(s, n, &d, object), &d, dl);
}

static int command_print(const void *object, struct strbuf *out)
{
    const struct command_filter *c = object;
    int err = text_print_filter(&c->filter, out);
    if (c->for_s > 0) {
        char text[DURATION_TEXT_BYTES];
        duration_print(c->for_s, text);
        (void)strbuf_addf(out, " for %s", text);
    }
    if (c->reason) {
        (void)strbuf_add(out, " reason ");
        (void)text_print_string(c->reason, out);
    }
    return err;
}

static json_t *command_to_json(const void *object)
{
    return golden_command_to_json(object);
}

static void command_from_json(const json_t *j, void *object)
{
    golden_command_from_json(j, object);
}

static bool command_equal(const void *a, const void *b)
{
    const struct command_filter *x = a, *y = b;
    return filter_eq(&x->filter, &y->filter) && x->for_s == y->for_s && !x->reason == !y->reason &&
           (!x->reason || strcmp(x->reason, y->reason) == 0);
}

static void command_finish(void *object)
{
    command_filter_done(object);
}

static int packet_parse(const char *s, size_t n, struct diag_list *dl, void *object)
{
    struct diag d;
    struct packet_text *t = object;
    int err = collect(text_parse_packet(s, n, &d, t), &d, dl);
    if (err < 0)
        return err;
    /* What the agent would put in for `me`. */
    const char *me = t->packet.family == FAMILY_4 ? "192.0.2.10" : "2001:db8::10";
    enum family family;
    if (t->src_me && ip_parse(me, strlen(me), &family, &t->packet.src) < 0)
        return -EINVAL;
    if (t->dst_me && ip_parse(me, strlen(me), &family, &t->packet.dst) < 0)
        return -EINVAL;
    return 0;
}

static int packet_print(const void *object, struct strbuf *out)
{
    const struct packet_text *t = object;
    return text_print_packet(&t->packet, out);
}

static json_t *packet_to_json(const void *object)
{
    return golden_packet_to_json(object);
}

static void packet_from_json(const json_t *j, void *object)
{
    golden_packet_from_json(j, object);
}

static bool packet_equal(const void *a, const void *b)
{
    const struct packet *x = &((const struct packet_text *)a)->packet;
    const struct packet *y = &((const struct packet_text *)b)->packet;
    return x->meta.dir == y->meta.dir && x->family == y->family && ip_eq(x->src, y->src) &&
           ip_eq(x->dst, y->dst) && x->proto == y->proto && x->sport == y->sport &&
           x->dport == y->dport && x->icmp_type == y->icmp_type && x->icmp_code == y->icmp_code &&
           x->tcp_flags == y->tcp_flags && x->hop_limit == y->hop_limit;
}

static void packet_finish(void *object)
{
    (void)object; /* owns nothing */
}

static int policies_parse(const char *s, size_t n, struct diag_list *dl, void *object)
{
    return text_parse_policies(s, n, dl, object);
}

static int policies_print(const void *object, struct strbuf *out)
{
    const struct policy_list *l = object;
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0)
            (void)strbuf_add_char(out, '\n');
        int err = text_print_policy(l->v[i], out);
        if (err < 0)
            return err;
    }
    return 0;
}

static json_t *policies_to_json(const void *object)
{
    return golden_policies_to_json(object);
}

static void policies_from_json(const json_t *j, void *object)
{
    golden_policies_from_json(j, object);
}

static bool policies_equal(const void *a, const void *b)
{
    const struct policy_list *x = a, *y = b;
    if (x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++) {
        if (x->v[i]->n_rules != y->v[i]->n_rules)
            return false;
        for (size_t k = 0; k < x->v[i]->n_rules; k++) {
            const struct rule *r = &x->v[i]->rules[k], *s = &y->v[i]->rules[k];
            if (r->n_filters != s->n_filters || r->inactive != s->inactive ||
                r->connection != s->connection || strcmp(r->name, s->name) != 0)
                return false;
            for (size_t m = 0; m < r->n_filters; m++)
                if (!filter_eq(&r->filters[m], &s->filters[m]))
                    return false;
        }
    }
    return true;
}

static void policies_finish(void *object)
{
    policy_list_done(object);
}

static int failsafe_parse(const char *s, size_t n, struct diag_list *dl, void *object)
{
    struct diag d;
    return collect(text_parse_failsafe(s, n, &d, object), &d, dl);
}

static void failsafe_finish(void *object)
{
    (void)object; /* owns nothing */
}

static const struct kind kinds[] = {
    {"filter-", true, sizeof(struct filter), filter_parse, filter_print, filter_to_json,
     filter_from_json, filter_equal, filter_finish},
    {"command-", true, sizeof(struct command_filter), command_parse, command_print, command_to_json,
     command_from_json, command_equal, command_finish},
    {"packet-", true, sizeof(struct packet_text), packet_parse, packet_print, packet_to_json,
     packet_from_json, packet_equal, packet_finish},
    /* Only .fail files: a setting has no canonical text. */
    {"failsafe-", false, sizeof(struct filter_settings), failsafe_parse, NULL, NULL, NULL, NULL,
     failsafe_finish},
    {"", false, sizeof(struct policy_list), policies_parse, policies_print, policies_to_json,
     policies_from_json, policies_equal, policies_finish},
};

static const struct kind *kind_of(const char *name)
{
    size_t i = 0;
    while (strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
        i++;
    return &kinds[i];
}

/* Room for one object of any kind, zeroed. */
union object {
    struct filter filter;
    struct command_filter command;
    struct packet_text packet;
    struct policy_list policies;
    struct filter_settings settings;
    char bytes[1];
};

static void render(const struct diag_list *dl, const char *file, const char *text, size_t n,
                   struct strbuf *out)
{
    for (unsigned i = 0; i < dl->n; i++)
        if (diag_render(&dl->d[i], file, text, n, dl->is_warning[i], out) < 0)
            return;
    if (dl->n_errors > dl->n)
        (void)strbuf_addf(out, "%u errors in all\n", dl->n_errors);
}

/* Why one text of an .in file is wrong, NULL if it is as it should be; adds what it is to *ok and
 * to the array *json. */
static const char *check_item(const struct kind *k, const char *s, size_t n, struct strbuf *ok,
                              json_t *json)
{
    _cleanup_(strbuf_done) struct strbuf first = STRBUF_INIT(OUTPUT_BYTES);
    _cleanup_(strbuf_done) struct strbuf second = STRBUF_INIT(OUTPUT_BYTES);
    _cleanup_(strbuf_done) struct strbuf third = STRBUF_INIT(OUTPUT_BYTES);
    union object a = {.bytes = {0}}, b = {.bytes = {0}}, c = {.bytes = {0}};
    struct diag_list dl = {0};
    const char *why = NULL;
    if (k->parse(s, n, &dl, &a) < 0) {
        render(&dl, "input", s, n, ok);
        return "does not parse";
    }
    if (k->print(&a, &first) < 0)
        why = "does not print";
    json_t *j = k->to_json(&a);
    if (!why && k->parse(first.s ? first.s : "", first.len, &dl, &b) < 0)
        why = "its canonical text does not parse";
    if (!why && (k->print(&b, &second) < 0 || first.len != second.len ||
                 (first.len > 0 && memcmp(first.s, second.s, first.len) != 0)))
        why = "canonical text changes when it is read again";
    if (!why && !k->equal(&a, &b))
        why = "canonical text means something else";
    k->from_json(j, &c);
    if (!why && (k->print(&c, &third) < 0 || first.len != third.len ||
                 (first.len > 0 && memcmp(first.s, third.s, first.len) != 0)))
        why = "JSON does not hold all of the text";
    if (json_array_append_new(json, j) < 0)
        why = "no memory";
    (void)strbuf_add_n(ok, first.s ? first.s : "", first.len);
    k->done(&a);
    k->done(&b);
    k->done(&c);
    return why;
}

/* Calls what is to be done for each line, or once for the whole text. */
static const char *check_in(const struct kind *k, const char *text, size_t len, struct strbuf *ok,
                            struct strbuf *json_text)
{
    json_t *json = json_array();
    const char *why = NULL;
    for (size_t from = 0; !why && (from < len || (from == 0 && !k->by_line));) {
        const char *newline = k->by_line ? memchr(text + from, '\n', len - from) : NULL;
        size_t end = newline ? (size_t)(newline - text) : len;
        why = check_item(k, text + from, end - from, ok, json);
        if (k->by_line)
            (void)strbuf_add_char(ok, '\n');
        from = end + 1;
    }
    char *s = json_dumps(k->by_line ? json : json_array_get(json, 0), JSON_INDENT(2));
    (void)strbuf_addf(json_text, "%s\n", s ? s : "null");
    free(s);
    json_decref(json);
    return why;
}

static const char *check_fail(const struct kind *k, const char *name, const char *text, size_t len,
                              struct strbuf *out)
{
    for (size_t from = 0; from < len || from == 0;) {
        const char *newline = k->by_line ? memchr(text + from, '\n', len - from) : NULL;
        size_t end = newline ? (size_t)(newline - text) : len;
        union object a, before;
        struct diag_list dl = {0};
        memset(&a, 0x5a, sizeof(a)); /* a failure must not touch it */
        memset(&before, 0x5a, sizeof(before));
        if (k->parse(text + from, end - from, &dl, &a) == 0) {
            k->done(&a);
            return "parses";
        }
        if (memcmp(&a, &before, sizeof(a)) != 0)
            return "leaves something behind";
        if (dl.n_errors == 0)
            return "fails without a word";
        /* Lines are what a user types: the form without file name. */
        render(&dl, k->by_line ? NULL : name, text + from, end - from, out);
        from = end + 1;
    }
    return NULL;
}

static char *read_file(const char *dir, const char *name, const char *suffix, size_t *ret_len)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    struct stat st;
    size_t size = fstat(fileno(f), &st) == 0 ? (size_t)st.st_size : 0;
    char *s = malloc(size + 1);
    *ret_len = s ? fread(s, 1, size, f) : 0;
    (void)fclose(f); /* only read */
    return s;
}

/* Compares with the expectation, or writes it. NULL if it is as expected. */
static const char *expect(const char *dir, const char *name, const char *suffix,
                          const struct strbuf *got)
{
    size_t len = 0;
    const char *s = got->s ? got->s : "";
    if (getenv("UPDATE")) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(s, 1, got->len, f) != got->len || fclose(f) != 0)
            return "cannot write the expectation";
        return NULL;
    }
    _cleanup_free_ char *wanted = read_file(dir, name, suffix, &len);
    if (!wanted)
        return "has no expectation; run with UPDATE=1 and read it";
    return len == got->len && memcmp(s, wanted, len) == 0 ? NULL : "differs from the expectation";
}

static const char *run_in(const char *dir, const char *stem, const char *text, size_t len,
                          struct strbuf *got)
{
    _cleanup_(strbuf_done) struct strbuf json = STRBUF_INIT(OUTPUT_BYTES);
    const char *why = check_in(kind_of(stem), text, len, got, &json);
    if (!why)
        why = expect(dir, stem, ".ok", got);
    if (!why)
        why = expect(dir, stem, ".json", &json);
    return why;
}

static const char *run_fail(const char *dir, const char *stem, const char *text, size_t len,
                            struct strbuf *got)
{
    char name[300];
    (void)snprintf(name, sizeof(name), "%s.fail", stem);
    const char *why = check_fail(kind_of(stem), name, text, len, got);
    return why ? why : expect(dir, stem, ".err", got);
}

/* Both suffixes that begin a case. */
static bool stem_of(const char *name, char stem[256], bool *ret_fail)
{
    const char *dot = strrchr(name, '.');
    if (!dot || (strcmp(dot, ".in") != 0 && strcmp(dot, ".fail") != 0))
        return false;
    *ret_fail = strcmp(dot, ".fail") == 0;
    (void)snprintf(stem, 256, "%.*s", (int)(dot - name), name);
    return true;
}

static void run_file(const char *dir, const char *name, unsigned number, unsigned *n_failed)
{
    char stem[256];
    bool fail;
    size_t len = 0;
    if (!stem_of(name, stem, &fail))
        return;
    _cleanup_(strbuf_done) struct strbuf got = STRBUF_INIT(OUTPUT_BYTES);
    _cleanup_free_ char *text = read_file(dir, name, "", &len);
    const char *why = !text  ? "cannot be read"
                      : fail ? run_fail(dir, stem, text, len, &got)
                             : run_in(dir, stem, text, len, &got);
    if (!why) {
        printf("ok %u - %s\n", number, name);
        return;
    }
    (*n_failed)++;
    printf("not ok %u - %s: %s\n", number, name, why);
    (void)fprintf(stderr, "%s: %s; what came out:\n%s\n", name, why, got.s ? got.s : "");
}

static int is_case(const struct dirent *e)
{
    char stem[256];
    bool fail;
    return stem_of(e->d_name, stem, &fail);
}

int main(int argc, char **argv)
{
    struct dirent **files;
    unsigned n_failed = 0;
    int n = argc == 2 ? scandir(argv[1], &files, is_case, alphasort) : -1;
    if (n <= 0) {
        (void)fprintf(stderr, "usage: test-golden DIRECTORY (with *.in and *.fail)\n");
        return 2;
    }
    printf("1..%d\n", n);
    for (int i = 0; i < n; i++) {
        run_file(argv[1], files[i]->d_name, (unsigned)i + 1, &n_failed);
        free(files[i]);
    }
    free(files);
    return n_failed > 0;
}
