/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Negotiation methods that a dialect put together, as the native grammar writes them. Used by the
 * readers of ipseccmd, netsh and registry objects: the native parser has the last word. */
#pragma once
#include "base/diag.h"

/* *ret owned. -ENOMEM, -E2BIG, or what text_parse_filter() says of methods it does not take. */
_must_check_ int methods_canonical(const char *methods, struct diag *d, char **ret);
