/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/foreignmatch.c: conditions of foreign rules (exposure/foreign.h): the left side becomes
 * a value of the packet, the right side a set that it is in, is not in, or may be in. Called by
 * foreign.c. Invariant: whatever is not understood is unknown. */
#include <string.h>

#include "foreign.h"
#include "model/proto.h"

/* What a left side stands for. */
struct value {
    enum { VALUE_UNKNOWN, VALUE_NONE, VALUE_NUMBER, VALUE_IP, VALUE_TEXT } kind;
    uint64_t number;
    struct ip ip;
    const char *text;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

bool foreign_ip(const json_t *j, enum family f, struct ip *ret)
{
    const char *s = json_string_value(j);
    enum family found;

    return s && ip_parse(s, strlen(s), &found, ret) == 0 && found == f;
}

bool foreign_is_local(const struct host *h, enum family f, struct ip ip)
{
    for (size_t i = 0; i < h->n_local; i++)
        if (h->local[i].family == f && h->local[i].kind == LOCAL_UNICAST &&
            ip_eq(ip_and(ip, ip_mask(f, h->local[i].prefix_len)), h->local[i].prefix))
            return true;
    return false;
}

/* --- left sides --- */
static struct value number(uint64_t n)
{
    return (struct value){.kind = VALUE_NUMBER, .number = n};
}

static struct value payload(const struct foreign_packet *p, const json_t *left)
{
    const char *proto = text_of(left, "protocol"), *field = text_of(left, "field");
    bool ip = strcmp(proto, "ip") == 0, ip6 = strcmp(proto, "ip6") == 0;
    bool tcp = strcmp(proto, "tcp") == 0, udp = strcmp(proto, "udp") == 0;
    const struct value none = {.kind = VALUE_NONE};

    if (ip || ip6) {
        if (ip != (p->family == FAMILY_4))
            return none;
        if (strcmp(field, "saddr") == 0)
            return (struct value){.kind = VALUE_IP, .ip = p->src};
        if (strcmp(field, "daddr") == 0)
            return (struct value){.kind = VALUE_IP, .ip = p->dst};
        if (strcmp(field, "protocol") == 0 || strcmp(field, "nexthdr") == 0)
            return number(p->proto);
    }
    if (tcp || udp || strcmp(proto, "th") == 0) {
        if ((tcp && p->proto != PROTO_TCP) || (udp && p->proto != PROTO_UDP))
            return none;
        if (strcmp(field, "dport") == 0)
            return number(p->dport);
        if (strcmp(field, "sport") == 0)
            return number(p->sport);
    }
    return (struct value){.kind = VALUE_UNKNOWN};
}

static struct value meta(const struct foreign_packet *p, const json_t *left)
{
    const char *key = text_of(left, "key");

    if (strcmp(key, "l4proto") == 0)
        return number(p->proto);
    if (strcmp(key, "iifname") == 0 || strcmp(key, "iif") == 0)
        return (struct value){.kind = VALUE_TEXT, .text = p->iif};
    if (strcmp(key, "nfproto") == 0)
        return (struct value){.kind = VALUE_TEXT, .text = p->family == FAMILY_4 ? "ipv4" : "ipv6"};
    if (strcmp(key, "protocol") == 0)
        return (struct value){.kind = VALUE_TEXT, .text = p->family == FAMILY_4 ? "ip" : "ip6"};
    return (struct value){.kind = VALUE_UNKNOWN};
}

static struct value left_side(const struct match_place *at, const json_t *left)
{
    const json_t *ct = json_object_get(left, "ct"), *fib = json_object_get(left, "fib");
    const json_t *of_payload = json_object_get(left, "payload");
    const json_t *of_meta = json_object_get(left, "meta");

