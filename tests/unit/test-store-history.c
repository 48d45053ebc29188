/* SPDX-License-Identifier: GPL-2.0-or-later */
/* History of the store: every revision can be read and brought back as it was, with its
 * identities, also when its policy was deleted; nothing acknowledged is lost when the process is
 * killed; a change that is only tried writes no byte; a database of the first version goes on. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/store/schema.h"
#include "base/rng.h"
#include "store-fixture.h"

enum { CHANGES = 200, RULES_MAX = 12 };

static uint64_t seed_of_test(void)
{
    const char *given = getenv("PORTWARD_SEED");
    return given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
}

/* Text of the policy and the identities of its filters, as one string. */
static char *print_whole(const struct policy *p)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(1 << 22);
    char guid[GUID_TEXT_BYTES];
    assert_int_equal(text_print_policy(p, &b), 0);
    guid_print(&p->guid, guid);
    assert_int_equal(strbuf_addf(&b, "policy %s\n", guid), 0);
    for (size_t i = 0; i < p->n_rules; i++) {
        guid_print(&p->rules[i].guid, guid);
        assert_int_equal(strbuf_addf(&b, "rule %s\n", guid), 0);
        for (size_t k = 0; k < p->rules[i].n_filters; k++) {
            guid_print(&p->rules[i].filters[k].guid, guid);
            assert_int_equal(strbuf_addf(&b, "%s s%u\n", guid, p->rules[i].filters[k].handle), 0);
        }
    }
    return strbuf_take(&b);
}

static void random_rule(struct rng *rng, struct strbuf *b)
{
    unsigned n = 1 + (unsigned)(rng_next(rng) % 3);
    assert_int_equal(strbuf_addf(b, "rule \"r%u\" {", (unsigned)(rng_next(rng) % 1000)), 0);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(strbuf_addf(b, " block in tcp from 10.%u.0.0/16 to me port %u\n",
                                     (unsigned)(rng_next(rng) % 200),
                                     (unsigned)(1 + rng_next(rng) % 9)),
                         0);
    assert_int_equal(strbuf_add(b, "}\n"), 0);
}

/* One change of the policy P, as the agent makes it: read, change, put. */
static void random_change(struct fixture *f, struct rng *rng, unsigned i)
{
    struct diag d = {0};
    struct policy *p = NULL;
    bool changed;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(1 << 16);
    assert_int_equal(strbuf_addf(&b, "policy \"P\" description \"change %u\" {\n", i), 0);
    random_rule(rng, &b);
    assert_int_equal(strbuf_add(&b, "}"), 0);
    _cleanup_(policy_freep) struct policy *fresh = fixture_policy(b.s);
    if (store_policy_get(f->s, "P", &d, &p) == 0) {
        if (p->n_rules > 0 && (rng_next(rng) % 3 == 0 || p->n_rules > RULES_MAX))
            policy_remove_rule(p, rng_next(rng) % p->n_rules);
        else if (!policy_find_rule(p, fresh->rules[0].name))
            assert_int_equal(policy_add_rule(p, &fresh->rules[0], &d), 0);
        free(p->description);
        p->description = fresh->description;
        fresh->description = NULL;
    }
    struct policy *use = p ? p : fresh;
    struct policy_put o = {.replace = true, .change = "change"};
    assert_int_equal(store_policy_put(f->s, use, &o, &fixture_author, &d, &changed), 0);
    assert_true(changed);
    policy_free(p);
}

static void expect_revision(struct fixture *f, uint32_t revision, const char *whole)
{
    struct diag d = {0};
    _cleanup_(policy_freep) struct policy *p = NULL;
    int r = store_revision_get(f->s, "P", revision, &d, &p);
    if (r < 0)
        print_error("%s\n", d.message);
    assert_int_equal(r, 0);
    assert_int_equal(p->revision, revision);
    _cleanup_free_ char *now = print_whole(p);
    assert_string_equal(now, whole);
}

static void roll_back(struct fixture *f, uint32_t revision, const char *whole)
{
    struct diag d = {0};
    bool changed;
    _cleanup_(policy_freep) struct policy *p = NULL;
    struct policy_put o = {.replace = true, .change = "rollback"};
    assert_int_equal(store_revision_get(f->s, "P", revision, &d, &p), 0);
    assert_int_equal(store_policy_put(f->s, p, &o, &fixture_author, &d, &changed), 0);
    _cleanup_(policy_freep) struct policy *now = fixture_get(f, "P");
    _cleanup_free_ char *text = print_whole(now);
    assert_string_equal(text, whole);
}

