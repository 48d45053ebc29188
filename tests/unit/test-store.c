/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store: what is put comes back, identities follow their objects, every change has its
 * revision and audit row, and what fails or is rolled back leaves nothing behind. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "base/limits.h"
#include "store-fixture.h"

static const char web[] =
    "# the comment\n"
    "policy \"Web server\" description \"front\" poll 180m local-permits yes {\n"
    "    rule \"SMB\" block in tcp port 445\n"
    "    rule \"LAN\" { permit in tcp from 10.1.1.0/24 to me port 445\n"
    "                 block in udp port 1434 override }\n"
    "    inactive rule \"DNS\" connection lan"
    " permit out udp to 192.0.2.53 port 53 keep state\n"
    "}\n";

static void put(struct fixture *f, const char *text, bool expect_changed)
{
    struct diag d = {0};
    bool changed = !expect_changed;
    int r = fixture_put(f, text, true, &d, &changed);
    if (r < 0)
        print_error("%s\n", d.message);
    assert_int_equal(r, 0);
    assert_int_equal(changed, expect_changed);
}

static void expect_assigned(struct fixture *f, enum assign_slot slot, const char *name)
{
    struct diag d = {0};
    char assigned[256];
    assert_int_equal(store_assigned(f->s, slot, &d, assigned), 0);
    assert_string_equal(assigned, name);
}

static void test_new_store_is_empty_and_private(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(rmdir(f->dir), 0); /* the store makes it */
    fixture_open(f);
    struct stat st;
    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    struct policy_info *v = NULL;
    size_t n = 99;
    struct diag d = {0};
    assert_int_equal(store_policy_list(f->s, &d, &v, &n), 0);
    assert_int_equal(n, 0);
    free(v);
    expect_assigned(f, ASSIGN_LOCAL, "");
    expect_assigned(f, ASSIGN_PERSISTENT, "");
    assert_string_equal(fixture_sql(f, "PRAGMA journal_mode"), "wal");
    /* Every table is STRICT. */
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM pragma_table_list"
                                       " WHERE NOT strict AND name NOT LIKE 'sqlite%'"),
                        "0");
}

static void test_put_and_get(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, web, true);
    for (int round = 0; round < 2; round++) {
        fixture_expect_text(f, "wEB SERVER", web);
        _cleanup_(policy_freep) struct policy *p = fixture_get(f, "Web server");
        assert_string_equal(p->name, "Web server");
        assert_int_equal(p->revision, 1);
        assert_false(guid_is_null(&p->guid));
        assert_int_equal(p->n_rules, 3);
        assert_int_equal(p->poll_s, 10800);
        assert_int_equal(p->local_permits, 1);
        assert_int_equal(p->weak, -1);
        assert_true(p->rules[2].inactive);
        assert_int_equal(p->rules[2].connection, CONNECTION_LAN);
        uint32_t handle = 1;
        for (size_t i = 0; i < p->n_rules; i++) {
            assert_false(guid_is_null(&p->rules[i].guid));
            for (size_t k = 0; k < p->rules[i].n_filters; k++) {
                assert_false(guid_is_null(&p->rules[i].filters[k].guid));
                assert_int_equal(p->rules[i].filters[k].handle, handle++);
            }
        }
        assert_int_equal(handle, 5);
        fixture_open(f); /* and again after a restart */
    }
}

static void test_list(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, "policy \"beta\" { }", true);
    put(f, web, true);
    put(f, "policy \"Alpha\" { rule \"x\" block in tcp port 1 }", true);
    struct diag d = {0};
    char before[256];
    assert_int_equal(
        store_assign(f->s, ASSIGN_PERSISTENT, "WEB server", &fixture_author, &d, before), 0);
    struct policy_info *v = NULL;
    size_t n = 0;
    assert_int_equal(store_policy_list(f->s, &d, &v, &n), 0);
    assert_int_equal(n, 3);
    assert_string_equal(v[0].name, "Alpha"); /* by name, without regard to case */
    assert_string_equal(v[1].name, "beta");
    assert_string_equal(v[2].name, "Web server");
    assert_int_equal(v[2].n_rules, 3);
    assert_int_equal(v[2].n_filters, 4);
    assert_int_equal(v[2].revision, 1);
    assert_false(v[2].assigned[ASSIGN_LOCAL]);
    assert_true(v[2].assigned[ASSIGN_PERSISTENT]);
    assert_false(v[0].assigned[ASSIGN_PERSISTENT]);
    assert_true(llabs((long long)v[2].changed_s - (long long)time(NULL)) <= 60);
    free(v);
}

