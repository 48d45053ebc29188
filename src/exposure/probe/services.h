/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP services that answer nobody who does not speak their protocol: the shortest question of each,
 * and whether an answer is one of theirs. Pure. */
#pragma once
#include "base/util.h"

/* The question for a port; an empty one for ports without an entry. Borrowed. */
const uint8_t *service_question(uint16_t port, size_t *ret_len);
/* Number of the service that these bytes prove, 0 = none. */
uint8_t service_answer(uint16_t port, const uint8_t *data, size_t len);
