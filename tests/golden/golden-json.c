/* SPDX-License-Identifier: GPL-2.0-or-later */
/* golden-json.c: the model as JSON and back, field by field. Members that have their default
 * are left out, so that golden files stay readable. Text and JSON share no code here: numbers
 * and enums are read as such, addresses as the model's own text form. */
#include <assert.h>
#include <string.h>

#include "golden.h"

static const char *const addr_kinds[_ADDR_KIND_MAX] = {"any",  "me",  "host", "prefix", "range",
                                                       "name", "dns", "wins", "dhcp",   "gateway"};

static unsigned find(const char *const *names, unsigned n, const char *name)
{
    assert(name);
    for (unsigned i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    abort();
}

static void set(json_t *j, const char *key, json_t *value)
{
    int err = json_object_set_new(j, key, value);
    assert(err == 0);
}

static void set_string(json_t *j, const char *key, const char *value)
{
    if (value)
        set(j, key, json_string(value));
}

static void set_true(json_t *j, const char *key, bool value)
{
    if (value)
        set(j, key, json_true());
}

static void set_number(json_t *j, const char *key, long value, long none)
{
    if (value != none)
        set(j, key, json_integer(value));
}

static char *get_string(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    char *copy = s ? strdup(s) : NULL;
    assert(!s || copy);
    return copy;
}

static long get_number(const json_t *j, const char *key, long none)
{
    const json_t *value = json_object_get(j, key);
    return value ? (long)json_integer_value(value) : none;
}

static bool get_true(const json_t *j, const char *key)
{
    return json_is_true(json_object_get(j, key));
}

static void set_ip(json_t *j, const char *key, enum family family, struct ip ip)
{
    char text[IP_TEXT_BYTES];
    ip_print(family, ip, text);
    set(j, key, json_string(text));
}

static struct ip get_ip(const json_t *j, const char *key, enum family *ret_family)
{
    const char *s = json_string_value(json_object_get(j, key));
    struct ip ip = {0};
    *ret_family = FAMILY_ANY;
    if (s) {
        int err = ip_parse(s, strlen(s), ret_family, &ip);
        assert(err == 0);
    }
    return ip;
}

static json_t *addr_to_json(const struct addr *a)
{
    json_t *j = json_object();
    set(j, "kind", json_string(addr_kinds[a->kind]));
    if (a->kind == ADDR_HOST || a->kind == ADDR_PREFIX || a->kind == ADDR_RANGE)
        set_ip(j, "first", a->family, a->first);
    if (a->kind == ADDR_PREFIX)
        set(j, "prefix_len", json_integer(a->prefix_len));
    if (a->kind == ADDR_RANGE)
        set_ip(j, "last", a->family, a->last);
    set_string(j, "name", a->name);
    return j;
}

static struct addr addr_from_json(const json_t *j)
{
    enum family family, family2;
    unsigned kind = find(addr_kinds, _ADDR_KIND_MAX, json_string_value(json_object_get(j, "kind")));
    struct ip first = get_ip(j, "first", &family), last = get_ip(j, "last", &family2);
    if (kind == ADDR_HOST)
        return addr_host(family, first);
    if (kind == ADDR_PREFIX)
        return addr_prefix(family, first, (unsigned)get_number(j, "prefix_len", 0));
    if (kind == ADDR_RANGE)
        return addr_range(family, first, last);
    return (struct addr){.kind = (enum addr_kind)kind, .name = get_string(j, "name")};
}

static void set_ports(json_t *j, const char *key, const struct portset *ports)
{
    if (ports->n == 0)
        return;
    json_t *list = json_array();
    for (uint32_t i = 0; i < ports->n; i++) {
        int err = json_array_append_new(
            list, json_pack("[i,i]", ports->range[i].first, ports->range[i].last));
        assert(err == 0);
    }
    set(j, key, list);
}

static struct portset get_ports(const json_t *j, const char *key)
{
    struct port_range items[64];
    struct portset ports = {0};
    size_t n = 0;
    const json_t *item, *list = json_object_get(j, key);
    json_array_foreach(list, n, item)
    {
        items[n].first = (uint16_t)json_integer_value(json_array_get(item, 0));
        items[n].last = (uint16_t)json_integer_value(json_array_get(item, 1));
    }
    int err = portset_from(items, json_array_size(list), &ports);
    assert(err == 0);
    return ports;
}

json_t *golden_filter_to_json(const struct filter *f)
{
    json_t *j = json_object();
    set(j, "action", json_string(action_name(f->action)));
    set_true(j, "inpass", f->inpass);
    set_string(j, "methods", f->methods);
    set_number(j, "proto", f->proto, PROTO_ANY);
    set_number(j, "icmp_type", f->icmp_type, -1);
    set_number(j, "icmp_code", f->icmp_code, -1);
    set(j, "src", addr_to_json(&f->src));
    set_ports(j, "sport", &f->sport);
    set(j, "dst", addr_to_json(&f->dst));
    set_ports(j, "dport", &f->dport);
    set_true(j, "mirrored", f->mirrored);
    set_string(j, "interface", f->interface);
    if (f->profile != PROFILE_NONE)
        set(j, "profile", json_string(profile_name(f->profile)));
    set_true(j, "keep_state", f->keep_state);
    set_true(j, "override", f->override);
    set_true(j, "log", f->log);
    set_string(j, "description", f->description);
    return j;
}

static enum profile get_profile(const json_t *j)
{
    const char *s = json_string_value(json_object_get(j, "profile"));
    if (!s)
        return PROFILE_NONE;
    unsigned p = PROFILE_DOMAIN;
    while (p < _PROFILE_MAX && strcmp(profile_name((enum profile)p), s) != 0)
        p++;
    assert(p < _PROFILE_MAX);
    return (enum profile)p;
}

void golden_filter_from_json(const json_t *j, struct filter *ret)
{
    const char *action = json_string_value(json_object_get(j, "action"));
    assert(action);
    filter_init(ret);
    ret->action = strcmp(action, "block") == 0    ? ACTION_BLOCK
                  : strcmp(action, "permit") == 0 ? ACTION_PERMIT
                                                  : ACTION_NEGOTIATE;
    ret->inpass = get_true(j, "inpass");
    ret->methods = get_string(j, "methods");
    ret->proto = (int16_t)get_number(j, "proto", PROTO_ANY);
    ret->icmp_type = (int16_t)get_number(j, "icmp_type", -1);
    ret->icmp_code = (int16_t)get_number(j, "icmp_code", -1);
    ret->src = addr_from_json(json_object_get(j, "src"));
    ret->dst = addr_from_json(json_object_get(j, "dst"));
    ret->sport = get_ports(j, "sport");
    ret->dport = get_ports(j, "dport");
    ret->mirrored = get_true(j, "mirrored");
    ret->interface = get_string(j, "interface");
    ret->profile = get_profile(j);
    ret->keep_state = get_true(j, "keep_state");
    ret->override = get_true(j, "override");
    ret->log = get_true(j, "log");
    ret->description = get_string(j, "description");
}

static void set_attributes(json_t *j, const struct attributes *a)
{
    if (a->n == 0)
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < a->n; i++) {
        int err = json_array_append_new(list, json_pack("[s,s]", a->v[i].key, a->v[i].value));
        assert(err == 0);
    }
    set(j, "attributes", list);
}

