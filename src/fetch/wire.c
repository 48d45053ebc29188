/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fetch/wire.c: the lines of fetch.sock, parsed and printed.
 * Called by the agent (root) about lines of portward-fetch, and by portward-fetch. Pure, no
 * allocation while parsing. Invariant: what does not follow the language exactly is refused as a
 * whole; nothing is guessed. Fuzzed by tests/fuzz/fuzz-fetch.c. */
#include "fetch/wire.h"

#include <errno.h>
#include <string.h>

static const char *const outcomes[_FETCH_OUTCOME_MAX] = {
    [FETCH_FOUND] = "found", [FETCH_ABSENT] = "absent", [FETCH_ERROR] = "error"};
static const char *const verbs[_FETCH_VERB_MAX] = {[FETCH_WANT] = "want", [FETCH_DROP] = "drop"};

bool fetch_name_valid(const char *name, size_t len)
{
    if (len == 0 || len > LIMIT_NAME_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool dot_fits = i > 0 && i + 1 < len && name[i - 1] != '.';
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              (c == '.' && dot_fits)))
            return false;
    }
    return true;
}

/* A rest of a line; words are separated by exactly one blank. */
struct rest {
    const char *s;
    size_t n;
    bool ended;
};

static bool next_word(struct rest *r, const char **ret, size_t *ret_n)
{
    if (r->ended)
        return false;
    const char *blank = memchr(r->s, ' ', r->n);
    size_t n = blank ? (size_t)(blank - r->s) : r->n;
    *ret = r->s;
    *ret_n = n;
    r->ended = !blank;
    if (blank) {
        r->s += n + 1;
        r->n -= n + 1;
    }
    return n > 0;
}

/* Index of the next word in a table, -1 if it is none of them. */
static int next_of(struct rest *r, const char *const *words, int n_words)
{
    const char *s;
    size_t n;
    if (!next_word(r, &s, &n))
        return -1;
    for (int i = 0; i < n_words; i++)
        if (strlen(words[i]) == n && memcmp(words[i], s, n) == 0)
            return i;
    return -1;
}

static bool next_name(struct rest *r, char out[LIMIT_NAME_BYTES + 1])
{
    const char *s;
    size_t n;
    if (!next_word(r, &s, &n) || !fetch_name_valid(s, n))
        return false;
    memcpy(out, s, n);
    out[n] = '\0';
    return true;
}

static bool next_ttl(struct rest *r, uint32_t *ret)
{
    const char *s;
    size_t n;
    uint32_t v = 0;
    if (!next_word(r, &s, &n) || n > 5 || s[0] == '0') /* 86400 has five digits; never zero */
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        v = v * 10 + (uint32_t)(s[i] - '0');
    }
    *ret = v;
    return v <= FETCH_TTL_MAX_S;
}

static bool next_reason(struct rest *r, char out[FETCH_REASON_BYTES])
{
    const char *s;
    size_t n;
    if (!next_word(r, &s, &n) || n >= FETCH_REASON_BYTES)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || s[i] == '-'))
            return false;
    memcpy(out, s, n);
    out[n] = '\0';
    return true;
}

static bool next_addresses(struct rest *r, struct fetch_answer *a)
{
    while (!r->ended) {
        const char *s;
        size_t n;
        if (a->n == LIMIT_NAME_ADDRESSES || !next_word(r, &s, &n) ||
            ip_parse(s, n, &a->v[a->n].family, &a->v[a->n].ip) < 0)
            return false;
        a->n++;
    }
    return a->n > 0;
}

int fetch_answer_parse(const char *line, size_t len, struct fetch_answer *ret)
{
    struct rest r = {.s = line, .n = len};
    struct fetch_answer a = {.n = 0};
    int outcome = next_of(&r, outcomes, _FETCH_OUTCOME_MAX);
    if (outcome < 0 || !next_name(&r, a.name))
        return -EBADMSG;
    a.outcome = (enum fetch_outcome)outcome;
    bool ok = true;
    switch (a.outcome) {
    case FETCH_FOUND:
        ok = next_ttl(&r, &a.ttl_s) && next_addresses(&r, &a);
        break;
    case FETCH_ERROR:
        ok = next_reason(&r, a.reason);
        break;
    case FETCH_ABSENT:
    case _FETCH_OUTCOME_MAX:
        break;
    }
    if (!ok || !r.ended)
        return -EBADMSG;
    *ret = a;
    return 0;
}

int fetch_answer_print(const struct fetch_answer *a, struct strbuf *out)
{
    (void)strbuf_addf(out, "%s %s", outcomes[a->outcome], a->name); /* errors are sticky */
    if (a->outcome == FETCH_ERROR)
        (void)strbuf_addf(out, " %s", a->reason);
    if (a->outcome == FETCH_FOUND) {
        (void)strbuf_addf(out, " %u", a->ttl_s);
        for (size_t i = 0; i < a->n; i++) {
            char text[IP_TEXT_BYTES];
            ip_print(a->v[i].family, a->v[i].ip, text);
            (void)strbuf_addf(out, " %s", text);
        }
    }
    return strbuf_add_char(out, '\n');
}

int fetch_request_parse(const char *line, size_t len, struct fetch_request *ret)
{
    struct rest r = {.s = line, .n = len};
    struct fetch_request q = {0};
    int verb = next_of(&r, verbs, _FETCH_VERB_MAX);
    if (verb < 0 || !next_name(&r, q.name) || !r.ended)
        return -EBADMSG;
    q.verb = (enum fetch_verb)verb;
    *ret = q;
    return 0;
}

int fetch_request_print(enum fetch_verb v, const char *name, struct strbuf *out)
{
    return strbuf_addf(out, "%s %s\n", verbs[v], name);
}

int fetch_buffer_line(struct fetch_buffer *b, char ret_line[FETCH_LINE_BYTES], size_t *ret_len)
{
    const char *end = memchr(b->data, '\n', b->n);
    if (!end)
        return b->n == sizeof(b->data) ? -EMSGSIZE : 0;
    size_t len = (size_t)(end - b->data);
    memcpy(ret_line, b->data, len);
    ret_line[len] = '\0';
    b->n -= len + 1;
    memmove(b->data, end + 1, b->n);
    *ret_len = len;
    return 1;
}
