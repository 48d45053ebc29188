/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store and files that are not what they should be: damaged, cut, foreign, newer, not
 * writable, on a full disk, left by a killed process. What is refused keeps every byte, and what
 * was committed before is still there. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/rng.h"
#include "store-fixture.h"

static const char web[] = "policy \"Web\" { rule \"SMB\" { block in tcp port 445\n"
                          "permit in tcp from 10.1.1.0/24 to me port 445 } }\n";

struct bytes {
    char *v;
    size_t n;
};

static void bytes_done(struct bytes *b)
{
    free(b->v);
}

static struct bytes read_file(const char *path)
{
    struct bytes b = {.v = malloc(1 << 22)};
    assert_non_null(b.v);
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, b.v, 1 << 22);
    assert_true(n >= 0);
    b.n = (size_t)n;
    return b;
}

static void write_file(const char *path, const void *v, size_t n)
{
    _cleanup_(close_p) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, v, n), n);
}

/* A database with content, closed in order. */
static void make_database(struct fixture *f)
{
    fixture_open(f);
    struct diag d = {0};
    bool changed = false;
    assert_int_equal(fixture_put(f, web, false, &d, &changed), 0);
    f->s = store_close(f->s);
}

static unsigned count_files(const char *dir)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

/* Opening fails with DIAG_CORRUPT, changes nothing and makes no other file. */
static void expect_refused(struct fixture *f, const char *word)
{
    _cleanup_(bytes_done) struct bytes before = read_file(f->path);
    unsigned files = count_files(f->dir);
    struct diag d = {0};
    struct store *s = NULL;
    assert_true(store_open(f->dir, &d, &s) < 0);
    assert_null(s);
    if (d.code != DIAG_CORRUPT || !strstr(d.message, word))
        print_error("%s\n", d.message);
    assert_int_equal(d.code, DIAG_CORRUPT);
    assert_non_null(strstr(d.message, word));
    assert_non_null(strstr(d.message, "left as it is"));
    assert_non_null(strstr(d.message, f->path));
    assert_non_null(strstr(d.hint, "mv ")); /* what to do */
    _cleanup_(bytes_done) struct bytes after = read_file(f->path);
    assert_int_equal(after.n, before.n);
    assert_memory_equal(after.v, before.v, before.n);
    assert_int_equal(count_files(f->dir), files);
}

static void test_cut_files(void **state)
{
    struct fixture *f = *state;
    make_database(f);
    _cleanup_(bytes_done) struct bytes whole = read_file(f->path);
    static const double parts[] = {0, 0.0001, 0.001, 0.01, 0.3, 0.5, 0.9, 0.9999};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        write_file(f->path, whole.v, (size_t)((double)whole.n * parts[i]));
        expect_refused(f, "database");
    }
    write_file(f->path, whole.v, whole.n); /* and the whole one still opens */
    fixture_open(f);
    fixture_expect_text(f, "Web", web);
}

