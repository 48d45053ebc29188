/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON form of the model for golden files: everything that a text says, nothing that the store
 * adds (GUIDs, places). It exists to show that the model holds the whole text: text -> model ->
 * JSON -> model -> text must be the identity. Used by test-golden.c only. */
#pragma once
#include <jansson.h>

#include "text/text.h"

json_t *golden_filter_to_json(const struct filter *f);
json_t *golden_policies_to_json(const struct policy_list *l);
json_t *golden_command_to_json(const struct command_filter *c);
json_t *golden_packet_to_json(const struct packet_text *p);

/* Abort on JSON that the functions above did not make: it is a fault of the test. */
void golden_filter_from_json(const json_t *j, struct filter *ret);
void golden_policies_from_json(const json_t *j, struct policy_list *ret);
void golden_command_from_json(const json_t *j, struct command_filter *ret);
void golden_packet_from_json(const json_t *j, struct packet_text *ret);
