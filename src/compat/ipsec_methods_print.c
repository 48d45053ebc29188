/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_methods_print.c: the native words after `negotiate` as words of ipseccmd: -n and the
 * switches that belong to it. Called by the writer of scripts. What that tool had no word for
 * (newer ciphers, eager) is refused. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "ipsec_internal.h"

struct word {
    const char *s;
    size_t n;
};

/* Canonical words of the native printer, separated by single blanks. */
struct printer {
    const char *at;
    struct word suites; /* behind esp or ah */
    bool ah;
    uint32_t kbytes, seconds; /* rekey */
    const char *pfs;          /* "", "P", "P1", "P2" */
    struct strbuf others;     /* further switches */
};

static struct word next(struct printer *p)
{
    size_t n = strcspn(p->at, " ");
    struct word w = {p->at, n};
    p->at += n + strspn(p->at + n, " ");
    return w;
}

static bool is(struct word w, const char *s)
{
    return strlen(s) == w.n && memcmp(w.s, s, w.n) == 0;
}

static int read_duration(struct word w, uint32_t *ret)
{
    struct diag ignored;
    return duration_parse(w.s, w.n, (struct span){0}, &ignored, ret) < 0 ? -EOPNOTSUPP : 0;
}

static int take_suites(struct printer *p, bool ah)
{
    p->ah = ah;
    p->suites = next(p);
    return 0;
}

static int take_esp(struct printer *p)
{
    return take_suites(p, false);
}

static int take_ah(struct printer *p)
{
    return take_suites(p, true);
}

static int take_rekey(struct printer *p)
{
    struct word w = next(p);
    size_t digits = strspn(w.s, "0123456789");
    if (digits < w.n && w.s[digits] == 'k') {
        p->kbytes = (uint32_t)strtoul(w.s, NULL, 10); /* at most 10^9 */
        size_t used = digits + 1 + (digits + 1 < w.n);
        w = (struct word){w.s + used, w.n - used};
    }
    return w.n > 0 ? read_duration(w, &p->seconds) : 0;
}

static int take_pfs(struct printer *p)
{
    struct printer ahead = *p; /* only to look */
    struct word w = next(&ahead);
    p->pfs = is(w, "modp768") ? "P1" : is(w, "modp1024") ? "P2" : "P";
    if (p->pfs[1])
        (void)next(p);
    return strncmp(p->at, "modp", 4) == 0 || strncmp(p->at, "ecp", 3) == 0 ||
                   strncmp(p->at, "x25519", 6) == 0 || strncmp(p->at, "curve", 5) == 0
               ? -EOPNOTSUPP
               : 0;
}

/* 3des-sha1-modp1024,... */
static int take_ike(struct printer *p)
{
    static const struct {
        const char *native, *word;
    } parts[] = {{"des", "DES"}, {"3des", "3DES"}, {"md5", "MD5"},    {"sha1", "SHA"},
                 {"sha", "SHA"}, {"modp768", "1"}, {"modp1024", "2"}, {"modp2048", "3"}};
    struct word w = next(p);
    (void)strbuf_add(&p->others, " -1s "); /* errors are sticky */
    for (size_t from = 0; from < w.n;) {
        size_t n = strcspn(w.s + from, "-, "), i = 0;
        if (n > w.n - from)
            n = w.n - from;
        while (i < ARRAY_SIZE(parts) && !is((struct word){w.s + from, n}, parts[i].native))
            i++;
        if (i == ARRAY_SIZE(parts))
            return -EOPNOTSUPP;
        (void)strbuf_add(&p->others, parts[i].word);
        if (from + n < w.n)
            (void)strbuf_add_char(&p->others, w.s[from + n] == ',' ? ' ' : '-');
        from += n + 1;
    }
    return 0;
}

static int take_ike_life(struct printer *p)
{
    uint32_t s = 0;
    int err = read_duration(next(p), &s);
    (void)strbuf_addf(&p->others, " -1k %uS", s);
    return err;
}

static int take_ike_pfs(struct printer *p)
{
    (void)strbuf_add(&p->others, " -1p");
    return 0;
}