    if (of_payload)
        return payload(at->p, of_payload);
    if (of_meta)
        return meta(at->p, of_meta);
    if (ct && strcmp(text_of(ct, "key"), "state") == 0 && !json_object_get(ct, "dir"))
        return (struct value){.kind = VALUE_TEXT, .text = "new"};
    if (fib && strcmp(text_of(fib, "result"), "type") == 0 &&
        json_is_string(json_object_get(fib, "flags")) &&
        strcmp(text_of(fib, "flags"), "daddr") == 0)
        return (struct value){
            .kind = VALUE_TEXT,
            .text = foreign_is_local(at->host, at->p->family, at->p->dst) ? "local" : "unicast"};
    return (struct value){.kind = VALUE_UNKNOWN};
}

/* --- right sides --- */
static enum truth in_one(const struct match_place *at, const struct value *v, const json_t *right,
                         unsigned depth);

static int compare(const struct value *a, const struct value *b)
{
    if (a->kind == VALUE_IP)
        return ip_cmp(a->ip, b->ip);
    return (a->number > b->number) - (a->number < b->number);
}

/* The right side as a value of the same kind as v. */
static bool constant(const struct match_place *at, const struct value *v, const json_t *right,
                     struct value *ret)
{
    const char *s = json_string_value(right);

    ret->kind = v->kind;
    if (v->kind == VALUE_IP)
        return foreign_ip(right, at->p->family, &ret->ip);
    if (json_is_integer(right) && json_integer_value(right) >= 0) {
        ret->number = (uint64_t)json_integer_value(right);
        return true;
    }
    int n = s ? proto_from_name(s, strlen(s)) : -1;
    if (n < 0 && s)
        n = service_port(s, strlen(s));
    ret->number = n < 0 ? 0 : (uint64_t)n;
    return n >= 0;
}

/* "eth*" stands for all that begin so. */
static enum truth same_text(const char *text, const char *pattern)
{
    size_t n = strlen(pattern);

    if (n && pattern[n - 1] == '*')
        return strncmp(text, pattern, n - 1) == 0 ? TRUTH_YES : TRUTH_NO;
    return strcmp(text, pattern) == 0 ? TRUTH_YES : TRUTH_NO;
}

static enum truth in_prefix(const struct match_place *at, const struct value *v,
                            const json_t *prefix)
{
    json_int_t len = json_integer_value(json_object_get(prefix, "len"));
    enum family f = at->p->family;
    struct ip ip;

    if (v->kind != VALUE_IP || !foreign_ip(json_object_get(prefix, "addr"), f, &ip) || len < 0 ||
        len > (json_int_t)family_bits(f))
        return TRUTH_UNKNOWN;
    struct ip mask = ip_mask(f, (unsigned)len);
    return ip_eq(ip_and(v->ip, mask), ip_and(ip, mask)) ? TRUTH_YES : TRUTH_NO;
}

static enum truth in_range(const struct match_place *at, const struct value *v, const json_t *range)
{
    struct value first, last;

