/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets as people and programs read them: with the unit, the processes, and the words of
 * docs/api.md (SOCKET). Used by `portward sockets`, by `portward audit` and by GET /v1/sockets. */
#pragma once
#include "base/strbuf.h"
#include "sockets/processes.h"
#include "sockets/sockets.h"
#include "sockets/units.h"

struct exposure_rows {
    struct sockets s;
    struct socket_units units;
    struct socket_processes processes;
};
void exposure_rows_done(struct exposure_rows *r);
/* what: SOCKETS_*; holders are always read. pin: of the iterators, NULL = none. */
_must_check_ int exposure_rows_read(unsigned what, const char *pin, struct diag *d,
                                    struct exposure_rows *ret);

/* Where the unit of a socket stands. */
enum exposure_unit { UNIT_UNKNOWN, UNIT_FOUND, UNIT_DEAD };
/* *ret: its name, *ret_len bytes, if found; *ret_path: of the cgroup. */
enum exposure_unit exposure_unit_of(const struct exposure_rows *r, const struct socket_row *row,
                                    const char **ret, size_t *ret_len, const char **ret_path);
/* Who holds it, if no process is known. */
enum exposure_owner {
    OWNER_PROCESS,
    OWNER_KERNEL,  /* no file: a socket of the kernel */
    OWNER_UNKNOWN, /* this caller may not see it, or it is in another pid namespace */
    OWNER_NONE,    /* on its way between two processes, or closed meanwhile */
};
enum exposure_owner exposure_owner_of(const struct exposure_rows *r, const struct socket_row *row);

/* What only the caller knows of a row; NULL = not known, or none. */
struct exposure_words {
    const char *device; /* name of the interface it is bound to */
    const char *policy; /* what the filters say */
    const char *netns;  /* of another network namespace */
};
/* One SOCKET. */
int exposure_row_json(const struct exposure_rows *r, const struct socket_row *row,
                      const struct exposure_words *w, struct strbuf *out);
/* "...","..." of a JSON string, with its quotes; null for NULL. */
int exposure_json_string(const char *s, size_t n, struct strbuf *out);
