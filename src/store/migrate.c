/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/migrate.c: brings a database of an earlier version to that of this build.
 * Called once by open.c. Invariants: each version is reached in one transaction, so an interrupted
 * migration goes on where it stopped; nothing that was stored is lost. The statements for tables
 * that are gone since are here, all others are in sql.h. */
#include "db.h"
#include "old.h"
#include "schema.h"

/* What SQL cannot do, before the SQL of that step. */
static int (*const converters[])(struct store *s, struct diag *d) = {
    [3] = old_contents_to_revisions,
};

static int run_sql(struct store *s, const char *sql, struct diag *d)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(s, d);
}

static int step(struct store *s, unsigned version, struct diag *d)
{
    int r = run_sql(s, "BEGIN IMMEDIATE", d);
    if (r < 0)
        return r;
    if (version < ARRAY_SIZE(converters) && converters[version])
        r = converters[version](s, d);
    if (r == 0)
        r = run_sql(s, schema_sql[version], d);
    if (r == 0)
        r = run_sql(s, "COMMIT", d);
    if (r < 0)
        (void)run_sql(s, "ROLLBACK", NULL); /* the error that matters is in r */
    return r;
}

int db_migrate(struct store *s, struct diag *d)
{
    int version = 0;
    if (pragma_int(s->db, "PRAGMA user_version", &version) < 0)
        return db_fail(s, d);
    int r = 0;
    for (unsigned v = (unsigned)version; r == 0 && v < schema_n_versions; v++)
        r = step(s, v, d);
    return r;
}