    if (v->kind == VALUE_TEXT || json_array_size(range) != 2 ||
        !constant(at, v, json_array_get(range, 0), &first) ||
        !constant(at, v, json_array_get(range, 1), &last))
        return TRUTH_UNKNOWN;
    return compare(&first, v) <= 0 && compare(v, &last) <= 0 ? TRUTH_YES : TRUTH_NO;
}

static enum truth in_list(const struct match_place *at, const struct value *v, const json_t *list,
                          unsigned depth)
{
    enum truth found = TRUTH_NO;
    const json_t *j;
    size_t i;

    json_array_foreach(list, i, j)
    {
        enum truth t = in_one(at, v, j, depth + 1);

        if (t == TRUTH_YES)
            return t;
        if (t == TRUTH_UNKNOWN)
            found = t;
    }
    return found;
}

/* The set or map of a name in the table of the rule. */
static const json_t *find_named(const struct match_place *at, const char *kind, const char *name)
{
    const json_t *j;
    size_t i;

    json_array_foreach(at->f->list, i, j)
    {
        const json_t *s = json_object_get(j, kind);

        if (s && strcmp(text_of(s, "name"), name) == 0 &&
            strcmp(text_of(s, "table"), at->table) == 0 &&
            strcmp(text_of(s, "family"), at->family) == 0)
            return s;
    }
    return NULL;
}

static enum truth in_named(const struct match_place *at, const struct value *v, const char *name,
                           unsigned depth)
{
    const json_t *set = find_named(at, "set", name);

    if (!set)
        return TRUTH_UNKNOWN;
    const json_t *elements = json_object_get(set, "elem");
    return elements ? in_list(at, v, elements, depth) : TRUTH_NO; /* empty */
}

static enum truth in_one(const struct match_place *at, const struct value *v, const json_t *right,
                         unsigned depth)
{
    const char *s = json_string_value(right);
    struct value c;

    if (depth > 4)
        return TRUTH_UNKNOWN;
    if (s && s[0] == '@')
        return in_named(at, v, s + 1, depth);
    if (json_is_array(right))
        return in_list(at, v, right, depth);
    if (json_is_object(right)) {
        const json_t *set = json_object_get(right, "set"), *elem = json_object_get(right, "elem");
        const json_t *prefix = json_object_get(right, "prefix");
        const json_t *range = json_object_get(right, "range");

        return set      ? in_one(at, v, set, depth + 1)
               : elem   ? in_one(at, v, json_object_get(elem, "val"), depth + 1)
               : prefix ? in_prefix(at, v, prefix)
               : range  ? in_range(at, v, range)
                        : TRUTH_UNKNOWN;
    }
    if (v->kind == VALUE_TEXT)
        return s ? same_text(v->text, s) : TRUTH_UNKNOWN;
    if (!constant(at, v, right, &c))
        return TRUTH_UNKNOWN;
    return compare(v, &c) == 0 ? TRUTH_YES : TRUTH_NO;
}

static enum truth not_of(enum truth t)
{
    return t == TRUTH_YES ? TRUTH_NO : t == TRUTH_NO ? TRUTH_YES : t;
}

static enum truth by_order(const struct match_place *at, const struct value *v, const char *op,
                           const json_t *right)
{
    struct value c;

    if (v->kind == VALUE_TEXT || !constant(at, v, right, &c))
        return TRUTH_UNKNOWN;
    int order = compare(v, &c);
    if (strcmp(op, "<") == 0)
        return order < 0 ? TRUTH_YES : TRUTH_NO;
    if (strcmp(op, ">") == 0)
        return order > 0 ? TRUTH_YES : TRUTH_NO;
    if (strcmp(op, "<=") == 0)
        return order <= 0 ? TRUTH_YES : TRUTH_NO;
    if (strcmp(op, ">=") == 0)
        return order >= 0 ? TRUTH_YES : TRUTH_NO;
    return TRUTH_UNKNOWN;
}

enum truth foreign_match(const struct match_place *at, const json_t *match)
{
    const char *op = text_of(match, "op");
    const json_t *right = json_object_get(match, "right");
    struct value v = left_side(at, json_object_get(match, "left"));

    if (v.kind == VALUE_UNKNOWN)
        return TRUTH_UNKNOWN;
    if (v.kind == VALUE_NONE) /* of another family or protocol: the rule is not for the packet */
        return TRUTH_NO;
    if (strcmp(op, "==") == 0 || strcmp(op, "in") == 0)
        return in_one(at, &v, right, 0);
    if (strcmp(op, "!=") == 0)
        return not_of(in_one(at, &v, right, 0));
    return by_order(at, &v, op, right);
}

const json_t *foreign_vmap(const struct match_place *at, const json_t *vmap, bool *ret_sure)
{
    struct value v = left_side(at, json_object_get(vmap, "key"));
    const json_t *data = json_object_get(vmap, "data"), *pair;
    const char *name = json_string_value(data);
    size_t i;

    *ret_sure = v.kind != VALUE_UNKNOWN;
    if (v.kind == VALUE_UNKNOWN || v.kind == VALUE_NONE)
        return NULL;
    if (name && name[0] == '@') {
        const json_t *map = find_named(at, "map", name + 1);

        *ret_sure = map != NULL;
        data = json_object_get(map, "elem");
    } else {
        data = json_object_get(data, "set");
    }
    json_array_foreach(data, i, pair)
    {
        enum truth t = in_one(at, &v, json_array_get(pair, 0), 1);

        if (t == TRUTH_YES)
            return json_array_get(pair, 1);
        if (t == TRUTH_UNKNOWN)
            *ret_sure = false;
    }
    return NULL;
}
