/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GUIDs of things that Windows gives one and we do not: the same thing has the same one on every
 * host and at every time. */
#pragma once
#include "base/strbuf.h"
#include "model/guid.h"

enum { GUID_BRACED_BYTES = 39 };
/* Of what is described by data, in the name space that label names. Version 8 of RFC 9562: made by
 * a hash of our own choice. */
struct guid derived_guid(const char *label, const void *data, size_t len);
/* "{3F2504E0-4F89-41D3-9A0C-0305E82C3301}", as Windows writes them. */
void guid_print_braced(const struct guid *g, char out[GUID_BRACED_BYTES]);
