/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_methods.c: qmsecmethods, mmsecmethods and authentication (windows.md 4).
 * Called where filter actions, policies and rules are made. Invariant: methods are stored as
 * Windows writes them and as native words that the native parser has accepted; a preshared key goes
 * to the secrets and into no message. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "methods.h"
#include "netsh.h"
#include "text/text.h"

enum { METHODS_BYTES = 4096, MAX_LIMIT = 315360000 /* of a native duration */ };

struct names {
    const char *name, *attribute, *native;
};
static const struct names ciphers[] = {
    {"NONE", "NONE", "null"}, {"DES", "DES", "des"}, {"3DES", "3DES", "3des"}};
static const struct names hashes[] = {
    {"NONE", "NONE", NULL}, {"MD5", "MD5", "md5"}, {"SHA1", "SHA1", "sha1"}};

static const struct names *find(const struct names *v, size_t n, const char *s, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(v[i].name) == len && strncasecmp(v[i].name, s, len) == 0)
            return &v[i];
    return NULL;
}

/* One offer. */
struct offer {
    bool ah;
    const struct names *cipher, *hash;
    uint32_t kbytes, seconds;
};

/* The value of qmsecmethods while it is read. */
struct reader {
    struct netsh *n;
    const struct netsh_args *a;
    struct diag *d;
    const char *at;
};

static int fail_methods(struct reader *r, const char *hint)
{
    int len = (int)strcspn(r->at, " ");
    int err = netsh_fail_value(r->n, r->a, T_QMSECMETHODS, r->d, "'%.*s' is no security method",
                               len, r->at);
    diag_hint(r->d, "%s", hint);
    r->n->error = NETSH_METHODS;
    return err;
}

static const char example[] = "for example ESP[3DES,SHA1]:50000k/900s or AH[SHA1]";

static int refuse_methods(struct reader *r, const char *why)
{
    r->n->error = NETSH_METHODS;
    int err = diag_fail(r->d, DIAG_COMBINATION, "%s", why);
    diag_hint(r->d, "use ESP with integrity: ESP[3DES,SHA1]");
    return err;
}

/* :50000k/900s */
static int read_limits(struct reader *r, struct offer *o)
{
    if (*r->at != ':')
        return 0;
    r->at++;
    do {
        uint64_t value = 0;
        const char *from = r->at;
        for (; isdigit((unsigned char)*r->at); r->at++)
            value = value <= MAX_LIMIT ? value * 10 + (uint64_t)(*r->at - '0') : value;
        int unit = tolower((unsigned char)*r->at);
        uint32_t *field = unit == 'k' ? &o->kbytes : &o->seconds;
        if (from == r->at || (unit != 'k' && unit != 's') || *field > 0 || value == 0 ||
            value > MAX_LIMIT)
            return fail_methods(r, example);
        *field = (uint32_t)value;
        r->at++;
    } while (*r->at == '/' && r->at++);
    return 0;
}

static int read_offer(struct reader *r, struct offer *o)
{
    *o = (struct offer){.ah = strncasecmp(r->at, "AH[", 3) == 0};
    if (strncasecmp(r->at, "ESP:", 4) == 0 || strncasecmp(r->at, "AH:", 3) == 0)
        return fail_methods(r, "write ESP[3DES,SHA1]:50000k/900s, with brackets");
    if (!o->ah && strncasecmp(r->at, "ESP[", 4) != 0)
        return fail_methods(r, example);
    r->at += o->ah ? 3 : 4;
    if (!o->ah) {
        size_t len = strcspn(r->at, ",] ");
        o->cipher = find(ciphers, ARRAY_SIZE(ciphers), r->at, len);
        if (!o->cipher || r->at[len] != ',')
            return fail_methods(r, "ciphers: None, DES, 3DES; then a comma and a hash");
        r->at += len + 1;
    }
    size_t len = strcspn(r->at, ",] ");
    o->hash = find(hashes, ARRAY_SIZE(hashes), r->at, len);
    if (!o->hash || r->at[len] != ']')
        return fail_methods(r, "hashes: None, MD5, SHA1");
    r->at += len + 1;
    if (*r->at == '+')
        return refuse_methods(r, "AH and ESP in one method cannot be negotiated here");
    int err = read_limits(r, o);
    if (err < 0 || (*r->at != '\0' && *r->at != ' '))
        return err < 0 ? err : fail_methods(r, example);
    if (!o->hash->native)
        return refuse_methods(r, o->ah ? "AH without a hash"
                                       : "ESP without integrity cannot be negotiated here");
    return 0;
}

