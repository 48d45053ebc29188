/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking netlink attributes with their lengths checked, without the macros of libmnl, which
 * cast const away and narrow a pointer difference. Used by rtnl_*.c and attach_clsact.c.
 * A walk ends at the first attribute whose length cannot be true. */
#pragma once
#include <libmnl/libmnl.h>

struct attr_walk {
    const uint8_t *at, *end;
};

/* Attributes begin at multiples of 4 bytes. */
static inline size_t attr_align(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* Attributes of a message behind a family header of this size; none if it is shorter. */
static inline struct attr_walk attr_walk_message(const struct nlmsghdr *nlh, size_t header)
{
    const uint8_t *p = mnl_nlmsg_get_payload(nlh);
    size_t len = mnl_nlmsg_get_payload_len(nlh), skip = attr_align(header);

    return (struct attr_walk){p + (skip < len ? skip : len), p + len};
}

static inline struct attr_walk attr_walk_nested(const struct nlattr *nest)
{
    const uint8_t *p = mnl_attr_get_payload(nest);

    return (struct attr_walk){p, p + mnl_attr_get_payload_len(nest)};
}

/* The next attribute, or NULL. */
static inline const struct nlattr *attr_walk_next(struct attr_walk *w)
{
    const void *p = w->at;
    const struct nlattr *a = p;
    size_t left = (size_t)(w->end - w->at);

    if (left < sizeof(*a) || a->nla_len < sizeof(*a) || a->nla_len > left)
        return NULL;
    size_t step = attr_align(a->nla_len);
    w->at += step < left ? step : left;
    return a;
}

#define ATTR_FOR_EACH(a, w) for (const struct nlattr *a; (a = attr_walk_next(&(w)));)
