/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/names.c: the words of the product's enums, one table each.
 * Used by printers, JSON and logs; the words are those of the grammar (policy.md 7), of the
 * drop log (datapath.md 8) and of JSON, so there is one spelling. */
#include <assert.h>

#include "model/packet.h"
#include "model/policy.h"

const char *action_name(enum action a)
{
    switch (a) {
    case ACTION_PERMIT:
        return "permit";
    case ACTION_NEGOTIATE:
        return "negotiate";
    case ACTION_BLOCK:
        return "block";
    }
    return "none"; /* a filter that was only initialised */
}

const char *profile_name(enum profile p)
{
    static const char *const names[_PROFILE_MAX] = {"none", "domain", "private", "public"};
    assert(p < _PROFILE_MAX);
    return names[p];
}

const char *connection_name(enum connection c)
{
    static const char *const names[_CONNECTION_MAX] = {"all", "lan", "dialup"};
    assert(c < _CONNECTION_MAX);
    return names[c];
}

const char *layer_name(enum layer l)
{
    static const char *const names[_LAYER_MAX] = {"persistent", "dynamic", "domain", "local"};
    assert(l < _LAYER_MAX);
    return names[l];
}

char layer_letter(enum layer l)
{
    assert(l < _LAYER_MAX);
    return "pdgs"[l]; /* cli.md 1 */
}

const char *tier_name(enum tier t)
{
    switch (t) {
    case TIER_ORDINARY:
        return "ordinary";
    case TIER_OVERRIDE:
        return "override";
    case TIER_EXEMPTION:
        return "exemption";
    case TIER_FAILSAFE:
        return "failsafe";
    }
    return "unknown";
}

const char *drop_reason_name(enum drop_reason r)
{
    static const char *const names[_DROP_REASON_MAX] = {
        [DROP_NONE] = "none",
        [DROP_FILTER] = "filter",
        [DROP_NO_SA] = "no-sa",
        [DROP_BAD_HEADER] = "bad-header",
        [DROP_EXT_HEADERS] = "ext-headers",
        [DROP_TRUNCATED_L4] = "truncated-l4",
        [DROP_TINY_FRAGMENT] = "tiny-fragment",
        [DROP_FRAGMENT] = "fragment",
        [DROP_STATE_EXPIRED] = "state-expired",
        [DROP_TIMED_BLOCK] = "timed-block",
        [DROP_INTERNAL] = "internal",
        [DROP_MPP_GATE] = "mpp-gate",
        [DROP_PANIC] = "panic",
        [DROP_MARTIAN] = "martian",
        [DROP_SOURCE_ROUTE] = "source-route",
        [DROP_VLAN_DEPTH] = "vlan-depth",
        [DROP_OVERRIDE] = "override",
    };
    assert(r < _DROP_REASON_MAX);
    return names[r];
}
