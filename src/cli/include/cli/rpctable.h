/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RPC endpoints of a host, joined with its sockets, the range and the filters: what `rpc dump` and
 * the dialect `rpcdump` print. What could not be asked is named in `missing`, never left out. */
#pragma once
#include "cli/reach.h"
#include "rpcdump/rpcdump.h"

struct cli;

enum { RPC_ASK_ONC = 1, RPC_ASK_DCE = 2 };
struct cli_rpc_row {
    const struct rpc_row *row; /* borrowed from the table */
    enum rpc_class_of_row class;
    char *reach; /* owned, NULL = not known, "" = from nowhere */
};
struct cli_rpc_table {
    struct rpc_rows joined;
    struct cli_rpc_row *v; /* of joined.v, owned */
    size_t n_bad;
    bool is_local;   /* sockets and filters are those of this host */
    char ports[512]; /* the range, "" = none or not known; cut */
    unsigned n_ports;
    char missing[2][DIAG_MESSAGE_BYTES]; /* of rpcbind, of the endpoint mapper; "" = answered */
};
/* host NULL = this one. what: RPC_ASK_*. Negative with *d: nobody answered. */
_must_check_ int cli_rpc_table_read(const struct cli_where *w, const char *host, unsigned what,
                                    struct diag *d, struct cli_rpc_table *ret);
void cli_rpc_table_done(struct cli_rpc_table *t);
/* "tcp" "udp" "pipe" "local" "http" "other" */
const char *cli_rpc_transport(enum rpc_transport t);
/* Whether the class is of those that exit 6. */
bool cli_rpc_is_bad(enum rpc_class_of_row class);
