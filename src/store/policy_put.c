/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/policy_put.c: writing policies, with their revision and audit row.
 * Called by the agent for load and for every change of a rule. Invariants: all or nothing; a
 * policy is written only if its canonical text differs from the stored one; GUIDs and handles
 * follow their rule and filter (policy.md 5), and no handle is ever given twice. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/limits.h"
#include "db.h"
#include "text/text.h"

enum { CHANGE_BYTES = 64 * 1024 };

/* What all steps of one put share. */
struct put {
    struct store *s;
    struct policy *p;
    const struct policy_put *o;
    const struct author *a;
    struct folded folded;
    struct strbuf text;   /* canonical text of p */
    struct strbuf change; /* line for history */
    int64_t now_s;
    uint32_t revision;
};

static void put_done(struct put *u)
{
    strbuf_done(&u->text);
    strbuf_done(&u->change);
}

/* Random bytes by the page: a GUID each for 200,000 filters would be as many system calls. */
struct guid_source {
    uint8_t bytes[4096];
    size_t used;
};

/* More than 256 bytes at once may be cut short by a signal (getrandom(2)). */
static int fill_guids(struct guid_source *src, struct diag *d)
{
    for (size_t have = 0; have < sizeof(src->bytes);) {
        ssize_t n = getrandom(src->bytes + have, sizeof(src->bytes) - have, 0);
        if (n < 0 && errno != EINTR)
            return diag_errno(d, errno, "cannot make a GUID");
        have += n > 0 ? (size_t)n : 0;
    }
    src->used = 0;
    return 0;
}

static int next_guid(struct guid_source *src, struct guid *g, struct diag *d)
{
    if (!guid_is_null(g))
        return 0;
    int r = src->used == sizeof(src->bytes) ? fill_guids(src, d) : 0;
    if (r < 0)
        return r;
    *g = guid_from_random(src->bytes + src->used);
    src->used += sizeof(g->b);
    return 0;
}

/* Gives every rule and filter that has none a GUID, every filter a handle. */
static int give_ids(struct put *u, struct diag *d)
{
    struct guid_source src = {.used = sizeof(src.bytes)};
    struct store *s = u->s;
    int r = counter_load(s, COUNTER_HANDLE, d);
    if (r < 0)
        return r;
    r = next_guid(&src, &u->p->guid, d);
    for (size_t i = 0; r == 0 && i < u->p->n_rules; i++) {
        struct rule *rule = &u->p->rules[i];
        r = next_guid(&src, &rule->guid, d);
        for (size_t k = 0; r == 0 && k < rule->n_filters; k++) {
            struct filter *f = &rule->filters[k];
            r = next_guid(&src, &f->guid, d);
            if (f->handle > 0)
                continue;
            if (s->last[COUNTER_HANDLE] >= UINT32_MAX)
                return diag_fail(d, DIAG_LIMIT, "all %u filter ids are used up", UINT32_MAX);
            f->handle = (uint32_t)++s->last[COUNTER_HANDLE];
        }
    }
    if (r < 0)
        return r;
    return counter_save(s, COUNTER_HANDLE, d);
}

/* A text that is canonical, as tools and `policy save` write it, is there once, as the text of the
 * revision: "" in its place, which no policy is. */
static const char *source_row(const struct put *u)
{
    const char *source = u->o->source;
    bool canonical =
        source && strlen(source) == u->text.len && memcmp(source, u->text.s, u->text.len) == 0;
    return canonical ? "" : source;
}

/* Writes the policy's own row. What the policy says is in the row of its revision. */
static int write_head(struct put *u, bool is_new, struct diag *d)
{
    const struct policy *p = u->p;
    const struct bind b[] = {
        BIND_GUID(":guid", &p->guid),      BIND_TEXT(":name", p->name),
        BIND_TEXT(":folded", u->folded.s), BIND_INT(":revision", u->revision),
        BIND_INT(":n_rules", p->n_rules),  BIND_INT(":n_filters", policy_n_filters(p)),
        BIND_INT(":changed_s", u->now_s),  BIND_TEXT(":source", source_row(u)),
    };
    return db_run(u->s, is_new ? STMT_POLICY_INSERT : STMT_POLICY_UPDATE, b, ARRAY_SIZE(b), d);
}

