/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/print_set.c: sets of packets and example packets in the words of the grammar.
 * Called by previews, diff, check and exceptions. A line without "but", port "any but" and
 * brackets is a filter without its action. */
#include <string.h>

#include "set.h"
#include "text/text.h"

/* Items of one list that people get to see. */
enum { ITEMS_MAX = 16 };

static void print_more(size_t n, size_t max, struct strbuf *out)
{
    if (n > max)
        (void)strbuf_addf(out, " (and %zu more)", n - max);
}

/* --- addresses --- */

static void print_range(enum family f, const struct set_range *r, struct strbuf *out)
{
    char text[IP_TEXT_BYTES];
    unsigned len;
    ip_print(f, r->first, text);
    (void)strbuf_add(out, text);
    if (ip_eq(r->first, r->last))
        return;
    if (set_is_prefix(f, r, &len)) {
        (void)strbuf_addf(out, "/%u", len);
        return;
    }
    ip_print(f, r->last, text);
    (void)strbuf_addf(out, "-%s", text);
}

/* What stands after "but", in one list for both families. */
struct but {
    bool me;
    size_t max;                     /* items to be written, then how many more there are */
    const struct set_list *list[2]; /* IPv4, IPv6 */
};

static void print_but(const struct but *b, struct strbuf *out)
{
    const char *between = " but ";
    size_t n = 0;
    if (b->me) {
        (void)strbuf_addf(out, "%sme", between);
        between = ", ";
    }
    for (unsigned six = 0; six < 2; six++) {
        for (size_t i = 0; b->list[six] && i < b->list[six]->n; i++) {
            if (n++ >= b->max)
                continue;
            (void)strbuf_add(out, between);
            print_range(six ? FAMILY_6 : FAMILY_4, &b->list[six]->v[i], out);
            between = ", ";
        }
    }
    print_more(n, b->max, out);
}

struct side_words {
    bool me, but_me; /* the side is this host, is anything else */
    bool whole;      /* all addresses of the families of the term */
    bool say_family; /* nothing else says it */
    size_t max;      /* items of a list */
};

/* One family: "10.0.0.0/8 but 10.1.0.0/16" or "10.0.0.1, 10.0.0.9". */
static int print_family(const struct set_list *l, enum family f, const struct side_words *w,
                        struct strbuf *out)
{
    struct set_holes h;
    int r = set_holes_of(l, f, &h);
    if (r < 0)
        return r;
    struct but but = {.me = w->but_me, .max = w->max};
    for (size_t i = 0; h.as_ranges && i < l->n && i < w->max; i++) {
        (void)strbuf_add(out, i ? ", " : "");
        print_range(f, &l->v[i], out);
    }
    if (h.as_ranges) {
        print_more(l->n, w->max, out);
    } else {
        but.list[f == FAMILY_6] = &h.but;
        if (h.len == 0 && !w->say_family && h.but.n == 0)
            (void)strbuf_add(out, "any");
        else
            print_range(f, &h.outer, out);
    }
    print_but(&but, out);
    free(h.but.v);
    return out->error;
}

static int print_both_families(const struct set_term *t, unsigned first, const struct side_words *w,
                               struct strbuf *out)
{
    struct set_holes four, six;
    int r = set_holes_of(&t->list[first], FAMILY_4, &four);
    if (r < 0)
        return r;
    r = set_holes_of(&t->list[first + 1], FAMILY_6, &six);
    if (r == 0) {
        (void)strbuf_add(out, "any");
        print_but(&(struct but){.me = w->but_me, .max = w->max, .list = {&four.but, &six.but}},
                  out);
        free(six.but.v);
        r = out->error;
    }
    free(four.but.v);
    return r;
}

static bool side_is_whole(const struct set_term *t, unsigned first)
{
    const struct set_list *four = &t->list[first], *six = &t->list[first + 1];
    return (four->n == 0 || set_is_whole(four, set_last_address(FAMILY_4))) &&
           (six->n == 0 || set_is_whole(six, set_last_address(FAMILY_6)));
}

static int print_side(const struct set_term *t, unsigned first, const struct side_words *w,
                      struct strbuf *out)
{
    const struct set_list *four = &t->list[first], *six = &t->list[first + 1];
    if (w->me && w->whole)
        return strbuf_add(out, "me");
    if (four->n > 0 && six->n > 0)
        return print_both_families(t, first, w, out);
    return four->n > 0 ? print_family(four, FAMILY_4, w, out) : print_family(six, FAMILY_6, w, out);
}

/* --- protocol and ports --- */

static unsigned count_protocols(const uint64_t p[4])
{
    unsigned n = 0;
    for (unsigned i = 0; i < 4; i++)
        n += (unsigned)__builtin_popcountll(p[i]);
    return n;
}

static bool has_protocol(const struct box *b, unsigned proto)
{
    return b->proto[proto / 64] >> proto % 64 & 1;
}