static void test_foreign_files(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "this is no database, but somebody may need it\n";
    write_file(f->path, text, sizeof(text) - 1);
    expect_refused(f, "is damaged");
    char zeros[8192] = {0};
    write_file(f->path, zeros, sizeof(zeros));
    expect_refused(f, "is damaged");
    assert_int_equal(unlink(f->path), 0);
    sqlite3 *db; /* of another program */
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TABLE policy (a); PRAGMA user_version = 1", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    expect_refused(f, "is not a portward database");
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(mkdir(f->path, 0700), 0);
    struct diag d = {0};
    struct store *s = NULL;
    assert_true(store_open(f->dir, &d, &s) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
    assert_int_equal(rmdir(f->path), 0);
    assert_int_equal(symlink("/dev/null", f->path), 0);
    assert_true(store_open(f->dir, &d, &s) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
}

static void test_newer_version(void **state)
{
    struct fixture *f = *state;
    make_database(f);
    (void)fixture_sql(f, "PRAGMA user_version = 99");
    expect_refused(f, "has version 99, this build knows versions up to 4");
    (void)fixture_sql(f, "PRAGMA user_version = 0");
    expect_refused(f, "has no version");
    (void)fixture_sql(f, "PRAGMA user_version = 4");
    fixture_open(f);
    fixture_expect_text(f, "Web", web);
}

static void test_other_schema(void **state)
{
    struct fixture *f = *state;
    make_database(f);
    (void)fixture_sql(f, "ALTER TABLE revision RENAME COLUMN ids TO identities");
    expect_refused(f, "has another schema");
    (void)fixture_sql(f, "ALTER TABLE revision RENAME COLUMN identities TO ids");
    (void)fixture_sql(f, "DROP TABLE audit");
    expect_refused(f, "has another schema");
}

/* Overwrites random places of the file, half of them where pages begin. What opens must then be
 * read without a crash, and what is refused must keep its bytes. */
static void test_random_damage(void **state)
{
    struct fixture *f = *state;
    make_database(f);
    _cleanup_(bytes_done) struct bytes whole = read_file(f->path);
    const char *env = getenv("PORTWARD_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
    printf("# seed %llu\n", (unsigned long long)seed);
    struct rng rng = {seed};
    unsigned refused = 0, rounds = 150;
    for (unsigned i = 0; i < rounds; i++) {
        _cleanup_(bytes_done) struct bytes broken = {.v = malloc(whole.n), .n = whole.n};
        assert_non_null(broken.v);
        memcpy(broken.v, whole.v, whole.n);
        uint32_t at = rng_below(&rng, (uint32_t)whole.n), len = 1 + rng_below(&rng, 400);
        if (rng_below(&rng, 2))
            at &= ~4095u;
        for (uint32_t k = at; k < at + len && k < whole.n; k++)
            broken.v[k] = (char)rng_next(&rng);
        write_file(f->path, broken.v, broken.n);
        struct diag d = {0};
        struct store *s = NULL;
        if (store_open(f->dir, &d, &s) < 0) {
            refused++;
            assert_int_equal(d.code, DIAG_CORRUPT);
            _cleanup_(bytes_done) struct bytes after = read_file(f->path);
            assert_int_equal(after.n, broken.n);
            assert_memory_equal(after.v, broken.v, broken.n);
            continue;
        }
        struct policy *p = NULL;
        if (store_policy_get(s, "Web", &d, &p) == 0)
            policy_free(p);
        store_close(s);
    }
    assert_true(refused > rounds / 4);
}

/* SQLite sees nothing wrong with these; the store must. */
static void test_damage_of_meaning(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sql, *word;
    } cases[] = {
        {"UPDATE revision SET text = replace(text, 'port', 'prot')", "cannot be read"},
        {"UPDATE revision SET text = replace(text, 'block', 'connection wan block')",
         "cannot be read"},
        {"UPDATE revision SET text = CAST(text || x'ff' AS TEXT)", "cannot be read"},
        {"UPDATE revision SET text = ''", "not one policy"},
        {"UPDATE revision SET ids = substr(ids, 2)", "do not fit its text"},
        {"UPDATE revision SET ids = NULL", "revision 1 of 'web' has no identities"},
        {"UPDATE revision SET guid = x'00'", "a GUID has a wrong size"},
        {"UPDATE policy SET guid = x'0000000000000000000000000000ffff'",
         "not that of its revision"},
        {"UPDATE policy SET n_filters = n_filters + 1", "not that of its revision"},
        {"DELETE FROM revision", "revision 1 of 'web' is missing"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        make_database(f);
        sqlite3 *db;
        assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "PRAGMA ignore_check_constraints = on", NULL, NULL, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, cases[i].sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        struct diag d = {0};
        struct policy *p = NULL;
        struct store *s = NULL;
        bool changed = false;
        int r = store_open(f->dir, &d, &s); /* may find it already */
        f->s = s;
        if (r == 0)
            r = store_policy_get(s, "Web", &d, &p);
        if (r == 0)
            r = fixture_put(f, web, true, &d, &changed);
        policy_free(p);
        assert_true(r < 0);
        assert_int_equal(d.code, DIAG_CORRUPT);
        if (!strstr(d.message, cases[i].word))
            print_error("%s\n", d.message);
        assert_true(strstr(d.message, cases[i].word) || strstr(d.message, "constraint"));
        f->s = store_close(f->s);
        fixture_remove_files(f->dir);
    }
}

/* A process that is killed leaves its log behind; everything committed is in it. */
static void test_killed_process(void **state)
{
    struct fixture *f = *state;
    make_database(f);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct diag d = {0};
        struct store *s = NULL;
        bool changed;
        struct fixture in_child = *f;
        if (store_open(f->dir, &d, &s) < 0)
            _exit(1);
        in_child.s = s;
        if (fixture_put(&in_child, "policy \"kept\" { rule \"x\" block in tcp port 9 }", false, &d,
                        &changed) < 0 ||
            store_begin(s, &d) < 0 ||
            fixture_put(&in_child, "policy \"lost\" { }", false, &d, &changed) < 0)
            _exit(1);
        raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    char wal[128];
    (void)snprintf(wal, sizeof(wal), "%s-wal", f->path);
    _cleanup_(bytes_done) struct bytes log = read_file(wal), file = read_file(f->path);
    assert_true(log.n > 0);
    /* Damage in the file is found although there is a log, and neither is touched. */
    _cleanup_(bytes_done) struct bytes cut = {.v = malloc(file.n), .n = file.n};
    assert_non_null(cut.v);
    memset(cut.v, 0x5a, file.n);
    write_file(f->path, cut.v, cut.n);
    struct diag d = {0};
    struct store *s = NULL;
    assert_true(store_open(f->dir, &d, &s) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
    _cleanup_(bytes_done) struct bytes after = read_file(f->path);
    assert_memory_equal(after.v, cut.v, cut.n);
    /* With the right file all is well. */
    write_file(f->path, file.v, file.n);
    write_file(wal, log.v, log.n);
    fixture_open(f);
    fixture_expect_text(f, "Web", web);
    policy_free(fixture_get(f, "kept"));
    struct policy *p = NULL;
    assert_int_equal(store_policy_get(f->s, "lost", &d, &p), -ENOENT);
    /* The log without its file is not applied to a new one. */
    f->s = store_close(f->s);
    assert_int_equal(unlink(f->path), 0);
    write_file(wal, log.v, log.n);
    assert_true(store_open(f->dir, &d, &s) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
    assert_non_null(strstr(d.message, "is missing"));
    assert_int_equal(access(f->path, F_OK), -1);
}

static void test_interrupted_creation(void **state)
{
    struct fixture *f = *state;
    char fresh[128];
    (void)snprintf(fresh, sizeof(fresh), "%s.new", f->path);
    write_file(fresh, "SQLite format 3", 15);
    fixture_open(f);
    assert_int_equal(access(fresh, F_OK), -1);
}

static void expect_open_fails(const char *dir, enum diag_code code, const char *word)
{
    struct diag d = {0};
    struct store *s = NULL;
    assert_true(store_open(dir, &d, &s) < 0);
    if (d.code != code || !strstr(d.message, word))
        print_error("%s\n", d.message);
    assert_int_equal(d.code, code);
    assert_non_null(strstr(d.message, word));
}

static void test_directories(void **state)
{
    struct fixture *f = *state;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/no/such", f->dir);
    expect_open_fails(path, DIAG_SYSTEM, "cannot create state directory");
    (void)snprintf(path, sizeof(path), "%s/file", f->dir);
    write_file(path, "x", 1);
    expect_open_fails(path, DIAG_SYSTEM, "not a directory");
    assert_int_equal(chmod(f->dir, 0777), 0);
    expect_open_fails(f->dir, DIAG_SYSTEM, "can be written by everybody");
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(chmod(f->dir, 0750), 0);
    fixture_open(f);
    /* An existing directory keeps its mode, the file is closed for others. */
    f->s = store_close(f->s);
    assert_int_equal(chmod(f->path, 0644), 0);
    fixture_open(f);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
}

enum { UID_NOBODY = 65534 };

static void test_without_permission(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0)
        skip();
    make_database(f);
    _cleanup_(bytes_done) struct bytes before = read_file(f->path);
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(chmod(f->path, 0644), 0);
    assert_int_equal(seteuid(UID_NOBODY), 0);
    struct diag d = {0};
    struct store *s = NULL;
    int r = store_open(f->dir, &d, &s); /* readable, but not ours to write */
    assert_int_equal(seteuid(0), 0);
    assert_true(r < 0);
    assert_int_equal(d.code, DIAG_SYSTEM);
    assert_non_null(strstr(d.message, "cannot write database"));
    assert_non_null(strstr(d.hint, "owner"));
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_int_equal(seteuid(UID_NOBODY), 0);
    r = store_open(f->dir, &d, &s); /* not readable */
    assert_int_equal(seteuid(0), 0);
    assert_true(r < 0);
    assert_int_equal(d.code, DIAG_SYSTEM);
    assert_non_null(strstr(d.message, "cannot open database"));
    _cleanup_(bytes_done) struct bytes after = read_file(f->path);
    assert_int_equal(after.n, before.n);
    assert_memory_equal(after.v, before.v, before.n);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(seteuid(UID_NOBODY), 0);
    r = store_open(f->dir, &d, &s); /* cannot be created */
    assert_int_equal(seteuid(0), 0);
    assert_true(r < 0);
    assert_int_equal(d.code, DIAG_SYSTEM);
    assert_non_null(strstr(d.message, "cannot create database"));
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit l;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* Files that cannot grow stand for a full disk. */
static void test_full_disk(void **state)
{
    struct fixture *f = *state;
    make_database(f);
    fixture_open(f);
    _cleanup_(strbuf_done) struct strbuf big = STRBUF_INIT(1 << 22);
    (void)strbuf_add(&big, "policy \"Web\" { rule \"x\" {");
    for (unsigned i = 0; i < 5000; i++)
        (void)strbuf_addf(&big, " block in tcp from 10.1.%u.%u to me port 7\n", i / 256, i % 256);
    assert_int_equal(strbuf_add(&big, "} }"), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    struct diag d = {0};
    bool changed = false;
    for (int explicit = 0; explicit < 2; explicit ++) {
        if (explicit)
            assert_int_equal(store_begin(f->s, &d), 0);
        limit_file_size(200 * 1024);
        int r = fixture_put(f, big.s, true, &d, &changed);
        if (explicit && r == 0)
            r = store_commit(f->s, &d);
        limit_file_size(RLIM_INFINITY);
        assert_true(r < 0);
        assert_int_equal(d.code, DIAG_SYSTEM);
        store_rollback(f->s);
        fixture_expect_text(f, "Web", web);
    }
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "1");
    assert_int_equal(fixture_put(f, big.s, true, &d, &changed), 0); /* the disk is free again */
    assert_true(changed);
    fixture_open(f);
    fixture_expect_text(f, "Web", big.s);
}

/* A transaction that SQLite ended by itself must not turn later changes into lasting ones. */
static void test_lost_transaction_stays_lost(void **state)
{
    struct fixture *f = *state;
    make_database(f);
    fixture_open(f);
    struct diag d = {0};
    bool changed = false;
    assert_int_equal(store_begin(f->s, &d), 0);
    assert_int_equal(fixture_put(f, "policy \"a\" { }", false, &d, &changed), 0);
    /* What an I/O error inside SQLite does, seen from outside. */
    sqlite3 *inside;
    memcpy(&inside, f->s, sizeof(inside)); /* first member of struct store */
    assert_int_equal(sqlite3_exec(inside, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_true(fixture_put(f, "policy \"b\" { }", false, &d, &changed) < 0);
    assert_non_null(strstr(d.message, "rolled back after an error"));
    assert_true(store_commit(f->s, &d) < 0);
    struct policy *p = NULL;
    assert_int_equal(store_policy_get(f->s, "a", &d, &p), -ENOENT);
    assert_int_equal(store_policy_get(f->s, "b", &d, &p), -ENOENT);
    assert_int_equal(fixture_put(f, "policy \"c\" { }", false, &d, &changed), 0);
}

static void test_busy(void **state)
{
    struct fixture *f = *state;
    make_database(f);
    fixture_open(f);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct diag d = {0};
    bool changed = false;
    assert_int_equal(fixture_put(f, "policy \"a\" { }", false, &d, &changed), -EBUSY);
    assert_non_null(strstr(d.message, "in use by another process"));
    fixture_expect_text(f, "Web", web); /* reading goes on */
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(fixture_put(f, "policy \"a\" { }", false, &d, &changed), 0);
}

static void test_strange_directory_name(void **state)
{
    struct fixture *f = *state;
    char dir[128];
    (void)snprintf(dir, sizeof(dir), "%s/a?b#c%%41 d", f->dir);
    struct diag d = {0};
    struct store *s = NULL;
    for (int i = 0; i < 2; i++) { /* made, then checked read-only by its URI */
        assert_int_equal(store_open(dir, &d, &s), 0);
        s = store_close(s);
    }
    fixture_remove_files(dir);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORE_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
        STORE_TEST(test_cut_files),      STORE_TEST(test_foreign_files),
        STORE_TEST(test_newer_version),  STORE_TEST(test_other_schema),
        STORE_TEST(test_random_damage),  STORE_TEST(test_damage_of_meaning),
        STORE_TEST(test_killed_process), STORE_TEST(test_interrupted_creation),
        STORE_TEST(test_directories),    STORE_TEST(test_without_permission),
        STORE_TEST(test_full_disk),      STORE_TEST(test_lost_transaction_stays_lost),
        STORE_TEST(test_busy),           STORE_TEST(test_strange_directory_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
