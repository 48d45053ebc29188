/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a registry file as text. Callers: reg_read.c. */
#pragma once
#include "base/diag.h"
#include "base/strbuf.h"

/* UTF-16LE or UTF-8, with or without mark, else Windows-1252 of an old file, as UTF-8. */
_must_check_ int reg_decode(const uint8_t *data, size_t n, struct diag *d, struct strbuf *out);
/* One string of data from *at up to its NUL or the end; *at moves behind it. */
_must_check_ int reg_decode_string(const uint8_t *data, size_t n, bool ansi, size_t *at,
                                   struct strbuf *out);
