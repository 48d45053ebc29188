/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What foreign.c (chains and verdicts) and foreignmatch.c (conditions) share. */
#pragma once
#include "exposure/foreign.h"

/* A value of three-valued logic. */
enum truth { TRUTH_NO, TRUTH_YES, TRUTH_UNKNOWN };

struct base_chain {
    const char *family, *table, *name; /* borrowed from the document */
    bool input;                        /* else prerouting */
    int64_t prio;
    bool drops; /* its policy */
};
struct foreign {
    json_t *doc;
    const json_t *list; /* "nftables" */
    struct base_chain *chains;
    size_t n, cap;
};

/* --- foreignmatch.c --- */
/* table: where named sets are looked for. */
struct match_place {
    const struct foreign *f;
    const char *family, *table;
    const struct foreign_packet *p; /* with the destination as rewritten so far */
    const struct host *host;
};
enum truth foreign_match(const struct match_place *at, const json_t *match);
/* The verdict that a vmap has for the packet; NULL = none. *ret_sure false: not known. */
const json_t *foreign_vmap(const struct match_place *at, const json_t *vmap, bool *ret_sure);
/* "192.0.2.1" of a JSON string in the family of the packet. */
bool foreign_ip(const json_t *j, enum family f, struct ip *ret);
bool foreign_is_local(const struct host *h, enum family f, struct ip ip);
