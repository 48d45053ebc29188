/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy file in force without an agent: what pw-attach and the benchmarks share. Every filter of
 * every active rule is enforced as a local one, whether its policy is assigned or not; its number
 * is its handle, its counter and its GUID. */
#pragma once
#include "compile/compile.h"
#include "datapath/datapath.h"
#include "model/policy.h"

struct enforced {
    struct policy_list policies;
    struct effective_filter *v;
    size_t n, cap;
    struct filter_settings settings;
};
/* Milliseconds of each step. */
struct enforce_times {
    double parse, compile, attach, install;
};

/* Errors of the file are printed. 0 or -errno. */
_must_check_ int enforced_read(const char *path, struct enforced *ret, struct enforce_times *t);
void enforced_done(struct enforced *e);
/* Attaches every interface and installs; packets obey when it returns 0. May be called again. */
_must_check_ int enforced_install(struct datapath *dp, const struct enforced *e, struct diag *d,
                                  struct enforce_times *t);
double enforce_clock_ms(void);
