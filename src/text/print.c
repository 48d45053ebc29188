/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/print.c: the canonical text of filters, policies and packets (policy.md 7). Called
 * wherever one is shown, stored or compared. Invariant: what is printed reads back to an equal
 * object, and printing that gives the same bytes. Rules with one filter stand on one line, with
 * the names padded so that the filters align; behind attributes nothing is padded. */
#include <string.h>

#include "base/duration.h"
#include "base/utf8.h"
#include "text/text.h"
#include "words.h"

/* Heads of rules beyond this many columns do not push the others to the right. */
enum { ALIGN_COLUMNS = 64 };

/* A character that may not stand in a string as it is. */
static bool needs_escape(uint32_t cp)
{
    return cp == '"' || cp == '\\' || utf8_is_control(cp);
}

int text_print_string(const char *s, struct strbuf *out)
{
    size_t n = strlen(s), from = 0;
    (void)strbuf_add_char(out, '"'); /* errors are sticky in out */
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = utf8_decode(s + i, n - i, &cp);
        if (len > 0 && !needs_escape(cp)) {
            i += len;
            continue;
        }
        (void)strbuf_add_n(out, s + from, i - from);
        if (len == 0) /* no constructor lets invalid UTF-8 in; nothing unreadable comes out */
            (void)strbuf_add(out, "\xef\xbf\xbd");
        else if (cp == '"' || cp == '\\')
            (void)strbuf_addf(out, "\\%c", (int)cp);
        else if (cp == '\n' || cp == '\t')
            (void)strbuf_add(out, cp == '\n' ? "\\n" : "\\t");
        else
            (void)strbuf_addf(out, cp < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)cp);
        i += len > 0 ? len : 1;
        from = i;
    }
    (void)strbuf_add_n(out, s + from, n - from);
    return strbuf_add_char(out, '"');
}

static bool is_plain_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_';
}

/* A name without quotes if it reads back like that. */
static void print_name(const char *s, bool keyword_ok, struct strbuf *out)
{
    size_t n = strlen(s), plain = 0;
    while (plain < n && is_plain_char(s[plain]))
        plain++;
    if (n > 0 && plain == n && (keyword_ok || word_find(s, n) == WORD_NONE))
        (void)strbuf_add(out, s);
    else
        (void)text_print_string(s, out);
}

static void print_ip(enum family family, struct ip ip, struct strbuf *out)
{
    char text[IP_TEXT_BYTES];
    ip_print(family, ip, text);
    (void)strbuf_add(out, text);
}

int text_print_addr(const struct addr *a, struct strbuf *out)
{
    switch (a->kind) {
    case ADDR_ANY:
        return strbuf_add(out, "any");
    case ADDR_ME:
        return strbuf_add(out, "me");
    case ADDR_HOST:
        print_ip(a->family, a->first, out);
        return out->error;
    case ADDR_PREFIX:
        print_ip(a->family, a->first, out);
        (void)strbuf_add_char(out, '/');
        return strbuf_add_number(out, a->prefix_len);
    case ADDR_RANGE:
        print_ip(a->family, a->first, out);
        (void)strbuf_add_char(out, '-');
        print_ip(a->family, a->last, out);
        return out->error;
    case ADDR_NAME:
        print_name(a->name, /* keyword_ok= */ false, out);
        return out->error;
    case ADDR_KEYWORD_DNS:
        return strbuf_add(out, "dns");
    case ADDR_KEYWORD_WINS:
        return strbuf_add(out, "wins");
    case ADDR_KEYWORD_DHCP:
        return strbuf_add(out, "dhcp");
    case ADDR_KEYWORD_GATEWAY:
        return strbuf_add(out, "gateway");
    case _ADDR_KIND_MAX:
        break;
    }
    return out->error;
}

