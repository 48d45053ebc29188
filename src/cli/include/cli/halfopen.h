/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The finding rpc-half-open of `policy check`: who reaches a mapper of RPC does not reach the ports
 * that it hands out, or the reverse; then clients hang. Needs the range, which the agent knows. */
#pragma once
#include "base/strbuf.h"
#include "cli/reach.h"

struct cli_half_open {
    char range[256]; /* "5001-5021", "" = no range is set, or nobody could be asked; cut */
};
void cli_half_open_init(const struct cli_where *w, struct cli_half_open *h);
/* True: there is one; message and hint are added. */
bool cli_half_open_find(const struct cli_half_open *h, const struct effective *e,
                        struct strbuf *message, struct strbuf *hint);