static void print_raw(const struct offer *o, struct strbuf *out)
{
    (void)strbuf_add(out, out->len > 0 ? " " : ""); /* errors are sticky */
    if (o->ah)
        (void)strbuf_addf(out, "AH[%s]", o->hash->attribute);
    else
        (void)strbuf_addf(out, "ESP[%s,%s]", o->cipher->attribute, o->hash->attribute);
    if (o->kbytes > 0)
        (void)strbuf_addf(out, ":%uk", o->kbytes);
    if (o->seconds > 0)
        (void)strbuf_addf(out, "%s%us", o->kbytes > 0 ? "/" : ":", o->seconds);
}

/* A choice between AH and ESP has no native words: the first kind stands for all. */
static void print_native(const struct offer *o, const struct offer *first, struct strbuf *out)
{
    if (o->ah != first->ah)
        return;
    (void)strbuf_add(out, o == first ? (o->ah ? "ah " : "esp ") : ",");
    (void)strbuf_addf(out, "%s%s%s", o->ah ? "" : o->cipher->native, o->ah ? "" : "-",
                      o->hash->native);
}

int netsh_get_qm_methods(struct netsh *n, const struct netsh_args *a, struct diag *d,
                         char **ret_raw, char **ret_native)
{
    enum { OFFERS = 64 };
    struct reader r = {n, a, d, a->value[T_QMSECMETHODS]};
    _cleanup_(strbuf_done) struct strbuf raw = STRBUF_INIT(METHODS_BYTES);
    _cleanup_(strbuf_done) struct strbuf native = STRBUF_INIT(METHODS_BYTES);
    struct offer offers[OFFERS];
    size_t k = 0;
    int err = 0;
    *ret_raw = *ret_native = NULL;
    if (!r.at)
        return 0;
    while (err == 0 && *(r.at += strspn(r.at, " ")) != '\0') {
        if (k == OFFERS)
            return fail_methods(&r, "at most 64 methods");
        err = read_offer(&r, &offers[k]);
        if (err == 0) {
            print_raw(&offers[k], &raw);
            print_native(&offers[k], &offers[0], &native);
            k++;
        }
    }
    if (err < 0 || k == 0)
        return err < 0 ? err : fail_methods(&r, example);
    if (offers[0].kbytes > 0)
        (void)strbuf_addf(&native, " rekey %uk", offers[0].kbytes);
    if (offers[0].seconds > 0)
        (void)strbuf_addf(&native, "%s%us", offers[0].kbytes > 0 ? "/" : " rekey ",
                          offers[0].seconds);
    err = native.error < 0 ? native.error : methods_canonical(native.s, d, ret_native);
    if (err == 0)
        *ret_raw = strbuf_take(&raw);
    return err == 0 && !*ret_raw ? -ENOMEM : err;
}

/* --- main mode --- */

/* 3DES-SHA1-2: encryption, hash, group. */
static bool read_mm_method(const char *s, size_t len, struct strbuf *out)
{
    static const struct names groups[] = {{"1", "1", NULL}, {"2", "2", NULL}, {"3", "3", NULL}};
    const char *end = s + len, *dash = memchr(s, '-', len);
    const char *second = dash ? memchr(dash + 1, '-', (size_t)(end - dash - 1)) : NULL;
    if (!second)
        return false;
    const struct names *c = find(ciphers + 1, 2, s, (size_t)(dash - s));
    const struct names *h = find(hashes + 1, 2, dash + 1, (size_t)(second - dash - 1));
    const struct names *g = find(groups, 3, second + 1, (size_t)(end - second - 1));
    if (!c || !h || !g)
        return false;
    (void)strbuf_addf(out, "%s%s-%s-%s", out->len > 0 ? " " : "", c->attribute, h->attribute,
                      g->attribute);
    return true;
}

