/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An import while it runs: what cmd_import.c reads and import_report.c shows. Only these two
 * include it. */
#pragma once
#include <stdio.h>

#include "cli/context.h"
#include "cli/textfile.h"
#include "compat/convert.h"
#include "report.h"
#include "text/text.h"

struct import {
    struct cli *c;
    struct front front;
    enum convert_format format;
    const char *file, *output; /* borrowed; output NULL = the agent stores it */
    struct cli_text bytes;     /* of the file */
    char *decoded;             /* as UTF-8, NULL = not needed */
    const char *data;          /* what is read: one of these two */
    size_t len;
    struct convert_options o;
    char *map_text;
    const char **map; /* into map_text */
};

/* Notes and warnings of the reader, on stderr. */
void import_remarks(const struct import *im, const struct tool_run *t);
/* What has become of it, or why nothing has: the exit code. */
int import_report(struct import *im, const struct run_outcome *o, const struct diag *d);
