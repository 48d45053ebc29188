/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/json_mpp.c: memory pressure protection as JSON (docs/api.md, MPP): settings and state, the
 * ranking of connections, records of ended ones, what a change made. Called by handle_mpp.c and
 * handle_changes.c. */
#include <string.h>

#include "json.h"
#include "model/filter.h"
#include "request.h"

static const char *category(enum profile p)
{
    return profile_name(p == PROFILE_NONE ? PROFILE_PUBLIC : p);
}

/* --- settings --- */
static json_t *ranges(const struct mpp_ranges *l)
{
    _cleanup_json_ json_t *list = json_array();

    for (unsigned i = 0; i < l->n && list; i++)
        if (json_array_append_new(list, json_pack("[i, i]", l->v[i].first, l->v[i].last)))
            return NULL;
    return TAKE_PTR(list);
}

static json_t *interface(const struct agent_mpp *x, const struct iface_status *here,
                         const char *name)
{
    const struct mpp_interface *s = mpp_interface_find(&x->settings, name);
    enum profile p = here ? here->profile : PROFILE_NONE;
    bool inside = p == PROFILE_DOMAIN || p == PROFILE_PRIVATE;

    return json_pack("{s:o, s:o, s:o, s:b, s:b, s:b, s:o}", "name", api_text_json(name), "ifindex",
                     here ? json_integer(here->ifindex) : json_null(), "category",
                     here ? json_string(category(p)) : json_null(), "spared",
                     inside && mpp_has_profiles(&x->settings), "ipv4", !(s && s->off[0]), "ipv6",
                     !(s && s->off[1]), "rate",
                     json_int_or_null(s && s->rate ? (int64_t)s->rate : -1));
}

static bool is_here(const struct agent_mpp *x, const char *name)
{
    for (size_t i = 0; i < x->n_interfaces; i++)
        if (strcmp(x->interfaces[i].name, name) == 0)
            return true;
    return false;
}

/* Those that are there, then those that only settings name. */
static json_t *interfaces(const struct agent_mpp *x)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < x->n_interfaces && list; i++)
        if (x->interfaces[i].role == IFACE_NORMAL &&
            json_array_append_new(list, interface(x, &x->interfaces[i], x->interfaces[i].name)))
            return NULL;
    for (unsigned i = 0; i < x->settings.n_interfaces && list; i++) {
        const char *name = x->settings.interfaces[i].name;

        if (!is_here(x, name) && json_array_append_new(list, interface(x, NULL, name)))
            return NULL;
    }
    return TAKE_PTR(list);
}

static json_t *configured(const struct mpp_settings *s)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:i}", "role", s->client ? "client" : "server", "ipv4",
                     mpp_switch_name(s->on[0]), "ipv6", mpp_switch_name(s->on[1]), "profiles",
                     mpp_switch_name(s->profiles), "gate_max", s->gate_max);
}

/* --- engine --- */
static json_t *numbers(const uint64_t *v, size_t n)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < n && list; i++)
        if (json_array_append_new(list, json_integer((json_int_t)v[i])))
            return NULL;
    return TAKE_PTR(list);
}

static json_t *by_reason(const uint64_t v[_MPP_REASON_MAX])
{
    _cleanup_json_ json_t *o = json_object();

    for (unsigned i = MPP_NO_REASON + 1; i < _MPP_REASON_MAX && o; i++)
        if (json_object_set_new(o, mpp_reason_name((enum mpp_reason)i),
                                json_integer((json_int_t)v[i])))
            return NULL;
    return TAKE_PTR(o);
}

static json_t *memory(const struct mpp_status *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "page_bytes", (json_int_t)s->page_bytes,
                     "pages", (json_int_t)s->mem, "arm", (json_int_t)s->arm, "hi",
                     (json_int_t)s->hi, "lo", (json_int_t)s->lo, "limits", numbers(s->limits, 3));
}

static json_t *gate(const struct mpp_status *s)
{
    return json_pack("{s:I, s:I, s:b, s:I, s:I}", "level", (json_int_t)s->gate_level, "highest",
                     (json_int_t)s->gate_highest, "cookies_forced", s->cookies_forced, "bans",
                     (json_int_t)s->bans32, "net_bans", (json_int_t)s->bans24);
}

static json_t *totals(const struct mpp_status *s)
{
    return json_pack("{s:I, s:I, s:I, s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                     "attacks", (json_int_t)s->attacks, "killed", (json_int_t)s->killed,
                     "killed_bytes", (json_int_t)s->killed_bytes, "by_reason",
                     by_reason(s->by_reason), "syn_seen", (json_int_t)s->syn_seen, "syn_dropped",
                     numbers(s->syn_dropped, ARRAY_SIZE(s->syn_dropped)), "spared_exempt",
                     (json_int_t)s->spared_exempt, "spared_profile", (json_int_t)s->spared_profile,
                     "spared_off", (json_int_t)s->spared_off, "stamped", (json_int_t)s->stamped,
                     "adopted", (json_int_t)s->adopted, "events", (json_int_t)s->events, "lost",
                     (json_int_t)s->lost, "errors", (json_int_t)s->errors);
}

