/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/json_status.c: status and the lists of policies as JSON. Called by the handlers. */
#include <string.h>

#include "apiclient/document.h"
#include "json.h"

const char *json_role_name(enum iface_role r)
{
    switch (r) {
    case IFACE_NORMAL:
        return "normal";
    case IFACE_PORT:
        return "port";
    case IFACE_NONE:
        return "none";
    }
    return "unknown";
}

static json_t *front_json(const char *program)
{
    return api_text_json(*program ? program : NULL);
}

static json_t *interface_json(const struct iface_status *i)
{
    const char *error = i->error ? strerrordesc_np(-i->error) : NULL;
    const char *profile = profile_name(i->profile ? i->profile : PROFILE_PUBLIC);

    return json_pack(
        "{s:o, s:I, s:s, s:s, s:o, s:b, s:b, s:o, s:o, s:o}", "name", api_text_json(i->name),
        "ifindex", (json_int_t)i->ifindex, "role", json_role_name(i->role), "profile", profile,
        "untested_kind", api_text_json(*i->untested ? i->untested : NULL), "attached_in",
        i->attached_in, "attached_out", i->attached_out, "front_in", front_json(i->front[DIR_IN]),
        "front_out", front_json(i->front[DIR_OUT]), "error", api_text_json(error));
}

/* "active": on every interface that is classified; "partial": not on all of them; "none": no
 * generation was ever installed. */
static const char *state_of(const struct agent_status *s)
{
    if (s->generation == 0)
        return "none";
    for (size_t i = 0; i < s->n_interfaces; i++)
        if (s->interfaces[i].role == IFACE_NORMAL &&
            (!s->interfaces[i].attached_in || !s->interfaces[i].attached_out))
            return "partial";
    return "active";
}

static json_t *enforcement_json(const struct agent_status *s)
{
    _cleanup_json_ json_t *interfaces = json_array();

    for (size_t i = 0; i < s->n_interfaces; i++)
        if (json_array_append_new(interfaces, interface_json(&s->interfaces[i])))
            return NULL;
    return json_pack(
        "{s:s, s:b, s:I, s:I, s:s, s:s, s:o, s:O}", "state", state_of(s), "armed", s->armed,
        "generation", (json_int_t)s->generation, "since_s", (json_int_t)s->since_s, "hook",
        hook_mode_name(s->hook), "guard", guard_state_name(s->guard.state), "guard_reason",
        api_text_json(*s->guard.reason ? s->guard.reason : NULL), "interfaces", interfaces);
}

json_t *json_beside(const struct beside *v, size_t n)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        const struct beside *b = &v[i];
        char text[BESIDE_TEXT_BYTES];

        beside_text(b, text);
        if (json_array_append_new(
                list, json_pack("{s:s, s:o, s:o, s:o, s:I, s:o}", "kind", beside_kind_name(b->kind),
                                "interface", *b->ifname ? json_string(b->ifname) : json_null(),
                                "program", *b->program ? api_text_json(b->program) : json_null(),
                                "pid", json_int_or_null(b->pid ? (int64_t)b->pid : -1), "count",
                                (json_int_t)b->n, "text", api_text_json(text))))
            return NULL;
    }
    return TAKE_PTR(list);
}

static json_t *packets_json(const struct agent_status *s, enum direction dir)
{
    _cleanup_json_ json_t *dropped = json_object();

    for (int i = DROP_NONE + 1; i < _DROP_REASON_MAX; i++)
        if (s->dropped[dir][i] &&
            json_object_set_new(dropped, drop_reason_name((enum drop_reason)i),
                                json_integer((json_int_t)s->dropped[dir][i])))
            return NULL;
    return json_pack("{s:I, s:O}", "passed", (json_int_t)s->passed[dir], "dropped", dropped);
}

json_t *json_status(const struct agent_status *s)
{
    _cleanup_json_ json_t *j = json_pack(
        "{s:o, s:s, s:I, s:I, s:I, s:I}", "host", api_text_json(s->host), "version", s->version,
        "netns_cookie", (json_int_t)s->netns_cookie, "pid", (json_int_t)s->pid, "uptime_s",
        (json_int_t)s->uptime_s, "memory_bytes", (json_int_t)s->memory_bytes);
    json_t *policy = json_pack("{s:o, s:o}", "local", api_text_json(s->policy_local), "persistent",
                               api_text_json(s->policy_persistent));
    json_t *dynamic = json_pack("{s:I, s:o}", "filters", (json_int_t)s->n_dynamic, "next_expiry_s",
                                json_int_or_null(s->next_expiry_s));
    json_t *image = json_pack("{s:I, s:I, s:I}", "entries", (json_int_t)s->image_entries, "groups",
                              (json_int_t)s->image_groups, "bytes", (json_int_t)s->image_bytes);
    json_t *packets =
        json_pack("{s:o, s:o}", "in", packets_json(s, DIR_IN), "out", packets_json(s, DIR_OUT));
    json_t *log = json_pack("{s:I, s:I, s:I}", "written", (json_int_t)s->log.written, "suppressed",
                            (json_int_t)s->log.suppressed, "lost", (json_int_t)s->log.lost);

    json_t *flows = json_pack(
        "{s:I, s:I, s:I, s:I, s:I}", "out_new", (json_int_t)s->flows.n[FLOW_OUT_NEW],
        "out_answered", (json_int_t)s->flows.n[FLOW_OUT_ANSWERED], "in_new",
        (json_int_t)s->flows.n[FLOW_IN_NEW], "in_answered",
        (json_int_t)s->flows.n[FLOW_IN_ANSWERED], "refused", (json_int_t)s->flows.refused);

    if (json_object_set_new(j, "enforcement", enforcement_json(s)) |
        json_object_set_new(j, "beside", json_beside(s->beside, s->n_beside)) |
        json_object_set_new(j, "policy", policy) | json_object_set_new(j, "dynamic", dynamic) |
        json_object_set_new(j, "image", image) | json_object_set_new(j, "packets", packets) |
        json_object_set_new(j, "log", log) | json_object_set_new(j, "flows", flows))
        return NULL;
    return TAKE_PTR(j);
}

json_t *json_policy_info(const struct agent_policy_info *p)
{
    char changed[API_TIME_BYTES];

    api_time_print(p->info.changed_s * 1000, /* with_ms= */ false, changed);
    return json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:s}", "name", api_text_json(p->info.name),
                     "layer", layer_name(p->layer), "state", p->state, "rules",
                     (json_int_t)p->info.n_rules, "filters", (json_int_t)p->info.n_filters,
                     "revision", (json_int_t)p->info.revision, "changed", changed);
}

json_t *json_policy_change(const struct agent_policy_change *p)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:b, s:s}", "name", api_text_json(p->name), "revision",
                     (json_int_t)p->revision, "rules", (json_int_t)p->n_rules, "filters",
                     (json_int_t)p->n_filters, "assigned", p->assigned, "change", p->change);
}