static void test_loading_again_is_no_change(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct diag d = {0};
    bool changed = false;
    assert_int_equal(fixture_put(f, web, false, &d, &changed), 0);
    assert_true(changed);
    assert_int_equal(fixture_put(f, web, false, &d, &changed), 0); /* also without replace */
    assert_false(changed);
    put(f, web, false);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM revision"), "1");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "1");
    /* The identities are written back in this case too. */
    _cleanup_(policy_freep) struct policy *p = fixture_policy(web),
                                          *stored = fixture_get(f, "web server");
    struct policy_put o = {.replace = true, .source = web, .change = "load"};
    assert_int_equal(store_policy_put(f->s, p, &o, &fixture_author, &d, &changed), 0);
    assert_false(changed);
    assert_int_equal(p->revision, 1);
    assert_int_equal(guid_cmp(&p->guid, &stored->guid), 0);
    assert_int_equal(p->rules[1].filters[1].handle, stored->rules[1].filters[1].handle);
    /* What was read can be put back. */
    assert_int_equal(store_policy_put(f->s, stored, &o, &fixture_author, &d, &changed), 0);
    assert_false(changed);
}

static void test_conflict_without_replace(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, web, true);
    struct diag d = {0};
    bool changed = false;
    assert_int_equal(fixture_put(f, "policy \"WEB SERVER\" { }", false, &d, &changed), -EEXIST);
    assert_int_equal(d.code, DIAG_CONFLICT);
    assert_string_equal(d.message, "policy 'Web server' exists already");
    fixture_expect_text(f, "Web server", web);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "1");
}

static void test_identities_follow(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, web, true);
    _cleanup_(policy_freep) struct policy *old = fixture_get(f, "Web server");
    /* LAN moved to the front and lost one filter, got another; SMB is gone, NEW is new. */
    put(f,
        "policy \"web SERVER\" {\n"
        "  rule \"lan\" { permit in tcp port 22 block in udp port 1434 override }\n"
        "  rule \"NEW\" block in tcp port 445\n"
        "}\n",
        true);
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, "Web server");
    assert_string_equal(p->name, "web SERVER");
    assert_int_equal(p->revision, 2);
    assert_int_equal(guid_cmp(&p->guid, &old->guid), 0);
    const struct rule *lan = &p->rules[0], *lan_before = &old->rules[1];
    assert_int_equal(guid_cmp(&lan->guid, &lan_before->guid), 0);
    assert_int_equal(guid_cmp(&lan->filters[1].guid, &lan_before->filters[1].guid), 0);
    assert_int_equal(lan->filters[1].handle, 3);
    assert_int_equal(lan->filters[0].handle, 5); /* s1 .. s4 are never given again */
    assert_int_equal(p->rules[1].filters[0].handle, 6);
    assert_int_not_equal(guid_cmp(&p->rules[1].guid, &old->rules[0].guid), 0);
    /* The first rule comes back: a new identity, not the old number. */
    put(f, web, true);
    _cleanup_(policy_freep) struct policy *again = fixture_get(f, "Web server");
    assert_int_equal(again->rules[0].filters[0].handle, 7);
    assert_int_equal(again->rules[1].filters[1].handle, 3);
}

static void test_rule_edits_keep_identities(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, web, true);
    struct diag d = {0};
    bool changed = false;
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, "Web server");
    struct guid smb = p->rules[0].guid;
    /* The agent's way to replace a rule: remove, add one of the same name. */
    policy_remove_rule(p, 0);
    _cleanup_(policy_freep) struct policy *other = fixture_policy(
        "policy \"x\" { rule \"smb\" { block in tcp port 445 block in tcp port 139 } }");
    assert_int_equal(policy_add_rule(p, &other->rules[0], &d), 0);
    struct policy_put o = {.replace = true, .change = "add rule \"smb\""};
    assert_int_equal(store_policy_put(f->s, p, &o, &fixture_author, &d, &changed), 0);
    assert_true(changed);
    assert_int_equal(p->revision, 2);
    const struct rule *r = policy_find_rule(p, "SMB");
    assert_int_equal(guid_cmp(&r->guid, &smb), 0);
    assert_int_equal(r->filters[0].handle, 1);
    assert_int_equal(r->filters[1].handle, 5);
    assert_int_equal(policy_find_rule(p, "LAN")->filters[0].handle, 2);
    /* Loaded text is gone: it does not describe the policy any more. */
    char *source = NULL;
    assert_int_equal(store_policy_source(f->s, "Web server", &d, &source), -ENOENT);
    assert_non_null(strstr(d.message, "has no source text"));
    assert_null(source);
}

