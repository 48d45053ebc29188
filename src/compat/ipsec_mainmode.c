/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_mainmode.c: what ipsecpol and ipseccmd say about main mode and the peer: -1s, -1k,
 * -1p, -1e, -soft, -a, -t. Stored for the negotiation engine, without effect on packets. Called
 * where a rule or a policy gets its attributes. Invariant: a preshared key goes to the secrets and
 * into no message. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "ipsec_internal.h"
#include "text/text.h"

enum { ATTRIBUTE_BYTES = 16 * 1024, MAX_LIMIT = 315360000 /* of a native duration */ };

struct part {
    const char *name, *attribute, *native;
};
static const struct part ciphers[] = {{"DES", "DES", "des"}, {"3DES", "3DES", "3des"}};
static const struct part hashes[] = {
    {"MD5", "MD5", "md5"}, {"SHA", "SHA1", "sha1"}, {"SHA1", "SHA1", "sha1"}};
static const struct part groups[] = {
    {"1", "1", "modp768"}, {"2", "2", "modp1024"}, {"3", "3", "modp2048"}};
static const struct {
    const struct part *parts;
    size_t n;
    const char *what, *want;
} kinds[] = {
    {ciphers, ARRAY_SIZE(ciphers), "encryption", "DES or 3DES"},
    {hashes, ARRAY_SIZE(hashes), "hash", "MD5 or SHA"},
    {groups, ARRAY_SIZE(groups), "group", "1, 2 or 3"},
};

void ipsec_main_mode_done(struct ipsec_main_mode *m)
{
    free(m->methods);
    free(m->suites);
    *m = (struct ipsec_main_mode){0};
}

/* 3DES-SHA-2. */
static int parse_method(struct tool_run *t, const char *word, struct diag *d, struct strbuf *text,
                        struct strbuf *native)
{
    const char *at = word;
    const char *separator = text->len > 0 ? " " : "", *comma = text->len > 0 ? "," : "";
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        size_t n = strcspn(at, "-");
        const struct part *found = NULL;
        for (size_t i = 0; i < kinds[k].n; i++)
            if (strlen(kinds[k].parts[i].name) == n &&
                strncasecmp(kinds[k].parts[i].name, at, n) == 0)
                found = &kinds[k].parts[i];
        bool last = k + 1 == ARRAY_SIZE(kinds);
        if (!found || (at[n] != '-' && !last) || (at[n] && last)) {
            int err = tool_fail_at(t, d, word, (size_t)(at - word), n > 0 ? n : 1, DIAG_USAGE,
                                   "'%s' has no %s there", word, kinds[k].what);
            diag_hint(d, "%s; a method is for example 3DES-SHA-2", kinds[k].want);
            return err;
        }
        (void)strbuf_addf(text, "%s%s", k > 0 ? "-" : separator, found->attribute);
        (void)strbuf_addf(native, "%s%s", k > 0 ? "-" : comma, found->native);
        at += n + !last;
    }
    return text->error < 0 ? text->error : native->error;
}

/* "10Q/3600S", each once, in any order. */
static int parse_rekey(struct tool_run *t, const char *word, struct diag *d,
                       struct ipsec_main_mode *m)
{
    const char *at = word;
    do {
        const char *from = at;
        uint64_t number = 0;
        for (; isdigit((unsigned char)*at); at++)
            if (number <= MAX_LIMIT)
                number = number * 10 + (uint64_t)(*at - '0');
        int unit = tolower((unsigned char)*at);
        uint32_t *field = unit == 'q' ? &m->quick_modes : &m->seconds;
        bool wrong = at == from || (unit != 'q' && unit != 's') || *field > 0;
        if (wrong || number == 0 || number > MAX_LIMIT) {
            int err = tool_fail_at(
                t, d, word, (size_t)(from - word), *from ? strlen(from) : 1, DIAG_USAGE,
                wrong ? "'%s' is no limit of main mode" : "limit of main mode '%s' is out of range",
                word);
            diag_hint(d, "for example 10Q/3600S: 10 quick modes or 3600 seconds");
            return err;
        }
        *field = (uint32_t)number;
        at++;
        if (*at == '/' && at[1])
            at++;
    } while (*at);
    return 0;
}

