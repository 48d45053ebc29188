/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filter specifications of ipsecpol and ipseccmd (windows.md 2): "*=0:1434:UDP". One word in, one
 * filter out; pure. */
#pragma once
#include "compat/tool.h"

struct ipsec_spec {
    struct filter filter; /* action is the caller's business, but see brackets */
    char bracket;         /* '[' = block, '(' = permit, 0 = none */
    bool is_default;      /* DEFAULT: the default response rule, no filter */
    bool is_dns;          /* an address is a DNS name */
};
void ipsec_spec_done(struct ipsec_spec *s);
/* Repairs and remarks go to t. 0 or negative with *d, whose span points into word (t->word). */
_must_check_ int ipsec_spec_parse(struct tool_run *t, const char *word, struct diag *d,
                                  struct ipsec_spec *ret);
/* The same packets as one or more words, one per line; what cannot be said is -EOPNOTSUPP and
 * *ret_why (static text). */
_must_check_ int ipsec_spec_print(const struct filter *f, struct strbuf *out, const char **ret_why);
