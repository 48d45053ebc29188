/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the generator. */
#pragma once
#include "testlib/gen.h"

/* True once in n. */
static inline bool once_in(struct rng *r, uint32_t n)
{
    return rng_below(r, n) == 0;
}
/* A random address of the prefix. */
struct ip gen_ip_in_prefix(struct rng *r, enum family f, struct ip prefix, unsigned len);
/* One of the policy's pool. */
struct ip gen_pool_ip(struct rng *r, const struct gen_policy *p, enum family f);
