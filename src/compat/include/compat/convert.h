/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Foreign forms of policies: readers that fill a catalog, writers that print one. Used by
 * `portward import`, `portward export`, netsh's importpolicy, exportpolicy and dump, and compat
 * reg. Pure: bytes in, catalog out, and back. */
#pragma once
#include "compat/tool.h"

enum convert_format {
    CONVERT_TEXT,     /* our own grammar */
    CONVERT_REG,      /* .reg, UTF-16LE or UTF-8, version 5 or REGEDIT4 */
    CONVERT_NETSH,    /* netsh script */
    CONVERT_IPSECCMD, /* ipsecpol or ipseccmd lines */
    _CONVERT_FORMAT_MAX,
};
/* "text", "reg", "netsh", "ipseccmd"; ipsecpol is read as ipseccmd. -1 if unknown. */
int convert_format_from_name(const char *name);
const char *convert_format_name(enum convert_format format);
/* By content (magic line, first words), the name only as a help. -1 if it cannot be told. */
int convert_guess(const char *name, const char *data, size_t len);

struct convert_options {
    const char *file;       /* for messages */
    const char *name;       /* stores a single policy under this name; NULL = its own */
    bool strict;            /* what cannot be carried over is an error (7) */
    bool all_ranges;        /* mpp.md 3.2 */
    bool assign;            /* the policy that the file says is assigned is assigned here, too */
    const char *const *map; /* "GUID=IFNAME" */
    size_t n_map;
};
/* Reads data into t->catalog. What cannot be carried over becomes one remark per line or object,
 * "FILE:LINE: ..." or the registry path, and t->partly (exit 6). 0 or negative with *d. */
_must_check_ int convert_read(struct tool_run *t, enum convert_format format, const char *data,
                              size_t len, const struct convert_options *o, struct diag *d);

/* What the target form cannot express: one line for each thing, before anything is written. */
struct convert_losses {
    char **v;
    size_t n, cap;
};
void convert_losses_done(struct convert_losses *l);
/* Prints policy p (lists and actions of its bound rules from c) in the form; assigned: also the
 * command or value that assigns it. Losses are added to *l; what cannot be expressed exactly is
 * left out, never widened: a lost filter is a loss, a permit is never written wider and a block
 * never narrower than it is. 0, -ENOMEM or the strbuf's error. */
_must_check_ int convert_write(enum convert_format format, struct catalog *c,
                               const struct policy *p, bool assigned, struct strbuf *out,
                               struct convert_losses *l);
/* What stands before the first policy of a file: header of a .reg file, comment of a script. */
_must_check_ int convert_write_begin(enum convert_format format, struct strbuf *out);
/* A whole file of all policies of c, with the assignment: begins as convert_write_begin() does. */
_must_check_ int convert_write_all(enum convert_format format, struct catalog *c,
                                   struct strbuf *out, struct convert_losses *l, struct diag *d);
/* The bytes of the file: UTF-16LE with byte order mark and CRLF for .reg, else the text itself.
 * *ret owned, with a NUL behind it. */
_must_check_ int convert_encode(enum convert_format format, const struct strbuf *text, char **ret,
                                size_t *ret_len);
