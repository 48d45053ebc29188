/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scanner's end of the lines of exposureprobe/wire.h. */
#pragma once
#include "exposureprobe/wire.h"

struct wire {
    int in, out;
    uint64_t key[2];
    char *line; /* WIRE_LINE_BYTES */
    size_t len, used;
};
struct probe_request;
_must_check_ int wire_new(int in, int out, struct wire **ret);
void wire_freep(struct wire **w);
/* Waits for the target, says the key, waits until it listens. */
_must_check_ int wire_begin(struct wire *w, const struct probe_request *r, struct diag *d);
_must_check_ int wire_send(struct wire *w, const char *line, struct diag *d);
/* The next line; an error the target reports is an error here. */
_must_check_ int wire_next(struct wire *w, struct diag *d, struct wire_line *ret);