static void get_attributes(const json_t *j, struct attributes *ret)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(j, "attributes"), i, item)
    {
        int err = attributes_set(ret, json_string_value(json_array_get(item, 0)),
                                 json_string_value(json_array_get(item, 1)));
        assert(err == 0);
    }
}

static json_t *rule_to_json(const struct rule *r)
{
    json_t *j = json_object(), *filters = json_array();
    set(j, "name", json_string(r->name));
    set_true(j, "inactive", r->inactive);
    if (r->connection != CONNECTION_ALL)
        set(j, "connection", json_string(connection_name(r->connection)));
    set_attributes(j, &r->attributes);
    for (size_t i = 0; i < r->n_filters; i++) {
        int err = json_array_append_new(filters, golden_filter_to_json(&r->filters[i]));
        assert(err == 0);
    }
    set(j, "filters", filters);
    return j;
}

static void rule_from_json(const json_t *j, struct rule *ret)
{
    size_t i;
    const json_t *item;
    const char *connection = json_string_value(json_object_get(j, "connection"));
    rule_init(ret);
    ret->name = get_string(j, "name");
    ret->inactive = get_true(j, "inactive");
    if (connection)
        ret->connection = strcmp(connection, "lan") == 0 ? CONNECTION_LAN : CONNECTION_DIALUP;
    get_attributes(j, &ret->attributes);
    json_array_foreach(json_object_get(j, "filters"), i, item)
    {
        struct filter f;
        golden_filter_from_json(item, &f);
        int err = rule_add_filter(ret, &f);
        assert(err == 0);
    }
}

