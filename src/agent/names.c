/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/names.c: the table of names and keywords; which answers are believed.
 * Called by resolver.c (answers, keywords, file) and desired.c (expansion). No I/O, no clock.
 * Invariant (names.h): only a whole, plausible answer changes addresses. */
#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES_MAX = 8 * 1024 * 1024, TEXT_BYTES_MAX = 64 * 1024, N_KEYWORDS = 4 };
#define FILE_HEADER "portward-names 1"
#define FILE_END    "end"

struct names {
    struct name_entry keyword[N_KEYWORDS];
    struct name_entry **v; /* sorted by name */
    size_t n, cap;
};

/* --- sets of addresses --- */
void address_set_done(struct address_set *s)
{
    free(s->v);
    *s = (struct address_set){0};
}

static int compare_address(const void *pa, const void *pb)
{
    const struct fetch_address *a = pa, *b = pb;
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return ip_cmp(a->ip, b->ip);
}

int address_set_make(const struct fetch_address *v, size_t n, struct address_set *ret)
{
    struct address_set s = {.v = calloc(n + 1, sizeof(*s.v))};
    if (!s.v)
        return -ENOMEM;
    if (n > 0)
        memcpy(s.v, v, n * sizeof(*v));
    qsort(s.v, n, sizeof(*s.v), compare_address);
    for (size_t i = 0; i < n && s.n < LIMIT_NAME_ADDRESSES; i++)
        if (s.n == 0 || compare_address(&s.v[s.n - 1], &s.v[i]) != 0)
            s.v[s.n++] = s.v[i];
    *ret = s;
    return 0;
}

static bool address_set_eq(const struct address_set *a, const struct address_set *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (compare_address(&a->v[i], &b->v[i]) != 0)
            return false;
    return true;
}

static int add_text(const struct address_set *s, const char *between, struct strbuf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        char text[IP_TEXT_BYTES];
        ip_print(s->v[i].family, s->v[i].ip, text);
        (void)strbuf_addf(out, "%s%s", i > 0 ? between : "", text); /* errors are sticky */
    }
    return out->error;
}

char *address_set_text(const struct address_set *s)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(TEXT_BYTES_MAX);
    return add_text(s, ",", &b) < 0 ? NULL : strbuf_take(&b);
}

static bool in_prefix(const struct fetch_address *a, struct ip prefix, unsigned len)
{
    return ip_eq(ip_and(a->ip, ip_mask(a->family, len)), prefix);
}

/* Registries: IANA IPv4 and IPv6 Special-Purpose Address Registry (RFC 6890), RFC 1112, RFC
 * 5771 (IPv4 multicast), RFC 4291 (IPv6). Private and shared addresses are fine: names of a
 * company's own hosts have them. */
static const struct special {
    enum family family;
    struct ip prefix;
    uint8_t len;
    bool link_local;
    const char *what;
} special[] = {
    {FAMILY_4, {0, 0}, 8, false, "unspecified"},
    {FAMILY_4, {0, 0x7f000000}, 8, false, "loopback"},
    {FAMILY_4, {0, 0xe0000000}, 4, false, "multicast"},
    {FAMILY_4, {0, 0xf0000000}, 4, false, "reserved"}, /* with 255.255.255.255 */
    {FAMILY_6, {0, 0}, 127, false, "unspecified or loopback"},
    {FAMILY_6, {0, 0xffff00000000}, 96, false, "IPv4-mapped"},
    {FAMILY_6, {0xfe80000000000000, 0}, 10, true, "link-local"},
    {FAMILY_6, {0xff00000000000000, 0}, 8, false, "multicast"},
};

const char *address_fault(const struct fetch_address *a, const struct host *h, bool link_local_ok)
{
    for (size_t i = 0; i < ARRAY_SIZE(special); i++)
        if (special[i].family == a->family && in_prefix(a, special[i].prefix, special[i].len) &&
            !(special[i].link_local && link_local_ok))
            return special[i].what;
    for (size_t i = 0; i < h->n_local; i++) {
        const struct local_route *l = &h->local[i];
        if (l->family == a->family && l->kind != LOCAL_NONE &&
            in_prefix(a, l->prefix, l->prefix_len))
            return "of this host";
    }
    return NULL;
}

/* --- table --- */
static void entry_done(struct name_entry *e)
{
    free(e->name);
    address_set_done(&e->now);
    address_set_done(&e->in_force);
}

