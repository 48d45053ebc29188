/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of confined ports without the kernel: the set, seeded references, hints, the list of
 * reserved ports, Samba's file, and how settings become modes. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* after the headers it needs */
#include <cmocka.h>

#include "../../src/rpc/cgroup.h"
#include "../../src/rpc/reserved.h"
#include "../../src/rpc/run.h"
#include "../../src/rpc/samba.h"
#include "../../src/rpc/tables.h"
#include "../../src/rpc/want.h"
#include "rpc/settings.h"

static struct tables open_tables(void)
{
    struct tables t;
    _cleanup_(close_p) int conf = memfd_create("conf", MFD_CLOEXEC);
    _cleanup_(close_p) int tables = memfd_create("tables", MFD_CLOEXEC);

    assert_int_equal(ftruncate(conf, 1 << 16), 0);
    assert_int_equal(ftruncate(tables, 1 << 22), 0);
    assert_int_equal(tables_open(conf, tables, &t), 0);
    return t;
}

static void add_range(struct port_bits *b, unsigned first, unsigned last)
{
    for (unsigned p = first; p <= last; p++)
        port_bits_add(b, (uint16_t)p);
}

static void test_members(void **state _unused_)
{
    struct tables t = open_tables();
    struct port_bits b = {{0}}, back;

    add_range(&b, 5001, 5021);
    add_range(&b, 6000, 6000);
    tables_set_members(&t, &b);
    tables_members(&t, &back);
    assert_memory_equal(&b, &back, sizeof(b));
    for (int p = 0; p < _RPC_PROTO_MAX; p++) {
        assert_int_equal(t.t[p].n_ports, 22);
        assert_int_equal(t.t[p].first_word, 5001 / 64);
        assert_int_equal(t.t[p].n_words, 6000 / 64 - 5001 / 64 + 1);
    }
    tables_set_members(&t, &(struct port_bits){{0}});
    assert_int_equal(t.t[0].n_words, 0);
    tables_close(&t);
}

static void test_seeds(void **state _unused_)
{
    struct tables t = open_tables();

    assert_true(tables_seed(&t, RPC_PROTO_UDP, 5003));
    assert_false(tables_seed(&t, RPC_PROTO_UDP, 5003)); /* somebody has it */
    assert_true(tables_is_seeded(&t, RPC_PROTO_UDP, 5003));
    assert_false(tables_is_seeded(&t, RPC_PROTO_TCP, 5003));
    assert_int_equal(tables_refs(&t, RPC_PROTO_UDP, 5003), 1);
    assert_true(t.t[RPC_UDP].busy[5003 / 64] & 1ULL << 5003 % 64);
    tables_unseed(&t, RPC_PROTO_UDP, 5003);
    assert_int_equal(tables_refs(&t, RPC_PROTO_UDP, 5003), 0);
    assert_false(t.t[RPC_UDP].busy[5003 / 64] & 1ULL << 5003 % 64);
    tables_close(&t);
}

/* A busy bit over a port that nobody holds and no second pass would find. */
static void test_hints(void **state _unused_)
{
    struct tables t = open_tables();
    struct port_bits b = {{0}};

    add_range(&b, 5001, 5021);
    tables_set_members(&t, &b);
    t.t[RPC_TCP].busy[5005 / 64] |= 1ULL << 5005 % 64;
    t.t[RPC_TCP].busy[5006 / 64] |= 1ULL << 5006 % 64;
    t.t[RPC_TCP].refs[5006] = 1;
    assert_int_equal(tables_repair_hints(&t), 1);
    assert_true(tables_in_limbo(&t, RPC_PROTO_TCP, 5005));
    assert_false(tables_in_limbo(&t, RPC_PROTO_TCP, 5006));
    assert_int_equal(tables_repair_hints(&t), 0);
    tables_close(&t);
}

