/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the converters share: the readers and writers behind convert_read() and convert_write(), and
 * the list of losses. Only convert*.c include it. */
#pragma once
#include "compat/convert.h"

/* Adds one line to what the target form cannot express. 0 or -ENOMEM. */
_must_check_ int convert_loss(struct convert_losses *l, const char *fmt, ...) _printf_(2, 3);

/* --- ipsecpol and ipseccmd scripts (convert_ipseccmd*.c) --- */
_must_check_ int convert_read_ipseccmd(struct tool_run *t, const char *data, size_t len,
                                       const struct convert_options *o, struct diag *d);
_must_check_ int convert_write_ipseccmd(struct catalog *c, const struct policy *p, bool assigned,
                                        struct strbuf *out, struct convert_losses *l);

/* --- netsh scripts (convert_netsh.c, convert_netsh_write.c) --- */
_must_check_ int convert_read_netsh(struct tool_run *t, const char *data, size_t len,
                                    const struct convert_options *o, struct diag *d);
_must_check_ int convert_write_netsh(struct catalog *c, const struct policy *p, bool assigned,
                                     struct strbuf *out, struct convert_losses *l);

/* --- registry exports (reg_policy*.c: objects, reg_settings.c: single values) --- */
struct reg_tree;
_must_check_ int convert_read_reg(struct tool_run *t, const char *data, size_t len,
                                  const struct convert_options *o, struct diag *d);
/* A tree that is in memory already: what reg_settings.c understands, and the policy objects. */
_must_check_ int convert_read_reg_tree(struct tool_run *t, const struct reg_tree *tree,
                                       const struct convert_options *o, struct diag *d);
/* The keys of p's objects, without the header; text as reg_print() makes it. */
_must_check_ int convert_write_reg(struct catalog *c, const struct policy *p, bool assigned,
                                   struct strbuf *out, struct convert_losses *l);
/* All policies of c, which are loaded and settled; what they share stands once. */
_must_check_ int convert_write_reg_all(struct catalog *c, struct strbuf *out,
                                       struct convert_losses *l, struct diag *d);
