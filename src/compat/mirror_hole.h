/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The finding `mirrored-hole` of policy.md 8 for the dialects, in which mirrored is common. */
#pragma once
#include "compat/tool.h"

/* Warns if f is a mirrored permit whose twin lets one port of anybody reach every port of this
 * host; the native line with `keep state` is the way out. what: the word or rule it is about. */
_must_check_ int mirror_hole_check(struct tool_run *t, const char *what, const struct filter *f,
                                   struct diag *d);
