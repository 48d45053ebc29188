/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every fuzz target defines: one run of the code under test with any bytes at all. It
 * returns 0 and aborts when an invariant does not hold. Called by libFuzzer or by replay.c. */
#pragma once
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
