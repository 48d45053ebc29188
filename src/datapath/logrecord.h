/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From bytes of the ring to struct log_record. Pure: fuzzed, and tested without a kernel. */
#pragma once
#include "datapath/datapath.h"

/* 0, or -EBADMSG: of another size or version, or with a value that no program of ours writes. */
_must_check_ int record_decode(const void *data, size_t len, struct log_record *ret);
