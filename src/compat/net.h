/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two files of `net` share. */
#pragma once
#include "compat/tool.h"

/* Remarks about what the end of all dynamic filters opens and closes. */
_must_check_ int net_note_opens(struct tool_run *t, struct diag *d);
