/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which settings the database may hold, and what they may say. */
#pragma once
#include "base/diag.h"

/* Whether key can be set by a verb or a dialect. DIAG_UNKNOWN_OBJECT. */
_must_check_ int settings_known(const char *key, struct diag *d);
/* And to this value. */
_must_check_ int settings_check(const char *key, const char *value, struct diag *d);
