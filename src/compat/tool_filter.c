/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/tool_filter.c: the end of what tool_host.filters() gave.
 * Called by every tool that asks what is in force. */
#include "compat/tool.h"

void tool_filters_free(struct tool_filter *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].text);
        free(v[i].policy);
        free(v[i].rule);
    }
    free(v);
}