int names_new(struct names **ret)
{
    static const struct {
        enum addr_kind kind;
        const char *word;
    } words[N_KEYWORDS] = {{ADDR_KEYWORD_DNS, "dns"},
                           {ADDR_KEYWORD_WINS, "wins"},
                           {ADDR_KEYWORD_DHCP, "dhcp"},
                           {ADDR_KEYWORD_GATEWAY, "gateway"}};
    struct names *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    for (size_t i = 0; i < N_KEYWORDS; i++) {
        t->keyword[i] = (struct name_entry){
            .name = strdup(words[i].word), .kind = words[i].kind, .resolved = true};
        if (!t->keyword[i].name) {
            names_free(t);
            return -ENOMEM;
        }
    }
    *ret = t;
    return 0;
}

struct names *names_free(struct names *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < N_KEYWORDS; i++)
        entry_done(&t->keyword[i]);
    for (size_t i = 0; i < t->n; i++) {
        entry_done(t->v[i]);
        free(t->v[i]);
    }
    free(t->v);
    free(t);
    return NULL;
}

size_t names_n(const struct names *t)
{
    return N_KEYWORDS + t->n;
}

struct name_entry *names_at(struct names *t, size_t i)
{
    return i < N_KEYWORDS ? &t->keyword[i] : t->v[i - N_KEYWORDS];
}

/* Place of the first name that is not before this one. */
static size_t position(const struct names *t, const char *name)
{
    size_t lo = 0, hi = t->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(t->v[mid]->name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct name_entry *names_find_name(const struct names *t, const char *name)
{
    size_t i = position(t, name);
    return i < t->n && strcmp(t->v[i]->name, name) == 0 ? t->v[i] : NULL;
}

static struct name_entry *find_keyword(const struct names *t, enum addr_kind kind)
{
    for (size_t i = 0; i < N_KEYWORDS; i++)
        if (t->keyword[i].kind == kind) {
            union {
                const struct name_entry *in;
                struct name_entry *out;
            } u = {&t->keyword[i]}; /* the table is the caller's, const is for the search */
            return u.out;
        }
    return NULL;
}

struct name_entry *names_find(const struct names *t, const struct addr *a)
{
    if (!t || !addr_is_resolved(a))
        return NULL;
    return a->kind == ADDR_NAME ? names_find_name(t, a->name) : find_keyword(t, a->kind);
}

int names_add(struct names *t, const char *name, struct name_entry **ret)
{
    size_t i = position(t, name);
    if (i < t->n && strcmp(t->v[i]->name, name) == 0) {
        *ret = t->v[i];
        return 0;
    }
    if (t->n >= LIMIT_NAMES)
        return -E2BIG;
    if (array_reserve(&t->v, &t->cap, t->n + 1, sizeof(struct name_entry *)) < 0)
        return -ENOMEM;
    struct name_entry *e = calloc(1, sizeof(*e));
    char *copy = strdup(name);
    if (!e || !copy) {
        free(e);
        free(copy);
        return -ENOMEM;
    }
    e->name = copy;
    e->kind = ADDR_NAME;
    memmove(t->v + i + 1, t->v + i, (t->n - i) * sizeof(struct name_entry *));
    t->v[i] = e;
    t->n++;
    *ret = e;
    return 0;
}

void names_remove(struct names *t, struct name_entry *e)
{
    size_t i = position(t, e->name);
    memmove(t->v + i, t->v + i + 1, (t->n - i - 1) * sizeof(struct name_entry *));
    t->n--;
    entry_done(e);
    free(e);
}

/* --- changes --- */
/* Takes *s over. */
static bool take_addresses(struct name_entry *e, struct address_set *s)
{
    bool same = e->resolved && address_set_eq(&e->now, s);
    if (same) {
        address_set_done(s);
        return false;
    }
    if (e->used && !e->changed) { /* what the filters in force were made from */
        address_set_done(&e->in_force);
        e->in_force = e->now;
        e->changed = true;
    } else {
        address_set_done(&e->now);
    }
    e->now = *s;
    *s = (struct address_set){0};
    e->resolved = true;
    return true;
}

static void set_failure(struct name_entry *e, const char *what, const char *more)
{
    (void)snprintf(e->failure, sizeof(e->failure), "%s%s", what, more); /* cut */
}

/* Why an answer is not believed, "" if it is. */
static void judge(struct name_entry *e, const struct fetch_answer *a, const struct host *h)
{
    e->failure[0] = '\0';
    switch (a->outcome) {
    case FETCH_ABSENT:
        set_failure(e, "no such name, or no address", "");
        return;
    case FETCH_ERROR:
        set_failure(e, a->reason, "");
        return;
    case FETCH_FOUND:
        for (size_t i = 0; i < a->n && !e->failure[0]; i++) {
            const char *fault = address_fault(&a->v[i], h, /* link_local_ok= */ false);
            if (fault)
                set_failure(e, "address is ", fault);
        }
        return;
    case _FETCH_OUTCOME_MAX:
        break;
    }
}

int names_answer(struct names *t, const struct fetch_answer *a, const struct host *h,
                 uint64_t now_ns, enum name_effect *ret, struct name_entry **ret_e)
{
    struct name_entry *e = names_find_name(t, a->name);
    char before[sizeof(e->failure)];
    *ret_e = e;
    *ret = NAME_UNKNOWN;
    if (!e)
        return 0;
    memcpy(before, e->failure, sizeof(before));
    judge(e, a, h);
    e->answered_ns = now_ns;
    if (e->failure[0]) {
        *ret = strcmp(before, e->failure) == 0 ? NAME_SAME : NAME_FAILED;
        return 0;
    }
    struct address_set s;
    int err = address_set_make(a->v, a->n, &s);
    if (err < 0)
        return err;
    *ret = take_addresses(e, &s) ? NAME_CHANGED : NAME_SAME;
    return 0;
}

bool names_set_keyword(struct names *t, enum addr_kind kind, struct address_set *s)
{
    struct name_entry *e = find_keyword(t, kind);
    bool changed = e && take_addresses(e, s);
    address_set_done(s);
    return changed;
}

bool names_has_changes(const struct names *t)
{
    for (size_t i = 0; i < N_KEYWORDS; i++)
        if (t->keyword[i].changed)
            return true;
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i]->changed)
            return true;
    return false;
}