static void test_source(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, web, true);
    struct diag d = {0};
    char *source = NULL;
    assert_int_equal(store_policy_source(f->s, "WEB SERVER", &d, &source), 0);
    assert_string_equal(source, web);
    free(source);
    /* Another comment is no revision, but it is kept. */
    put(f, "policy \"c\" { } # one", true);
    put(f, "policy \"c\" { } # two", false);
    assert_int_equal(store_policy_source(f->s, "c", &d, &source), 0);
    assert_string_equal(source, "policy \"c\" { } # two");
    free(source);
    assert_int_equal(store_policy_source(f->s, "unknown", &d, &source), -ENOENT);
    assert_int_equal(d.code, DIAG_UNKNOWN_OBJECT);
}

/* A text that is canonical already is there once, and read like any other. */
static void test_canonical_source(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "policy \"c\" {\n    rule \"r\"  block in tcp from any to me port 1\n}\n",
        "policy \"c\" {\n    rule \"r\"  block in tcp from any to me port 1\n} # with a comment\n",
        "policy \"c\" {\n    rule \"r\"  block in tcp from any to me port 2\n}\n",
    };
    static const char *const lengths[] = {"0", "81", "0"};
    fixture_open(f);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct diag d = {0};
        char *source = NULL;
        put(f, texts[i], /* changed= */ i != 1);
        assert_string_equal(fixture_sql(f, "SELECT length(source) FROM policy"), lengths[i]);
        assert_int_equal(store_policy_source(f->s, "c", &d, &source), 0);
        assert_string_equal(source, texts[i]);
        free(source);
    }
}

static void test_unknown_names(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, web, true);
    struct diag d = {0};
    struct policy *p = NULL;
    char before[256];
    assert_int_equal(store_policy_get(f->s, "Web sever", &d, &p), -ENOENT);
    assert_int_equal(d.code, DIAG_UNKNOWN_OBJECT);
    assert_string_equal(d.message, "unknown policy 'Web sever'");
    assert_string_equal(d.hint, "did you mean 'Web server'?");
    assert_int_equal(store_policy_get(f->s, "something else", &d, &p), -ENOENT);
    assert_string_equal(d.hint, "portward policy list");
    assert_int_equal(store_policy_get(f->s, "", &d, &p), -E2BIG);
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "x", &fixture_author, &d, before), -ENOENT);
    assert_int_equal(store_policy_delete(f->s, "x", &fixture_author, &d), -ENOENT);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "1");
}

static void test_assign(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, web, true);
    put(f, "policy \"b\" { }", true);
    struct diag d = {0};
    char before[256];
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "web SERVER", &fixture_author, &d, before),
                     0);
    assert_string_equal(before, "");
    expect_assigned(f, ASSIGN_LOCAL, "Web server");
    expect_assigned(f, ASSIGN_PERSISTENT, "");
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "b", &fixture_author, &d, before), 0);
    assert_string_equal(before, "Web server");
    assert_int_equal(store_assign(f->s, ASSIGN_PERSISTENT, "b", &fixture_author, &d, before), 0);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "5");
    /* Again is no change. */
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "B", &fixture_author, &d, before), 0);
    assert_string_equal(before, "b");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "5");

    assert_int_equal(store_policy_delete(f->s, "b", &fixture_author, &d), -EEXIST);
    assert_int_equal(d.code, DIAG_CONFLICT);
    assert_string_equal(d.hint, "portward policy unassign");
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, NULL, &fixture_author, &d, before), 0);
    assert_string_equal(before, "b");
    expect_assigned(f, ASSIGN_LOCAL, "");
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, NULL, &fixture_author, &d, before), 0);
    assert_string_equal(before, "");
    assert_int_equal(store_policy_delete(f->s, "b", &fixture_author, &d), -EEXIST);
    assert_string_equal(d.hint, "portward policy unassign --persistent");
    fixture_open(f);
    expect_assigned(f, ASSIGN_PERSISTENT, "b");
    /* Replacing an assigned policy keeps it assigned. */
    put(f, "policy \"b\" { rule \"x\" block in tcp port 9 }", true);
    expect_assigned(f, ASSIGN_PERSISTENT, "b");
}

