/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorting of many small keys in linear time. Elements of up to 100,000 and more that are sorted in
 * each change (compile, agent) sort their keys with an index here, instead of moving themselves
 * through a comparing sort. */
#pragma once
#include "base/util.h"

struct sort_key {
    uint64_t key;
    uint32_t index;
};
/* Ascending by key; equal keys keep their order, so that a key of several words is sorted word by
 * word from the last one on. 0 or -ENOMEM, then v is as it was. */
_must_check_ int sort_keys(struct sort_key *v, size_t n);
