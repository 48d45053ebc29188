/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of a TCX chain: who stands in front of our program, and how ours gets to the front
 * again without a packet passing it by. Called by attach_tcx.c. */
#pragma once
#include "attach_internal.h"
#include "sysbpf.h"

/* Looks at a chain in which our link has this position; whether ours was moved to the front. That
 * is tried once per minute and hook at most: somebody who insists gets the place, and the guard
 * judges what his program lets through. What is new about the chain goes to attach_front_news(). */
bool front_watch(struct attach *at, struct attach_entry *e, enum direction dir,
                 const struct sysbpf_hook *h, int position);
/* "name (id 17)" of a program, "" of 0. */
void front_program_name(uint32_t id, char ret[FRONT_BYTES]);
void front_done(struct attach *at);