static void test_delete_keeps_history(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, web, true);
    put(f, "policy \"Web server\" { }", true);
    struct diag d = {0};
    assert_int_equal(store_policy_delete(f->s, "wEb server", &fixture_author, &d), 0);
    struct policy *p = NULL;
    assert_int_equal(store_policy_get(f->s, "Web server", &d, &p), -ENOENT);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM policy"), "0");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM revision"), "2");
    assert_string_equal(
        fixture_sql(f, "SELECT instr(text, 'port 1434') > 0 FROM revision WHERE revision = 1"),
        "1");
    assert_string_equal(fixture_sql(f, "SELECT change || ' ' || object FROM audit WHERE id = 3"),
                        "delete wEb server");
    put(f, web, true); /* comes back with the next number */
    _cleanup_(policy_freep) struct policy *again = fixture_get(f, "Web server");
    assert_int_equal(again->revision, 3);
    assert_int_equal(again->rules[0].filters[0].handle, 5);
}

static void test_history_rows(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, web, true);
    struct diag d = {0};
    static const char row[] = "SELECT change||'|'||uid||'|'||login||'|'||origin||'|'||reason||'|'||"
                              "coalesce(generation, '-') FROM ";
    char sql[300];
    (void)snprintf(sql, sizeof(sql), "%srevision", row);
    assert_string_equal(fixture_sql(f, sql), "load|1000|alice|cli|worm|-");
    assert_int_equal(store_set_generation(f->s, 42, &d), 0);
    assert_string_equal(fixture_sql(f, sql), "load|1000|alice|cli|worm|42");
    (void)snprintf(sql, sizeof(sql), "%saudit", row);
    assert_string_equal(fixture_sql(f, sql), "load|1000|alice|cli|worm|42");
    /* A revision that changed no packet keeps no number, nor gets that of a later change. */
    put(f, "policy \"b\" { }", true);
    struct author nobody = {.origin = "agent"};
    assert_int_equal(store_audit(f->s, &nobody, "block", "d17", 43, &d), 0);
    assert_int_equal(store_set_generation(f->s, 43, &d), 0);
    assert_string_equal(fixture_sql(f, "SELECT generation IS NULL FROM revision WHERE id = 2"),
                        "1");
    assert_string_equal(fixture_sql(f, "SELECT object||generation FROM audit WHERE reason IS NULL"),
                        "d1743");
    /* The text in the history is the canonical one. */
    assert_string_equal(fixture_sql(f, "SELECT text FROM revision WHERE folded = 'b'"),
                        "policy \"b\" {\n}\n");
}

static void test_limits_of_the_author(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    char reason[LIMIT_REASON_BYTES + 2];
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    struct author a = fixture_author;
    a.reason = reason;
    struct diag d = {0};
    assert_int_equal(store_audit(f->s, &a, "block", "d1", 1, &d), -E2BIG);
    assert_int_equal(d.code, DIAG_LIMIT);
    assert_non_null(strstr(d.message, "1024"));
    reason[LIMIT_REASON_BYTES] = '\0';
    assert_int_equal(store_audit(f->s, &a, "block", "d1", 1, &d), 0);
}

