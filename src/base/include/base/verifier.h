/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's verifier of eBPF programs says when it refuses one. */
#pragma once

/* The last words before its statistics ("processed N insns ..."), which are cut off: what it did
 * not like. A place in log, empty if it said nothing. */
char *verifier_last_words(char *log);
