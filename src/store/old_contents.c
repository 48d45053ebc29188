/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/old_contents.c: policies of version 3, which had a row for each rule, filter and attribute.
 * Called by migrate.c. Invariant: a policy is read whole or not at all, a row that cannot be read
 * is damage; what the rows said is what the last revision says afterwards. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "old.h"
#include "text/text.h"

enum old_stmt {
    OLD_POLICY,
    OLD_RULES,
    OLD_FILTERS,
    OLD_POLICY_ATTRIBUTES,
    OLD_RULE_ATTRIBUTES,
    OLD_REVISION,
    OLD_SET_IDS,
    OLD_ADD_REVISION,
    OLD_SET_REVISION,
    _OLD_MAX,
};

/* Parameters are bound by their numbers. */
static const char *const statements[_OLD_MAX] = {
    [OLD_POLICY] =
        "SELECT id, guid, name, description, poll_s, local_permits, weak, revision, folded"
        " FROM policy WHERE id > ?1 ORDER BY id LIMIT 1",
    [OLD_RULES] = "SELECT id, guid, name, inactive, connection FROM rule WHERE policy = ?1"
                  " ORDER BY position",
    [OLD_FILTERS] = "SELECT guid, handle, text FROM filter WHERE rule = ?1 ORDER BY position",
    [OLD_POLICY_ATTRIBUTES] = "SELECT key, value FROM policy_attribute WHERE policy = ?1"
                              " ORDER BY position",
    [OLD_RULE_ATTRIBUTES] = "SELECT key, value FROM rule_attribute WHERE rule = ?1"
                            " ORDER BY position",
    [OLD_REVISION] = "SELECT text FROM revision WHERE folded = ?2 AND revision = ?1",
    [OLD_SET_IDS] = "UPDATE revision SET ids = ?3 WHERE folded = ?2 AND revision = ?1",
    [OLD_ADD_REVISION] = "INSERT INTO revision (folded, revision, guid, text, change, time_s, uid,"
                         " login, origin, ids) SELECT ?2, coalesce(max(revision), 0) + 1, ?4, ?5,"
                         " 'new form of the database', ?1, 0, '', 'agent', ?3"
                         " FROM revision WHERE folded = ?2",
    [OLD_SET_REVISION] = "UPDATE policy SET revision = (SELECT max(revision) FROM revision"
                         " WHERE folded = ?2) WHERE id = ?1",
};

struct old {
    struct store *s;
    struct diag *d;
    sqlite3_stmt *stmt[_OLD_MAX];
};

static void old_done(struct old *o)
{
    for (unsigned i = 0; i < _OLD_MAX; i++)
        (void)sqlite3_finalize(o->stmt[i]); /* repeats the error of the last step */
}

static int old_init(struct old *o)
{
    for (unsigned i = 0; i < _OLD_MAX; i++)
        if (sqlite3_prepare_v2(o->s->db, statements[i], -1, &o->stmt[i], NULL) != SQLITE_OK)
            return (sqlite3_errcode(o->s->db) & 0xff) == SQLITE_ERROR
                       ? db_corrupt(o->s->path, o->d, "has another schema: %s",
                                    sqlite3_errmsg(o->s->db))
                       : db_fail(o->s, o->d);
    return 0;
}

/* Resets the statement and binds the first parameter. */
static sqlite3_stmt *start(struct old *o, enum old_stmt which, int64_t first)
{
    sqlite3_stmt *st = o->stmt[which];
    (void)sqlite3_reset(st); /* repeats the error of the last step, which was reported */
    (void)sqlite3_bind_int64(st, 1, first); /* cannot fail: the statement has it */
    return st;
}

