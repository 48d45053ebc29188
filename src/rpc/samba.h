/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samba walks its own range with binds to numbers, so it is confined by its own setting: a file
 * portward.conf beside smb.conf, which smb.conf includes at the end of [global]. Called by
 * engine.c. Invariants: what testparm does not accept, or does not read as we mean it, is never put
 * in place; the first smb.conf that we change is kept as smb.conf.portward-backup. */
#pragma once
#include "base/diag.h"
#include "tables.h"

/* Writes what is missing; 1 = something was changed, Samba must be restarted. */
_must_check_ int samba_confine(const char *conf, const struct port_bits *set, struct diag *d);
/* Takes our line and file away again; 0 if there are none. */
int samba_release(const char *conf, struct diag *d);

/* Exposed for the test: text of smb.conf with the line, or without it. Owned. */
_must_check_ int samba_with_line(const char *text, const char *include, char **ret);
_must_check_ int samba_without_line(const char *text, const char *include, char **ret);
