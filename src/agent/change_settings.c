/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/change_settings.c: changes of settings, of the library of the dialects, and of secrets.
 * Called by change.c inside a store transaction. Invariant: a setting that decides what is filtered
 * is in force in the generation of the change that made it. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "internal.h"
#include "settings.h"

int prepare_setting(struct agent *a, struct job *j)
{
    struct diag *d = &j->result.diag;
    const char *key = j->change.key ? j->change.key : "";
    int err = j->change.text ? settings_check(key, j->change.text, d) : settings_known(key, d);
    if (err == 0)
        err = store_setting_put(a->store, key, j->change.text, &j->change.author, d);
    if (err < 0)
        return err;
    j->settings_changed = true;
    j->result.change = j->change.text ? "replaced" : "deleted";
    return 0;
}

int prepare_library(struct agent *a, struct job *j)
{
    const char *text = j->change.text ? j->change.text : "";
    j->result.change = "replaced";
    return store_library_put(a->store, text, &j->change.author, &j->result.diag);
}

int prepare_secret(struct agent *a, struct job *j)
{
    struct diag *d = &j->result.diag;
    const char *id = j->change.key ? j->change.key : "";
    size_t n = strlen(id);
    if (n == 0 || n > LIMIT_NAME_BYTES || !utf8_valid(id, n))
        return diag_fail(d, DIAG_USAGE, "the id of a secret has 1 to %d bytes of UTF-8",
                         LIMIT_NAME_BYTES);
    j->result.change = j->change.text ? "replaced" : "deleted";
    return store_secret_put(a->store, id, j->change.text, &j->change.author, d);
}