int revision_last(struct store *s, const struct folded *name, struct diag *d, uint32_t *ret)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    const struct bind b[] = {BIND_TEXT(":folded", name->s)};
    int r = db_bind(s, STMT_REVISION_LAST, b, ARRAY_SIZE(b), d, &st);
    if (r < 0)
        return r;
    r = db_step(s, st, d);
    if (r < 0)
        return r;
    *ret = (uint32_t)sqlite3_column_int64(st, 0);
    return 0;
}

/* The history of a name goes on where it stopped, also after a delete. */
static int next_revision(struct put *u, struct diag *d)
{
    uint32_t last;
    int r = revision_last(u->s, &u->folded, d, &last);
    if (r < 0)
        return r;
    u->revision = last + 1;
    return 0;
}

static int write_revision(struct put *u, struct diag *d)
{
    _cleanup_free_ uint8_t *ids = NULL;
    size_t n_ids = 0;
    int r = identities_write(u->p, &ids, &n_ids);
    if (r < 0)
        return r;
    const struct bind b[] = {
        BIND_TEXT(":folded", u->folded.s),  BIND_INT(":revision", u->revision),
        BIND_GUID(":guid", &u->p->guid),    BIND_TEXT(":text", u->text.s),
        BIND_TEXT(":change", u->change.s),  BIND_INT(":time_s", u->now_s),
        BIND_INT(":uid", u->a->uid),        BIND_TEXT(":login", u->a->login),
        BIND_TEXT(":origin", u->a->origin), BIND_TEXT(":reason", u->a->reason),
        BIND_BLOB(":ids", ids, n_ids),      BIND_TEXT(":peer", u->a->peer[0] ? u->a->peer : NULL),
    };
    r = db_run(u->s, STMT_REVISION_INSERT, b, ARRAY_SIZE(b), d);
    if (r < 0)
        return r;
    if (u->s->first_revision == 0)
        u->s->first_revision = sqlite3_last_insert_rowid(u->s->db);
    const struct audit_row row = {
        .change = u->change.s, .object = u->p->name, .revision = u->revision};
    return audit_write(u->s, u->a, &row, d);
}

static int check_policy_limit(struct put *u, struct diag *d)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = db_bind(u->s, STMT_POLICY_COUNT, NULL, 0, d, &st);
    if (r < 0)
        return r;
    r = db_step(u->s, st, d);
    if (r < 0)
        return r;
    if (sqlite3_column_int64(st, 0) < LIMIT_POLICIES)
        return 0;
    r = diag_fail(d, DIAG_LIMIT, "policy '%s' not stored: there are %d policies already",
                  u->p->name, LIMIT_POLICIES);
    diag_hint(d, "portward policy delete NAME");
    return r;
}

/* Is the stored text of this revision the one at hand? */
static int text_is_stored(struct put *u, uint32_t revision, struct diag *d, bool *ret)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    const struct bind b[] = {BIND_TEXT(":folded", u->folded.s), BIND_INT(":revision", revision)};
    int r = db_bind(u->s, STMT_REVISION_TEXT, b, ARRAY_SIZE(b), d, &st);
    if (r < 0)
        return r;
    r = db_step(u->s, st, d);
    if (r < 0)
        return r;
    if (r == 0)
        return db_corrupt(u->s->path, d, "is damaged: revision %u of '%s' is missing", revision,
                          u->p->name);
    *ret = (size_t)sqlite3_column_bytes(st, 0) == u->text.len &&
           memcmp(column_text(st, 0), u->text.s, u->text.len) == 0;
    return 0;
}

/* Only comments or layout of the loaded text are new: kept, but no revision of the policy. */
static int update_source(struct put *u, int64_t id, struct diag *d)
{
    if (!u->o->source)
        return 0;
    const struct bind b[] = {BIND_TEXT(":source", source_row(u)), BIND_INT(":id", id)};
    int r = db_run(u->s, STMT_POLICY_SET_SOURCE, b, ARRAY_SIZE(b), d);
    return r < 0 || sqlite3_changes(u->s->db) == 0 ? r : state_raise(u->s, d);
}

