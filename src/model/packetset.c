/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/packetset.c: releasing packet sets and findings, and the words for findings. compile
 * makes them, text prints them. Invariant: the names are those of policy.md 8. */
#include "model/packetset.h"

#include "model/finding.h"

void packetset_done(struct packetset *s)
{
    free(s->v);
    free(s->names);
    *s = (struct packetset){0};
}

void finding_list_done(struct finding_list *l)
{
    free(l->v);
    *l = (struct finding_list){0};
}

const char *finding_kind_name(enum finding_kind k)
{
    static const char *const names[] = {
        [FINDING_CONFLICT] = "conflict",
        [FINDING_SHADOWED] = "shadowed",
        [FINDING_REDUNDANT] = "redundant",
        [FINDING_OVERLAP] = "overlap",
        [FINDING_NEVER_WINS] = "never-wins",
        [FINDING_FAMILY_GAP] = "family-gap",
        [FINDING_MIRRORED_HOLE] = "mirrored-hole",
        [FINDING_NAME_PERMIT] = "name-permit",
        [FINDING_LOCK_OUT] = "lock-out",
        [FINDING_FRAGMENTS] = "fragments",
        [FINDING_PMTU] = "pmtu",
        [FINDING_COST] = "cost",
    };
    _Static_assert(ARRAY_SIZE(names) == _FINDING_MAX, "one name per kind");
    return (unsigned)k < ARRAY_SIZE(names) ? names[k] : "unknown";
}

/* Later fragments and path MTU fail with nearly every closed policy: worth knowing, not a fault. */
enum finding_severity finding_severity(enum finding_kind k)
{
    if (k == FINDING_NAME_PERMIT)
        return SEVERITY_ERROR;
    return k == FINDING_FRAGMENTS || k == FINDING_PMTU ? SEVERITY_NOTE : SEVERITY_WARNING;
}
