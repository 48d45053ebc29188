/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Classic socket filters of the scan's raw sockets, and their buffers. */
#pragma once
#include "answer.h"

enum { FILTER_BUFFER_BYTES = 64 * 1024 * 1024 };
/* Lets only segments to the scan's source ports through. */
_must_check_ int filter_answers(int fd, const struct answer_context *c);
/* Lets nothing through: a socket that only sends. */
_must_check_ int filter_nothing(int fd);
/* As large as possible; what cannot be had is no error. */
void filter_large_buffers(int fd);
