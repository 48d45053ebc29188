/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What spec.c and spec_addr.c share: a piece of the word with its place, and the way to refuse. */
#pragma once
#include "compat/spec.h"

enum { SPEC_BYTES = 1024, SPEC_SHOWN_BYTES = 72 };

/* A part of the text and its offset in the word as it was typed. */
struct piece {
    const char *s;
    size_t n, at;
};

struct spec_reader {
    struct tool_run *t;
    struct diag *d;
    const char *word;       /* as typed: refusals point into it */
    struct ipsec_spec *out; /* filled piece by piece */
    struct piece inner;     /* without the brackets around it */
};

struct piece spec_part(struct piece p, size_t from, size_t n);
bool spec_is(struct piece p, const char *word); /* without regard to case */
const char *spec_shown(struct piece p, char buf[SPEC_SHOWN_BYTES]);
bool spec_number(struct piece p, uint32_t max, uint32_t *ret);

/* Refuses with exit 2; an empty piece is underlined with one column. */
#define spec_fail(r, p, ...) \
    tool_fail_at((r)->t, (r)->d, (r)->word, (p).at, (p).n > 0 ? (p).n : 1, DIAG_USAGE, __VA_ARGS__)

/* One address: 0, *, host, subnet with wildcards or mask, name, {interface}. */
_must_check_ int spec_parse_addr(struct spec_reader *r, struct piece p, struct addr *ret);

/* (spec_port.c) */
_must_check_ int spec_parse_port(struct spec_reader *r, struct piece p, struct portset *ret);
_must_check_ int spec_parse_protocol(struct spec_reader *r, struct piece p, int16_t *ret);
