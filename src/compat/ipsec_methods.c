/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_methods.c: the action of -n: BLOCK, PASS, INPASS or security methods like
 * ESP[3DES,SHA]5000K/3600SP2. Called for every command with filters. Invariant: methods are kept
 * twice, as Windows writes them (attribute qm-methods) and as the native words after `negotiate`,
 * which the native parser has accepted; what has no native words is refused, never weakened. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ipsec_internal.h"
#include "methods.h"
#include "text/text.h"

enum {
    METHODS_BYTES = 4096,
    LIMIT_METHODS = 64,
    MAX_KBYTES = 1000000000 /* of `rekey` */,
    MAX_SECONDS = 315360000 /* of a native duration */
};

struct name_pair {
    const char *name, *attribute, *native;
};
static const struct name_pair ciphers[] = {
    {"NONE", "NONE", "null"}, {"DES", "DES", "des"}, {"3DES", "3DES", "3des"}};
static const struct name_pair hashes[] = {{"NONE", "NONE", NULL},
                                          {"MD5", "MD5", "md5"},
                                          {"SHA", "SHA1", "sha1"},
                                          {"SHA1", "SHA1", "sha1"}};

struct method {
    bool ah;
    const struct name_pair *cipher, *hash; /* cipher NULL with ah */
    uint32_t kbytes, seconds;              /* 0 = not given */
    int pfs;                               /* -1 no, 0 yes, 1 or 2 the group */
};

/* A word of -n and how far it is read. */
struct method_reader {
    struct tool_run *t;
    struct diag *d;
    const char *word, *at;
};

#define method_fail(r, from, n, code, ...)                                                         \
    tool_fail_at((r)->t, (r)->d, (r)->word, (size_t)((from) - (r)->word), (n) > 0 ? (n) : 1, code, \
                 __VA_ARGS__)

void ipsec_action_done(struct ipsec_action *a)
{
    free(a->methods);
    free(a->qm_methods);
    *a = (struct ipsec_action){0};
}

static int fail_form(struct method_reader *r, const char *what)
{
    int err = method_fail(r, r->at, strlen(r->at), DIAG_USAGE, "%s expected", what);
    diag_hint(r->d, "for example ESP[3DES,SHA], AH[SHA] or ESP[3DES,SHA]5000K/3600SP2");
    return err;
}

/* A name from the table, ended by `end`, which is taken too. */
static int read_name(struct method_reader *r, const struct name_pair *names, size_t n, char end,
                     const struct name_pair **ret)
{
    static const char *const want[] = {"NONE, DES or 3DES", "NONE, MD5 or SHA"};
    size_t len = strcspn(r->at, ",]");
    for (size_t i = 0; i < n; i++)
        if (strlen(names[i].name) == len && strncasecmp(names[i].name, r->at, len) == 0) {
            if (r->at[len] != end) {
                r->at += len;
                return fail_form(r, end == ',' ? "a comma" : "a closing ']'");
            }
            *ret = &names[i];
            r->at += len + 1;
            return 0;
        }
    int err = method_fail(r, r->at, len, DIAG_USAGE, "unknown algorithm '%.*s'", (int)len, r->at);
    diag_hint(r->d, "%s", want[names == hashes]);
    return err;
}

/* K and S after the bracket, in any order, each once. */
static int read_rekey(struct method_reader *r, struct method *m)
{
    while (isdigit((unsigned char)*r->at)) {
        const char *from = r->at;
        uint64_t number = 0;
        for (; isdigit((unsigned char)*r->at); r->at++)
            if (number <= MAX_KBYTES)
                number = number * 10 + (uint64_t)(*r->at - '0');
        int unit = tolower((unsigned char)*r->at);
        uint32_t *field = unit == 'k' ? &m->kbytes : &m->seconds;
        if ((unit != 'k' && unit != 's') || *field > 0)
            return fail_form(r, "a limit of kilobytes (K) or seconds (S)");
        uint32_t max = unit == 'k' ? MAX_KBYTES : MAX_SECONDS;
        if (number == 0 || number > max) {
            int err = method_fail(r, from, (size_t)(r->at - from), DIAG_USAGE,
                                  "limit for new keys is out of range");
            diag_hint(r->d, "1 to %u", max);
            return err;
        }
        *field = (uint32_t)number;
        r->at++;
        if (*r->at == '/' && isdigit((unsigned char)r->at[1]))
            r->at++;
    }
    return 0;
}

