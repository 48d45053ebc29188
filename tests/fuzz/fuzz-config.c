/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-config.c: any bytes as portward.conf. What is refused has a place and a message and
 * changes nothing; what is accepted gives settings within their bounds, and the same ones when
 * it is read again. */
#include <stdlib.h>
#include <string.h>

#include "../../src/agent/config.h"
#include "base/limits.h"
#include "fuzz.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool same(const struct agent_config *a, const struct agent_config *b)
{
    if (a->hook != b->hook || a->lost_on_stop != b->lost_on_stop ||
        a->filter.exempt != b->filter.exempt || a->filter.n_failsafe != b->filter.n_failsafe ||
        a->filter.masqueraded_pass != b->filter.masqueraded_pass ||
        a->filter.source_route_classify != b->filter.source_route_classify ||
        a->filter.dhcp_client_off != b->filter.dhcp_client_off ||
        a->filter.counters_off != b->filter.counters_off)
        return false;
    for (unsigned i = 0; i < a->filter.n_failsafe; i++) {
        const struct failsafe *x = &a->filter.failsafe[i], *y = &b->filter.failsafe[i];
        if (x->proto != y->proto || x->port != y->port || x->family != y->family ||
            !ip_eq(x->prefix, y->prefix) || x->prefix_len != y->prefix_len)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agent_config c, again, before;
    struct diag d = {0};
    char *text = malloc(size > 0 ? size : 1); /* exact: ASan sees a read behind it */
    require(text != NULL);
    memcpy(text, data, size);
    agent_config_init(&c);
    before = c;
    if (agent_config_parse("x.conf", text, size, &c, &d) < 0) {
        require(d.code != DIAG_NONE && strncmp(d.message, "x.conf:", 7) == 0);
        require(same(&c, &before));
    } else {
        require(c.filter.exempt <= 3 && c.filter.n_failsafe <= LIMIT_FAILSAFE);
        require(c.hook == HOOK_AUTO || c.hook == HOOK_TCX || c.hook == HOOK_CLSACT);
        again = c;
        require(agent_config_parse("x.conf", text, size, &again, &d) == 0);
        require(same(&c, &again));
    }
    free(text);
    return 0;
}