json_t *golden_policies_to_json(const struct policy_list *l)
{
    json_t *all = json_array();
    for (size_t i = 0; i < l->n; i++) {
        const struct policy *p = l->v[i];
        json_t *j = json_object(), *rules = json_array();
        set(j, "name", json_string(p->name));
        set_string(j, "description", p->description);
        set_number(j, "poll_s", p->poll_s, 0);
        set_number(j, "local_permits", p->local_permits, -1);
        set_number(j, "weak", p->weak, -1);
        set_attributes(j, &p->attributes);
        for (size_t k = 0; k < p->n_rules; k++) {
            int err = json_array_append_new(rules, rule_to_json(&p->rules[k]));
            assert(err == 0);
        }
        set(j, "rules", rules);
        int err = json_array_append_new(all, j);
        assert(err == 0);
    }
    return all;
}

void golden_policies_from_json(const json_t *all, struct policy_list *ret)
{
    size_t i, k;
    const json_t *j, *rule;
    json_array_foreach(all, i, j)
    {
        struct policy *p;
        struct diag d;
        int err = policy_new(json_string_value(json_object_get(j, "name")), &p);
        assert(err == 0);
        p->description = get_string(j, "description");
        p->poll_s = (uint32_t)get_number(j, "poll_s", 0);
        p->local_permits = (int8_t)get_number(j, "local_permits", -1);
        p->weak = (int8_t)get_number(j, "weak", -1);
        get_attributes(j, &p->attributes);
        json_array_foreach(json_object_get(j, "rules"), k, rule)
        {
            struct rule r;
            rule_from_json(rule, &r);
            err = policy_add_rule(p, &r, &d);
            assert(err == 0);
        }
        err = policy_list_add(ret, p);
        assert(err == 0);
    }
}

json_t *golden_command_to_json(const struct command_filter *c)
{
    json_t *j = json_object();
    set(j, "filter", golden_filter_to_json(&c->filter));
    set_number(j, "for_s", c->for_s, 0);
    set_string(j, "reason", c->reason);
    return j;
}

void golden_command_from_json(const json_t *j, struct command_filter *ret)
{
    *ret = (struct command_filter){.for_s = (uint32_t)get_number(j, "for_s", 0)};
    golden_filter_from_json(json_object_get(j, "filter"), &ret->filter);
    ret->reason = get_string(j, "reason");
}

json_t *golden_packet_to_json(const struct packet_text *t)
{
    const struct packet *p = &t->packet;
    json_t *j = json_object();
    set(j, "dir", json_string(p->meta.dir == DIR_IN ? "in" : "out"));
    set(j, "family", json_integer(p->family));
    set_true(j, "src_me", t->src_me);
    set_true(j, "dst_me", t->dst_me);
    set_ip(j, "src", p->family, p->src);
    set_ip(j, "dst", p->family, p->dst);
    set(j, "proto", json_integer(p->proto));
    set_number(j, "sport", p->sport, 0);
    set_number(j, "dport", p->dport, 0);
    set_number(j, "icmp_type", p->icmp_type, 0);
    set_number(j, "icmp_code", p->icmp_code, 0);
    set_number(j, "tcp_flags", p->tcp_flags, 0);
    set(j, "hop_limit", json_integer(p->hop_limit));
    if (t->interface[0])
        set(j, "interface", json_string(t->interface));
    return j;
}

void golden_packet_from_json(const json_t *j, struct packet_text *ret)
{
    const char *dir = json_string_value(json_object_get(j, "dir"));
    const char *interface = json_string_value(json_object_get(j, "interface"));
    struct packet_text t = {0};
    struct packet *p = &t.packet;
    assert(dir);
    p->meta.dir = strcmp(dir, "in") == 0 ? DIR_IN : DIR_OUT;
    p->src = get_ip(j, "src", &p->family);
    p->dst = get_ip(j, "dst", &p->family);
    p->proto = (uint8_t)get_number(j, "proto", 0);
    p->sport = (uint16_t)get_number(j, "sport", 0);
    p->dport = (uint16_t)get_number(j, "dport", 0);
    p->icmp_type = (uint8_t)get_number(j, "icmp_type", 0);
    p->icmp_code = (uint8_t)get_number(j, "icmp_code", 0);
    p->tcp_flags = (uint8_t)get_number(j, "tcp_flags", 0);
    p->hop_limit = (uint8_t)get_number(j, "hop_limit", 0);
    p->l4_known = true;
    t.src_me = get_true(j, "src_me");
    t.dst_me = get_true(j, "dst_me");
    if (interface)
        strncpy(t.interface, interface, sizeof(t.interface) - 1);
    *ret = t;
}
