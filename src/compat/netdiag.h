/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two files of netdiag share: a filter in force as the blocks that netdiag prints of it.
 * Only netdiag*.c include it. */
#pragma once
#include "compat/tool.h"

struct netdiag_section {
    struct strbuf text;
    size_t n; /* blocks in it */
};

struct netdiag_filter {
    const struct filter *filter;
    const struct guid *guid; /* of the filter, or of what it was made from */
    const char *tunnel;      /* end point of its rule, NULL = none */
    struct guid action;      /* printed as its policy id */
};
struct netdiag_addresses {
    struct addr *v; /* owned: of this host, IPv4 first */
    size_t n;
};
/* Appends a block for each way, direction, own address and port item. A filter that can match IPv4
 * is shown with IPv4 addresses, any other with IPv6 ones. 0, -ENOMEM or the error of the text. */
_must_check_ int netdiag_print_filter(const struct netdiag_filter *f,
                                      const struct netdiag_addresses *own,
                                      struct netdiag_section *to);