/* "tcp ", "tcp,udp ", "all but tcp "; nothing for all. */
static void print_protocols(const struct box *b, struct strbuf *out)
{
    unsigned n = count_protocols(b->proto);
    if (n == 256)
        return;
    bool but = n > 128;
    (void)strbuf_add(out, but ? "all but " : "");
    const char *between = "";
    for (unsigned i = 0; i < 256; i++) {
        if (has_protocol(b, i) == but)
            continue;
        const char *name = proto_name((int)i);
        if (name)
            (void)strbuf_addf(out, "%s%s", between, name);
        else
            (void)strbuf_addf(out, "%s%u", between, i);
        between = ",";
    }
    (void)strbuf_add_char(out, ' ');
}

static void print_number_range(unsigned first, unsigned last, struct strbuf *out)
{
    (void)strbuf_addf(out, "%u", first);
    if (last != first)
        (void)strbuf_addf(out, "-%u", last);
}

static void print_numbers(const struct set_list *l, size_t max, struct strbuf *out)
{
    for (size_t i = 0; i < l->n && i < max; i++) {
        (void)strbuf_add(out, i ? "," : "");
        print_number_range((unsigned)l->v[i].first.lo, (unsigned)l->v[i].last.lo, out);
    }
    print_more(l->n, max, out);
}

/* The numbers that a list of ports lacks. */
static void print_missing(const struct set_list *l, size_t max, struct strbuf *out)
{
    unsigned at = 0;
    size_t n = 0;
    for (size_t i = 0; i <= l->n; i++) {
        unsigned end = i < l->n ? (unsigned)l->v[i].first.lo : UINT16_MAX + 1u;
        if (end > at && n++ < max) {
            (void)strbuf_add(out, n > 1 ? "," : "");
            print_number_range(at, end - 1, out);
        }
        at = i < l->n ? (unsigned)l->v[i].last.lo + 1 : at;
    }
    print_more(n, max, out);
}

static void print_ports(const struct set_list *l, bool any_but, size_t max, struct strbuf *out)
{
    if (set_is_whole(l, (struct ip){0, UINT16_MAX}))
        return;
    (void)strbuf_add(out, any_but ? " port any but " : " port ");
    if (any_but)
        print_missing(l, max, out);
    else
        print_numbers(l, max, out);
}

/* "type 8 ", "type 3 code 4 ", "type 0-7,9-255 "; where a range begins or ends inside a type,
 * "type 3/0-3/3". */
static void print_icmp(const struct set_list *l, struct strbuf *out)
{
    if (set_is_whole(l, (struct ip){0, UINT16_MAX}))
        return;
    (void)strbuf_add(out, "type ");
    for (size_t i = 0; i < l->n; i++) {
        unsigned first = (unsigned)l->v[i].first.lo, last = (unsigned)l->v[i].last.lo;
        (void)strbuf_add(out, i ? "," : "");
        if (first % 256 == 0 && last % 256 == 255) {
            (void)strbuf_addf(out, "%u", first >> 8);
            if (last >> 8 != first >> 8)
                (void)strbuf_addf(out, "-%u", last >> 8);
        } else if (first == last && l->n == 1) {
            (void)strbuf_addf(out, "%u code %u", first >> 8, first & 255);
        } else {
            (void)strbuf_addf(out, "%u/%u", first >> 8, first & 255);
            if (last != first)
                (void)strbuf_addf(out, "-%u/%u", last >> 8, last & 255);
        }
    }
    (void)strbuf_add_char(out, ' ');
}

/* --- place --- */

static void add_names_of_profiles(unsigned mask, struct strbuf *out)
{
    const char *between = " profile ";
    for (unsigned p = PROFILE_DOMAIN; p <= PROFILE_PUBLIC && mask != BOX_LAN; p++) {
        if (mask & BOX_PROFILE(p, false)) {
            (void)strbuf_addf(out, "%s%s", between, profile_name((enum profile)p));
            between = ",";
        }
    }
}

/* named: the names of the interfaces say already what connection they are. */
static void add_profiles(unsigned profiles, bool named, struct strbuf *out)
{
    unsigned lan = profiles & BOX_LAN, dialup = profiles >> PROFILE_PUBLIC & BOX_LAN;
    if (named)
        lan = dialup = lan | dialup;
    add_names_of_profiles(lan ? lan : dialup, out);
    if (lan == dialup)
        return;
    (void)strbuf_add(out, lan ? " connection lan" : " connection dialup");
    if (!lan || !dialup)
        return;
    (void)strbuf_add(out, " or");
    add_names_of_profiles(dialup, out);
    (void)strbuf_add(out, " connection dialup");
}

static void print_place(const struct set_term *t, const struct packetset *s, struct strbuf *out)
{
    const struct box *k = &t->key;
    bool named = k->if_last < s->n_names;
    if (k->if_first > 0 || k->if_last < s->n_names) {
        bool others = k->if_last == s->n_names; /* interfaces without a name here */
        (void)strbuf_add(out, others ? " on any but " : " on ");
        const char *between = "";
        for (uint16_t i = 0; i < s->n_names; i++) {
            if ((i >= k->if_first && i <= k->if_last) == others)
                continue;
            (void)strbuf_addf(out, "%s%.16s", between, s->names[i]);
            between = ",";
        }
    }
    add_profiles(k->profiles, named, out);
}

