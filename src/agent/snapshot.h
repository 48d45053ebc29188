/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dynamic layer on disk: <runtime-dir>/dynamic.json. Written before each flip, so that a
 * process that dies at any moment is followed by one that knows every dynamic block. It names
 * the boot and the network namespace it belongs to; one of another boot or namespace is empty.
 * Text conversion is separate from the file, for tests. */
#pragma once
#include "dynamic.h"

enum { BOOT_ID_BYTES = 37, SNAPSHOT_BYTES_MAX = 256 * 1024 * 1024 };
struct snapshot_origin {
    char boot_id[BOOT_ID_BYTES];
    uint64_t netns_cookie;
    uint64_t serial;     /* of the write; what a journal continues (journal.h) */
    uint64_t generation; /* writing: the one that the layer is part of; reading: the one in force */
    const struct dynamic *before; /* writing: what the layer was, if the database decides whether
                                     the generation holds; NULL = it does */
};
/* Boot id of the running kernel (random(4), /proc/sys/kernel/random/boot_id). */
_must_check_ int snapshot_boot_id(char ret[BOOT_ID_BYTES]);

_must_check_ int snapshot_print(const struct dynamic *l, const struct snapshot_origin *o,
                                char **ret_text);
/* A snapshot of another origin gives an empty layer; of the same boot but another namespace it
 * keeps next_id, since ids are never reused while the host is up. Anything that is not a
 * complete snapshot: DIAG_CORRUPT, nothing changed. */
_must_check_ int snapshot_parse(const char *text, size_t len, const struct snapshot_origin *o,
                                struct diag *d, struct dynamic *ret);

/* One filter of it, as a line of the journal has it, too. Parsing appends to l, of which next_id is
 * larger than all ids. */
struct json_t;
_must_check_ int snapshot_entry_print(const struct dynamic_entry *e, struct json_t **ret);
_must_check_ int snapshot_entry_parse(struct json_t *j, struct dynamic *l, struct diag *d);

#define SNAPSHOT_NAME "dynamic.json"
_must_check_ int snapshot_write(const char *dir, const struct dynamic *l,
                                const struct snapshot_origin *o, struct diag *d);
/* must_exist: a missing file, or one of another origin or of an earlier generation, is an error
 * like a damaged one, because an image is in force that may hold dynamic blocks; else it gives an
 * empty layer. Lines of the journal are part of it. 1 if there are some, else 0. */
_must_check_ int snapshot_read(const char *dir, const struct snapshot_origin *o, bool must_exist,
                               struct diag *d, struct dynamic *ret);
/* The layer before the generation of the snapshot that snapshot_read() took as `now`, if it was
 * written with one: 1 and the number of that generation; 0 = none, nothing changed. */
_must_check_ int snapshot_read_before(const char *dir, const struct snapshot_origin *o,
                                      const struct dynamic *now, struct diag *d,
                                      struct dynamic *ret, uint64_t *ret_generation);
