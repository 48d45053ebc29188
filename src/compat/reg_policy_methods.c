/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg_policy_methods.c: security methods of the registry's objects as text, and back.
 * Called by the reader and the writer of policies. Invariant: an offer that has no words is left
 * out and said so; it is never written as a weaker one. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "methods.h"
#include "reg_policy.h"
#include "text/text.h"

/* Numbers of windows.md 15.1. */
struct code {
    uint32_t number;
    const char *word, *native;
};
static const struct code ciphers[] = {{1, "NONE", "null"}, {2, "DES", "des"}, {3, "3DES", "3des"}};
static const struct code hashes[] = {{1, "MD5", "md5"}, {2, "SHA1", "sha1"}};
static const struct code main_ciphers[] = {{1, "DES", NULL}, {3, "3DES", NULL}};
static const struct code groups[] = {{1, "1", NULL}, {2, "2", NULL}, {0x10000001, "3", NULL}};

static const struct code *by_number(const struct code *v, size_t n, uint32_t number)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].number == number)
            return &v[i];
    return NULL;
}

static const struct code *by_word(const struct code *v, size_t n, const char *s, size_t len,
                                  bool native)
{
    for (size_t i = 0; i < n; i++) {
        const char *word = native ? v[i].native : v[i].word;
        if (strlen(word) == len && memcmp(word, s, len) == 0)
            return &v[i];
    }
    return NULL;
}
/* "" if it has no word; callers have asked has_words() before. */
static const char *spell(const struct code *c, bool native)
{
    return !c ? "" : native ? c->native : c->word;
}
#define NUMBER(table, number)       by_number(table, ARRAY_SIZE(table), number)
#define WORD(table, s, len, native) by_word(table, ARRAY_SIZE(table), s, len, native)