static void print_ports(const struct portset *ports, struct strbuf *out)
{
    for (uint32_t i = 0; i < ports->n; i++) {
        struct port_range r = ports->range[i];
        (void)strbuf_add(out, i == 0 ? " port " : ",");
        (void)strbuf_add_number(out, r.first);
        if (r.last == r.first)
            continue;
        (void)strbuf_add_char(out, '-');
        (void)strbuf_add_number(out, r.last);
    }
}

/* negotiate: there the words esp and ah are methods. */
static void print_proto(int proto, bool negotiate, struct strbuf *out)
{
    bool as_number = negotiate && (proto == PROTO_ESP || proto == PROTO_AH);
    const char *name = as_number ? NULL : proto_name(proto);
    if (!name && proto == PROTO_ANY)
        return;
    (void)strbuf_add_char(out, ' ');
    if (name)
        (void)strbuf_add(out, name);
    else
        (void)strbuf_add_number(out, (uint32_t)proto);
}

static void print_action(const struct filter *f, struct strbuf *out)
{
    (void)strbuf_add(out, action_name(f->action));
    if (f->inpass)
        (void)strbuf_add(out, " inpass");
    if (f->methods)
        (void)strbuf_addf(out, " %s", f->methods);
}

static void print_qualifiers(const struct filter *f, struct strbuf *out)
{
    if (f->mirrored)
        (void)strbuf_add(out, " mirrored");
    if (f->interface) {
        (void)strbuf_add(out, " on ");
        print_name(f->interface, /* keyword_ok= */ true, out);
    }
    if (f->profile != PROFILE_NONE)
        (void)strbuf_addf(out, " profile %s", profile_name(f->profile));
    if (f->keep_state)
        (void)strbuf_add(out, " keep state");
    if (f->override)
        (void)strbuf_add(out, " override");
    if (f->log)
        (void)strbuf_add(out, " log");
    if (f->description) {
        (void)strbuf_add(out, " description ");
        (void)text_print_string(f->description, out);
    }
}

static void print_filter(const struct filter *f, struct strbuf *out)
{
    bool src_me = f->src.kind == ADDR_ME, dst_me = f->dst.kind == ADDR_ME;
    print_action(f, out);
    if (src_me != dst_me)
        (void)strbuf_add(out, dst_me ? " in" : " out");
    print_proto(f->proto, f->action == ACTION_NEGOTIATE, out);
    if (f->icmp_type >= 0)
        (void)strbuf_addf(out, " type %d", f->icmp_type);
    if (f->icmp_code >= 0)
        (void)strbuf_addf(out, " code %d", f->icmp_code);
    (void)strbuf_add(out, " from ");
    (void)text_print_addr(&f->src, out);
    print_ports(&f->sport, out);
    (void)strbuf_add(out, " to ");
    (void)text_print_addr(&f->dst, out);
    print_ports(&f->dport, out);
    print_qualifiers(f, out);
}

int text_print_filter(const struct filter *f, struct strbuf *out)
{
    print_filter(f, out);
    return out->error;
}

int text_print_attributes(const struct attributes *a, struct strbuf *out)
{
    for (size_t i = 0; i < a->n; i++) {
        (void)strbuf_addf(out, " attribute %s ", a->v[i].key); /* errors are sticky in out */
        (void)text_print_string(a->v[i].value, out);
    }
    return out->error;
}

/* Everything of a rule that stands before its filters. */
static void print_rule_head(const struct rule *r, struct strbuf *out)
{
    if (r->inactive)
        (void)strbuf_add(out, "inactive ");
    (void)strbuf_add(out, "rule ");
    (void)text_print_string(r->name, out);
    if (r->connection != CONNECTION_ALL)
        (void)strbuf_addf(out, " connection %s", connection_name(r->connection));
    (void)text_print_attributes(&r->attributes, out);
}