static int write_all(struct put *u, bool is_new, struct diag *d)
{
    int r = next_revision(u, d);
    if (r == 0)
        r = give_ids(u, d);
    if (r == 0)
        r = write_head(u, is_new, d);
    return r < 0 ? r : write_revision(u, d);
}

/* What comes without identity (a policy as it was parsed, a rule that was written anew) takes that
 * of its namesake, or of the one that it was before. */
static int inherit_ids(struct put *u, const struct policy *old, struct diag *d)
{
    if (guid_is_null(&u->p->guid))
        u->p->guid = old->guid;
    return text_inherit_renamed(u->p, old, u->o->renamed_rules, u->o->n_renamed_rules, d);
}

/* "load", `rename from "Web"`, `rename from "Web", load`. */
static int make_change(struct put *u)
{
    const struct policy_put *o = u->o;
    if (o->renamed_from) {
        (void)strbuf_add(&u->change, "rename from "); /* errors are sticky */
        (void)text_print_string(o->renamed_from, &u->change);
        (void)strbuf_add(&u->change, o->change ? ", " : "");
    }
    return strbuf_add(&u->change, o->change ? o->change : "");
}

/* Inside the transaction: decides between create, replace and nothing. */
static int put_policy(struct put *u, struct diag *d, bool *ret_changed)
{
    _cleanup_(policy_freep) struct policy *old = NULL;
    int64_t old_id = 0;
    int r = 0;
    if (u->o->renamed_from)
        r = policy_move(u->s, u->o->renamed_from, u->p->name, d);
    if (r == 0)
        r = policy_load(u->s, &u->folded, d, &old_id, &old);
    if (r < 0)
        return r;
    if (!old) {
        r = check_policy_limit(u, d);
        if (r < 0)
            return r;
        *ret_changed = true;
        return write_all(u, /* is_new= */ true, d);
    }
    bool same = false;
    r = text_is_stored(u, old->revision, d, &same);
    if (r < 0)
        return r;
    if (!same && !u->o->replace && !u->o->renamed_from) {
        r = diag_fail(d, DIAG_CONFLICT, "policy '%s' exists already", old->name);
        diag_hint(d, "portward policy load FILE --replace");
        return r;
    }
    r = inherit_ids(u, old, d);
    if (r < 0)
        return r;
    *ret_changed = !same;
    if (!same)
        return write_all(u, /* is_new= */ false, d);
    u->revision = old->revision;
    return update_source(u, old_id, d);
}

int store_policy_put(struct store *s, struct policy *p, const struct policy_put *o,
                     const struct author *a, struct diag *d, bool *ret_changed)
{
    _cleanup_(put_done) struct put u = {.s = s,
                                        .p = p,
                                        .o = o,
                                        .a = a,
                                        .text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES),
                                        .change = STRBUF_INIT(CHANGE_BYTES),
                                        .now_s = now_s()};
    int r = author_check(a, d);
    if (r < 0)
        return r;
    r = name_fold(p->name, "policy", d, &u.folded);
    if (r < 0)
        return r;
    r = text_print_policy(p, &u.text);
    if (r == -E2BIG)
        return diag_fail(d, DIAG_LIMIT, "policy '%s' is longer than %d MiB", p->name,
                         LIMIT_POLICY_TEXT_BYTES / (1024 * 1024));
    if (r == 0)
        r = make_change(&u);
    if (r < 0)
        return r;
    _cleanup_(scope_done) struct scope sc = {0};
    r = change_begin(s, d, &sc);
    if (r < 0)
        return r;
    bool changed = false;
    r = put_policy(&u, d, &changed);
    if (r < 0)
        return r;
    r = scope_commit(&sc, d);
    if (r < 0)
        return r;
    (void)sqlite3_db_release_memory(s->db); /* the pages of a large policy; cannot fail */
    p->revision = u.revision;
    *ret_changed = changed;
    return 0;
}