static void test_reserve(void **state _unused_)
{
    static const struct {
        uint32_t set, ports;
        int peak;
        uint32_t want;
    } rows[] = {
        {0, 21, 8, 0},
        {3, 21, 8, 3},
        {100, 21, 8, 10},
        {RPC_RESERVE_AUTO, 21, 0, 4},
        {RPC_RESERVE_AUTO, 21, 8, 10},
        {RPC_RESERVE_AUTO, 21, 30, 10},
        {RPC_RESERVE_AUTO, 4, 0, 2},
        {RPC_RESERVE_AUTO, 4000, 8, 10},
    };
    struct tables t = open_tables();

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        t.conf->reserve = rows[i].set;
        t.t[0].n_ports = rows[i].ports;
        t.t[0].peak = rows[i].peak;
        assert_int_equal(tables_reserve(&t, RPC_PROTO_TCP), rows[i].want);
    }
    tables_close(&t);
}

static void test_reserved_list(void **state _unused_)
{
    static const char *const bad[] = {"x", "1-", "5-3", "70000", "1;2", "1-2-3", "-"};
    struct port_bits b = {{0}};
    _cleanup_free_ char *text = NULL;

    assert_int_equal(reserved_parse("5001-5021,80,6000-6001\n", &b), 0);
    assert_int_equal(port_bits_count(&b), 24);
    assert_int_equal(reserved_print(&b, &text), 0);
    assert_string_equal(text, "80,5001-5021,6000-6001\n");
    assert_int_equal(reserved_parse("\n", &b), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(reserved_parse(bad[i], &b), -EINVAL);
}

static void edits_to(const char *text, const char *want)
{
    _cleanup_free_ char *with = NULL, *twice = NULL, *without = NULL;

    assert_int_equal(samba_with_line(text, "/x/p.conf", &with), 0);
    assert_string_equal(with, want);
    assert_int_equal(samba_with_line(with, "/x/p.conf", &twice), 0);
    assert_string_equal(twice, want);
    assert_int_equal(samba_without_line(with, "/x/p.conf", &without), 0);
    if (strcasestr(text, "[global]\n"))
        assert_string_equal(without, text);
}

static void test_samba_text(void **state _unused_)
{
    edits_to("[global]\n a = b\n[homes]\n c = d\n",
             "[global]\n a = b\n\tinclude = /x/p.conf\n[homes]\n c = d\n");
    edits_to("; c\n [GLOBAL]\na = b\n", "; c\n [GLOBAL]\na = b\n\tinclude = /x/p.conf\n");
    edits_to("[global]", "[global]\n\tinclude = /x/p.conf\n");
    edits_to("[homes]\n c = d\n", "[homes]\n c = d\n[global]\n\tinclude = /x/p.conf\n");
    edits_to("", "[global]\n\tinclude = /x/p.conf\n");
    edits_to("[global]\n[global]\n[x]\n", "[global]\n\tinclude = /x/p.conf\n[global]\n[x]\n");
}

static void test_program(void **state _unused_)
{
    const char *const echo[] = {"echo", "hello", NULL}, *const no[] = {"pw-no-such-thing", NULL},
                      *const slow[] = {"sleep", "60", NULL}, *const bad[] = {"false", NULL};
    char out[4];

    assert_int_equal(run_program(echo, 5000, out, sizeof(out)), 0);
    assert_string_equal(out, "hel");
    assert_int_equal(run_program(no, 5000, out, sizeof(out)), -ENOENT);
    assert_int_equal(run_program(bad, 5000, out, sizeof(out)), 1);
    assert_int_equal(run_program(slow, 50, out, sizeof(out)), -ETIMEDOUT);
}

static const char *setting(void *ctx, const char *key)
{
    static const char *const v[][2] = {
        {"ports", "5001-5021"},       {"ports-internet-available", "yes"},
        {"use-internet-ports", "no"}, {"confine", "a.service /x/smbd.service nfs-server.service"},
        {"loose", "b.service"},       {"local", "c.service"},
        {"default", "d.service"},     {"reserve", "5"},
    };
    const char *skip = ctx;

    for (size_t i = 0; i < ARRAY_SIZE(v); i++)
        if (strcmp(v[i][0], key) == 0 && (!skip || strcmp(skip, key) != 0))
            return v[i][1];
    return NULL;
}

static struct want_unit unit(const struct want *w, const char *name)
{
    for (size_t i = 0; i < w->n_units; i++)
        if (strcmp(w->units[i].name, name) == 0)
            return w->units[i];
    fail_msg("no unit %s", name);
    return (struct want_unit){.name = ""};
}

static void test_want(void **state _unused_)
{
    _cleanup_(rpc_settings_done) struct rpc_settings s, broken;
    _cleanup_(want_done) struct want w = {0}, closed = {0};
    char missing[] = "ports-internet-available";

    assert_int_equal(rpc_settings_read(setting, NULL, &s), 0);
    assert_int_equal(want_from(&s, &w), 0);
    assert_int_equal(port_bits_count(&w.set), 21);
    assert_int_equal(w.reserve, 5);
    assert_int_equal(w.mode[RPC_CLASS_INTERNET], RPC_MODE_INSIDE);
    assert_int_equal(w.mode[RPC_CLASS_LOOSE], RPC_MODE_LOOSE);
    assert_int_equal(w.mode[RPC_CLASS_LOCAL], RPC_MODE_PASS);
    assert_int_equal(w.mode[RPC_CLASS_DEFAULT], RPC_MODE_PASS);
    assert_int_equal(w.mode[RPC_CLASS_OWN], RPC_MODE_PASS);
    assert_int_equal(unit(&w, "a.service").how, RPC_HOW_CGROUP);
    assert_int_equal(unit(&w, "/x/smbd.service").how, RPC_HOW_SAMBA);
    assert_int_equal(unit(&w, "/x/smbd.service").class, RPC_CLASS_OWN);
    assert_int_equal(unit(&w, "nfs-server.service").how, RPC_HOW_NFS);
    assert_int_equal(unit(&w, "b.service").class, RPC_CLASS_LOOSE);
    assert_int_equal(rpc_settings_read(setting, missing, &broken), 0);
    assert_int_equal(want_from(&broken, &closed), 0);
    assert_true(closed.invalid);
    assert_int_equal(closed.mode[RPC_CLASS_INTERNET], RPC_MODE_REFUSE);
    assert_int_equal(closed.mode[RPC_CLASS_LOCAL], RPC_MODE_REFUSE);
    assert_int_equal(port_bits_count(&closed.set), 0);
}

static void test_cgroup_walk(void **state _unused_)
{
    char root[] = "/tmp/pw-rpc-XXXXXX", path[128], found[CGROUP_PATH_BYTES];
    _cleanup_(cgroup_ids_done) struct cgroup_ids ids = {0};
    uint64_t id;

    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof(path), "mkdir -p %s/system.slice/x.service/deep", root);
    assert_int_equal(system(path), 0);
    assert_int_equal(cgroup_find_unit(root, "x.service", found), 0);
    assert_non_null(strstr(found, "/system.slice/x.service"));
    assert_int_equal(cgroup_id(found, &id), 0);
    assert_int_equal(cgroup_ids_below(found, &ids), 0);
    assert_int_equal(ids.n, 2);
    assert_true(cgroup_ids_has(&ids, id));
    assert_false(cgroup_ids_has(&ids, 1));
    assert_int_equal(cgroup_find_unit(root, "/system.slice", found), 0);
    assert_int_equal(cgroup_find_unit(root, "y.service", found), -ENOENT);
    assert_int_equal(cgroup_find_unit(root, "/none", found), -ENOENT);
    snprintf(path, sizeof(path), "rm -r %s", root);
    assert_int_equal(system(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),       cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_hints),         cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_reserved_list), cmocka_unit_test(test_samba_text),
        cmocka_unit_test(test_program),       cmocka_unit_test(test_want),
        cmocka_unit_test(test_cgroup_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
