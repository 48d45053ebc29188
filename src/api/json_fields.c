/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/json_fields.c: the fields of a filter as members beside its text (cli.md 3), so that no
 * script has to parse the policy language. Called by json_filter.c. Invariant: the members are
 * read from the very text that is shown, so the two cannot disagree; an entry that the grammar
 * has no words for (some exemptions) has null in all of them. */
#include <stdio.h>
#include <string.h>

#include "apiclient/document.h"
#include "json.h"
#include "text/text.h"

enum { ADDRESS_TEXT_MAX = 1024 }; /* the longest is a DNS name between quotes */

static json_t *address_json(const struct addr *a)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(ADDRESS_TEXT_MAX);

    return text_print_addr(a, &b) < 0 ? NULL : json_string(b.s);
}

/* Ranges as pairs; none at all means any port. */
static json_t *ports_json(const struct portset *ports)
{
    _cleanup_json_ json_t *list = json_array();

    for (uint32_t i = 0; i < ports->n; i++)
        if (json_array_append_new(list,
                                  json_pack("[i, i]", ports->range[i].first, ports->range[i].last)))
            return NULL;
    return TAKE_PTR(list);
}

static json_t *protocol_json(int proto)
{
    char number[16];

    if (proto == PROTO_ANY)
        return json_null();
    (void)snprintf(number, sizeof(number), "%d", proto); /* fits */
    return json_string(proto_name(proto) ? proto_name(proto) : number);
}

static json_t *icmp_json(const struct filter *f)
{
    if (f->icmp_type < 0)
        return json_null();
    return json_pack("{s:i, s:o}", "type", f->icmp_type, "code", json_int_or_null(f->icmp_code));
}

static json_t *direction_json(const struct filter *f)
{
    bool from_me = f->src.kind == ADDR_ME, to_me = f->dst.kind == ADDR_ME;

    return from_me == to_me ? json_null() : json_string(to_me ? "in" : "out");
}

static json_t *fields_of(const struct filter *f)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:o, s:o}",
        "direction", direction_json(f), "protocol", protocol_json(f->proto), "icmp", icmp_json(f),
        "source", address_json(&f->src), "source_ports", ports_json(&f->sport), "destination",
        address_json(&f->dst), "destination_ports", ports_json(&f->dport), "mirrored", f->mirrored,
        "override", f->override, "keep_state", f->keep_state, "log", f->log, "inpass", f->inpass,
        "interface", api_text_json(f->interface), "profile",
        f->profile == PROFILE_NONE ? json_null() : json_string(profile_name(f->profile)), "methods",
        api_text_json(f->methods), "description", api_text_json(f->description));
}

static json_t *no_fields(void)
{
    static const char *const names[] = {
        "direction",         "protocol", "icmp",     "source",     "source_ports", "destination",
        "destination_ports", "mirrored", "override", "keep_state", "log",          "inpass",
        "interface",         "profile",  "methods",  "description"};
    _cleanup_json_ json_t *j = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (json_object_set_new(j, names[i], json_null()))
            return NULL;
    return TAKE_PTR(j);
}

json_t *json_filter_fields(const char *text)
{
    struct filter f;
    struct diag d;
    json_t *j;

    filter_init(&f);
    if (text && text_parse_filter(text, strlen(text), &d, &f) == 0)
        j = fields_of(&f);
    else
        j = no_fields();
    filter_done(&f);
    return j;
}
