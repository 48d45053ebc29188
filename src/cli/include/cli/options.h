/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of all verbs in one table, and the parser of the argument list. Own code instead of
 * getopt_long, because an option must never be abbreviated (a new one would change an old
 * script), and because words and options may be mixed whatever POSIXLY_CORRECT says. Every name
 * has one meaning and one arity in all verbs; which verb takes which option is decided
 * afterwards, against the table of commands. */
#pragma once
#include "base/diag.h"

enum cli_option_id {
    /* every verb */
    OPT_JSON,
    OPT_RUNTIME_DIR,
    OPT_COLOR,
    OPT_QUIET,
    OPT_NO_HEADER,
    OPT_UTC,
    OPT_TIMEOUT,
    OPT_HELP,
    OPT_VERSION,
    /* every verb that changes something */
    OPT_REASON,
    OPT_YES,
    OPT_DRY_RUN,
    OPT_CONFIRM,
    OPT_IF_GENERATION,
    OPT_CUT,
    OPT_CUT_SELF,
    OPT_FORCE,
    /* single verbs */
    OPT_STRICT,
    OPT_WATCH,
    OPT_LAYER,
    OPT_POLICY,
    OPT_ALL,
    OPT_EFFECTIVE,
    OPT_SOURCE,
    OPT_NAME,
    OPT_REPLACE,
    OPT_PERSISTENT,
    OPT_CREATE,
    OPT_LIVE,
    OPT_EXPECT,
    OPT_RESET,
    OPT_PROMETHEUS,
    OPT_LIMIT,
    OPT_OUTPUT,
    OPT_MAP,
    OPT_ALL_RANGES,
    OPT_PASTE,
    OPT_RUN,
    OPT_BATCH,
    OPT_ENCODING,
    OPT_CLASS,
    OPT_DEFAULT,
    OPT_FROM,
    OPT_KEEP_HOLDERS,
    OPT_LOOSE,
    OPT_REMOVE,
    OPT_SIZE,
    OPT_ONC,
    OPT_DCE,
    OPT_INTERFACE,
    OPT_FAMILY,
    OPT_APPLY_TO_EXISTING,
    OPT_KEEP_RATE_LIMITS,
    OPT_PORTS,
    OPT_UDP,
    OPT_CONNECT,
    OPT_WITH_AGENT,
    OPT_LISTEN,
    OPT_RATE,
    OPT_HOSTS,
    OPT_ALL_ADDRESSES,
    OPT_ALL_NETNS,
    OPT_FULL,
    OPT_HTML,
    OPT_NO_PROBE,
    OPT_FOLLOW,
    OPT_SINCE,
    OPT_MPP,
    OPT_FORMAT,
    OPT_PCAP,
    _OPT_MAX,
};

enum cli_option_scope { SCOPE_ALL, SCOPE_MUTATES, SCOPE_OWN };

struct cli_option {
    const char *name;       /* without the dashes */
    char letter;            /* 0 = none */
    const char *argument;   /* NULL = takes none */
    bool argument_optional; /* only as --name=ARGUMENT */
    bool not_yet; /* part of the interface, but of no build so far: refused, never ignored */
    enum cli_option_scope scope;
    const char *help;
};
const struct cli_option *cli_option(enum cli_option_id id);

/* Set of options, for the table of commands. */
typedef unsigned __int128 cli_option_set;
#define OPTION_BIT(id) ((cli_option_set)1 << (id))

struct cli_args {
    bool given[_OPT_MAX];
    const char *value[_OPT_MAX]; /* borrowed from argv; NULL = none */
    char **words;                /* what is no option, in order; array owned, words borrowed */
    int n_words;
};
void cli_args_done(struct cli_args *a);

/* argv[0] is the program. 0 or negative with *d (DIAG_USAGE). *ret is set in any case as far as
 * the list was read, so that --json counts for the error, too. */
_must_check_ int cli_args_parse(int argc, char *const *argv, struct diag *d, struct cli_args *ret);

/* The candidate that `word` most probably stood for, NULL if none is near. */
const char *cli_suggest(const char *word, const char *const *candidates, size_t n);
