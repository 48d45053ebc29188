/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading what earlier versions stored otherwise. Only migrate.c includes it, inside of the
 * transaction of its step. */
#pragma once
#include "db.h"

/* Version 3 has a row for each rule and filter. Afterwards the last revision of every policy says
 * what the policy says, with its identities; a policy for which that is not so already gets one
 * revision more. */
_must_check_ int old_contents_to_revisions(struct store *s, struct diag *d);
