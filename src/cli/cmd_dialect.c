/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_dialect.c: the verbs of the dialects, `compat`, `import` and `export`. Called from the
 * table of commands, so that help and completion know them; what they do comes in through
 * cli_env.dialects, because the dialects stand above the command line. */
#include "cli/context.h"

typedef int (*verb_fn)(struct cli *c);

static int run_verb(struct cli *c, verb_fn run)
{
    if (!run)
        return cli_fail_usage(c, NULL, "'%s' is not in this build", c->command->name);
    return run(c);
}

int cmd_dialect_compat(struct cli *c)
{
    return run_verb(c, c->env->dialects ? c->env->dialects->compat_verb : NULL);
}

int cmd_dialect_import(struct cli *c)
{
    return run_verb(c, c->env->dialects ? c->env->dialects->import_verb : NULL);
}

int cmd_dialect_export(struct cli *c)
{
    return run_verb(c, c->env->dialects ? c->env->dialects->export_verb : NULL);
}
