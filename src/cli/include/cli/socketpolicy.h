/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the filters in force say of sockets: the agent is asked once, for all of them, about each
 * address and the ports at it. */
#pragma once
#include <jansson.h>

#include "exposure/rows.h"

struct cli;
struct cli_socket_policy {
    struct hash_table *places; /* of struct place, owned */
    struct place *v;
    size_t n, cap;
    bool known;    /* the agent has answered */
    bool complete; /* false: some are not judged */
    char *text;    /* of the last answer that had to be put together, owned */
    json_t *doc;   /* the answer */
    char why[512]; /* why it is not known */
    int64_t generation;
};
/* Never fails: without an agent nothing is known. */
void cli_socket_policy_load(struct cli *c, const struct sockets *s, struct cli_socket_policy *p);
void cli_socket_policy_done(struct cli_socket_policy *p);
/* Words for the POLICY column; NULL = not known. Valid until the next call. */
const char *cli_socket_policy_text(struct cli_socket_policy *p, const struct socket_row *row);
/* The range of the answer that has this row's port, for one family; NULL = none. */
const json_t *cli_socket_policy_find(const struct cli_socket_policy *p,
                                     const struct socket_row *row, unsigned family);
