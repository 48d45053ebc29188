/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel enforces without an agent, for tool_host.pins: read from the names of the pins
 * (cli/pins.h). Used by whoever makes a struct tool_host of the running system. */
#pragma once
#include "compat/tool.h"

/* pin_root: where the agent pins. 0 also if nothing is pinned; array owned. */
_must_check_ int host_pins(const char *pin_root, struct diag *d, struct tool_pin **ret,
                           size_t *ret_n);