static void test_rollback_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, web, true);
    struct diag d = {0};
    char before[256];
    assert_int_equal(store_begin(f->s, &d), 0);
    put(f, "policy \"Web server\" { rule \"x\" block in tcp port 9 }", true);
    put(f, "policy \"b\" { }", true);
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "b", &fixture_author, &d, before), 0);
    uint64_t generation = 0;
    assert_int_equal(store_next_generation(f->s, &d, &generation), 0);
    assert_int_equal(generation, 1);
    store_rollback(f->s);
    fixture_expect_text(f, "Web server", web);
    expect_assigned(f, ASSIGN_LOCAL, "");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM revision"), "1");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "1");
    /* Numbers that were given are not given again: the kernel may have seen them. */
    assert_int_equal(store_next_generation(f->s, &d, &generation), 0);
    assert_int_equal(generation, 2);
    fixture_open(f);
    assert_int_equal(store_next_generation(f->s, &d, &generation), 0);
    assert_int_equal(generation, 3);
    put(f, "policy \"b\" { rule \"x\" block in tcp port 9 }", true);
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, "b");
    assert_int_equal(p->rules[0].filters[0].handle, 6); /* s5 was rolled back */
}

static void test_failure_inside_a_transaction(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct diag d = {0};
    bool changed = false;
    char before[256];
    assert_int_equal(store_begin(f->s, &d), 0);
    put(f, web, true);
    assert_int_equal(fixture_put(f, "policy \"Web server\" { }", false, &d, &changed), -EEXIST);
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "none", &fixture_author, &d, before),
                     -ENOENT);
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "Web server", &fixture_author, &d, before),
                     0);
    assert_int_equal(store_set_generation(f->s, 7, &d), 0);
    assert_int_equal(store_commit(f->s, &d), 0);
    fixture_open(f);
    fixture_expect_text(f, "Web server", web);
    expect_assigned(f, ASSIGN_LOCAL, "Web server");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit WHERE generation = 7"), "2");
    assert_string_equal(fixture_sql(f, "SELECT generation FROM revision"), "7");
}

/* The change is in the log before the commit, and there is room for the rest. */
static void test_reserve(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct diag d = {0};
    struct stat before, after;
    char wal[256];
    (void)snprintf(wal, sizeof(wal), "%s-wal", f->path);
    for (int commit = 0; commit < 2; commit++) {
        assert_int_equal(store_begin(f->s, &d), 0);
        put(f, web, true);
        assert_int_equal(stat(wal, &before), 0);
        assert_int_equal(store_reserve(f->s, 0, &d), 0);
        assert_int_equal(stat(wal, &after), 0);
        assert_true(commit || after.st_size > before.st_size);
        assert_true(after.st_blocks * 512 >= after.st_size + 128 * 1024);
        assert_int_equal(store_set_generation(f->s, 7, &d), 0);
        if (commit)
            assert_int_equal(store_commit(f->s, &d), 0);
        else
            store_rollback(f->s);
        assert_string_equal(fixture_sql(f, "SELECT count(*) FROM policy"), commit ? "1" : "0");
    }
    fixture_open(f);
    fixture_expect_text(f, "Web server", web);
    assert_string_equal(fixture_sql(f, "SELECT generation FROM revision"), "7");
}

static void test_close_rolls_back(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct diag d = {0};
    assert_int_equal(store_begin(f->s, &d), 0);
    put(f, web, true);
    fixture_open(f);
    struct policy *p = NULL;
    assert_int_equal(store_policy_get(f->s, "Web server", &d, &p), -ENOENT);
}

static void test_names_in_other_scripts(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put(f, "policy \"\xc3\x84rger\" { }", true);
    put(f, "policy \"\xd0\x9c\xd0\x98\xd0\xa0\" { }", true);
    put(f, "policy \"\xe6\x97\xa5\xe6\x9c\xac\" { }", true);
    policy_free(fixture_get(f, "\xc3\xa4RGER"));
    policy_free(fixture_get(f, "\xd0\xbc\xd0\xb8\xd1\x80"));
    policy_free(fixture_get(f, "\xe6\x97\xa5\xe6\x9c\xac"));
    struct diag d = {0};
    bool changed;
    assert_int_equal(fixture_put(f, "policy \"\xc3\xa4rger\" { rule \"x\" block in tcp port 1 }",
                                 false, &d, &changed),
                     -EEXIST);
}