static json_t *connections(const struct mpp_status *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "candidates", (json_int_t)s->candidates,
                     "exempt", (json_int_t)s->exempt, "spared", (json_int_t)s->spared, "off",
                     (json_int_t)s->off, "kept", (json_int_t)s->kept, "adopted",
                     (json_int_t)s->n_adopted);
}

static json_t *engine(const struct mpp_status *s)
{
    return json_pack("{s:s, s:o, s:o, s:s, s:b, s:b, s:I, s:o, s:o, s:o}", "state",
                     mpp_state_name(s->state), "memory", memory(s), "gate", gate(s), "pruner",
                     mpp_pruner_name(s->pruner), "orphans", s->orphans, "stamps_at_creation",
                     s->stamps_at_creation, "generation", (json_int_t)s->kernel_generation,
                     "totals", totals(s), "connections", connections(s), "degraded",
                     api_text_json(s->degraded));
}

json_t *json_mpp(const struct agent_mpp *x)
{
    const struct mpp_settings *s = &x->settings;

    return json_pack("{s:b, s:b, s:b, s:o, s:{s:o, s:o}, s:o, s:I, s:o}", "ipv4", mpp_is_on(s, 0),
                     "ipv6", mpp_is_on(s, 1), "profiles", mpp_has_profiles(s), "configured",
                     configured(s), "exempt", "ipv4", ranges(&s->exempt[0]), "ipv6",
                     ranges(&s->exempt[1]), "interfaces", interfaces(x), "generation",
                     (json_int_t)x->generation, "engine",
                     x->running ? engine(&x->engine) : json_null());
}

/* --- connections --- */
static json_t *flags(uint8_t set)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } names[] = {{MPP_F_EXEMPT, "exempt"}, {MPP_F_SPARED, "spared"},   {MPP_F_OFF, "off"},
                 {MPP_F_IF_OFF, "if-off"}, {MPP_F_ADOPTED, "adopted"}, {MPP_F_KEPT, "kept"}};
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(names) && list; i++)
        if (set & names[i].bit && json_array_append_new(list, json_string(names[i].name)))
            return NULL;
    return TAKE_PTR(list);
}

static json_t *address(enum family family, struct ip ip)
{
    char text[IP_TEXT_BYTES];

    ip_print(family, ip, text);
    return json_string(text);
}

static json_t *connection(const struct mpp_conn *c)
{
    _cleanup_json_ json_t *o = json_pack(
        "{s:o, s:i, s:o, s:i, s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "local",
        address(c->family, c->local), "local_port", c->lport, "peer", address(c->family, c->peer),
        "peer_port", c->rport, "ifindex", json_int_or_null(c->ifindex ? (int64_t)c->ifindex : -1),
        "state", mpp_tcp_state_name(c->state), "flags", flags(c->flags), "queued_bytes",
        (json_int_t)c->queued, "window", (json_int_t)c->snd_wnd, "stall_ms",
        (json_int_t)c->stall_ms, "score", (json_int_t)c->score, "same_source",
        (json_int_t)c->same_source, "generation", (json_int_t)c->generation, "age_ms",
        (json_int_t)c->age_ms);

    if (!o ||
        json_object_set_new(o, "reason",
                            c->reason ? json_string(mpp_reason_name(c->reason)) : json_null()) ||
        json_object_set_new(o, "verdict", json_string(mpp_verdict_name(c->verdict))))
        return NULL;
    return TAKE_PTR(o);
}

static json_t *by_verdict(const struct mpp_ranking *r)
{
    _cleanup_json_ json_t *o = json_object();

    for (unsigned i = 0; i <= MPP_IS_KEPT && o; i++)
        if (json_object_set_new(o, mpp_verdict_name((enum mpp_verdict)i),
                                json_pack("{s:I, s:I}", "connections", (json_int_t)r->by_verdict[i],
                                          "queued_bytes", (json_int_t)r->bytes_by_verdict[i])))
            return NULL;
    return TAKE_PTR(o);
}

static json_t *list_of(const struct mpp_conn *v, size_t n)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < n && list; i++)
        if (json_array_append_new(list, connection(&v[i])))
            return NULL;
    return TAKE_PTR(list);
}

json_t *json_mpp_ranking(const struct mpp_ranking *r)
{
    return json_pack("{s:o, s:I, s:b, s:I, s:I, s:I, s:o}", "connections", list_of(r->v, r->n),
                     "total", (json_int_t)r->total, "attack", r->attack, "need_bytes",
                     (json_int_t)r->need, "would_prune", (json_int_t)r->would_conns,
                     "would_prune_bytes", (json_int_t)r->would_bytes, "by_verdict", by_verdict(r));
}

json_t *json_mpp_records(const struct mpp_conn *v, size_t n)
{
    return json_pack("{s:o}", "records", list_of(v, n));
}

/* --- changes --- */
json_t *json_mpp_change(const struct agent_result *result)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < result->mpp.n && list; i++) {
        const struct agent_mpp_change *c = &result->mpp.v[i];

        if (json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "key", c->key, "before",
                                                  api_text_json(c->before), "now",
                                                  api_text_json(c->now))))
            return NULL;
    }
    return json_pack("{s:s, s:O, s:o, s:b}", "change", result->change ? result->change : "none",
                     "settings", list, "existing", json_int_or_null(result->mpp_existing),
                     "restamped", result->mpp_restamped);
}