static void test_every_revision_comes_back(void **state)
{
    struct fixture *f = *state;
    struct rng rng;
    uint64_t seed = seed_of_test();
    char *whole[CHANGES + 1] = {0};
    print_message("PORTWARD_SEED=%llu\n", (unsigned long long)seed);
    rng.state = seed;
    fixture_open(f);
    for (unsigned i = 1; i <= CHANGES; i++) {
        random_change(f, &rng, i);
        _cleanup_(policy_freep) struct policy *p = fixture_get(f, "P");
        assert_int_equal(p->revision, i);
        whole[i] = print_whole(p);
    }
    fixture_open(f); /* and after a restart */
    for (unsigned i = 1; i <= CHANGES; i++)
        expect_revision(f, i, whole[i]);
    for (unsigned i = CHANGES; i >= 1; i--)
        roll_back(f, i, whole[i]);
    /* The history only grew. */
    for (unsigned i = 1; i <= CHANGES; i++)
        expect_revision(f, i, whole[i]);
    for (unsigned i = 1; i <= CHANGES; i++)
        free(whole[i]);
}

static void put_text(struct fixture *f, const char *text)
{
    struct diag d = {0};
    bool changed;
    assert_int_equal(fixture_put(f, text, true, &d, &changed), 0);
}

#define ONE   "policy \"P\" { rule \"a\" block in tcp port 1 }"
#define TWO   "policy \"P\" { rule \"a\" block in tcp port 1 rule \"b\" block in tcp port 2 }"
#define THREE "policy \"p\" { rule \"b\" block in tcp port 2 }"

static void test_deleted_policy_comes_back(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    put_text(f, ONE);
    put_text(f, TWO);
    _cleanup_(policy_freep) struct policy *was = fixture_get(f, "P");
    _cleanup_free_ char *whole = print_whole(was);
    assert_int_equal(store_policy_delete(f->s, "p", &fixture_author, &d), 0);
    /* Without a number: the last one. */
    _cleanup_(policy_freep) struct policy *p = NULL;
    assert_int_equal(store_revision_get(f->s, "p", 0, &d, &p), 0);
    assert_int_equal(p->revision, 2);
    roll_back(f, 2, whole);
    _cleanup_(policy_freep) struct policy *now = fixture_get(f, "P");
    assert_int_equal(now->revision, 3);
}

static void test_default_is_the_one_before(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    struct policy *p = NULL;
    fixture_open(f);
    assert_int_equal(store_revision_get(f->s, "P", 0, &d, &p), -ENOENT);
    assert_string_equal(d.message, "unknown policy 'P'");
    put_text(f, ONE);
    assert_int_equal(store_revision_get(f->s, "P", 0, &d, &p), -ENOENT);
    assert_non_null(strstr(d.message, "one revision only"));
    put_text(f, TWO);
    put_text(f, THREE);
    assert_int_equal(store_revision_get(f->s, "P", 0, &d, &p), 0);
    assert_int_equal(p->revision, 2);
    policy_free(p);
    assert_int_equal(store_revision_get(f->s, "P", 4, &d, &p), -ENOENT);
    assert_string_equal(d.message, "policy 'P' has no revision 4");
}

