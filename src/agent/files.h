/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and directories of the agent: bounded reads, atomic replacement, locks. */
#pragma once
#include <sys/types.h>

#include "base/diag.h"

/* Whole file, NUL added behind it; -ENOENT, -EFBIG beyond max bytes, or another errno. */
_must_check_ int file_read(const char *path, size_t max, char **ret, size_t *ret_len);
/* Replaces dir/name by these bytes, mode 0600: temporary file, fsync, rename, fsync of dir. At
 * every moment either the old or the new content is there. */
_must_check_ int file_replace(const char *dir, const char *name, const void *data, size_t len);
/* The same for files that only this boot reads: no end of the process loses them, and after a loss
 * of power there is the old or the new content (whole), or nothing is promised (volatile). */
_must_check_ int file_replace_whole(const char *dir, const char *name, const void *data,
                                    size_t len);
_must_check_ int file_replace_volatile(const char *dir, const char *name, const void *data,
                                       size_t len);
/* Says that file_replace() failed with err, which it returns. */
_must_check_ int file_replace_failed(const char *dir, const char *name, int err, struct diag *d);
/* Creates a directory and its parents; an existing one is left as it is. */
_must_check_ int dir_make(const char *path, mode_t mode, struct diag *d);
/* Takes the flock of a directory; what names it in the message. Held as long as the descriptor
 * is open. Refuses one that others than root and the caller can write to. */
_must_check_ int dir_lock(const char *path, const char *what, struct diag *d, int *ret_fd);