static int take_tunnel(struct printer *p)
{
    (void)next(p); /* to */
    struct word w = next(p);
    (void)strbuf_addf(&p->others, " -t %.*s", (int)w.n, w.s);
    return 0;
}

static int take_soft(struct printer *p)
{
    uint32_t s = 0;
    int err = read_duration(next(p), &s);
    (void)strbuf_add(&p->others, " -soft");
    if (s != 300) /* the default */
        (void)strbuf_addf(&p->others, " -1e %u", s);
    return err;
}

static const struct {
    const char *word;
    int (*take)(struct printer *p);
} methods[] = {
    {"esp", take_esp},         {"ah", take_ah},         {"rekey", take_rekey},
    {"pfs", take_pfs},         {"ike", take_ike},       {"ike-life", take_ike_life},
    {"ike-pfs", take_ike_pfs}, {"tunnel", take_tunnel}, {"soft", take_soft},
};

static int print_suite(const struct printer *p, struct word w, struct strbuf *out,
                       struct strbuf *attribute)
{
    static const struct {
        const char *native, *word, *attribute;
        bool ah;
    } suites[] = {
        {"md5", "AH[MD5]", "AH[MD5]", true},
        {"sha1", "AH[SHA]", "AH[SHA1]", true},
        {"null-md5", "ESP[NONE,MD5]", "ESP[NONE,MD5]", false},
        {"null-sha1", "ESP[NONE,SHA]", "ESP[NONE,SHA1]", false},
        {"des-md5", "ESP[DES,MD5]", "ESP[DES,MD5]", false},
        {"des-sha1", "ESP[DES,SHA]", "ESP[DES,SHA1]", false},
        {"3des-md5", "ESP[3DES,MD5]", "ESP[3DES,MD5]", false},
        {"3des-sha1", "ESP[3DES,SHA]", "ESP[3DES,SHA1]", false},
    };
    const char *slash = p->kbytes > 0 ? "/" : "";
    size_t i = 0;
    while (i < ARRAY_SIZE(suites) && (suites[i].ah != p->ah || !is(w, suites[i].native)))
        i++;
    if (i == ARRAY_SIZE(suites))
        return -EOPNOTSUPP;
    (void)strbuf_addf(out, "%s%s", out->len > 0 ? " " : "", suites[i].word); /* errors are sticky */
    (void)strbuf_addf(attribute, "%s%s%s", attribute->len > 0 ? " " : "", suites[i].attribute,
                      p->kbytes > 0 || p->seconds > 0 ? ":" : "");
    if (p->kbytes > 0) {
        (void)strbuf_addf(out, "%uK", p->kbytes);
        (void)strbuf_addf(attribute, "%uk", p->kbytes);
    }
    if (p->seconds > 0) {
        (void)strbuf_addf(out, "%s%uS", slash, p->seconds);
        (void)strbuf_addf(attribute, "%s%us", slash, p->seconds);
    }
    (void)strbuf_add(out, p->pfs);
    return out->error < 0 ? out->error : attribute->error;
}

int ipsec_methods_print(const char *native, struct strbuf *out, struct strbuf *attribute)
{
    struct printer p = {.at = native ? native : "", .pfs = "", .others = STRBUF_INIT(4096)};
    int err = 0;
    while (err == 0 && *p.at) {
        struct word w = next(&p);
        size_t i = 0;
        while (i < ARRAY_SIZE(methods) && !is(w, methods[i].word))
            i++;
        err = i < ARRAY_SIZE(methods) ? methods[i].take(&p) : -EOPNOTSUPP;
    }
    /* The default list of native rules is not the one of that tool. */
    if (err == 0 && p.suites.n == 0)
        err = -EOPNOTSUPP;
    for (size_t from = 0; err == 0 && from < p.suites.n;) {
        const char *comma = memchr(p.suites.s + from, ',', p.suites.n - from);
        size_t n = comma ? (size_t)(comma - p.suites.s) - from : p.suites.n - from;
        err = print_suite(&p, (struct word){p.suites.s + from, n}, out, attribute);
        from += n + 1;
    }
    if (err == 0 && p.others.error < 0)
        err = p.others.error;
    if (err == 0 && p.others.len > 0)
        err = strbuf_add(out, p.others.s);
    strbuf_done(&p.others);
    return err;
}