/* P, P1, P2; PFS, PFS1, PFS2 of older texts. */
static int read_pfs(struct method_reader *r, struct method *m)
{
    m->pfs = -1;
    if (tolower((unsigned char)*r->at) != 'p')
        return 0;
    r->at += strncasecmp(r->at, "pfs", 3) == 0 ? 3 : 1;
    m->pfs = 0;
    if (*r->at == '1' || *r->at == '2')
        m->pfs = *r->at++ - '0';
    return 0;
}

static int fail_bundle(struct method_reader *r)
{
    int err = method_fail(r, r->word, strlen(r->word), DIAG_COMBINATION,
                          "AH and ESP in one method cannot be negotiated here");
    diag_hint(r->d, "use ESP with integrity: ESP[3DES,SHA]");
    return err;
}

static int check_method(struct method_reader *r, const struct method *m)
{
    bool no_hash = !m->hash->native;
    bool no_cipher = !m->ah && strcmp(m->cipher->name, "NONE") == 0;
    int err = 0;
    if (m->ah && no_hash)
        err = method_fail(r, r->word, strlen(r->word), DIAG_COMBINATION, "AH without a hash");
    else if (no_hash && no_cipher)
        err = method_fail(r, r->word, strlen(r->word), DIAG_COMBINATION,
                          "ESP without encryption and without integrity protects nothing");
    else if (no_hash)
        err = method_fail(r, r->word, strlen(r->word), DIAG_COMBINATION,
                          "ESP without integrity cannot be negotiated here");
    if (err < 0) {
        diag_hint(r->d, m->ah ? "write AH[SHA]" : "write ESP[3DES,SHA]");
        return err;
    }
    if (!no_cipher || m->ah)
        return 0;
    return tool_remark(r->t, NOTE_WARNING, r->d, "'%s' does not encrypt", r->word);
}

static bool is_method(const char *word)
{
    return strncasecmp(word, "AH[", 3) == 0 || strncasecmp(word, "ESP[", 4) == 0;
}

static int fail_unknown(struct tool_run *t, const char *word, struct diag *d)
{
    int err = ipsec_fail(t, d, word, "unknown action '%s'", word);
    diag_hint(d, "BLOCK, PASS, INPASS or methods like ESP[3DES,SHA]");
    return err;
}

static int read_method(struct method_reader *r, struct method *m)
{
    int err;
    *m = (struct method){0};
    m->ah = strncasecmp(r->at, "AH[", 3) == 0;
    if (!is_method(r->word))
        return fail_unknown(r->t, r->word, r->d);
    r->at += m->ah ? 3 : 4;
    err = m->ah ? 0 : read_name(r, ciphers, ARRAY_SIZE(ciphers), ',', &m->cipher);
    if (err == 0)
        err = read_name(r, hashes, ARRAY_SIZE(hashes), ']', &m->hash);
    if (err < 0)
        return err;
    if (*r->at == '+')
        return fail_bundle(r);
    if (*r->at == ':') {
        err = method_fail(r, r->at, 1, DIAG_USAGE, "no colon stands behind the bracket");
        diag_hint(r->d, "that is the form of netsh; write %.*s%s", (int)(r->at - r->word), r->word,
                  r->at + 1);
        return err;
    }
    err = read_rekey(r, m);
    if (err == 0)
        err = read_pfs(r, m);
    if (err == 0 && *r->at)
        return fail_form(r, "the end of the method");
    return err < 0 ? err : check_method(r, m);
}

/* Attribute in the spelling of netsh, which every other form shares. */
static void print_attribute(const struct method *m, struct strbuf *out)
{
    (void)strbuf_add(out, out->len > 0 ? " " : ""); /* errors are sticky in out */
    if (m->ah)
        (void)strbuf_addf(out, "AH[%s]", m->hash->attribute);
    else
        (void)strbuf_addf(out, "ESP[%s,%s]", m->cipher->attribute, m->hash->attribute);
    if (m->kbytes > 0)
        (void)strbuf_addf(out, ":%uk", m->kbytes);
    if (m->seconds > 0)
        (void)strbuf_addf(out, "%s%us", m->kbytes > 0 ? "/" : ":", m->seconds);
}