int netsh_get_mm_methods(struct netsh *n, const struct netsh_args *a, struct diag *d, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(METHODS_BYTES);
    const char *at = a->value[T_MMSECMETHODS];
    *ret = NULL;
    if (!at)
        return 0;
    while (*(at += strspn(at, " ")) != '\0') {
        size_t len = strcspn(at, " ");
        if (!read_mm_method(at, len, &out)) {
            int err = netsh_fail_value(n, a, T_MMSECMETHODS, d, "'%.*s' is no main mode method",
                                       (int)len, at);
            diag_hint(d, "for example 3DES-SHA1-2: cipher, hash, group 1 to 3");
            n->error = NETSH_METHODS;
            return err;
        }
        at += len;
    }
    *ret = strbuf_take(&out);
    return *ret ? 0 : -ENOMEM;
}

/* --- authentication --- */

/* \' stands for a quote inside rootca. */
static int print_ca(const char *s, struct strbuf *out)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    for (size_t i = 0; s[i] != '\0'; i++) {
        bool quote = s[i] == '\\' && s[i + 1] == '\'';
        (void)strbuf_add_char(&text, quote ? '"' : s[i]);
        i += quote;
    }
    (void)strbuf_add(out, "cert:");
    return text.error < 0 ? text.error : text_print_string(text.s ? text.s : "", out);
}

static int print_one_auth(struct netsh *n, const struct netsh_args *a, const struct netsh_given *g,
                          struct diag *d, struct strbuf *out)
{
    char secret[48];
    if (g->tag == T_KERBEROS) {
        bool yes = false;
        int err = netsh_get_bool(n, a, T_KERBEROS, d, &yes);
        return err < 0 || !yes ? err : strbuf_addf(out, "%skerberos", out->len > 0 ? " " : "");
    }
    if (g->value[0] == '\0') {
        /* No place: the line may hold a key. */
        return netsh_fail(n, d, NETSH_VALUE, DIAG_USAGE, "%s is empty", netsh_tag_name(g->tag));
    }
    (void)strbuf_add(out, out->len > 0 ? " " : "");
    if (g->tag == T_ROOTCA)
        return print_ca(g->value, out);
    int err = catalog_secret_add(n->t->catalog, g->value, secret);
    return err < 0 ? err : strbuf_add(out, secret);
}

int netsh_get_auth(struct netsh *n, const struct netsh_args *a, struct diag *d, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    *ret = NULL;
    for (size_t i = 0; i < a->n; i++) {
        const struct netsh_given *g = &a->v[i];
        if (g->tag != T_KERBEROS && g->tag != T_PSK && g->tag != T_ROOTCA)
            continue;
        int err = print_one_auth(n, a, g, d, &out);
        if (err < 0)
            return err;
    }
    if (out.len == 0)
        return 0;
    *ret = strbuf_take(&out);
    return *ret ? 0 : -ENOMEM;
}

/* One character of a quoted text (text_print_string()); a script has none of those that are written
 * by their number. Returns what follows. */
static const char *print_quoted_char(const char *s, struct strbuf *out)
{
    if (*s == '\\' && s[1] != '\0' && strchr("xunt", s[1])) {
        size_t digits = s[1] == 'x' ? 2 : s[1] == 'u' ? 4 : 0;
        (void)strbuf_add_char(out, ' '); /* errors are sticky */
        return s + strnlen(s, 2 + digits);
    }
    if (*s == '\\' && s[1] != '\0')
        s++;
    if (*s == '"')
        (void)strbuf_add(out, "\\'");
    else
        (void)strbuf_add_char(out, *s);
    return s + 1;
}

/* The quoted text behind cert:, as netsh takes it. Returns what follows. */
static const char *print_quoted_ca(const char *s, struct strbuf *out)
{
    (void)strbuf_add(out, " rootca=\"");
    s += *s == '"';
    while (*s != '\0' && *s != '"')
        s = print_quoted_char(s, out);
    (void)strbuf_add_char(out, '"');
    return *s == '"' ? s + 1 : s;
}

bool netsh_print_auth(const char *auth, struct strbuf *out)
{
    bool whole = true;
    for (const char *s = auth; s && *s != '\0';) {
        s += strspn(s, " ");
        if (strncmp(s, "cert:", 5) == 0) {
            s = print_quoted_ca(s + 5, out);
            continue;
        }
        size_t len = strcspn(s, " ");
        if (len == 8 && strncmp(s, "kerberos", 8) == 0)
            (void)strbuf_add(out, " kerberos=yes");
        else if (len > 0)
            whole = false;
        s += len;
    }
    return whole;
}