static void test_policy_limit(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct diag d = {0};
    char text[64];
    assert_int_equal(store_begin(f->s, &d), 0);
    for (int i = 0; i < LIMIT_POLICIES; i++) {
        (void)snprintf(text, sizeof(text), "policy \"p%d\" { }", i);
        put(f, text, true);
    }
    assert_int_equal(store_commit(f->s, &d), 0);
    bool changed = false;
    assert_int_equal(fixture_put(f, web, true, &d, &changed), -E2BIG);
    assert_int_equal(d.code, DIAG_LIMIT);
    assert_non_null(strstr(d.message, "1024"));
    put(f, "policy \"p7\" { rule \"x\" block in tcp port 9 }", true); /* replacing still works */
    assert_int_equal(store_policy_delete(f->s, "p0", &fixture_author, &d), 0);
    put(f, web, true);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One rule with as many filters as block lists have; fewer where each step is checked. */
#if defined(__SANITIZE_ADDRESS__)
enum { FILTERS = 20000 };
#else
enum { FILTERS = 200000 };
#endif

static void test_many_filters(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(1 << 26);
    (void)strbuf_add(&text, "policy \"big\" { rule \"all\" {\n");
    for (unsigned i = 0; i < FILTERS; i++)
        (void)strbuf_addf(&text, "block from 10.%u.%u.%u to me\n", i >> 16, i >> 8 & 255, i & 255);
    assert_int_equal(strbuf_add(&text, "} }\n"), 0);
    double t0 = seconds();
    _cleanup_(policy_freep) struct policy *p = fixture_policy(text.s);
    double t1 = seconds();
    struct diag d = {0};
    bool changed = false;
    struct policy_put o = {.replace = true, .source = text.s, .change = "load"};
    assert_int_equal(store_policy_put(f->s, p, &o, &fixture_author, &d, &changed), 0);
    double t2 = seconds();
    fixture_open(f); /* with the check of the whole file */
    double t3 = seconds();
    _cleanup_(policy_freep) struct policy *back = fixture_get(f, "big");
    double t4 = seconds();
    assert_int_equal(back->rules[0].n_filters, FILTERS);
    for (size_t i = 0; i < FILTERS; i += 999) {
        const struct filter *x = &back->rules[0].filters[i], *y = &p->rules[0].filters[i];
        assert_true(filter_eq(x, y));
        assert_int_equal(x->handle, y->handle);
        assert_int_equal(guid_cmp(&x->guid, &y->guid), 0);
    }
    /* One more filter: all others keep their identity. */
    struct filter extra;
    assert_int_equal(text_parse_filter("block in tcp port 1", 19, &d, &extra), 0);
    assert_int_equal(rule_add_filter(&back->rules[0], &extra), 0);
    o.source = NULL;
    assert_int_equal(store_policy_put(f->s, back, &o, &fixture_author, &d, &changed), 0);
    double t5 = seconds();
    assert_int_equal(back->rules[0].filters[FILTERS].handle, FILTERS + 1);
    printf("# %d filters: parse %.2f s, put %.2f s, open %.2f s, get %.2f s, replace %.2f s\n",
           FILTERS, t1 - t0, t2 - t1, t3 - t2, t4 - t3, t5 - t4);
    assert_true(t2 - t1 < 10 && t4 - t3 < 10 && t5 - t4 < 15);
}

/* What a put leaves in the policy is what reading it gives: the agent goes on with the
           former. */
static void test_put_is_what_get_reads(void **state)
{
    struct fixture *f = *state;
    static const char text[] =
        "policy \"P\" description \"d\\n\" poll 2h weak allow local-permits no attribute k \"v\" {\n"
        "  rule \"a\" connection lan attribute filterlist \"x\" {\n"
        "    block in tcp from 10.0.0.0-10.0.0.255 to me port 80,443,1-9\n"
        "    block in tcp from 10.0.0.1/24 port 5 to me mirrored log\n"
        "    block in tcp from 10.0.0.1/24 port 5 to me mirrored log\n"
        "    permit out udp to DNS.example.com port domain keep state on eth0\n"
        "    negotiate esp aes256gcm16 in tcp port 7 description \"z\"\n"
        "    block 17 from any to 2001:DB8::1 profile public override }\n"
        "  inactive rule \"B\" permit inpass icmp type 8 code 0\n"
        "  rule \"c\" {}\n}\n";
    fixture_open(f);
    _cleanup_(policy_freep) struct policy *p = fixture_policy(text);
    struct diag d = {0};
    bool changed = false;
    struct policy_put o = {.replace = true, .source = text, .change = "load"};
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(store_policy_put(f->s, p, &o, &fixture_author, &d, &changed), 0);
        _cleanup_(policy_freep) struct policy *q = fixture_get(f, "P");
        _cleanup_(strbuf_done) struct strbuf a = STRBUF_INIT(1 << 16), b = STRBUF_INIT(1 << 16);
        assert_int_equal(text_print_policy(p, &a), 0);
        assert_int_equal(text_print_policy(q, &b), 0);
        assert_string_equal(a.s, b.s);
        assert_int_equal(p->revision, q->revision);
        assert_int_equal(guid_cmp(&p->guid, &q->guid), 0);
        struct policy_identity i;
        assert_int_equal(store_policy_identity(f->s, "p", &d, &i), 0);
        assert_int_equal(i.revision, p->revision);
        assert_int_equal(guid_cmp(&i.guid, &p->guid), 0);
        for (size_t r = 0; r < p->n_rules; r++) {
            assert_int_equal(guid_cmp(&p->rules[r].guid, &q->rules[r].guid), 0);
            assert_int_equal(p->rules[r].n_filters, q->rules[r].n_filters);
            for (size_t k = 0; k < p->rules[r].n_filters; k++) {
                const struct filter *x = &p->rules[r].filters[k], *y = &q->rules[r].filters[k];
                assert_true(filter_eq(x, y));
                assert_int_equal(guid_cmp(&x->guid, &y->guid), 0);
                assert_int_equal(x->handle, y->handle);
            }
        }
        policy_freep(&p); /* once more, parsed anew and with one rule less */
        p = fixture_policy(text);
        policy_remove_rule(p, 2);
    }
    assert_int_equal(store_policy_identity(f->s, "Q", &d, &(struct policy_identity){0}), -ENOENT);
}