static void print_suites(const struct method *m, size_t n, struct strbuf *out)
{
    (void)strbuf_add(out, m[0].ah ? "ah " : "esp ");
    for (size_t i = 0; i < n; i++)
        (void)strbuf_addf(out, "%s%s%s%s", i > 0 ? "," : "", m[i].ah ? "" : m[i].cipher->native,
                          m[i].ah ? "" : "-", m[i].hash->native);
}

/* One limit and one group serve all methods here: those of the first that has them. */
static int print_limits(struct tool_run *t, const struct method *m, size_t n, struct diag *d,
                        struct ipsec_action *ret, struct strbuf *out)
{
    static const char *const groups[] = {"", " modp768", " modp1024"};
    static const char *const names[] = {"yes", "1", "2"};
    const struct method *limit = NULL, *pfs = NULL;
    bool differ = false;
    for (size_t i = 0; i < n; i++) {
        if (!limit && (m[i].kbytes > 0 || m[i].seconds > 0))
            limit = &m[i];
        if (!pfs && m[i].pfs >= 0)
            pfs = &m[i];
        differ = differ || m[i].kbytes != m[0].kbytes || m[i].seconds != m[0].seconds ||
                 m[i].pfs != m[0].pfs;
    }
    if (limit && limit->kbytes > 0)
        (void)strbuf_addf(out, " rekey %uk", limit->kbytes);
    if (limit && limit->seconds > 0)
        (void)strbuf_addf(out, "%s%us", limit->kbytes > 0 ? "/" : " rekey ", limit->seconds);
    if (pfs) {
        (void)strbuf_addf(out, " pfs%s", groups[pfs->pfs]);
        format_into(ret->pfs, sizeof(ret->pfs), "%s", names[pfs->pfs]);
    }
    return differ ? tool_remark(t, NOTE, d,
                                "new keys: the limits of the first method that has "
                                "some hold for all methods")
                  : 0;
}

static int print_main_mode(struct tool_run *t, const struct ipsec_args *a, struct diag *d,
                           struct strbuf *out)
{
    _cleanup_(ipsec_main_mode_done) struct ipsec_main_mode mm = {0};
    bool is_address = false;
    const char *tunnel = ipsec_value(a, SW_TUNNEL);
    int err = ipsec_main_mode_parse(t, a, d, &mm);
    if (err == 0 && tunnel)
        err = ipsec_check_tunnel(t, tunnel, d, &is_address);
    if (err < 0)
        return err;
    if (mm.suites)
        (void)strbuf_addf(out, " ike %s", mm.suites);
    if (mm.seconds > 0)
        (void)strbuf_addf(out, " ike-life %us", mm.seconds);
    if (mm.pfs)
        (void)strbuf_add(out, " ike-pfs");
    if (is_address)
        (void)strbuf_addf(out, " tunnel to %s", tunnel);
    if (mm.soft)
        (void)strbuf_addf(out, " soft %us", mm.soft_sa > 0 ? mm.soft_sa : 300);
    return out->error;
}

static int parse_methods(struct tool_run *t, const struct ipsec_args *a, struct diag *d,
                         struct ipsec_action *ret)
{
    const struct ipsec_words *w = &a->values[SW_ACTION];
    _cleanup_(strbuf_done) struct strbuf attribute = STRBUF_INIT(METHODS_BYTES);
    _cleanup_(strbuf_done) struct strbuf native = STRBUF_INIT(METHODS_BYTES);
    struct method m[LIMIT_METHODS];
    int err = 0;
    for (size_t i = 0; err == 0 && i < w->n; i++) {
        struct method_reader r = {t, d, w->v[i], w->v[i]};
        if (i == LIMIT_METHODS)
            return ipsec_fail(t, d, w->v[i], "more than %d methods", LIMIT_METHODS);
        err = read_method(&r, &m[i]);
        if (err == 0 && m[i].ah != m[0].ah) {
            err = tool_fail_at(t, d, w->v[i], 0, strlen(w->v[i]), DIAG_COMBINATION,
                               "a choice between AH and ESP cannot be negotiated here");
            diag_hint(d, "give methods of one kind");
        }
        if (err == 0)
            print_attribute(&m[i], &attribute);
    }
    if (err < 0)
        return err;
    if (w->n > 0) {
        print_suites(m, w->n, &native);
        err = print_limits(t, m, w->n, d, ret, &native);
    }
    if (err == 0)
        err = print_main_mode(t, a, d, &native);
    if (err == 0 && native.len > 0)
        err = methods_canonical(native.s, d, &ret->methods);
    if (err == 0 && w->n > 0)
        ret->qm_methods = strbuf_take(&attribute);
    return err == 0 && w->n > 0 && !ret->qm_methods ? -ENOMEM : err;
}