/* --- lines --- */

static bool is_icmp(const struct box *b)
{
    return count_protocols(b->proto) == 1 &&
           (has_protocol(b, PROTO_ICMP) || has_protocol(b, PROTO_ICMPV6));
}

static int print_term(const struct set_term *t, const struct packetset *s, size_t max,
                      struct strbuf *out)
{
    const struct box *k = &t->key;
    struct side_words src = {.me = k->class == CLASS_FROM_ME,
                             .but_me = !(k->class & CLASS_FROM_ME) && k->class != CLASS_TO_ME,
                             .whole = side_is_whole(t, SET_SRC4),
                             .max = max};
    struct side_words dst = {.me = k->class == CLASS_TO_ME,
                             .but_me = !(k->class & CLASS_TO_ME) && k->class != CLASS_FROM_ME,
                             .whole = side_is_whole(t, SET_DST4),
                             .max = max};
    bool one_family = t->list[SET_SRC4].n == 0 || t->list[SET_SRC6].n == 0;
    src.say_family = one_family && dst.whole && !src.me;
    dst.say_family = one_family && src.whole && src.me;
    if ((src.me && !src.whole) || (dst.me && !dst.whole)) /* me, at some of its addresses */
        (void)strbuf_add(out, src.me ? "out " : "in ");
    print_protocols(k, out);
    bool icmp = is_icmp(k);
    if (icmp)
        print_icmp(&t->list[SET_DPORT], out);
    (void)strbuf_add(out, "from ");
    int r = print_side(t, SET_SRC4, &src, out);
    if (r < 0)
        return r;
    if (!icmp)
        print_ports(&t->list[SET_SPORT], false, max, out);
    (void)strbuf_add(out, " to ");
    r = print_side(t, SET_DST4, &dst, out);
    if (r < 0)
        return r;
    if (!icmp)
        print_ports(&t->list[SET_DPORT], t->fragments, max, out);
    print_place(t, s, out);
    bool ports = !set_is_whole(&t->list[SET_SPORT], (struct ip){0, UINT16_MAX}) ||
                 !set_is_whole(&t->list[SET_DPORT], (struct ip){0, UINT16_MAX});
    if (k->l4 == L4_FRAGMENT)
        (void)strbuf_add(out, " (later fragments)");
    else if (k->l4 == L4_KNOWN && !ports)
        (void)strbuf_add(out, " (but later fragments)");
    else if (t->fragments && icmp)
        (void)strbuf_add(out, " (and later fragments)");
    if (k->special == SPECIAL_YES)
        (void)strbuf_add(out, " (router discovery and multicast listener)");
    return out->error;
}

int text_print_set(const struct packetset *s, size_t max_lines, struct strbuf *out)
{
    _cleanup_(set_terms_done) struct set_terms t = {0};
    int r = set_terms_new(s, &t);
    size_t n = r < 0 ? 0 : t.n;
    if (max_lines > 0 && n > max_lines)
        n = max_lines;
    for (size_t i = 0; i < n && r == 0; i++) {
        (void)strbuf_add(out, i ? "\n" : "");
        r = print_term(&t.v[i], s, max_lines ? ITEMS_MAX : SIZE_MAX, out);
    }
    size_t more = r < 0 ? 0 : t.n - n + t.left_out;
    if (more > 0)
        r = strbuf_addf(out, "%sand %zu more", n ? "\n" : "", more);
    return r;
}

int text_print_example(const struct example *x, struct strbuf *out)
{
    const struct packet *p = &x->packet;
    const char *name = proto_name(p->proto);
    bool icmp = p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6;
    bool ports = p->l4_known && proto_has_ports(p->proto);
    char text[IP_TEXT_BYTES];
    if (name)
        (void)strbuf_add(out, name);
    else
        (void)strbuf_addf(out, "%u", p->proto);
    if (icmp && p->l4_known)
        (void)strbuf_addf(out, " type %u code %u", p->icmp_type, p->icmp_code);
    ip_print(p->family, p->src, text);
    (void)strbuf_addf(out, " from %s", x->src_me ? "me" : text);
    if (ports && p->sport != 49152) /* policy.md 8: not given = 49152 */
        (void)strbuf_addf(out, " port %u", p->sport);
    ip_print(p->family, p->dst, text);
    (void)strbuf_addf(out, " to %s", x->dst_me ? "me" : text);
    if (ports)
        (void)strbuf_addf(out, " port %u", p->dport);
    if (x->interface[0])
        (void)strbuf_addf(out, " on %s", x->interface);
    return p->later_fragment ? strbuf_add(out, " (later fragment)") : out->error;
}
