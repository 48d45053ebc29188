/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What shall be enforced: the filters of all layers with their origin, the settings and the
 * host. It is the common input of compile (which makes an image of it) and of eval (which
 * reads it literally); neither sees the other's work. Nothing here is expanded: mirrored
 * twins, port lists, ranges, tiers, failsafe and exemptions are each side's own business.
 *
 * Everything is borrowed from the caller and must outlive the use. DNS names and server
 * keywords have been replaced by addresses; one that stands for no address was left in place,
 * and such a filter matches no packet (but arms, as any block does). eval and compile accept every
 * other filter. */
#pragma once
#include "model/filter.h"
#include "model/host.h"
#include "model/settings.h"
#include "model/weight.h"

/* In the order of policy.md 3 for equal weights: the smaller wins the counter. */
enum layer { LAYER_PERSISTENT, LAYER_DYNAMIC, LAYER_DOMAIN, LAYER_LOCAL, _LAYER_MAX };
const char *layer_name(enum layer l);
char layer_letter(enum layer l); /* p d g s */

enum { COUNTER_NONE = 0xffffffffu };
struct effective_filter {
    const struct filter *filter;
    enum layer layer;
    enum connection connection; /* of its rule */
    uint32_t counter_id;        /* COUNTER_NONE = not counted */
    uint64_t deadline_ns;       /* boot-time clock, 0 = none; a permit past it no longer matches, a
                                   block or negotiate past it still does */
    const char *policy, *rule;  /* names for people, NULL for dynamic filters */
};

struct effective {
    const struct effective_filter *v;
    size_t n;
    const struct filter_settings *settings;
    const struct host *host;
};
/* Armed: any block, negotiate or inpass filter is in force (datapath.md 1). */
bool effective_is_armed(const struct effective *e);
/* A filter with `keep state` exists. */
bool effective_keeps_state(const struct effective *e);
/* Any filter asks where a packet comes in or goes out: `on IF`, `profile P`, a connection type. */
bool effective_asks_place(const struct effective *e);