static void test_trail(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    struct author bob = {.uid = 7, .login = "bob", .origin = "cli", .peer = "2001:db8::7"};
    char before[256];
    fixture_open(f);
    put_text(f, ONE);
    put_text(f, TWO);
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "P", &bob, &d, before), 0);
    assert_int_equal(store_set_generation(f->s, 9, &d), 0);
    _cleanup_(history_done) struct history h = {0}, all = {0}, newest = {0};
    assert_int_equal(store_history(f->s, "p", 0, &d, &h), 0);
    assert_int_equal(h.n, 2);
    assert_int_equal(h.v[0].revision, 2);
    assert_string_equal(h.v[0].change, "load");
    assert_string_equal(h.v[0].login, "alice");
    assert_string_equal(h.v[0].reason, "worm");
    assert_string_equal(h.v[0].peer, "");
    assert_null(h.v[0].object);
    assert_int_equal(h.v[0].generation, 0);
    assert_int_equal(store_history(f->s, NULL, 0, &d, &all), 0);
    assert_int_equal(all.n, 3);
    assert_int_equal(all.v[0].revision, 0);
    assert_string_equal(all.v[0].change, "assign");
    assert_string_equal(all.v[0].object, "P");
    assert_string_equal(all.v[0].peer, "2001:db8::7");
    assert_int_equal(all.v[0].uid, 7);
    assert_int_equal(all.v[0].generation, 9);
    assert_null(all.v[0].reason);
    assert_int_equal(all.v[2].revision, 1);
    assert_int_equal(store_history(f->s, NULL, 1, &d, &newest), 0);
    assert_int_equal(newest.n, 1);
    assert_string_equal(newest.v[0].change, "assign");
    assert_int_equal(store_history(f->s, "Q", 0, &d, &newest), -ENOENT);
}

/* --- only tried --- */
struct bytes {
    char *v;
    size_t n;
};
static void bytes_done(struct bytes *b)
{
    free(b->v);
}

static struct bytes read_file(const char *path, const char *suffix)
{
    char name[160];
    struct bytes b = {0};
    size_t cap = 1 << 26;
    (void)snprintf(name, sizeof(name), "%s%s", path, suffix);
    FILE *file = fopen(name, "re");
    b.v = malloc(cap);
    assert_non_null(b.v);
    if (file) {
        b.n = fread(b.v, 1, cap, file);
        (void)fclose(file);
    }
    return b;
}

static void test_dry_change_writes_nothing(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    struct fixture *f = *state;
    struct diag d = {0};
    bool changed;
    fixture_open(f);
    put_text(f, ONE);
    _cleanup_(strbuf_done) struct strbuf big = STRBUF_INIT(1 << 26);
    (void)strbuf_add(&big, "policy \"P\" { rule \"x\" {");
    for (unsigned i = 0; i < 20000; i++)
        (void)strbuf_addf(&big, " block in tcp from 10.1.%u.%u to me port 7\n", i / 256, i % 256);
    assert_int_equal(strbuf_add(&big, "} }"), 0);
    policy_free(fixture_get(f, "P")); /* any reader leaves its mark in the -shm file */
    struct bytes before[3];
    for (size_t i = 0; i < 3; i++)
        before[i] = read_file(f->path, suffixes[i]);
    assert_int_equal(store_begin_dry(f->s, &d), 0);
    assert_int_equal(fixture_put(f, big.s, true, &d, &changed), 0);
    assert_int_equal(store_policy_delete(f->s, "P", &fixture_author, &d), 0);
    store_rollback(f->s);
    for (size_t i = 0; i < 3; i++) {
        _cleanup_(bytes_done) struct bytes after = read_file(f->path, suffixes[i]);
        assert_int_equal(after.n, before[i].n);
        assert_memory_equal(after.v, before[i].v, after.n);
        bytes_done(&before[i]);
    }
    /* The numbers it used are free again. */
    put_text(f, TWO);
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, "P");
    assert_int_equal(p->rules[1].filters[0].handle, 2);
    assert_int_equal(p->revision, 2);
}

/* --- a database of version 1 --- */
static void run_sql(sqlite3 *db, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
}