int reg_methods_add(struct blob_negotiation *b, const struct blob_offer *o)
{
    struct blob_offer *v = reallocarray(b->offers, b->n_offers + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    b->offers = v;
    v[b->n_offers++] = *o;
    return 0;
}

/* --- offers as text --- */
static bool has_words(const struct blob_offer *o)
{
    const struct blob_algorithm *a = &o->algorithm[0];
    if (o->n_algorithms != 1)
        return false;
    if (a->operation == OPERATION_AH)
        return NUMBER(hashes, a->algorithm) != NULL;
    return a->operation == OPERATION_ESP && NUMBER(ciphers, a->algorithm) &&
           NUMBER(hashes, a->integrity);
}

static void print_offer(const struct blob_offer *o, struct strbuf *out)
{
    const struct blob_algorithm *a = &o->algorithm[0];
    (void)strbuf_add(out, out->len > 0 ? " " : ""); /* errors are sticky */
    if (a->operation == OPERATION_AH)
        (void)strbuf_addf(out, "AH[%s]", spell(NUMBER(hashes, a->algorithm), false));
    else
        (void)strbuf_addf(out, "ESP[%s,%s]", spell(NUMBER(ciphers, a->algorithm), false),
                          spell(NUMBER(hashes, a->integrity), false));
    if (o->kilobytes > 0)
        (void)strbuf_addf(out, ":%uk", o->kilobytes);
    if (o->seconds > 0)
        (void)strbuf_addf(out, "%c%us", o->kilobytes > 0 ? '/' : ':', o->seconds);
}

/* A choice between AH and ESP has no native words: the first kind stands for all. */
static void print_native(const struct blob_offer *o, const struct blob_offer *first,
                         struct strbuf *out)
{
    const struct blob_algorithm *a = &o->algorithm[0];
    bool ah = a->operation == OPERATION_AH;
    if (a->operation != first->algorithm[0].operation)
        return;
    (void)strbuf_add(out, out->len > 0 ? "," : ah ? "ah " : "esp ");
    if (ah)
        (void)strbuf_add(out, spell(NUMBER(hashes, a->algorithm), true));
    else
        (void)strbuf_addf(out, "%s-%s", spell(NUMBER(ciphers, a->algorithm), true),
                          spell(NUMBER(hashes, a->integrity), true));
}

int reg_methods_print(const struct blob_negotiation *b, char **ret_raw, char **ret_native,
                      bool *ret_lost)
{
    _cleanup_(strbuf_done) struct strbuf raw = STRBUF_INIT(64 * 1024 - 1);
    _cleanup_(strbuf_done) struct strbuf native = STRBUF_INIT(METHODS_BYTES);
    const struct blob_offer *first = NULL;
    struct diag ignored;
    *ret_raw = *ret_native = NULL;
    *ret_lost = false;
    for (size_t i = 0; i < b->n_offers; i++) {
        const struct blob_offer *o = &b->offers[i];
        if (!has_words(o)) {
            *ret_lost = *ret_lost || o->n_algorithms > 0;
            continue;
        }
        first = first ? first : o;
        print_offer(o, &raw);
        print_native(o, first, &native);
    }
    if (!first)
        return 0;
    if (first->kilobytes > 0)
        (void)strbuf_addf(&native, " rekey %uk", first->kilobytes);
    if (first->seconds > 0)
        (void)strbuf_addf(&native, "%s%us", first->kilobytes > 0 ? "/" : " rekey ", first->seconds);
    int err = raw.error == -ENOMEM || native.error == -ENOMEM ? -ENOMEM : 0;
    if (err == 0 && (raw.error < 0 || native.error < 0 ||
                     methods_canonical(native.s, &ignored, ret_native) < 0))
        *ret_lost = true;
    if (err == 0 && raw.error == 0) {
        *ret_raw = strbuf_take(&raw);
        err = *ret_raw ? 0 : -ENOMEM;
    }
    return err;
}

/* --- text as offers --- */
static bool read_number(const char **s, uint32_t *ret)
{
    uint64_t v = 0;
    const char *from = *s;
    for (; isdigit((unsigned char)**s) && v <= UINT32_MAX; (*s)++)
        v = v * 10 + (uint64_t)(**s - '0');
    *ret = (uint32_t)v;
    return *s > from && v <= UINT32_MAX;
}

/* "ESP[3DES,SHA1]:50000k/900s" up to a blank; false if it has no offer. */
static bool parse_offer(const char *s, size_t len, struct blob_offer *o)
{
    const char *end = s + len;
    bool ah = len > 3 && memcmp(s, "AH[", 3) == 0;
    if (!ah && (len <= 4 || memcmp(s, "ESP[", 4) != 0))
        return false;
    s += ah ? 3 : 4;
    struct blob_algorithm a = {.operation = ah ? OPERATION_AH : OPERATION_ESP};
    if (!ah) {
        size_t n = strcspn(s, ",] ");
        const struct code *c = WORD(ciphers, s, n, false);
        if (!c || s[n] != ',')
            return false;
        a.algorithm = c->number;
        s += n + 1;
    }
    size_t n = strcspn(s, "] ");
    const struct code *h = WORD(hashes, s, n, false);
    if (!h || s[n] != ']')
        return false;
    *(ah ? &a.algorithm : &a.integrity) = h->number;
    s += n + 1;
    *o = (struct blob_offer){.n_algorithms = 1, .algorithm = {a}};
    while (s < end && (*s == ':' || *s == '/')) {
        uint32_t number;
        s++;
        if (!read_number(&s, &number) || (*s != 'k' && *s != 's'))
            return false;
        *(*s == 'k' ? &o->kilobytes : &o->seconds) = number;
        s++;
    }
    return s == end;
}

/* "3des-sha1" or "sha1". */
static bool parse_suite(const char *s, size_t len, bool ah, struct blob_offer *o)
{
    struct blob_algorithm a = {.operation = ah ? OPERATION_AH : OPERATION_ESP};
    const char *dash = ah ? NULL : memchr(s, '-', len);
    if (!ah) {
        const struct code *c = dash ? WORD(ciphers, s, (size_t)(dash - s), true) : NULL;
        if (!c)
            return false;
        a.algorithm = c->number;
        len -= (size_t)(dash + 1 - s);
        s = dash + 1;
    }
    const struct code *h = WORD(hashes, s, len, true);
    if (!h)
        return false;
    *(ah ? &a.algorithm : &a.integrity) = h->number;
    o->n_algorithms = 1;
    o->algorithm[0] = a;
    return true;
}

struct native {
    const char *suites; /* behind esp or ah */
    bool ah, lost;
    uint32_t kilobytes, seconds;
};

/* "5000k/1h" */
static bool parse_rekey(const char *s, size_t len, struct native *n)
{
    struct diag ignored;
    size_t digits = strspn(s, "0123456789");
    if (digits < len && s[digits] == 'k') {
        n->kilobytes = (uint32_t)strtoul(s, NULL, 10);
        size_t used = digits + 1 + (digits + 1 < len);
        s += used;
        len -= used;
    }
    return len == 0 || duration_parse(s, len, (struct span){0}, &ignored, &n->seconds) == 0;
}

static struct native parse_native(const char *s)
{
    struct native n = {.suites = NULL};
    while (*(s += strspn(s, " ")) != '\0') {
        size_t len = strcspn(s, " ");
        const char *next = s + len + strspn(s + len, " ");
        size_t next_len = strcspn(next, " ");
        n.ah = n.ah || (len == 2 && memcmp(s, "ah", 2) == 0);
        if ((len == 3 && memcmp(s, "esp", 3) == 0) || (len == 2 && memcmp(s, "ah", 2) == 0))
            n.suites = next;
        else if (len == 5 && memcmp(s, "rekey", 5) == 0)
            n.lost = !parse_rekey(next, next_len, &n) || n.lost;
        else {
            n.lost = true;
            next_len = 0;
        }
        s = next + next_len;
    }
    return n;
}

static int add_native(const char *native, struct blob_negotiation *b, bool *ret_lost)
{
    struct native n = parse_native(native);
    *ret_lost = n.lost;
    for (const char *s = n.suites; s && *s != '\0' && *s != ' ';) {
        size_t len = strcspn(s, ", ");
        struct blob_offer o = {.kilobytes = n.kilobytes, .seconds = n.seconds};
        if (!parse_suite(s, len, n.ah, &o))
            *ret_lost = true;
        else if (reg_methods_add(b, &o) < 0)
            return -ENOMEM;
        s += len + (s[len] == ',');
    }
    return 0;
}

int reg_methods_parse(const char *raw, const char *native, struct blob_negotiation *b,
                      bool *ret_lost)
{
    *ret_lost = false;
    if (!raw)
        return native ? add_native(native, b, ret_lost) : 0;
    while (*(raw += strspn(raw, " ")) != '\0') {
        size_t len = strcspn(raw, " ");
        struct blob_offer o;
        if (!parse_offer(raw, len, &o))
            *ret_lost = true;
        else if (reg_methods_add(b, &o) < 0)
            return -ENOMEM;
        raw += len;
    }
    return 0;
}

/* --- main mode --- */
int reg_main_mode_print(const struct blob_isakmp *b, struct strbuf *out, bool *ret_lost)
{
    *ret_lost = false;
    for (size_t i = 0; i < b->n_offers; i++) {
        const struct blob_main_mode_offer *o = &b->offers[i];
        const struct code *c = NUMBER(main_ciphers, o->encryption), *h = NUMBER(hashes, o->hash);
        const struct code *g = NUMBER(groups, o->group);
        if (c && h && g)
            (void)strbuf_addf(out, "%s%s-%s-%s", out->len > 0 ? " " : "", c->word, h->word,
                              g->word);
        else
            *ret_lost = true;
    }
    return out->error;
}

int reg_main_mode_parse(const char *methods, struct blob_isakmp *b, bool *ret_lost)
{
    *ret_lost = false;
    while (*(methods += strspn(methods, " ")) != '\0') {
        size_t len = strcspn(methods, " "), c_len = strcspn(methods, "- ");
        const char *hash = methods + c_len + (methods[c_len] == '-');
        size_t h_len = strcspn(hash, "- ");
        const char *group = hash + h_len + (hash[h_len] == '-');
        const struct code *c = WORD(main_ciphers, methods, c_len, false);
        const struct code *h = WORD(hashes, hash, h_len, false);
        const struct code *g = WORD(groups, group, strcspn(group, " "), false);
        methods += len;
        if (!c || !h || !g) {
            *ret_lost = true;
            continue;
        }
        struct blob_main_mode_offer *v = reallocarray(b->offers, b->n_offers + 1, sizeof(*v));
        if (!v)
            return -ENOMEM;
        b->offers = v;
        v[b->n_offers++] = (struct blob_main_mode_offer){.encryption = c->number,
                                                         .hash = h->number,
                                                         .group = g->number,
                                                         .qm_limit = b->qm_limit,
                                                         .seconds = b->mm_life_s};
    }
    return 0;
}
