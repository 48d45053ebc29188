/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What DNS names and server keywords of filters stand for: one table with the addresses that
 * filters use now. Names come from portward-fetch (names_answer), keywords from the host
 * (names_set_keyword). Plain data and the caller's clock; no I/O.
 *
 * Invariant: only a whole, plausible answer changes addresses. Whatever else arrives (failure,
 * too many or unfit addresses) keeps the last good ones, because a block by name must not open
 * when its resolver fails or lies. A change is provisional until the generation with it is in
 * force: names_confirm() makes it good, names_revert() goes back to what is in force. */
#pragma once
#include "fetch/wire.h"
#include "model/host.h"

struct address_set { /* sorted, no duplicates */
    struct fetch_address *v;
    size_t n;
};
void address_set_done(struct address_set *s);
/* Sorts, removes duplicates, keeps at most LIMIT_NAME_ADDRESSES of them; copies v. */
_must_check_ int address_set_make(const struct fetch_address *v, size_t n, struct address_set *ret);
/* "192.0.2.1,2001:db8::1"; "" if empty. NULL without memory. Owned by the caller. */
char *address_set_text(const struct address_set *s);
/* Whether a filter may use an address that somebody else names; else why not, in words:
 * unspecified, loopback, multicast, reserved, IPv4-mapped, link-local IPv6 (link_local_ok: of a
 * server on this link), or an address of this host. */
const char *address_fault(const struct fetch_address *a, const struct host *h, bool link_local_ok);

struct name_entry {
    char *name; /* of a DNS name or keyword, owned */
    enum addr_kind kind;
    struct address_set now, in_force; /* in_force: if changed */
    bool resolved;                    /* now is known; a keyword always is */
    bool changed;                     /* used, and now is not confirmed yet */
    bool used;                        /* by filters in force, or in a generation being made */
    bool told;                        /* the fetcher has it */
    uint64_t asked_ns, answered_ns;   /* 0 = never */
    uint64_t version;                 /* the caller's count of changes at the last of now */
    char failure[64];                 /* of the last answer, "" = it was good */
};
struct names;
_must_check_ int names_new(struct names **ret);
struct names *names_free(struct names *t);

/* Entries in a fixed order: keywords first, then names by strcmp(). */
size_t names_n(const struct names *t);
struct name_entry *names_at(struct names *t, size_t i);
/* Entry of a name or keyword, NULL if there is none (or a is an address). t may be NULL. */
struct name_entry *names_find(const struct names *t, const struct addr *a);
struct name_entry *names_find_name(const struct names *t, const char *name);
/* Adds a name or finds it. -E2BIG beyond LIMIT_NAMES. */
_must_check_ int names_add(struct names *t, const char *name, struct name_entry **ret);
void names_remove(struct names *t, struct name_entry *e);

enum name_effect {
    NAME_SAME,    /* confirmed, or nothing new */
    NAME_CHANGED, /* e->now is new */
    NAME_FAILED,  /* for the first time since a good answer, e->failure says why; addresses kept */
    NAME_UNKNOWN, /* nobody asked for it */
};
/* One answer about a name. 0 or -ENOMEM (then nothing changed). *ret_e: NULL if unknown. */
_must_check_ int names_answer(struct names *t, const struct fetch_answer *a, const struct host *h,
                              uint64_t now_ns, enum name_effect *ret, struct name_entry **ret_e);
/* What a keyword stands for; takes *s over. Result: it changed. */
bool names_set_keyword(struct names *t, enum addr_kind kind, struct address_set *s);
bool names_has_changes(const struct names *t);
/* Only changes up to this version: younger ones are not part of what was tried. */
void names_confirm(struct names *t, uint64_t version);
void names_revert(struct names *t, uint64_t version);
/* Nothing in force uses e: there is nothing to go back to. */
void names_forget_change(struct name_entry *e);

/* The last good addresses of all resolved names, for a file; names_parse() adds them as
 * resolved. -EBADMSG: not a whole file of ours, the table may hold a part. */
_must_check_ int names_print(const struct names *t, char **ret_text);
_must_check_ int names_parse(struct names *t, const char *text, size_t len);

/* The address filters that f stands for: a plain copy of f per address (or pair of addresses) of
 * fitting families, into out; strings and ports stay those of f. out NULL: only counts. A filter
 * without name or keyword counts 1. */
struct filter;
size_t names_expand(const struct names *t, const struct filter *f, struct filter *out);
/* Number of addresses behind the names and keywords of f. */
size_t names_count_addresses(const struct names *t, const struct filter *f);
