/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fetch/answer.c: reads one DNS answer and a hosts file.
 * Called by resolve.c in a child process, and by tests. Pure but for libresolv's parser. Invariant:
 * only records that belong to the question count: the id, the question and the chain of CNAMEs
 * from the asked name to the owner of the addresses are followed (RFC 1034 3.6.2, RFC 5452 4-6). */
#include <arpa/nameser.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>

#include "resolve.h"

enum { CNAMES_MAX = 16 };
_Static_assert(RESOLVE_NAME_BYTES >= NS_MAXDNAME, "room for any name");

static bool same_name(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    na -= na > 0 && a[na - 1] == '.';
    nb -= nb > 0 && b[nb - 1] == '.';
    return na == nb && strncasecmp(a, b, na) == 0;
}

static bool fits_question(ns_msg *m, const struct resolve_question *q)
{
    ns_rr rr;
    return ns_msg_id(*m) == q->id && ns_msg_getflag(*m, ns_f_qr) == 1 &&
           ns_msg_count(*m, ns_s_qd) == 1 && ns_parserr(m, ns_s_qd, 0, &rr) == 0 &&
           (int)ns_rr_type(rr) == q->type && ns_rr_class(rr) == ns_c_in &&
           same_name(ns_rr_name(rr), q->name);
}

static void take_ttl(struct fetch_answer *a, uint32_t ttl)
{
    if (ttl > INT32_MAX) /* RFC 2181 8: the top bit set means zero */
        ttl = 0;
    if (ttl < a->ttl_s)
        a->ttl_s = ttl;
}

/* Follows one CNAME of `name` (RESOLVE_NAME_BYTES long). 1, 0 if it has none, -1 malformed. */
static int follow(ns_msg *m, char *name, struct fetch_answer *a)
{
    for (int i = 0; i < ns_msg_count(*m, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(m, ns_s_an, i, &rr) < 0)
            return -1;
        if (ns_rr_type(rr) != ns_t_cname || ns_rr_class(rr) != ns_c_in ||
            !same_name(ns_rr_name(rr), name))
            continue;
        if (ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), ns_rr_rdata(rr), name,
                               RESOLVE_NAME_BYTES) < 0)
            return -1;
        take_ttl(a, ns_rr_ttl(rr));
        return 1;
    }
    return 0;
}

static enum resolve_result take_addresses(ns_msg *m, const char *owner, int type,
                                          struct fetch_answer *a)
{
    enum family f = type == ns_t_a ? FAMILY_4 : FAMILY_6;
    size_t before = a->n;
    bool others = false;
    for (int i = 0; i < ns_msg_count(*m, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(m, ns_s_an, i, &rr) < 0)
            return RESOLVE_MALFORMED;
        if ((int)ns_rr_type(rr) != type || ns_rr_class(rr) != ns_c_in)
            continue;
        if (ns_rr_rdlen(rr) != family_bits(f) / 8)
            return RESOLVE_MALFORMED;
        if (!same_name(ns_rr_name(rr), owner)) {
            others = true;
            continue;
        }
        if (a->n == LIMIT_NAME_ADDRESSES)
            return RESOLVE_TOO_MANY;
        a->v[a->n++] = (struct fetch_address){f, ip_from_bytes(f, ns_rr_rdata(rr))};
        take_ttl(a, ns_rr_ttl(rr));
    }
    return a->n > before ? RESOLVE_FOUND : others ? RESOLVE_WRONG_NAME : RESOLVE_NO_DATA;
}

enum resolve_result resolve_read_answer(const struct resolve_question *q, const uint8_t *answer,
                                        size_t len, struct fetch_answer *ret,
                                        char ret_next[RESOLVE_NAME_BYTES])
{
    ns_msg m;
    if (len > INT32_MAX || ns_initparse(answer, (int)len, &m) < 0)
        return RESOLVE_MALFORMED;
    if (!fits_question(&m, q))
        return RESOLVE_WRONG_QUESTION;
    if (ns_msg_getflag(m, ns_f_tc)) /* the TCP answer is cut too: more than 64 KB */
        return RESOLVE_TOO_MANY;
    if (ns_msg_getflag(m, ns_f_rcode) == ns_r_nxdomain)
        return RESOLVE_ABSENT;
    if (ns_msg_getflag(m, ns_f_rcode) != ns_r_noerror)
        return RESOLVE_SERVER_FAILED;
    if (strlen(q->name) >= RESOLVE_NAME_BYTES)
        return RESOLVE_MALFORMED;
    strcpy(ret_next, q->name);
    int hops = 0, r;
    while ((r = follow(&m, ret_next, ret)) == 1)
        if (++hops > CNAMES_MAX)
            return RESOLVE_LOOP;
    if (r < 0)
        return RESOLVE_MALFORMED;
    enum resolve_result found = take_addresses(&m, ret_next, q->type, ret);
    return found == RESOLVE_NO_DATA && hops > 0 ? RESOLVE_FOLLOW : found;
}

/* --- hosts(5) --- */
static const char *next_word(const char **at, const char *end, size_t *ret_n)
{
    const char *s = *at;
    while (s < end && (*s == ' ' || *s == '\t' || *s == '\r'))
        s++;
    const char *word = s;
    while (s < end && *s != ' ' && *s != '\t' && *s != '\r')
        s++;
    *at = s;
    *ret_n = (size_t)(s - word);
    return word;
}

static bool read_hosts_line(const char *at, const char *end, const char *name,
                            struct fetch_answer *ret)
{
    size_t n, len = strlen(name);
    enum family f;
    struct ip ip;
    const char *word = next_word(&at, end, &n);
    if (n == 0 || ip_parse(word, n, &f, &ip) < 0)
        return true;
    while (word = next_word(&at, end, &n), n > 0) {
        if (n != len || strncasecmp(word, name, n) != 0)
            continue;
        if (ret->n == LIMIT_NAME_ADDRESSES)
            return false;
        ret->v[ret->n++] = (struct fetch_address){f, ip};
    }
    return true;
}

bool resolve_read_hosts(const char *text, size_t len, const char *name, struct fetch_answer *ret)
{
    for (size_t at = 0; at < len;) {
        const char *line = text + at, *end = memchr(line, '\n', len - at);
        size_t n = end ? (size_t)(end - line) : len - at;
        const char *comment = memchr(line, '#', n);
        if (!read_hosts_line(line, comment ? comment : line + n, name, ret))
            return false;
        at += n + 1;
    }
    return true;
}
