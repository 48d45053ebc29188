/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this module share. */
#pragma once
#include "sockets/sockets.h"

/* --- iterate.c --- */
enum iterator { ITERATOR_HOLDERS, ITERATOR_LISTENERS, _ITERATOR_MAX };
struct bpf_link;
struct sockets_skel;
struct iterators {
    int link[_ITERATOR_MAX];             /* of the pins, -1 = none */
    struct bpf_link *own[_ITERATOR_MAX]; /* of programs loaded here, NULL = none */
    struct sockets_skel *skel;
    bool tried; /* to load them */
};
void iterators_init(struct iterators *x);
void iterators_done(struct iterators *x);
/* pin: their directory, NULL or "" = none. */
void iterators_open(const char *pin, struct iterators *x);
/* Fills s->holders. `inode`: a socket of this process, by which is seen whether the numbers of
 * processes are those of our pid namespace. Negative: it does not work here. */
_must_check_ int holders_iterate(struct iterators *it, uint32_t inode, struct sockets *s);
/* Appends the TCP sockets that listen. Negative: it does not work here, nothing was appended. */
_must_check_ int listeners_iterate(struct iterators *it, struct sockets *s);
/* --- procfs.c --- */
_must_check_ int holders_from_proc(struct sockets *s);
/* --- rawproc.c --- */
/* family: AF_INET or AF_INET6. */
_must_check_ int raw_from_proc(uint8_t family, struct sockets *s);
bool raw_line_parse(const char *line, uint8_t family, struct socket_row *ret);
/* --- settle.c --- */
_must_check_ int holders_add(struct sockets *s, uint32_t inode, uint32_t pid);
