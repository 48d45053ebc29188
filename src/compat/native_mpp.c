/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/native_mpp.c: settings of memory pressure protection in the words of `portward mpp`.
 * Called by native.c. Invariant: the lines set what the setting is changed to, whatever it was
 * before. */
#include <string.h>

#include "front.h"
#include "model/mpp.h"

static void print_exemptions(const struct mpp_ranges *l, unsigned family, struct strbuf *out)
{
    for (unsigned i = 0; i < l->n; i++)
        (void)strbuf_addf(out, "portward mpp exempt add %u-%u --family %d\n", l->v[i].first,
                          l->v[i].last, family ? 6 : 4); /* errors are sticky */
}

static void print_interfaces(const struct mpp_settings *s, struct strbuf *out)
{
    for (unsigned i = 0; i < s->n_interfaces; i++) {
        const struct mpp_interface *x = &s->interfaces[i];
        for (unsigned f = 0; f < MPP_FAMILIES; f++) {
            if (!x->off[f])
                continue;
            (void)strbuf_add(out, "portward mpp disable --interface ");
            (void)shell_word(x->name, out);
            (void)strbuf_addf(out, " --family %d\n", f ? 6 : 4);
        }
        if (x->rate == 0)
            continue;
        (void)strbuf_add(out, "portward mpp rate ");
        (void)shell_word(x->name, out);
        (void)strbuf_addf(out, " %u/s\n", x->rate);
    }
}

bool native_mpp(const char *key, const char *value, struct strbuf *out)
{
    struct mpp_settings s;
    struct diag d;
    mpp_settings_init(&s);
    if (mpp_settings_put(&s, key, value, &d) < 0)
        return false;
    if (s.profiles != MPP_SWITCH_DEFAULT) {
        (void)strbuf_addf(out, "portward mpp profiles %s\n",
                          s.profiles == MPP_SWITCH_ON ? "on" : "off"); /* errors are sticky */
        return true;
    }
    for (unsigned f = 0; f < MPP_FAMILIES; f++)
        if (s.on[f] != MPP_SWITCH_DEFAULT) {
            (void)strbuf_addf(out, "portward mpp %s --family %d\n",
                              s.on[f] == MPP_SWITCH_ON ? "enable" : "disable", f ? 6 : 4);
            return true;
        }
    (void)strbuf_addf(out, "portward config reset %s\n", key);
    for (unsigned f = 0; f < MPP_FAMILIES; f++)
        print_exemptions(&s.exempt[f], f, out);
    print_interfaces(&s, out);
    return true;
}