static int read_attributes(struct old *o, enum old_stmt which, int64_t owner,
                           struct attributes *ret)
{
    sqlite3_stmt *st = start(o, which, owner);
    _cleanup_(attributes_done) struct attributes a = {0};
    int r;
    while ((r = db_step(o->s, st, o->d)) > 0) {
        const char *key, *value;
        r = column_valid_text(o->s, st, 0, o->d, &key);
        if (r == 0)
            r = column_valid_text(o->s, st, 1, o->d, &value);
        if (r == 0)
            r = attributes_set(&a, key, value);
        if (r == -ENOMEM)
            return r;
        if (r < 0)
            return db_corrupt(o->s->path, o->d, "is damaged: attribute '%s'", column_text(st, 0));
    }
    if (r < 0)
        return r;
    *ret = a;
    a = (struct attributes){0}; /* handed over */
    return 0;
}

static int read_filter(struct old *o, sqlite3_stmt *st, struct rule *rule)
{
    int64_t handle = sqlite3_column_int64(st, 1);
    const char *text = column_text(st, 2);
    struct diag why = {0};
    _cleanup_(filter_done) struct filter f;
    filter_init(&f);
    int r = text_parse_filter(text, (size_t)sqlite3_column_bytes(st, 2), &why, &f);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return db_corrupt(o->s->path, o->d, "is damaged: filter s%lld: %s", (long long)handle,
                          why.message);
    r = column_guid(o->s, st, 0, o->d, &f.guid);
    if (r < 0)
        return r;
    f.handle = (uint32_t)handle;
    return rule_add_filter(rule, &f);
}

static int read_connection(struct old *o, const char *word, enum connection *ret)
{
    for (enum connection c = CONNECTION_ALL; c < _CONNECTION_MAX; c++) {
        if (strcmp(word, connection_name(c)) == 0) {
            *ret = c;
            return 0;
        }
    }
    return db_corrupt(o->s->path, o->d, "is damaged: connection type '%s'", word);
}

