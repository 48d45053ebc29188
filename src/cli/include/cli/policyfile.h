/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy as `policy check` and `policy diff` look at it: from a file, from stdin, or stored
 * (then the agent is asked for its text), and its filters as if it were in force alone. */
#pragma once
#include "cli/textfile.h"
#include "model/effective.h"
#include "model/policy.h"

struct cli;

struct cli_policy_text {
    struct cli_text text;
    char *label; /* file name, "stdin", or the word that names the stored policy; owned */
    bool is_stored;
    struct policy_list policies; /* at least one */
};
/* Whether a word that may be either names a file. */
bool cli_is_policy_file(const char *word);
void cli_policy_text_done(struct cli_policy_text *t);
/* word: "-", a file (one that exists, a word with '/' or one that ends in ".pw"), or NAME or
 * NAME@REV of a stored policy. Syntax errors are shown; 0 or the exit code. c->source points into
 * it from then on. */
_must_check_ int cli_policy_text_load(struct cli *c, const char *word, struct cli_policy_text *t);

/* Filters of the active rules, with the default settings and on a host that is not known. Borrows
 * from the policy; must not be moved. */
struct cli_effective {
    struct effective_filter *v;
    const struct rule **rules; /* of v[i] */
    struct effective e;
    struct filter_settings settings;
    struct host host; /* empty: `me` is symbolic in all that is asked */
};
void cli_effective_init(struct cli_effective *x, const struct policy *p);
void cli_effective_done(struct cli_effective *x);

/* For struct budget: true once the deadline, a boot-time clock in ns, has passed. */
bool cli_is_over(void *deadline_ns);
uint64_t cli_boottime_ns(void);
enum { CLI_ANALYSIS_NS = 2000000000 }; /* policy.md 8 */