static int parse_soft_sa(struct tool_run *t, const char *word, struct diag *d, uint32_t *ret)
{
    size_t n = strspn(word, "0123456789");
    uint64_t seconds = n > 0 && n < 10 && !word[n] ? strtoull(word, NULL, 10) : 0;
    if (seconds == 0 || seconds > MAX_LIMIT) {
        int err = ipsec_fail(t, d, word, "'%s' is no number of seconds", word);
        diag_hint(d, "for example -1e 300");
        return err;
    }
    *ret = (uint32_t)seconds;
    return 0;
}

int ipsec_main_mode_parse(struct tool_run *t, const struct ipsec_args *a, struct diag *d,
                          struct ipsec_main_mode *ret)
{
    _cleanup_(ipsec_main_mode_done) struct ipsec_main_mode out = {0};
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(ATTRIBUTE_BYTES);
    _cleanup_(strbuf_done) struct strbuf native = STRBUF_INIT(ATTRIBUTE_BYTES);
    const struct ipsec_words *w = &a->values[SW_MM_METHOD];
    int err = 0;
    for (size_t i = 0; err == 0 && i < w->n; i++)
        err = parse_method(t, w->v[i], d, &text, &native);
    if (err == 0 && ipsec_given(a, SW_MM_REKEY))
        err = parse_rekey(t, ipsec_value(a, SW_MM_REKEY), d, &out);
    if (err == 0 && ipsec_given(a, SW_SOFT_SA))
        err = parse_soft_sa(t, ipsec_value(a, SW_SOFT_SA), d, &out.soft_sa);
    if (err < 0)
        return err;
    if (w->n > 0) {
        out.methods = strbuf_take(&text);
        out.suites = strbuf_take(&native);
        if (!out.methods || !out.suites)
            return -ENOMEM;
    }
    out.pfs = ipsec_given(a, SW_MM_PFS);
    out.soft = ipsec_given(a, SW_SOFT);
    *ret = out;
    out = (struct ipsec_main_mode){0};
    return 0;
}

static const char *const auth_names[] = {"KERBEROS", "PRESHARE", "CERT"};
enum { AUTH_KERBEROS, AUTH_CERT = 2 };

/* By its beginning; the value behind the colon, without the quotes that a shell may have left. */
static int split_auth(const char *word, char **ret_value)
{
    size_t n = strcspn(word, ":");
    int which = -1;
    *ret_value = NULL;
    for (size_t i = 0; n > 0 && i < ARRAY_SIZE(auth_names); i++)
        if (n <= strlen(auth_names[i]) && strncasecmp(auth_names[i], word, n) == 0)
            which = (int)i;
    if (which < 0 || !word[n])
        return which;
    const char *value = word + n + 1;
    size_t len = strlen(value);
    if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
        value++;
        len -= 2;
    }
    *ret_value = strndup(value, len);
    return *ret_value ? which : -ENOMEM;
}

