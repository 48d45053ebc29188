/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/parse_method.c: what may follow "negotiate" (negotiate.md 3), and after it in canonical
 * form: each method once, in the order of the table below, suites lower case, durations as
 * duration_print() writes them, file names quoted. Called by the filter parser. Keys never
 * stand in the text, only the file that holds one. Whether a suite is weak is judged where the
 * policy's `weak` option counts, not here. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "parser.h"
#include "text/text.h"

enum { METHODS_BYTES = 4096, FILE_BYTES = 1024 };

/* Parts of a suite, by strongSwan's names. */
enum { PART_ENC = 1, PART_AEAD = 2, PART_INTEG = 4, PART_GROUP = 8, PART_PRF = 16 };
static const struct {
    const char *name;
    unsigned part;
} algorithms[] = {
    {"null", PART_ENC},
    {"des", PART_ENC},
    {"3des", PART_ENC},
    {"aes128", PART_ENC},
    {"aes192", PART_ENC},
    {"aes256", PART_ENC},
    {"aes128ctr", PART_ENC},
    {"aes192ctr", PART_ENC},
    {"aes256ctr", PART_ENC},
    {"aes128gcm8", PART_AEAD},
    {"aes128gcm12", PART_AEAD},
    {"aes128gcm16", PART_AEAD},
    {"aes192gcm16", PART_AEAD},
    {"aes256gcm8", PART_AEAD},
    {"aes256gcm12", PART_AEAD},
    {"aes256gcm16", PART_AEAD},
    {"aes128ccm16", PART_AEAD},
    {"aes256ccm16", PART_AEAD},
    {"chacha20poly1305", PART_AEAD},
    {"md5", PART_INTEG},
    {"sha1", PART_INTEG},
    {"sha", PART_INTEG},
    {"sha256", PART_INTEG},
    {"sha384", PART_INTEG},
    {"sha512", PART_INTEG},
    {"aesxcbc", PART_INTEG},
    {"prfmd5", PART_PRF},
    {"prfsha1", PART_PRF},
    {"prfsha256", PART_PRF},
    {"prfsha384", PART_PRF},
    {"prfsha512", PART_PRF},
    {"modp768", PART_GROUP},
    {"modp1024", PART_GROUP},
    {"modp1536", PART_GROUP},
    {"modp2048", PART_GROUP},
    {"modp3072", PART_GROUP},
    {"modp4096", PART_GROUP},
    {"modp6144", PART_GROUP},
    {"modp8192", PART_GROUP},
    {"ecp256", PART_GROUP},
    {"ecp384", PART_GROUP},
    {"ecp521", PART_GROUP},
    {"curve25519", PART_GROUP},
    {"x25519", PART_GROUP},
    {"curve448", PART_GROUP},
};

static unsigned algorithm_part(const char *s, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
        if (strlen(algorithms[i].name) == n && strncasecmp(algorithms[i].name, s, n) == 0)
            return algorithms[i].part;
    return 0;
}

/* What the method is given, with the places where it may stand (a bit set of parts that a
 * suite must and may have). */
struct suite_rule {
    const char *example;
    unsigned forbidden;
    bool needs_cipher, needs_integrity, needs_group;
};
static const struct suite_rule esp_rule = {"aes256gcm16 or aes128-sha256", PART_PRF, true, true,
                                           false};
static const struct suite_rule ah_rule = {"sha256", PART_ENC | PART_AEAD | PART_PRF, false, true,
                                          false};
static const struct suite_rule ike_rule = {"aes256-sha256-modp2048", 0, true, true, true};

static const char *suite_fault(const struct suite_rule *rule, unsigned parts)
{
    if (parts & rule->forbidden)
        return "has a part that does not belong there";
    if (rule->needs_cipher && !(parts & (PART_ENC | PART_AEAD)))
        return "has no cipher";
    /* An AEAD cipher brings its own integrity. */
    if (rule->needs_integrity && !(parts & (PART_INTEG | PART_AEAD)))
        return "has no integrity";
    if (rule->needs_group && !(parts & PART_GROUP))
        return "has no group";
    return NULL;
}

static int parse_suite(const char *s, size_t n, struct span at, const struct suite_rule *rule,
                       struct diag *d)
{
    unsigned parts = 0;
    char buf[SHOWN_BYTES];
    int err;
    for (size_t from = 0; from <= n;) {
        const char *dash = memchr(s + from, '-', n - from);
        size_t len = dash ? (size_t)(dash - s) - from : n - from;
        unsigned one = algorithm_part(s + from, len);
        if (one == 0) {
            err = diag_fail_at(d, DIAG_UNKNOWN_WORD, span_part(at, from, len),
                               "unknown algorithm '%s'", shown(s + from, len, buf));
            diag_hint(d, "a suite is for example %s", rule->example);
            return err;
        }
        if (parts & one) {
            err = diag_fail_at(d, DIAG_COMBINATION, span_part(at, from, len),
                               "'%s' is of a kind that the suite has already",
                               shown(s + from, len, buf));
            diag_hint(d, "separate suites by commas");
            return err;
        }
        parts |= one;
        from += len + 1;
    }
    const char *fault = suite_fault(rule, parts);
    if (!fault)
        return 0;
    err = diag_fail_at(d, DIAG_COMBINATION, at, "suite '%s' %s", shown(s, n, buf), fault);
    diag_hint(d, "a suite is for example %s", rule->example);
    return err;
}