static const struct {
    const char *name;
    enum action action;
    bool inpass;
} plain[] = {
    {"BLOCK", ACTION_BLOCK, false},
    {"PASS", ACTION_PERMIT, false},
    {"INPASS", ACTION_PERMIT, true},
};

static int plain_index(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (strcasecmp(word, plain[i].name) == 0)
            return (int)i;
    return -1;
}

/* Index of the plain action in the list, -1 if there is none. It decides alone, methods beside it
 * are ignored. */
static int find_plain(struct tool_run *t, const struct ipsec_words *w, struct diag *d, int *ret)
{
    *ret = -1;
    for (size_t i = 0; i < w->n; i++) {
        int one = plain_index(w->v[i]);
        if (one >= 0 && *ret >= 0 && one != *ret) {
            int err =
                ipsec_fail(t, d, w->v[i], "both %s and %s", plain[*ret].name, plain[one].name);
            diag_hint(d, "give one action");
            return err;
        }
        *ret = one >= 0 ? one : *ret;
    }
    if (*ret < 0 || w->n == 1)
        return 0;
    for (size_t i = 0; i < w->n; i++)
        if (plain_index(w->v[i]) < 0 && !is_method(w->v[i]))
            return fail_unknown(t, w->v[i], d);
    return tool_remark(t, NOTE, d, "-n: %s decides, the rest is ignored", plain[*ret].name);
}

/* Words that others use, and a switch without its blank. */
static int explain_unknown(struct tool_run *t, const struct ipsec_words *w, struct diag *d, int err)
{
    static const struct {
        const char *word, *meant;
    } others[] = {{"PERMIT", "PASS"}, {"ALLOW", "PASS"}, {"DENY", "BLOCK"},   {"DROP", "BLOCK"},
                  {"BLOK", "BLOCK"},  {"BLOC", "BLOCK"}, {"BLOCKED", "BLOCK"}};
    for (size_t i = 0; i < w->n; i++) {
        if (t->word != w->v[i])
            continue;
        size_t glued = ipsec_glued(w->v[i]);
        if (glued > 0) {
            err =
                tool_fail_at(t, d, w->v[i], glued, 2, DIAG_USAGE,
                             "the switch '%s' is glued to what stands before it", w->v[i] + glued);
            diag_hint(d, "put a blank between them: %.*s %s", (int)glued, w->v[i], w->v[i] + glued);
        }
        for (size_t k = 0; k < ARRAY_SIZE(others); k++)
            if (strcasecmp(others[k].word, w->v[i]) == 0)
                diag_hint(d, "write %s", others[k].meant);
    }
    return err;
}

int ipsec_action_parse(struct tool_run *t, const struct ipsec_args *a, struct diag *d,
                       struct ipsec_action *ret)
{
    _cleanup_(ipsec_action_done) struct ipsec_action out = {.action = ACTION_NEGOTIATE};
    const struct ipsec_words *w = &a->values[SW_ACTION];
    int which;
    int err = find_plain(t, w, d, &which);
    if (err < 0)
        return explain_unknown(t, w, d, err);
    out.given = w->n > 0;
    if (which >= 0) {
        out.action = plain[which].action;
        out.inpass = plain[which].inpass;
    } else {
        err = parse_methods(t, a, d, &out);
        if (err < 0)
            return explain_unknown(t, w, d, err);
    }
    *ret = out;
    out = (struct ipsec_action){0};
    return 0;
}