void names_forget_change(struct name_entry *e)
{
    address_set_done(&e->in_force);
    e->changed = false;
}

void names_confirm(struct names *t, uint64_t version)
{
    for (size_t i = 0; i < names_n(t); i++)
        if (names_at(t, i)->version <= version)
            names_forget_change(names_at(t, i));
}

void names_revert(struct names *t, uint64_t version)
{
    for (size_t i = 0; i < names_n(t); i++) {
        struct name_entry *e = names_at(t, i);
        if (!e->changed || e->version > version)
            continue;
        address_set_done(&e->now);
        e->now = e->in_force;
        e->in_force = (struct address_set){0};
        e->changed = false;
        e->resolved = e->now.n > 0 || e->kind != ADDR_NAME;
    }
}

/* --- file --- */
int names_print(const struct names *t, char **ret_text)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(FILE_BYTES_MAX);
    (void)strbuf_add(&b, FILE_HEADER "\n"); /* errors are sticky */
    for (size_t i = 0; i < t->n; i++) {
        if (!t->v[i]->resolved)
            continue;
        (void)strbuf_addf(&b, "%s ", t->v[i]->name);
        (void)add_text(&t->v[i]->now, " ", &b);
        (void)strbuf_add(&b, "\n");
    }
    int err = strbuf_add(&b, FILE_END "\n"); /* a file that was cut lacks it */
    if (err < 0)
        return err;
    *ret_text = strbuf_take(&b);
    return *ret_text ? 0 : -ENOMEM;
}

/* "NAME ADDR ADDR": an answer without its first words. */
static int parse_line(struct names *t, const char *line, size_t len)
{
    const char *blank = memchr(line, ' ', len);
    struct fetch_answer a;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(2 * FETCH_LINE_BYTES);
    struct name_entry *e;
    if (!blank || len >= FETCH_LINE_BYTES)
        return -EBADMSG;
    (void)strbuf_add(&b, "found "); /* errors are sticky */
    (void)strbuf_add_n(&b, line, (size_t)(blank - line));
    (void)strbuf_add(&b, " 1");
    int err = strbuf_add_n(&b, blank, len - (size_t)(blank - line));
    if (err == 0)
        err = fetch_answer_parse(b.s, b.len, &a);
    if (err == 0)
        err = names_add(t, a.name, &e);
    if (err == 0 && e->resolved)
        err = -EBADMSG; /* twice */
    if (err == 0)
        err = address_set_make(a.v, a.n, &e->now);
    if (err == 0)
        e->resolved = true;
    return err;
}

int names_parse(struct names *t, const char *text, size_t len)
{
    bool ended = false;
    for (size_t at = 0, number = 0; at < len; number++) {
        const char *line = text + at, *end = memchr(line, '\n', len - at);
        if (!end || ended)
            return -EBADMSG;
        size_t n = (size_t)(end - line);
        at += n + 1;
        if (number == 0) {
            if (n != strlen(FILE_HEADER) || memcmp(line, FILE_HEADER, n) != 0)
                return -EBADMSG;
            continue;
        }
        ended = n == strlen(FILE_END) && memcmp(line, FILE_END, n) == 0;
        int err = ended ? 0 : parse_line(t, line, n);
        if (err < 0)
            return err == -ENOMEM ? err : -EBADMSG;
    }
    return ended ? 0 : -EBADMSG;
}