static void test_first_version_goes_on(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    run_sql(db, schema_sql[0]);
    run_sql(
        db,
        "INSERT INTO policy VALUES (1, x'00000000000000000000000000000001', 'P', 'p', NULL, 0, -1, -1, 2,"
        " 1, 1, 0, NULL);"
        "INSERT INTO rule VALUES (1, 1, 0, x'00000000000000000000000000000002', 'a', 'a', 0, 'all');"
        "INSERT INTO filter VALUES (1, 0, x'00000000000000000000000000000003', 7,"
        " 'block in tcp from any to me port 1');"
        "UPDATE counter SET value = 7 WHERE name = 'handle';"
        "INSERT INTO revision VALUES (1, 'p', 1, x'00000000000000000000000000000001',"
        " 'policy \"P\" { rule \"a\" block in tcp port 1 rule \"b\" block in tcp port 2 }',"
        " 'load', 1, 0, 'root', 'cli', NULL, NULL);"
        "INSERT INTO revision VALUES (2, 'p', 2, x'00000000000000000000000000000001',"
        " 'policy \"P\" { rule \"a\" block in tcp port 1 }', 'load', 1, 0, 'root', 'cli',"
        " NULL, NULL);"
        "INSERT INTO audit VALUES (1, 1, 0, 'root', 'cli', 'load', 'P', NULL, NULL)");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    fixture_open(f);
    assert_string_equal(fixture_sql(f, "PRAGMA user_version"), "4");
    _cleanup_(policy_freep) struct policy *p = NULL;
    struct policy_put o = {.replace = true, .change = "rollback"};
    bool changed;
    assert_int_equal(store_revision_get(f->s, "P", 1, &d, &p), 0);
    assert_int_equal(store_policy_put(f->s, p, &o, &fixture_author, &d, &changed), 0);
    _cleanup_(policy_freep) struct policy *now = fixture_get(f, "P");
    assert_int_equal(now->rules[0].filters[0].handle, 7); /* of its namesake */
    assert_int_equal(now->rules[1].filters[0].handle, 8); /* a new one */
}

static void test_damaged_revisions(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    struct policy *p = NULL;
    fixture_open(f);
    put_text(f, ONE);
    put_text(f, TWO);
    (void)fixture_sql(f, "UPDATE revision SET ids = zeroblob(35) WHERE revision = 1");
    assert_true(store_revision_get(f->s, "P", 1, &d, &p) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
    (void)fixture_sql(f, "UPDATE revision SET text = 'policy' WHERE revision = 1");
    assert_true(store_revision_get(f->s, "P", 1, &d, &p) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
    assert_int_equal(store_revision_get(f->s, "P", 2, &d, &p), 0);
    policy_free(p);
}

/* --- killed at any moment --- */
static void change_until_killed(struct fixture *f, int acknowledge, unsigned round)
{
    for (uint32_t i = 1;; i++) {
        struct diag d = {0};
        bool changed;
        char text[128];
        (void)snprintf(text, sizeof(text),
                       "policy \"K\" description \"%u of %u\" { rule \"a\" block in tcp port 1 }",
                       i, round);
        if (store_begin(f->s, &d) < 0 || fixture_put(f, text, true, &d, &changed) < 0 ||
            store_set_generation(f->s, i, &d) < 0 || store_commit(f->s, &d) < 0)
            _exit(1);
        if (write(acknowledge, &i, sizeof(i)) != sizeof(i))
            _exit(1);
    }
}

static uint32_t killed_in(struct fixture *f, unsigned round)
{
    int ends[2];
    uint32_t n, last = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct diag d = {0};
        struct fixture in_child = *f;
        if (store_open(f->dir, &d, &in_child.s) < 0)
            _exit(1);
        change_until_killed(&in_child, ends[1], round);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &last, sizeof(last)), sizeof(last)); /* it has begun */
    (void)usleep(400 * round);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    while (read(ends[0], &n, sizeof(n)) == sizeof(n))
        last = n;
    (void)close(ends[0]);
    return last;
}

static void test_killed_at_any_moment(void **state)
{
    struct fixture *f = *state;
    uint32_t total = 0;
    for (unsigned round = 0; round < 20; round++) {
        uint32_t acknowledged = killed_in(f, round);
        fixture_open(f);
        _cleanup_(policy_freep) struct policy *now = fixture_get(f, "K");
        uint32_t made = (uint32_t)strtoul(now->description, NULL, 10);
        assert_true(made == acknowledged || made == acknowledged + 1);
        total += made;
        assert_int_equal(now->revision, total);
        for (uint32_t i = 0; i < made; i++) {
            struct diag d = {0};
            _cleanup_(policy_freep) struct policy *p = NULL;
            assert_int_equal(store_revision_get(f->s, "K", total - i, &d, &p), 0);
            assert_int_equal(strtoul(p->description, NULL, 10), made - i);
        }
        f->s = store_close(f->s);
    }
}

#define STORE_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_every_revision_comes_back), STORE_TEST(test_deleted_policy_comes_back),
        STORE_TEST(test_default_is_the_one_before), STORE_TEST(test_trail),
        STORE_TEST(test_dry_change_writes_nothing), STORE_TEST(test_first_version_goes_on),
        STORE_TEST(test_damaged_revisions),         STORE_TEST(test_killed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
