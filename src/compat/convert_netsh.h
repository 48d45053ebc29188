/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the writer of netsh scripts keeps while it writes, and how it writes values and filters.
 * Only convert_netsh_write.c and convert_netsh_filter.c include it. */
#pragma once
#include "convert_internal.h"
#include "netsh.h"

/* Names that were written, borrowed, with their hashes. */
struct written_names {
    struct written_name {
        uint32_t hash;
        const char *name;
    } * v;
    size_t n, cap;
};

struct netsh_writer {
    struct catalog *c;
    struct strbuf *out;
    struct convert_losses *losses;
    const struct policy *p; /* the one being written; NULL for the library */
    bool all;               /* every policy is written: lists may be shared between them */
    struct written_names lists, actions; /* written already */
    char **own;                          /* names made here */
    size_t n_own, cap_own;
    /* Of p: numbers of the last action that negotiates, and of the last rule that stands for
     * filters of another action in a rule. */
    unsigned n_secure, n_extra;
};

/* tag="value": a script has no way to write a quote or a line break. */
_must_check_ int netsh_write_text(struct netsh_writer *w, enum netsh_tag tag, const char *s);
/* tag=word */
void netsh_write_word(struct netsh_writer *w, enum netsh_tag tag, const char *s);
/* The lines that add the filter to the list, or a loss. */
_must_check_ int netsh_write_filter(struct netsh_writer *w, const char *list,
                                    const struct filter *f);
