/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening Unix socket of the server: where it lies, who may open it. */
#pragma once
#include "base/diag.h"
#include "rights.h"

/* Binds and listens. A dead socket of that name is replaced, a living one is -EADDRINUSE. The
 * socket is 0600 root, and 0660 root:<read group> if groups has one; the
 * group that may change gets in as well. */
_must_check_ int api_listen(const char *path, const struct api_groups *groups, struct diag *d,
                            int *ret_fd);
