/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/effective.c: the two facts about effective filters that compile and eval may share:
 * whether anything is in force, and the default settings. Everything else each of them decides
 * for itself, so that one can be checked against the other. */
#include "model/effective.h"

#include "base/limits.h"

bool effective_is_armed(const struct effective *e)
{
    for (size_t i = 0; i < e->n; i++) {
        if (filter_effect(e->v[i].filter) != ACTION_PERMIT)
            return true;
    }
    return false;
}

bool effective_asks_place(const struct effective *e)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct filter *f = e->v[i].filter;
        if (f->interface || f->profile != PROFILE_NONE || e->v[i].connection != CONNECTION_ALL)
            return true;
    }
    return false;
}

void filter_settings_init(struct filter_settings *s)
{
    _Static_assert(ARRAY_SIZE(s->failsafe) == LIMIT_FAILSAFE, "settings.h repeats the limit");
    *s = (struct filter_settings){.exempt = 3, /* policy.md 6: IKE only */
                                  .log_rate = 10,
                                  .log_total_rate = 1000};
}

bool effective_keeps_state(const struct effective *e)
{
    for (size_t i = 0; i < e->n; i++)
        if (e->v[i].filter->keep_state)
            return true;
    return false;
}
