/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving up every right: what reads bytes from the network has none (exposure.md 3.1). */
#pragma once
#include "base/util.h"

/* No capability, no way to get one, and, of root, user and group nobody; ends with its parent. 0 or
 * -errno, and then nothing must be parsed. */
_must_check_ int rights_drop(void);
