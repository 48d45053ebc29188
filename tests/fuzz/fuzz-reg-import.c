/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registry exports as policies: whatever the file is, it is read or refused; what was read can be
 * written, and what was written can be read again with nothing to be said about it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/compat/convert_internal.h"
#include "compat/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t seed[2] = {1, 2};
static const char *const map[] = {"{AAAAAAAA-0000-0000-0000-000000000001}=eth0"};

/* Into a fresh catalog. */
static int read_into(struct catalog *c, struct tool_run *t, const char *data, size_t size)
{
    struct diag d = {0};
    struct convert_options o = {.file = "x.reg", .assign = true, .map = map, .n_map = 1};
    catalog_init(c, NULL, seed);
    tool_run_init(t, c, NULL);
    int err = convert_read_reg(t, data, size, &o, &d);
    return err < 0 ? err : catalog_settle(c, &d);
}

static void check_policy(struct catalog *c, const struct policy *p)
{
    struct strbuf out = STRBUF_INIT(64 * 1024 * 1024);
    struct convert_losses losses = {0};
    struct catalog again;
    struct tool_run t;
    if (strbuf_add(&out, "Windows Registry Editor Version 5.00\n\n") < 0 ||
        convert_write_reg(c, p, true, &out, &losses) < 0)
        abort();
    if (read_into(&again, &t, out.s, out.len) < 0 || t.partly)
        abort();
    tool_run_done(&t);
    catalog_done(&again);
    convert_losses_done(&losses);
    strbuf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catalog c;
    struct tool_run t;
    if (read_into(&c, &t, (const char *)data, size) == 0)
        for (size_t i = 0; i < c.n_policies; i++)
            if (c.policies[i].now)
                check_policy(&c, c.policies[i].now);
    tool_run_done(&t);
    catalog_done(&c);
    return 0;
}