/* What is in the database file alone, without its log. */
static bool file_alone_has(struct fixture *f, const char *sql)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "file:%s?mode=ro&immutable=1", f->path);
    sqlite3 *db;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open_v2(command, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL),
                     SQLITE_OK);
    bool has =
        sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW;
    (void)sqlite3_finalize(st);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return has;
}

static void test_tidy(void **state)
{
    struct fixture *f = *state;
    static const char is_there[] = "SELECT 1 FROM revision WHERE folded = 'big'";
    struct diag d = {0};
    bool changed;
    fixture_open(f);
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(1 << 24);
    (void)strbuf_add(&text, "policy \"big\" { rule \"all\" {\n");
    for (unsigned i = 0; i < 60000; i++)
        (void)strbuf_addf(&text, "block from 10.%u.%u.%u to me\n", i >> 16, i >> 8 & 255, i & 255);
    assert_int_equal(strbuf_add(&text, "} }\n"), 0);
    assert_int_equal(store_begin(f->s, &d), 0);
    assert_int_equal(fixture_put(f, text.s, true, &d, &changed), 0);
    store_tidy(f->s); /* does nothing inside */
    assert_int_equal(store_commit(f->s, &d), 0);
    assert_false(file_alone_has(f, is_there)); /* the commit itself moves nothing */
    store_tidy(f->s);
    assert_true(file_alone_has(f, is_there));
    store_tidy(f->s);
    fixture_open(f);
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, "big");
    assert_int_equal(p->rules[0].n_filters, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORE_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
        STORE_TEST(test_new_store_is_empty_and_private),
        STORE_TEST(test_put_and_get),
        STORE_TEST(test_list),
        STORE_TEST(test_loading_again_is_no_change),
        STORE_TEST(test_conflict_without_replace),
        STORE_TEST(test_identities_follow),
        STORE_TEST(test_rule_edits_keep_identities),
        STORE_TEST(test_source),
        STORE_TEST(test_canonical_source),
        STORE_TEST(test_unknown_names),
        STORE_TEST(test_assign),
        STORE_TEST(test_delete_keeps_history),
        STORE_TEST(test_history_rows),
        STORE_TEST(test_limits_of_the_author),
        STORE_TEST(test_rollback_leaves_nothing),
        STORE_TEST(test_failure_inside_a_transaction),
        STORE_TEST(test_reserve),
        STORE_TEST(test_close_rolls_back),
        STORE_TEST(test_names_in_other_scripts),
        STORE_TEST(test_policy_limit),
        STORE_TEST(test_put_is_what_get_reads),
        STORE_TEST(test_tidy),
        STORE_TEST(test_many_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