/* Columns of the widest head that takes part in the alignment. */
static int align_columns(const struct policy *p, size_t max_bytes, unsigned *ret)
{
    unsigned widest = 0;
    for (size_t i = 0; i < p->n_rules; i++) {
        if (p->rules[i].n_filters != 1 || p->rules[i].attributes.n > 0)
            continue;
        _cleanup_(strbuf_done) struct strbuf head = STRBUF_INIT(max_bytes);
        print_rule_head(&p->rules[i], &head);
        if (head.error < 0)
            return head.error;
        unsigned width = utf8_width(head.s, head.len);
        if (width <= ALIGN_COLUMNS && width > widest)
            widest = width;
    }
    *ret = widest;
    return 0;
}

static void print_rule(const struct rule *r, unsigned columns, struct strbuf *out)
{
    (void)strbuf_add(out, "    ");
    size_t before = out->len;
    print_rule_head(r, out);
    if (out->error < 0)
        return;
    if (r->n_filters == 1) {
        unsigned width = utf8_width(out->s + before, out->len - before);
        int pad = width < columns ? (int)(columns - width) : 0;
        (void)strbuf_addf(out, "%*s", r->attributes.n > 0 ? 1 : pad + 2, "");
        print_filter(&r->filters[0], out);
        (void)strbuf_add_char(out, '\n');
        return;
    }
    (void)strbuf_add(out, r->n_filters == 0 ? " {}\n" : " {\n");
    for (size_t i = 0; i < r->n_filters && out->error == 0; i++) {
        (void)strbuf_add(out, "        ");
        print_filter(&r->filters[i], out);
        (void)strbuf_add_char(out, '\n');
    }
    if (r->n_filters > 0)
        (void)strbuf_add(out, "    }\n");
}

static void print_options(const struct policy *p, struct strbuf *out)
{
    if (p->description) {
        (void)strbuf_add(out, " description ");
        (void)text_print_string(p->description, out);
    }
    if (p->poll_s > 0) {
        char text[DURATION_TEXT_BYTES];
        duration_print(p->poll_s, text);
        (void)strbuf_addf(out, " poll %s", text);
    }
    if (p->local_permits >= 0)
        (void)strbuf_addf(out, " local-permits %s", p->local_permits ? "yes" : "no");
    if (p->weak >= 0)
        (void)strbuf_addf(out, " weak %s", p->weak ? "allow" : "refuse");
    (void)text_print_attributes(&p->attributes, out);
}

int text_print_policy(const struct policy *p, struct strbuf *out)
{
    unsigned columns = 0;
    int err = align_columns(p, out->max, &columns);
    if (err < 0)
        return err;
    (void)strbuf_add(out, "policy ");
    (void)text_print_string(p->name, out);
    print_options(p, out);
    (void)strbuf_add(out, " {\n");
    for (size_t i = 0; i < p->n_rules && out->error == 0; i++)
        print_rule(&p->rules[i], columns, out);
    return strbuf_add(out, "}\n");
}

static void print_packet_side(const struct packet *p, bool source, struct strbuf *out)
{
    (void)strbuf_add(out, source ? " from " : " to ");
    print_ip(p->family, source ? p->src : p->dst, out);
    if (p->l4_known && proto_has_ports(p->proto))
        (void)strbuf_addf(out, " port %u", (unsigned)(source ? p->sport : p->dport));
}

int text_print_packet(const struct packet *p, struct strbuf *out)
{
    enum { TCP_ACK = 0x10 }; /* RFC 9293, 3.1 */
    bool icmp = p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6;
    (void)strbuf_add(out, p->meta.dir == DIR_IN ? "in" : "out");
    print_proto(p->proto, /* negotiate= */ false, out);
    if (icmp && p->l4_known)
        (void)strbuf_addf(out, " type %u code %u", (unsigned)p->icmp_type, (unsigned)p->icmp_code);
    print_packet_side(p, true, out);
    print_packet_side(p, false, out);
    if (p->proto == PROTO_TCP && p->tcp_flags & TCP_ACK)
        (void)strbuf_add(out, " ack");
    return out->error;
}
