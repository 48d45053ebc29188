/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Diagnostics: what failed, where in the text, and one hint that can be typed.
 * Library code never prints; it fills a struct diag and returns a negative errno. The front
 * ends decide how a diagnostic is shown (caret, JSON) and which exit code it means. */
#pragma once
#include <stdint.h>

#include "base/util.h"

/* Why something was refused. The names are the "code" of error documents (cli.md 3), lower
 * case with hyphens by diag_code_name(). */
enum diag_code {
    DIAG_NONE,
    DIAG_SYNTAX, /* text does not follow the grammar */
    DIAG_UNKNOWN_WORD,
    DIAG_PORT_RANGE,
    DIAG_ADDRESS,
    DIAG_PROTOCOL,
    DIAG_FAMILY,         /* two sides of different families */
    DIAG_DIRECTION,      /* "in" with another destination, "out" with another source */
    DIAG_COMBINATION,    /* words that do not go together */
    DIAG_DUPLICATE,      /* same name twice */
    DIAG_LIMIT,          /* a limit of limits.h */
    DIAG_NOT_ENFORCED,   /* valid, but this build or kernel cannot enforce it */
    DIAG_NAME_PERMIT,    /* permit with a name, without port or keep state */
    DIAG_UNKNOWN_OBJECT, /* no such policy, rule, filter */
    DIAG_CONFLICT,       /* exists already, stale generation, policy is assigned */
    DIAG_STALE,          /* something was changed since the caller read what he changes */
    DIAG_USAGE,          /* wrong use of a command */
    DIAG_AGENT,          /* agent not running or not answering */
    DIAG_PERMISSION,
    DIAG_SYSTEM,     /* kernel, disk, library refused */
    DIAG_SELF_TEST,  /* new generation disagreed with the evaluator */
    DIAG_CORRUPT,    /* stored data is damaged */
    DIAG_OVERRIDDEN, /* by the domain policy */
    DIAG_INTERNAL,
    _DIAG_CODE_MAX,
};
const char *diag_code_name(enum diag_code code);
/* Exit code of cli.md 4 for a failure of this kind (never 0). An unknown word is 2 as on a command
 * line; whoever reads a whole policy file makes it 7 like every other error of the file. */
int diag_exit_code(enum diag_code code);

/* A place in a text: line and column count from 1, columns in bytes; len in bytes, at least
 * 1. offset is the byte offset of the first byte. line 0 = no place. */
struct span {
    uint32_t line, column, len;
    uint32_t offset;
};

enum { DIAG_SPANS = 3, DIAG_MESSAGE_BYTES = 512, DIAG_HINT_BYTES = 256 };
struct diag {
    enum diag_code code;
    unsigned n_spans;
    struct span span[DIAG_SPANS];
    char message[DIAG_MESSAGE_BYTES]; /* lower case, objects in 'quotes', no full stop */
    char hint[DIAG_HINT_BYTES];       /* empty or one line that can be typed */
};

/* The errors of one text, at most LIMIT_DIAGS kept, all counted. Plain data, zero-initialised
 * is empty. Warnings do not make the text invalid. */
struct diag_list {
    unsigned n_errors, n_warnings; /* found, also those not kept */
    unsigned n;                    /* kept in d[] */
    bool is_warning[10];
    struct diag d[10];
};

/* Fill *d and return a negative errno that fits the code (-EINVAL, -E2BIG for DIAG_LIMIT,
 * -EOPNOTSUPP for DIAG_NOT_ENFORCED, -ENOENT, -EEXIST, -EPERM, -EIO ...). d may be NULL.
 * The span form takes a place; diag_hint() adds the hint, diag_add_span() a second place.
 * Control characters of arguments are escaped by the renderers, not here. */
int diag_fail(struct diag *d, enum diag_code code, const char *fmt, ...) _printf_(3, 4);
int diag_fail_at(struct diag *d, enum diag_code code, struct span at, const char *fmt, ...)
    _printf_(4, 5);
/* "<what>: <strerror>"; err is a positive or negative errno; returns it negative. */
int diag_errno(struct diag *d, int err, const char *fmt, ...) _printf_(3, 4);
void diag_hint(struct diag *d, const char *fmt, ...) _printf_(2, 3);
void diag_add_span(struct diag *d, struct span at);
void diag_list_add(struct diag_list *l, const struct diag *d, bool warning);

/* Writes "file:line:col: error: message", the line with a caret below it, and the hint, into a
 * strbuf. Tabs are kept in the caret line, wide characters count their display width, control
 * characters are escaped, long lines are cut around the place. file may be NULL (then the form
 * of the command line, "portward: message", is used). text is the whole source. */
struct strbuf;
_must_check_ int diag_render(const struct diag *d, const char *file, const char *text,
                             size_t text_len, bool warning, struct strbuf *out);