static int parse_suites(struct parser *p, const struct suite_rule *rule, struct strbuf *out)
{
    const struct token *t = &p->tok;
    if (t->kind != TOKEN_WORD || t->word != WORD_NONE) {
        int err = parser_expected(p, "a suite of algorithms");
        if (t->kind != TOKEN_BAD)
            diag_hint(p->d, "for example %s; protocol esp is written 50 there, ah 51",
                      rule->example);
        return err;
    }
    for (size_t from = 0; from <= t->len;) {
        const char *comma = memchr(t->s + from, ',', t->len - from);
        size_t len = comma ? (size_t)(comma - t->s) - from : t->len - from;
        int err = parse_suite(t->s + from, len, span_part(t->span, from, len), rule, p->d);
        if (err < 0)
            return err;
        from += len + 1;
    }
    for (size_t i = 0; i < t->len; i++)
        (void)strbuf_add_char(out, (char)tolower((unsigned char)t->s[i])); /* sticky */
    parser_advance(p);
    return 0;
}

static int parse_esp(struct parser *p, struct strbuf *out)
{
    return parse_suites(p, &esp_rule, out);
}

static int parse_ah(struct parser *p, struct strbuf *out)
{
    return parse_suites(p, &ah_rule, out);
}

static int parse_ike(struct parser *p, struct strbuf *out)
{
    return parse_suites(p, &ike_rule, out);
}

static int parse_lifetime(struct parser *p, struct strbuf *out)
{
    uint32_t s;
    char text[DURATION_TEXT_BYTES];
    int err = parser_duration(p, &s);
    if (err < 0)
        return err;
    duration_print(s, text);
    (void)strbuf_add(out, text);
    return 0;
}

/* 5000k/3600s, 5000k or 3600s. */
static int parse_rekey(struct parser *p, struct strbuf *out)
{
    const struct token *t = &p->tok;
    size_t k = 0;
    while (t->kind == TOKEN_WORD && k < t->len && t->s[k] >= '0' && t->s[k] <= '9')
        k++;
    if (t->kind != TOKEN_WORD || k == 0 || k == t->len || t->s[k] != 'k')
        return parse_lifetime(p, out);
    uint32_t kbytes;
    const uint32_t most = 1000000000; /* 1 TB; VICI's rekey_bytes holds it with ease */
    if (!read_number(t->s, k, most, &kbytes) || kbytes == 0 || kbytes > most) {
        int err = diag_fail_at(p->d, DIAG_SYNTAX, span_part(t->span, 0, k + 1),
                               "volume for rekey is out of range");
        diag_hint(p->d, "1k to %uk", most);
        return err;
    }
    (void)strbuf_addf(out, "%uk", kbytes);
    if (t->len > k + 1) {
        uint32_t s;
        char text[DURATION_TEXT_BYTES];
        if (t->s[k + 1] != '/') {
            int err = diag_fail_at(p->d, DIAG_SYNTAX, t->span, "unknown form of rekey");
            diag_hint(p->d, "for example 5000k/1h, 5000k or 1h");
            return err;
        }
        int err = duration_parse(t->s + k + 2, t->len - k - 2,
                                 span_part(t->span, k + 2, t->len - k - 2), p->d, &s);
        if (err < 0)
            return err;
        duration_print(s, text);
        (void)strbuf_addf(out, "/%s", text);
    }
    parser_advance(p);
    return 0;
}

/* The group is optional: the next word is one if it is the name of a group. */
static int parse_pfs(struct parser *p, struct strbuf *out)
{
    if (p->tok.kind != TOKEN_WORD || algorithm_part(p->tok.s, p->tok.len) != PART_GROUP)
        return 0;
    for (size_t i = 0; i < p->tok.len; i++)
        (void)strbuf_add_char(out, (char)tolower((unsigned char)p->tok.s[i]));
    parser_advance(p);
    return 0;
}

static int parse_auth(struct parser *p, struct strbuf *out)
{
    static const struct string_rule rule = {
        "a file name", "auth psk file \"/etc/portward/psk\"", FILE_BYTES, true, false, false};
    bool psk = parser_at(p, WORD_PSK);
    _cleanup_free_ char *file = NULL;
    int err = psk ? parser_expect(p, WORD_PSK, CTX_AUTH_VALUE)
                  : parser_expect(p, WORD_CERT, CTX_AUTH_VALUE);
    if (err == 0)
        err = psk ? parser_expect(p, WORD_FILE, CTX_AUTH_FILE)
                  : parser_expect(p, WORD_CA, CTX_AUTH_CA);
    if (err == 0)
        err = parser_string(p, &rule, &file);
    if (err < 0)
        return err;
    (void)strbuf_add(out, psk ? "psk file " : "cert ca ");
    (void)text_print_string(file, out);
    return 0;
}

