/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/wire.c: reads one line of a cooperative scan. Pure. Called by both sides
 * and by fuzz-probe. */
#include "exposureprobe/wire.h"

#include <errno.h>
#include <string.h>

enum { KEY_DIGITS = 32 };

/* What is left of a line. */
struct rest {
    const char *s;
    size_t len;
};

static struct rest next_word(struct rest *r)
{
    const char *space = memchr(r->s, ' ', r->len);
    size_t n = space ? (size_t)(space - r->s) : r->len;
    struct rest word = {r->s, n};
    r->s += space ? n + 1 : n;
    r->len -= space ? n + 1 : n;
    return word;
}

static bool is(struct rest w, const char *text)
{
    return w.len == strlen(text) && memcmp(w.s, text, w.len) == 0;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_key(struct rest r, struct wire_line *l)
{
    struct rest hex = next_word(&r), proto = next_word(&r);
    if (hex.len != KEY_DIGITS || (!is(proto, "udp") && !is(proto, "tcp")))
        return -EBADMSG;
    for (size_t i = 0; i < KEY_DIGITS; i++) {
        int v = digit(hex.s[i]);
        if (v < 0)
            return -EBADMSG;
        l->key[i / 16] = l->key[i / 16] << 4 | (uint64_t)v;
    }
    l->is_udp = is(proto, "udp");
    l->family = is(r, "4") ? FAMILY_4 : FAMILY_6;
    return is(r, "4") || is(r, "6") ? 0 : -EBADMSG;
}

static int parse_ports(struct rest r, struct probe_ports *ret)
{
    if (is(r, "-"))
        return 0; /* *ret is empty */
    return probe_parse_ports(r.s, r.len, NULL, ret) < 0 ? -EBADMSG : 0;
}

static int parse_port(struct rest w, uint16_t *ret)
{
    unsigned v = 0;
    for (size_t i = 0; i < w.len && v < PROBE_PORTS; i++) {
        if (w.s[i] < '0' || w.s[i] > '9')
            return -EBADMSG;
        v = v * 10 + (unsigned)(w.s[i] - '0');
    }
    if (w.len == 0 || v >= PROBE_PORTS)
        return -EBADMSG;
    *ret = (uint16_t)v;
    return 0;
}

/* Text of the target: what is no printable ASCII is replaced, as nothing of ours needs it. */
static void take_text(struct rest r, char *out, size_t size)
{
    size_t n = r.len < size - 1 ? r.len : size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = r.s[i] >= 0x20 && r.s[i] < 0x7f ? r.s[i] : '?';
    out[n] = '\0';
}

static int parse_decided(struct rest r, struct probe_decision *d)
{
    struct rest first = next_word(&r), last = next_word(&r), verdict = next_word(&r);
    struct rest id = next_word(&r);
    if (parse_port(first, &d->first) < 0 || parse_port(last, &d->last) < 0 || d->last < d->first ||
        id.len == 0 || id.len >= sizeof(d->id))
        return -EBADMSG;
    if (is(verdict, "block") || is(verdict, "permit"))
        take_text(verdict, d->verdict, sizeof(d->verdict));
    else if (!is(verdict, "unknown"))
        return -EBADMSG;
    if (!is(id, "-"))
        take_text(id, d->id, sizeof(d->id));
    take_text(r, d->text, sizeof(d->text));
    return 0;
}

int wire_parse(const char *line, size_t len, struct wire_line *ret)
{
    static const char *const words[_WIRE_WORD_MAX] = {
        "ready", "error", "key", "count", "arrived", "delivered", "bound", "decided", "end"};
    struct rest r = {line, len};
    struct rest word = next_word(&r);
    unsigned i = 0;
    while (i < _WIRE_WORD_MAX && !is(word, words[i]))
        i++;
    memset(ret, 0, sizeof(*ret));
    ret->word = (enum wire_word)i;
    switch (ret->word) {
    case WIRE_READY:
        return is(r, "1") ? 0 : -EBADMSG; /* WIRE_VERSION */
    case WIRE_ERROR:
        take_text(r, ret->text, sizeof(ret->text));
        return 0;
    case WIRE_KEY:
        return parse_key(r, ret);
    case WIRE_ARRIVED:
    case WIRE_DELIVERED:
    case WIRE_BOUND:
        return parse_ports(r, &ret->ports);
    case WIRE_DECIDED:
        return parse_decided(r, &ret->decision);
    case WIRE_COUNT:
    case WIRE_END:
        return r.len == 0 ? 0 : -EBADMSG;
    case _WIRE_WORD_MAX:
        break;
    }
    return -EBADMSG;
}
