/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads bpf/guard.bpf.c through its generated skeleton, on top of the maps of the classifier.
 * Called by guard.c only. Descriptors are the caller's. */
#pragma once
#include "progs.h"

struct guard_load_options {
    const struct progs *progs;
    uint16_t tag_secret;
    uint32_t out_program; /* id of the program at TCX egress; 0 = not attached there */
};

/* *ret_fd: the program of all hooks. */
_must_check_ int guard_load(const struct guard_load_options *o, struct diag *d, int *ret_fd);