static int parse_tunnel(struct parser *p, struct strbuf *out)
{
    enum family family;
    struct ip ip;
    char text[IP_TEXT_BYTES];
    int err = parser_expect(p, WORD_TO, CTX_TO);
    if (err < 0)
        return err;
    if (p->tok.kind != TOKEN_WORD || p->tok.word != WORD_NONE) {
        err = parser_expected(p, "the address of the other end");
        if (p->tok.kind != TOKEN_BAD)
            diag_hint(p->d, "for example: tunnel to 192.0.2.1");
        return err;
    }
    err = parse_host(p->tok.s, p->tok.len, p->tok.span, p->d, &family, &ip);
    if (err < 0)
        return err;
    ip_print(family, ip, text);
    (void)strbuf_addf(out, "to %s", text);
    parser_advance(p);
    return 0;
}

static int parse_nothing(struct parser *p, struct strbuf *out)
{
    (void)p;
    (void)out;
    return 0;
}

/* In canonical order. */
static const struct method {
    enum word word;
    const char *text;
    int (*parse)(struct parser *p, struct strbuf *out);
} methods[] = {
    {WORD_ESP, "esp", parse_esp},
    {WORD_AH, "ah", parse_ah},
    {WORD_REKEY, "rekey", parse_rekey},
    {WORD_PFS, "pfs", parse_pfs},
    {WORD_IKE, "ike", parse_ike},
    {WORD_IKE_LIFE, "ike-life", parse_lifetime},
    {WORD_IKE_PFS, "ike-pfs", parse_nothing},
    {WORD_AUTH, "auth", parse_auth},
    {WORD_TUNNEL, "tunnel", parse_tunnel},
    {WORD_SOFT, "soft", parse_lifetime},
    {WORD_EAGER, "eager", parse_nothing},
};
enum { METHOD_ESP = 0, METHOD_AH = 1 };

/* What was read: the arguments of each method and the place of its word. */
struct read {
    struct strbuf args[ARRAY_SIZE(methods)];
    struct span at[ARRAY_SIZE(methods)]; /* line 0: not given */
};

static void read_done(struct read *r)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        strbuf_done(&r->args[i]);
}

static int parse_method(struct parser *p, size_t i, struct read *r)
{
    struct span at = p->tok.span;
    if (r->at[i].line > 0) {
        int err = diag_fail_at(p->d, DIAG_COMBINATION, at, "'%s' given twice", methods[i].text);
        diag_add_span(p->d, r->at[i]);
        diag_hint(p->d, "remove one of them");
        return err;
    }
    size_t other = i == METHOD_ESP ? METHOD_AH : i == METHOD_AH ? METHOD_ESP : i;
    if (r->at[other].line > 0) {
        int err = diag_fail_at(p->d, DIAG_COMBINATION, at, "esp and ah exclude each other");
        diag_add_span(p->d, r->at[other]);
        diag_hint(p->d, "use esp with integrity, for example %s", esp_rule.example);
        return err;
    }
    parser_advance(p);
    r->at[i] = at;
    return methods[i].parse(p, &r->args[i]);
}

static int print_methods(const struct read *r, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(METHODS_BYTES);
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (r->at[i].line == 0)
            continue;
        if (r->args[i].error < 0)
            return r->args[i].error;
        (void)strbuf_addf(&out, "%s%s%s%s", out.len > 0 ? " " : "", methods[i].text,
                          r->args[i].len > 0 ? " " : "", r->args[i].len > 0 ? r->args[i].s : "");
    }
    if (out.error < 0)
        return out.error;
    if (out.len == 0) {
        *ret = NULL;
        return 0;
    }
    *ret = strbuf_take(&out);
    return *ret ? 0 : -ENOMEM;
}

int parse_methods(struct parser *p, char **ret)
{
    _cleanup_(read_done) struct read r = {0};
    struct span at = p->tok.span;
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        r.args[i].max = METHODS_BYTES;
    while (p->tok.kind == TOKEN_WORD && word_fits(p->tok.word, CTX_METHOD)) {
        size_t i = 0;
        while (methods[i].word != p->tok.word)
            i++;
        int err = parse_method(p, i, &r);
        if (err < 0)
            return err;
    }
    int err = print_methods(&r, ret);
    if (err != -E2BIG)
        return err;
    err = diag_fail_at(p->d, DIAG_LIMIT, at, "methods are longer than %d bytes", METHODS_BYTES);
    diag_hint(p->d, "leave out some suites");
    return err;
}
