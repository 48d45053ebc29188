/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the reader and the writer of policy objects share: identities that Windows gives to actions
 * and types, and methods in both spellings. Only reg_policy*.c include it. */
#pragma once
#include "base/limits.h"
#include "blob.h"
#include "reg_internal.h"

/* windows.md 15.1. */
#define GUID_BLOCK         "{3F91A819-7647-11D1-864D-D46A00000000}"
#define GUID_PERMIT        "{8A171DD2-77E3-11D1-8659-A04F00000000}"
#define GUID_SECURE        "{8A171DD3-77E3-11D1-8659-A04F00000000}"
#define GUID_INPASS        "{3F91A81A-7647-11D1-864D-D46A00000000}"
#define GUID_TYPE_STANDARD "{62F49E10-6C37-11D1-864C-14A300000000}"
#define GUID_TYPE_RESPONSE "{62F49E13-6C37-11D1-864C-14A300000000}"
#define MAIN_MODE_DEFAULTS "3DES-SHA1-2 3DES-MD5-2 DES-SHA1-1 DES-MD5-1"
enum { REG_DATA_TYPE = 0x100, POLL_DEFAULT_S = 10800, MAIN_MODE_DEFAULT_S = 28800 };
enum { OPERATION_AH = 1, OPERATION_ESP = 2, METHODS_BYTES = 8192 };

/* --- methods (reg_policy_methods.c) --- */
/* Offers as Windows writes them ("ESP[3DES,SHA1]:50000k/900s AH[SHA1]", attribute qm-methods) and
 * as native words. NULL if there is none. *ret_lost: an offer has no words. */
_must_check_ int reg_methods_print(const struct blob_negotiation *b, char **ret_raw,
                                   char **ret_native, bool *ret_lost);
/* The reverse, of qm-methods or, if that is NULL, of native words; *ret_lost: something is left
 * out. Appends to b->offers. */
_must_check_ int reg_methods_parse(const char *raw, const char *native, struct blob_negotiation *b,
                                   bool *ret_lost);
_must_check_ int reg_main_mode_print(const struct blob_isakmp *b, struct strbuf *out,
                                     bool *ret_lost);
_must_check_ int reg_main_mode_parse(const char *methods, struct blob_isakmp *b, bool *ret_lost);
_must_check_ int reg_methods_add(struct blob_negotiation *b, const struct blob_offer *o);

/* --- names (reg_policy_names.c) --- */
struct hash_table;
struct reg_count;
struct reg_names {
    struct hash_table *counts;
    struct reg_count **v; /* owned */
    size_t n, cap;
};
struct reg_taken {
    bool (*is)(void *ctx, const char *name);
    void *ctx;
};
void reg_names_done(struct reg_names *n);
/* The name itself, or with the next number that is free among the names of this scope. 0 or
 * -ENOMEM. */
_must_check_ int reg_names_free(struct reg_names *n, const char *scope, const char *wanted,
                                const struct reg_taken *taken, char ret[LIMIT_NAME_BYTES + 1]);
