/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a running command works with, and the only ways it talks: to the agent, to stdout
 * (data), to stderr (errors, warnings, hints). A verb is: build a request, cli_ask(), print.
 * With --json, cli_ask() itself prints the answer, unchanged, and the verb prints nothing. */
#pragma once
#include <jansson.h>

#include "apiclient/client.h"
#include "apiclient/document.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/table.h"

/* The text that places in diagnostics point into. */
struct cli_source {
    const char *file; /* NULL = words of the command line */
    const char *text;
    size_t len;
};

struct cli {
    const struct cli_env *env;
    const struct cli_command *command;
    struct cli_args args;
    char **words; /* after the verb */
    int n_words;
    bool json, quiet, header, utc;
    bool colour;     /* on stdout */
    bool colour_err; /* on stderr */
    uint32_t timeout_ms;
    char socket_path[4096];
    struct cli_source source;
    int64_t generation;    /* of the last answer */
    int64_t if_generation; /* --if-generation, 0 = not given */
    bool dry_run;          /* --dry-run */
};

/* --- talking to the agent (ask.c) --- */
/* 0 and *ret_doc (owned) on success, else the exit code, and the failure has been shown.
 * body is taken over, NULL = none. */
_must_check_ int cli_ask(struct cli *c, const char *method, const char *target, json_t *body,
                         json_t **ret_doc);
/* The same without showing why the agent could not be reached: -1 and *d then. */
_must_check_ int cli_try_ask(struct cli *c, const char *method, const char *target, json_t *body,
                             struct diag *d, json_t **ret_doc);
/* The same for a question whose answer is not the command's: with --json only a failure is
 * printed. */
_must_check_ int cli_fetch(struct cli *c, const char *method, const char *target, json_t **ret_doc);
/* With --json: the document of a verb that makes its answer itself. data is taken over. */
void cli_put_document(struct cli *c, const char *verb, json_t *data);
/* The same with a policy text as body; members (taken over) go into the query. The agent reads the
 * text in any case, so it is looked at here only where there is no good answer: check() shows what
 * is wrong with the text itself and gives the exit code, 0 = nothing is. */
_must_check_ int cli_ask_text(struct cli *c, const char *path, json_t *members,
                              const struct cli_source *text, int (*check)(struct cli *c),
                              json_t **ret_doc);
/* What every change takes along: reason, generation, where the caller is logged in from. Ends the
 * program if memory is gone. */
json_t *cli_change_body(struct cli *c);
void cli_set_number(json_t *body, const char *key, int64_t value);
void cli_set_string(json_t *body, const char *key, const char *value);
void cli_set_flag(json_t *body, const char *key, bool value);
/* "/v1/policies/NAME" and rest; 0 or the exit code of a name that cannot be asked for. */
enum { CLI_TARGET_BYTES = 8192 };
_must_check_ int cli_policy_target(struct cli *c, const char *name, const char *rest,
                                   struct strbuf *target);
/* "NAME@7" -> NAME, 7; without a number behind the last '@' the word is the name, *ret_revision 0.
 * The name is owned. */
void cli_split_revision(const char *word, char **ret_name, int64_t *ret_revision);
/* "data" of an answer, and members of objects with what stands for unknown. */
const json_t *cli_data(const json_t *doc);
const char *cli_str(const json_t *object, const char *key); /* "" if absent or null */
int64_t cli_int(const json_t *object, const char *key, int64_t unknown);

/* --- failures (report.c) --- */
/* Shows the diagnostic (or the error document with --json); the result is the exit code. */
int cli_fail(struct cli *c, const struct diag *d);
/* data (taken over): what is known all the same, put into the error document. */
int cli_fail_with_data(struct cli *c, const struct diag *d, json_t *data);
int cli_fail_list(struct cli *c, const struct diag_list *l);
int cli_fail_usage(struct cli *c, const char *hint, const char *fmt, ...) _printf_(3, 4);
/* Shows the error document an answer was. */
int cli_report_error(struct cli *c, const json_t *doc);
/* Warnings and notes of an answer, on stderr. */
void cli_report_warnings(struct cli *c, const json_t *doc);
/* One line "hint: ..." on stderr, not with -q. */
void cli_hint(struct cli *c, const char *fmt, ...) _printf_(2, 3);

/* --- previews (preview.c) --- */
/* "would add      ", "newly blocked  " */
void cli_put_would(struct cli *c, const char *verb);
void cli_put_label(struct cli *c, const char *label);
/* A set of packets, each of its terms on a line that begins with the label. */
struct cli_terms {
    const char *label;
    enum cli_style style;
    const char *set;                                 /* terms separated by newlines */
    void (*after)(struct cli *c, const json_t *arg); /* ends each line; NULL = nothing */
    const json_t *arg;
};
void cli_put_terms(struct cli *c, const struct cli_terms *t);
/* "changes" of a preview or a difference; "exceptions" of a block. */
void cli_put_changes(struct cli *c, const json_t *changes);
void cli_put_still_allowed(struct cli *c, const json_t *exceptions);
/* The rest of the answer to a change that was only tried, down to "nothing changed". */
void cli_put_preview(struct cli *c, const json_t *doc);

/* --- words (words.c) --- */
/* Joins words to the text that diagnostics point into, and makes it the source. Owned by the
 * caller, who keeps it as long as c is used. */
_must_check_ int cli_join(struct cli *c, const char *verb, char *const *words, int n,
                          struct strbuf *text);

/* --- output (output.c) --- */
/* "04:51:07", or "23 Nov 04:51:07" on another day. */
enum { CLI_TEXT_BYTES = 64 };
void cli_clock(const struct cli *c, int64_t unix_s, char out[CLI_TEXT_BYTES]);
/* RFC 3339 from an answer as "22 Nov 02:41", "22 Nov 2025" in another year; "-" if unreadable. */
void cli_date(const struct cli *c, const char *rfc3339, char out[CLI_TEXT_BYTES]);
/* Binary units: "5.1 MiB". */
void cli_size(int64_t bytes, char out[CLI_TEXT_BYTES]);
/* Text from outside, control characters escaped. */
void cli_put(struct cli *c, const char *text);
/* The same between quotes. */
void cli_put_quoted(struct cli *c, const char *text);
/* The RULE cell of a filter: name of its rule, or its reason between quotes. */
void cli_table_add_rule(struct cli_table *t, const json_t *filter);
/* "added s19 to "Block RPC Ports" revision 9; generation 48"; verb "" if it stands there. */
void cli_put_rule_change(struct cli *c, const char *verb, const char *join, const json_t *data);
/* "stored "Web" revision 3 (2 rules, 0 warnings), not assigned": an element of `policies`. */
void cli_put_stored(struct cli *c, const json_t *policy, size_t n_warnings);
void cli_put_styled(struct cli *c, enum cli_style style, const char *text);
enum cli_style cli_action_style(const char *action);
/* "generation 43 active on 3 interfaces in 9 ms" */
void cli_put_generation_line(struct cli *c, const json_t *data);
/* "1 filter", "2 filters" */
void cli_put_count(struct cli *c, int64_t n, const char *singular);
