/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people and scripts see of a command of a dialect (windows.md 1.3): the tool's own words on
 * stdout, everything else on stderr, or one JSON document. */
#pragma once
#include "front.h"

struct report {
    const struct front *front;
    const struct tool_run *tool;
    const json_t *answer;              /* of the batch, NULL = none */
    const struct strbuf *native;       /* --explain, else NULL */
    const struct run_command *command; /* that was refused; NULL: it was the change */
    int exit;
};
/* Both print and give the exit code. */
int report_success(const struct report *r);
int report_failure(const struct report *r, const struct diag *d);
/* Before there is a run: remarks of a reader, and failures. */
void report_remarks(const struct front *f, const struct tool_remark *v, size_t n);
int report_diag(const struct front *f, const struct diag *d);
/* Lines that are not run; NULL = none. */
int report_lines(const struct front *f, const struct reading *r, const char *lines);
/* What was remarked, for a document; NULL if memory is gone. */
json_t *report_remarks_json(const struct tool_remark *v, size_t n);
/* A document of success; data is taken over, answer is the agent's (generation and warnings), NULL
 * = it was not asked. Gives code. */
int report_document(const struct front *f, const char *verb, json_t *data, const json_t *answer,
                    int code);
