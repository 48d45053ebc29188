/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A registry export in memory: keys with values, and where they stood. reg_read.c makes it of a
 * .reg file (UTF-16LE or UTF-8, version 5.00 or REGEDIT4), reg_print.c the reverse. Pure. Names
 * compare case-insensitively (ASCII); roots are kept as HKEY_LOCAL_MACHINE, "HKLM" is read too. */
#pragma once
#include "base/diag.h"
#include "base/strbuf.h"

enum reg_type {
    REG_SZ = 1,
    REG_EXPAND_SZ = 2,
    REG_BINARY = 3,
    REG_DWORD = 4,
    REG_MULTI_SZ = 7,
    REG_QWORD = 11,
    REG_OTHER = 255, /* kept as bytes in .bytes */
};
struct reg_value {
    char *name; /* "" = the default value @; owned */
    enum reg_type type;
    uint32_t other_type; /* of REG_OTHER */
    bool removed;        /* "name"=- */
    char *text;          /* SZ, EXPAND_SZ: UTF-8; owned */
    char **strings;      /* MULTI_SZ; owned */
    size_t n_strings;
    uint64_t number; /* DWORD, QWORD */
    uint8_t *bytes;  /* BINARY, OTHER; owned */
    size_t n_bytes;
    uint32_t line; /* in the file, 0 = made here */
    char *folded;  /* the name as it is compared; of reg_tree.c */
};
struct reg_key {
    char *path;   /* "HKEY_LOCAL_MACHINE\\SOFTWARE\\..."; owned */
    bool removed; /* [-HKEY...] */
    struct reg_value *v;
    size_t n, cap;
    uint32_t line;
    uint32_t removed_line;    /* the last line that removes the key, 0 = none */
    char *folded;             /* the path as it is compared; these two of reg_tree.c */
    struct hash_table *names; /* of the values, once there are many */
};
struct reg_tree {
    struct reg_key *v; /* in the order of the file; a key that occurs twice is joined */
    size_t n, cap;
    struct hash_table *paths;
};
void reg_tree_done(struct reg_tree *t);

/* Limits: 64 MiB of file, 1,000,000 values, strings and binaries of 16 MiB in all checks by the
 * file's size. Errors say line and column of the decoded text. */
_must_check_ int reg_read(const char *data, size_t len, struct diag *d, struct reg_tree *ret);
/* The keys as text in UTF-8 with \n, hex lines continued as regedit does, without the header. */
_must_check_ int reg_print(const struct reg_tree *t, struct strbuf *out);
/* UTF-8 text with \n as a file of regedit: UTF-16LE, byte order mark, CRLF. *ret owned. */
_must_check_ int reg_encode(const char *text, size_t len, char **ret, size_t *ret_len);

/* Lookups: NULL if absent. */
struct reg_key *reg_find(const struct reg_tree *t, const char *path);
struct reg_value *reg_value_find(const struct reg_key *k, const char *name);
/* Building: the key, made if absent. NULL = no memory. It moves when a further key is made. */
struct reg_key *reg_make(struct reg_tree *t, const char *path);
/* The value, emptied or made. NULL = no memory. It moves when a further value is made. */
struct reg_value *reg_value_make(struct reg_key *k, const char *name);
void reg_value_clear(struct reg_value *v); /* its data, not its name */
/* Takes the values away that stand before the line. */
void reg_key_drop(struct reg_key *k, uint32_t before_line);
_must_check_ int reg_set_text(struct reg_key *k, const char *name, enum reg_type type,
                              const char *text);
_must_check_ int reg_set_strings(struct reg_key *k, const char *name, const char *const *v,
                                 size_t n);
_must_check_ int reg_set_number(struct reg_key *k, const char *name, uint32_t number);
_must_check_ int reg_set_bytes(struct reg_key *k, const char *name, const uint8_t *v, size_t n);
