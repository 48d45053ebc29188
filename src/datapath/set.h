/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set: the programs with their maps, one per network namespace in force. The pinned map `meta`
 * says which layout the pinned maps have; its layout never changes itself. */
#pragma once
#include "pins.h"
#include "progs.h"

enum set_origin {
    SET_NEW,     /* nothing was in force; an empty image is active */
    SET_ADOPTED, /* maps of the pinned set, new programs */
    SET_BESIDE,  /* a new set while one of another layout is in force */
};

struct set {
    struct progs progs;
    int meta_fd;
    uint16_t tag_secret;
    enum set_origin origin;
    int old_prog[2]; /* SET_BESIDE: what the links run until set_take_place(); PROG_IN, PROG_OUT */
};
#define SET_INIT                                                   \
    {                                                              \
        .progs = PROGS_INIT, .meta_fd = -1, .old_prog = { -1, -1 } \
    }

/* Loads the programs, on top of the pinned maps if they fit. Pins nothing. */
_must_check_ int set_open(const struct pins *pins, struct diag *d, struct set *ret);
void set_done(struct set *s);
/* Inode of the network namespace of these pins; 0 = not known. */
uint32_t set_netns(const struct pins *pins);
/* Pins the set below next/. */
_must_check_ int set_prepare(const struct pins *pins, const struct set *s, struct diag *d);
/* Moves the pins from next/ to their places, pin by pin, `meta` last: whoever comes after a crash
 * in between finds a layout that says what the maps are, or takes none of them. */
_must_check_ int set_take_place(const struct pins *pins, struct set *s);
/* Puts back pins that somebody removed; number of them. */
int set_repair(const struct pins *pins, const struct set *s);
