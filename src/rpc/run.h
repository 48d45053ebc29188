/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a helper program of another package (testparm) with a time limit. */
#pragma once
#include <stdint.h>

#include "base/util.h"

/* Standard output goes to out, cut and ended; standard error nowhere. Exit code of the program, or
 * -errno: -ENOENT it is not installed, -ETIMEDOUT it was killed. */
_must_check_ int run_program(const char *const argv[], unsigned limit_ms, char *out, size_t size);