static bool is_printable(const char *s)
{
    for (size_t i = 0; s[i]; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
            return false;
    return utf8_valid(s, strlen(s));
}

/* A further word without a colon may be the rest of a key that was not quoted. */
static int fail_method(const char *word, bool first, struct diag *d)
{
    size_t n = strcspn(word, ":");
    int err = first || word[n]
                  ? diag_fail(d, DIAG_USAGE, "unknown authentication method '%.*s'", (int)n, word)
                  : diag_fail(d, DIAG_USAGE, "unknown word behind an authentication method");
    diag_hint(d, "KERBEROS, PRESHARE:\"key\" or CERT:\"authority\"");
    return err;
}

/* Which method the word is, and its value. A refusal has no place: the word may hold a key. */
static int parse_auth(const char *word, bool first, struct diag *d, int *ret, char **ret_value)
{
    _cleanup_free_ char *value = NULL;
    int which = split_auth(word, &value);
    if (which == -ENOMEM)
        return which;
    if (which < 0)
        return fail_method(word, first, d);
    if ((which == AUTH_KERBEROS) != (value == NULL) || (value && !value[0])) {
        static const char *const hints[] = {"-a KERBEROS", "-a PRESHARE:\"key\"",
                                            "-a CERT:\"name of the authority\""};
        int err = diag_fail(d, DIAG_USAGE,
                            which == AUTH_KERBEROS ? "%s takes no value" : "%s needs a value",
                            auth_names[which]);
        diag_hint(d, "write %s", hints[which]);
        return err;
    }
    if (value && !is_printable(value)) {
        int err = diag_fail(d, DIAG_USAGE, "the value of %s has bytes that are no text",
                            auth_names[which]);
        diag_hint(d, "write it in UTF-8, without control characters");
        return err;
    }
    *ret = which;
    *ret_value = TAKE_PTR(value);
    return 0;
}

int ipsec_auth_check(struct tool_run *t _unused_, const struct ipsec_args *a, struct diag *d)
{
    const struct ipsec_words *w = &a->values[SW_AUTH];
    for (size_t i = 0; i < w->n; i++) {
        _cleanup_free_ char *value = NULL;
        int which;
        int err = parse_auth(w->v[i], i == 0, d, &which, &value);
        if (err < 0)
            return err;
    }
    return 0;
}

static int add_auth(struct tool_run *t, const char *word, struct diag *d, struct strbuf *out)
{
    _cleanup_free_ char *value = NULL;
    char secret[48];
    int which;
    int err = parse_auth(word, out->len == 0, d, &which, &value);
    if (err < 0)
        return err;
    (void)strbuf_add(out, out->len > 0 ? " " : ""); /* errors are sticky in out */
    if (which == AUTH_KERBEROS)
        return strbuf_add(out, "kerberos");
    if (which == AUTH_CERT) {
        (void)strbuf_add(out, "cert:");
        return text_print_string(value, out);
    }
    err = catalog_secret_add(t->catalog, value, secret);
    return err < 0 ? err : strbuf_add(out, secret);
}

int ipsec_auth_parse(struct tool_run *t, const struct ipsec_args *a, struct diag *d, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    const struct ipsec_words *w = &a->values[SW_AUTH];
    *ret = NULL;
    for (size_t i = 0; i < w->n; i++) {
        int err = add_auth(t, w->v[i], d, &out);
        if (err < 0)
            return err;
    }
    if (w->n == 0)
        return 0;
    *ret = strbuf_take(&out);
    return *ret ? 0 : -ENOMEM;
}

/* A name as the native grammar takes it in an address. */
static bool is_name(const char *word)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(2 * LIMIT_NAME_BYTES);
    _cleanup_(filter_done) struct filter f;
    struct diag ignored;

    filter_init(&f);
    return strbuf_add(&text, "block from ") == 0 && text_print_string(word, &text) == 0 &&
           strbuf_add(&text, " to any") == 0 &&
           text_parse_filter(text.s, text.len, &ignored, &f) == 0 && f.src.kind == ADDR_NAME;
}

/* The other end as the native grammar takes a host or a name. */
int ipsec_check_tunnel(struct tool_run *t, const char *word, struct diag *d, bool *ret_is_address)
{
    enum family family;
    struct ip ip;

    *ret_is_address = ip_parse(word, strlen(word), &family, &ip) == 0;
    if (*ret_is_address || is_name(word))
        return 0;
    int err = ipsec_fail(t, d, word, "'%s' is no end of a tunnel", word);
    diag_hint(d, "an address or a name, for example -t 192.0.2.1");
    return err;
}
