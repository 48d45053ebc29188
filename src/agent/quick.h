/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of few dynamic filters whose cost does not grow with the number of filters in force. */
#pragma once
#include "live.h"

struct agent;
struct job;
/* Puts j->next_layers in force if they differ from what is in force in few dynamic filters, and
 * takes them over. -EAGAIN: not so, or not possible without a new image; nothing has changed. */
_must_check_ int quick_change(struct agent *a, struct job *j);
/* Makes ready for the next change while nobody waits. */
void quick_prepare(struct agent *a);
/* What is known of in_force, NULL if it was not made yet. */
struct live *quick_live(struct agent *a);
