/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the readers of registry exports share: the file that is being read, the way to say what
 * cannot be carried over, and the table of single values that are settings here. Only reg.c,
 * reg_policy*.c and reg_settings*.c include it. */
#pragma once
#include "convert_internal.h"
#include "reg_tree.h"

enum { REG_PATH_BYTES = 1024 };
#define REG_ROOT "HKEY_LOCAL_MACHINE\\"

struct reg_reader {
    struct tool_run *t;
    const struct reg_tree *tree;
    const struct convert_options *o;
    struct diag *d;
};
/* "FILE:LINE: " or "". */
struct reg_place {
    char text[320];
};
struct reg_place reg_place_of(const struct reg_reader *r, uint32_t line);
/* What cannot be carried over: a warning and exit 6, a refusal (7) under --strict. */
_must_check_ int reg_lost(struct reg_reader *r, const char *fmt, ...) _printf_(2, 3);
/* The path below HKEY_LOCAL_MACHINE, with CurrentControlSet for its other names; false if it is
 * another root. */
_must_check_ bool reg_path_below(const char *path, char ret[REG_PATH_BYTES]);
/* The file removes the key and does not make it anew. */
bool reg_is_removed(const struct reg_key *k);
/* Name of the interface that --map gives to the GUID, NULL if none. */
const char *reg_interface(const struct reg_reader *r, const char *guid);

/* --- single values (reg_settings.c) --- */
struct reg_row {
    const char *key, *name; /* a key that ends with a backslash goes on with {GUID} */
    enum reg_type type;
    const char *setting; /* NULL: accepted and ignored with a note */
    /* Takes the value over; v NULL = removed. instance: what follows the key, "" if nothing. */
    int (*read)(struct reg_reader *r, const struct reg_row *row, const char *instance,
                const struct reg_value *v);
    /* The value in force as a registry value; *ret_found false if there is none. */
    int (*show)(struct reg_reader *r, const struct reg_row *row, const char *instance,
                struct reg_key *out);
    const char *otherwise; /* setting where nothing is set, NULL = none */
};
extern const struct reg_row reg_rows[];
extern const size_t reg_n_rows;
/* Whether the row stands under this path (reg_path_below()); *ret_instance points into path. */
bool reg_row_fits(const struct reg_row *row, const char *path, const char **ret_instance);
/* Takes over what the tree says of the rows. A value that is none refuses everything (7). */
_must_check_ int reg_settings_read(struct reg_reader *r);

/* --- TCP/IP filtering (reg_settings_filtering.c) --- */
bool reg_filtering_has(const char *path, const char *name);
_must_check_ int reg_filtering_read(struct reg_reader *r);

/* --- policy objects (reg_policy_read.c) --- */
#define REG_POLICY_KEY "SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\Policy\\Local"
/* Below HKEY_LOCAL_MACHINE: the key of local policies, or one below it. */
bool reg_policy_has(const char *path);
_must_check_ int reg_policy_read(struct reg_reader *r);