static int read_rule(struct old *o, sqlite3_stmt *st, struct policy *p)
{
    int64_t id = sqlite3_column_int64(st, 0);
    _cleanup_(rule_done) struct rule rule;
    rule_init(&rule);
    rule.name = strdup(column_text(st, 2));
    if (!rule.name)
        return -ENOMEM;
    rule.inactive = sqlite3_column_int(st, 3) != 0;
    int r = column_guid(o->s, st, 1, o->d, &rule.guid);
    if (r == 0)
        r = read_connection(o, column_text(st, 4), &rule.connection);
    if (r == 0)
        r = read_attributes(o, OLD_RULE_ATTRIBUTES, id, &rule.attributes);
    if (r < 0)
        return r;
    sqlite3_stmt *filters = start(o, OLD_FILTERS, id);
    while ((r = db_step(o->s, filters, o->d)) > 0) {
        r = read_filter(o, filters, &rule);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    struct diag why = {0};
    r = policy_add_rule(p, &rule, &why);
    return r == 0 || r == -ENOMEM ? r : db_corrupt(o->s->path, o->d, "is damaged: %s", why.message);
}

static int read_policy(struct old *o, sqlite3_stmt *st, struct policy **ret)
{
    int64_t id = sqlite3_column_int64(st, 0);
    _cleanup_(policy_freep) struct policy *p = NULL;
    int r = policy_new(column_text(st, 2), &p);
    if (r < 0)
        return r;
    if (sqlite3_column_type(st, 3) != SQLITE_NULL) {
        p->description = strdup(column_text(st, 3));
        if (!p->description)
            return -ENOMEM;
    }
    p->poll_s = (uint32_t)sqlite3_column_int64(st, 4);
    p->local_permits = (int8_t)sqlite3_column_int(st, 5);
    p->weak = (int8_t)sqlite3_column_int(st, 6);
    p->revision = (uint32_t)sqlite3_column_int64(st, 7);
    r = column_guid(o->s, st, 1, o->d, &p->guid);
    if (r == 0)
        r = read_attributes(o, OLD_POLICY_ATTRIBUTES, id, &p->attributes);
    if (r < 0)
        return r;
    sqlite3_stmt *rules = start(o, OLD_RULES, id);
    while ((r = db_step(o->s, rules, o->d)) > 0) {
        r = read_rule(o, rules, p);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    *ret = TAKE_PTR(p);
    return 0;
}

/* Does the revision's text mean the policy of which canonical is the text? */
static int says_the_same(const char *text, size_t len, const struct strbuf *canonical, bool *ret)
{
    struct diag_list why = {0};
    struct policy_list l = {0};
    _cleanup_(strbuf_done) struct strbuf again = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    int r = text_parse_policies(text, len, &why, &l);
    if (r == 0 && l.n == 1)
        r = text_print_policy(l.v[0], &again);
    *ret = r == 0 && l.n == 1 && again.len == canonical->len &&
           memcmp(again.s, canonical->s, again.len) == 0;
    policy_list_done(&l);
    return r == -ENOMEM ? r : 0; /* what cannot be read says something else */
}

/* Binds what the statements that write have beyond the first parameter, and runs one. */
static int write(struct old *o, enum old_stmt which, int64_t first, const struct bind *b)
{
    sqlite3_stmt *st = start(o, which, first);
    for (int i = 0; b[i].data; i++) {
        int code = b[i].type == BIND_TYPE_TEXT
                       ? sqlite3_bind_text(st, i + 2, b[i].data, -1, SQLITE_STATIC)
                       : sqlite3_bind_blob64(st, i + 2, b[i].data, b[i].len, SQLITE_STATIC);
        if (code != SQLITE_OK)
            return db_fail(o->s, o->d);
    }
    int r = db_step(o->s, st, o->d);
    (void)sqlite3_reset(st); /* before what it is bound to is gone */
    return r < 0 ? r : 0;
}

static int write_policy(struct old *o, int64_t id, const char *folded, const struct policy *p)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    _cleanup_free_ uint8_t *ids = NULL;
    size_t n_ids = 0;
    bool same = false;
    int r = text_print_policy(p, &text);
    if (r == 0)
        r = identities_write(p, &ids, &n_ids);
    if (r < 0)
        return r;
    sqlite3_stmt *st = start(o, OLD_REVISION, p->revision);
    if (sqlite3_bind_text(st, 2, folded, -1, SQLITE_STATIC) != SQLITE_OK)
        return db_fail(o->s, o->d);
    r = db_step(o->s, st, o->d);
    if (r > 0)
        r = says_the_same(column_text(st, 0), (size_t)sqlite3_column_bytes(st, 0), &text, &same);
    (void)sqlite3_reset(st); /* before what it is bound to is gone */
    if (r < 0)
        return r;
    const struct bind b[] = {BIND_TEXT("", folded),
                             BIND_BLOB("", ids, n_ids),
                             BIND_GUID("", &p->guid),
                             BIND_TEXT("", text.s),
                             {0}};
    const struct bind set_ids[] = {b[0], b[1], {0}}, set_revision[] = {b[0], {0}};
    if (same)
        return write(o, OLD_SET_IDS, p->revision, set_ids);
    r = write(o, OLD_ADD_REVISION, now_s(), b);
    return r < 0 ? r : write(o, OLD_SET_REVISION, id, set_revision);
}

/* The policy behind row *id; 1 if there was one. */
static int convert_next(struct old *o, int64_t *id)
{
    _cleanup_(policy_freep) struct policy *p = NULL;
    sqlite3_stmt *st = start(o, OLD_POLICY, *id);
    int r = db_step(o->s, st, o->d);
    if (r <= 0)
        return r;
    *id = sqlite3_column_int64(st, 0);
    _cleanup_free_ char *folded = strdup(column_text(st, 8));
    r = folded ? read_policy(o, st, &p) : -ENOMEM;
    (void)sqlite3_reset(st); /* the table is going to be written */
    if (r == 0)
        r = write_policy(o, *id, folded, p);
    return r < 0 ? r : 1;
}

int old_contents_to_revisions(struct store *s, struct diag *d)
{
    struct diag none = {0};
    _cleanup_(old_done) struct old o = {.s = s, .d = d ? d : &none};
    int64_t id = 0;
    int r = old_init(&o);
    while (r == 0 || r == 1) {
        r = convert_next(&o, &id);
        if (r == 0)
            return 0;
    }
    return r;
}
