/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/host_pins.c: interfaces on which packets are filtered although no agent runs.
 * Called for netdiag when the agent does not answer. Reads names only; changes nothing. */
#include "host_pins.h"

#include <errno.h>

#include "base/strbuf.h"
#include "cli/pins.h"

int host_pins(const char *pin_root, struct diag *d, struct tool_pin **ret, size_t *ret_n)
{
    _cleanup_(cli_pins_done) struct cli_pins p = {0};
    uint64_t cookie;
    int r = cli_netns_cookie(&cookie);
    if (r == 0)
        r = cli_pins_read(pin_root, cookie, &p);
    if (r < 0) {
        r = diag_errno(d, r, "cannot see what the kernel filters");
        diag_hint(d, "run as root");
        return r;
    }
    struct tool_pin *v = calloc(p.n + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < p.n; i++) {
        v[i] = (struct tool_pin){.in = p.v[i].in, .out = p.v[i].out};
        (void)format_into(v[i].name, sizeof(v[i].name), "%s", p.v[i].name);
    }
    *ret = v;
    *ret_n = p.n;
    return 0;
}
