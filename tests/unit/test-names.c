/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of names with a clock of the test: which answers are believed, what is kept, what a
 * change does until it is in force; the file; keywords; expansion of filters. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/agent/desired.h"
#include "../../src/agent/keywords.h"
#include "../../src/agent/names.h"
#include "text/text.h"

static struct names *t;
static struct local_route own[] = {{FAMILY_4, {0, 0xc0a80101}, 32, LOCAL_UNICAST},
                                   {FAMILY_4, {0, 0xc0a801ff}, 32, LOCAL_BROADCAST},
                                   {FAMILY_6, {0x20010db800000000, 1}, 128, LOCAL_UNICAST}};
static const struct host host = {.local = own, .n_local = ARRAY_SIZE(own)};
static uint64_t clock_ns;

static int setup(void **state _unused_)
{
    clock_ns = 1000;
    return names_new(&t);
}

static int teardown(void **state _unused_)
{
    t = names_free(t);
    return 0;
}

static struct name_entry *want(const char *name)
{
    struct name_entry *e;
    assert_int_equal(names_add(t, name, &e), 0);
    return e;
}

static enum name_effect answer(const char *line)
{
    struct fetch_answer a;
    struct name_entry *e;
    enum name_effect effect;
    assert_int_equal(fetch_answer_parse(line, strlen(line), &a), 0);
    assert_int_equal(names_answer(t, &a, &host, ++clock_ns, &effect, &e), 0);
    assert_int_equal(e == NULL, effect == NAME_UNKNOWN);
    if (e)
        assert_true(e->answered_ns == clock_ns);
    return effect;
}

static void now_is(const struct name_entry *e, const char *expected)
{
    char *text = address_set_text(&e->now);
    assert_string_equal(text, expected);
    free(text);
}

static void test_answers(void **state _unused_)
{
    struct name_entry *e = want("a.example");
    assert_false(e->resolved);
    assert_int_equal(answer("found a.example 60 192.0.2.9 2001:db8::9 192.0.2.1 192.0.2.9"),
                     NAME_CHANGED);
    assert_true(e->resolved);
    assert_false(e->changed); /* nothing in force uses it yet */
    now_is(e, "192.0.2.1,192.0.2.9,2001:db8::9");
    assert_int_equal(answer("found a.example 60 2001:db8::9 192.0.2.9 192.0.2.1"), NAME_SAME);
    e->used = true;
    assert_int_equal(answer("found a.example 60 192.0.2.1"), NAME_CHANGED);
    assert_true(e->changed);
    assert_int_equal(e->in_force.n, 3);
    assert_int_equal(answer("found a.example 60 192.0.2.2"), NAME_CHANGED);
    assert_int_equal(e->in_force.n, 3); /* still the one before both */
    assert_true(names_has_changes(t));
    names_confirm(t, 0);
    assert_false(names_has_changes(t));
    now_is(e, "192.0.2.2");
    assert_int_equal(answer("found b.example 60 192.0.2.2"), NAME_UNKNOWN);
}

static void test_last_good_is_kept(void **state _unused_)
{
    static const char *const wrong[] = {
        "absent a",
        "error a timeout",
        "error a too-many",
        "found a 60 0.0.0.0",
        "found a 60 0.1.2.3",
        "found a 60 192.0.2.2 127.0.0.1",
        "found a 60 224.0.0.251",
        "found a 60 240.0.0.1",
        "found a 60 255.255.255.255",
        "found a 60 ::",
        "found a 60 ::1",
        "found a 60 ::ffff:192.0.2.1",
        "found a 60 fe80::1",
        "found a 60 ff02::1",
        "found a 60 192.168.1.1",   /* own */
        "found a 60 192.168.1.255", /* own broadcast */
        "found a 60 2001:db8::1",
    };
    struct name_entry *e = want("a");
    assert_int_equal(answer("found a 60 192.0.2.1 10.0.0.1 169.254.169.254 fd00::1"), NAME_CHANGED);
    e->used = true;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        if (answer(wrong[i]) != NAME_FAILED)
            fail_msg("'%s' is no failure", wrong[i]);
        assert_true(e->failure[0]);
        assert_int_equal(answer(wrong[i]), NAME_SAME); /* said once */
        assert_false(e->changed);
        now_is(e, "10.0.0.1,169.254.169.254,192.0.2.1,fd00::1");
        assert_int_equal(answer("found a 60 192.0.2.1 10.0.0.1 169.254.169.254 fd00::1"),
                         NAME_SAME);
        assert_int_equal(e->failure[0], '\0');
    }
}

static void test_revert(void **state _unused_)
{
    struct name_entry *e = want("a"), *fresh = want("b");
    assert_int_equal(answer("found a 60 192.0.2.1"), NAME_CHANGED);
    e->used = true;
    assert_int_equal(answer("found a 60 192.0.2.2"), NAME_CHANGED);
    assert_int_equal(answer("found b 60 192.0.2.3"), NAME_CHANGED);
    names_revert(t, 0);
    now_is(e, "192.0.2.1");
    now_is(fresh, "192.0.2.3"); /* not in force, so nothing to go back to */
    assert_true(e->resolved && fresh->resolved && !names_has_changes(t));
}

static void test_limit(void **state _unused_)
{
    struct name_entry *e;
    char name[32];
    for (int i = 0; i < LIMIT_NAMES; i++) {
        snprintf(name, sizeof(name), "h%d.example", i);
        want(name);
    }
    assert_int_equal(names_add(t, "one.more", &e), -E2BIG);
    assert_int_equal(names_add(t, "h7.example", &e), 0);
    names_remove(t, e);
    assert_null(names_find_name(t, "h7.example"));
    assert_int_equal(names_add(t, "one.more", &e), 0);
    for (size_t i = 5; i < names_n(t); i++)
        assert_true(strcmp(names_at(t, i - 1)->name, names_at(t, i)->name) < 0);
}

static void test_file(void **state _unused_)
{
    char *text;
    want("a");
    want("b");
    want("never");
    assert_int_equal(answer("found a 60 192.0.2.1"), NAME_CHANGED);
    assert_int_equal(answer("found b 60 2001:db8::5 192.0.2.7"), NAME_CHANGED);
    assert_int_equal(names_print(t, &text), 0);
    assert_string_equal(text, "portward-names 1\na 192.0.2.1\nb 192.0.2.7 2001:db8::5\nend\n");
    size_t len = strlen(text);
    for (size_t n = 0; n < len; n++) { /* every cut is seen */
        struct names *cut;
        assert_int_equal(names_new(&cut), 0);
        assert_int_equal(names_parse(cut, text, n), -EBADMSG);
        names_free(cut);
    }
    t = names_free(t);
    assert_int_equal(names_new(&t), 0);
    assert_int_equal(names_parse(t, text, len), 0);
    now_is(names_find_name(t, "b"), "192.0.2.7,2001:db8::5");
    assert_true(names_find_name(t, "a")->resolved);
    assert_null(names_find_name(t, "never"));
    assert_int_equal(names_parse(t, text, len), -EBADMSG); /* twice */
    free(text);
}

/* --- keywords --- */
static void list_is(const struct address_list *l, const char *expected)
{
    struct address_set s;
    assert_int_equal(address_set_make(l->v, l->n, &s), 0);
    char *text = address_set_text(&s);
    assert_string_equal(text, expected);
    free(text);
    address_set_done(&s);
}

static void test_keyword_files(void **state _unused_)
{
    static const char resolv[] = "# nameserver 192.0.2.1\nsearch x\nnameserver 192.0.2.53\n"
                                 "nameserver\t2001:db8::53 \nnameserver fe80::1%eth0\n"
                                 "nameserver x\nnameserver 127.0.0.53\nnameserver";
    static const char leases[] =
        "lease {\n  option dhcp-server-identifier 192.0.2.1;\n}\nlease {\n"
        "  option dhcp-server-identifier 192.0.2.2;\n  option routers 192.0.2.9;\n}\n";
    static const char networkd[] = "ADDRESS=192.0.2.7\nSERVER_ADDRESS=192.0.2.3\nROUTER=192.0.2.1";
    struct address_list l = {.n = 0}, d = {.n = 0}, n = {.n = 0}, w = {.n = 0};
    bool stub = false;
    keywords_parse_resolv_conf(resolv, strlen(resolv), &l, &stub);
    list_is(&l, "192.0.2.53,2001:db8::53,fe80::1");
    assert_true(stub);
    keywords_parse_dhclient(leases, strlen(leases), &d);
    list_is(&d, "192.0.2.2");
    keywords_parse_networkd(networkd, strlen(networkd), &n);
    list_is(&n, "192.0.2.3");
    static const char *const bad[] = {"", "x", "192.0.2.1,", "192.0.2.1 192.0.2.2", ",192.0.2.1"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(keywords_parse_list(bad[i], strlen(bad[i]), &w), -EINVAL);
    static const char good[] = "192.0.2.1 ,  2001:db8::2";
    assert_int_equal(keywords_parse_list(good, strlen(good), &w), 0);
    list_is(&w, "192.0.2.1,2001:db8::2");
}

static void set_keyword(enum addr_kind kind, const char *list)
{
    struct address_list l = {.n = 0};
    struct address_set s;
    if (*list)
        assert_int_equal(keywords_parse_list(list, strlen(list), &l), 0);
    assert_int_equal(address_set_make(l.v, l.n, &s), 0);
    (void)names_set_keyword(t, kind, &s);
}

/* --- filters --- */
static struct filter filter_of(const char *text)
{
    struct filter f;
    struct diag d = {0};
    filter_init(&f);
    if (text_parse_filter(text, strlen(text), &d, &f) < 0)
        fail_msg("%s", d.message);
    return f;
}

static void expands(const char *text, const char *expected)
{
    struct filter f = filter_of(text), v[16];
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(65536);
    size_t n = names_expand(t, &f, NULL);
    assert_true(n <= ARRAY_SIZE(v));
    assert_int_equal(names_expand(t, &f, v), n);
    assert_int_equal(strbuf_add(&b, ""), 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(text_print_filter(&v[i], &b), 0);
        assert_int_equal(strbuf_add(&b, "\n"), 0);
        assert_ptr_equal(v[i].dport.range, f.dport.range); /* borrowed */
    }
    assert_string_equal(b.s, expected);
    filter_done(&f);
}

static void test_expansion(void **state _unused_)
{
    want("a");
    want("b");
    want("unresolved");
    assert_int_equal(answer("found a 60 192.0.2.1 2001:db8::5"), NAME_CHANGED);
    assert_int_equal(answer("found b 60 192.0.2.2 192.0.2.3"), NAME_CHANGED);
    set_keyword(ADDR_KEYWORD_GATEWAY, "192.0.2.254");
    expands("block in tcp from a port 1 to me port 2",
            "block in tcp from 192.0.2.1 port 1 to me port 2\n"
            "block in tcp from 2001:db8::5 port 1 to me port 2\n");
    expands("block from a to b", "block from 192.0.2.1 to 192.0.2.2\n"
                                 "block from 192.0.2.1 to 192.0.2.3\n");
    expands("block from 10.0.0.0/8 to a", "block from 10.0.0.0/8 to 192.0.2.1\n");
    expands("block out to gateway", "block out from me to 192.0.2.254\n");
    expands("block out to wins", "");
    expands("block in from unresolved", "");
    expands("block in from never.asked", "");
    expands("block in tcp port 5", "block in tcp from any to me port 5\n");
}

/* In a desired state: written filters first, each once, expansions behind, one counter. */
static void test_desired(void **state _unused_)
{
    static const char *const texts[] = {"block in from b", "block in tcp port 1",
                                        "block in from unresolved", "block in from a"};
    struct counter_ids *ids;
    struct layers l = {.names = t};
    struct desired *x;
    struct diag d = {0};
    want("a");
    want("b");
    assert_int_equal(answer("found a 60 192.0.2.1"), NAME_CHANGED);
    assert_int_equal(answer("found b 60 192.0.2.2 192.0.2.3 192.0.2.4"), NAME_CHANGED);
    filter_settings_init(&l.settings);
    assert_int_equal(counter_ids_new((struct hash_seed){1, 2}, &ids), 0);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct filter f = filter_of(texts[i]);
        size_t at;
        struct dynamic_new o = {.filter = &f, .guid = {{200, (uint8_t)i}}};
        assert_int_equal(dynamic_add(&l.dynamic, &o, &d, &at), 0);
        filter_done(&f);
    }
    assert_int_equal(desired_build(&l, &host, ids, &d, &x), 0);
    counter_ids_commit(ids);
    assert_int_equal(x->n_written, 4);
    assert_int_equal(x->e.n, 6);
    for (size_t i = 0; i < x->e.n; i++) {
        size_t o = desired_origin(x, i);
        assert_int_equal(o, i < 4 ? i : 0);
        assert_ptr_equal(desired_written(x, i), &x->layers.dynamic.v[o]->filter);
        assert_int_equal(x->e.v[i].counter_id, x->e.v[o].counter_id);
        assert_int_equal(guid_cmp(&x->e.v[i].filter->guid, &x->e.v[o].filter->guid), 0);
        assert_int_equal(x->e.v[i].filter->src.kind == ADDR_HOST, o == 0 || o == 3);
    }
    assert_int_equal(x->e.v[2].filter->src.kind, ADDR_NAME); /* stands for nothing */
    size_t n;
    assert_non_null(desired_expansions(x, 0, &n));
    assert_int_equal(n, 3);
    assert_null(desired_expansions(x, 1, &n));
    assert_null(desired_expansions(x, 2, &n));
    assert_ptr_equal(desired_expansions(x, 3, &n), x->e.v[3].filter);
    assert_int_equal(n, 1);
    /* another address: another digest */
    struct layers m = {0};
    struct desired *y;
    assert_int_equal(layers_copy(&x->layers, &m), 0);
    assert_int_equal(answer("found a 60 192.0.2.9"), NAME_CHANGED);
    assert_int_equal(desired_build(&m, &host, ids, &d, &y), 0);
    counter_ids_commit(ids);
    assert_true(memcmp(x->digest, y->digest, sizeof(x->digest)) != 0);
    assert_int_equal(y->n_fresh, 0);
    desired_free(x);
    desired_free(y);
    counter_ids_free(ids);
}

static void add_text(struct dynamic *l, const char *text, uint8_t number)
{
    struct filter f = filter_of(text);
    struct dynamic_new o = {.filter = &f, .guid = {{200, number}}};
    struct diag d = {0};
    size_t at;
    assert_int_equal(dynamic_add(l, &o, &d, &at), 0);
    filter_done(&f);
}

static struct desired *build(struct layers *l, struct counter_ids *ids)
{
    struct desired *x = NULL;
    struct diag d = {0};
    assert_int_equal(desired_build(l, &host, ids, &d, &x), 0);
    counter_ids_commit(ids);
    return x;
}

/* Filters without names come and go in a desired state: the same as one that is built anew. */
static void test_desired_changes(void **state _unused_)
{
    struct counter_ids *ids;
    struct layers l = {.names = t}, m;
    struct dynamic next;
    struct dynamic_delta delta;
    uint32_t counter;
    bool changed;
    want("b");
    assert_int_equal(answer("found b 60 192.0.2.2 192.0.2.3 192.0.2.4"), NAME_CHANGED);
    filter_settings_init(&l.settings);
    assert_int_equal(counter_ids_new((struct hash_seed){1, 2}, &ids), 0);
    add_text(&l.dynamic, "block in tcp port 1", 1);
    add_text(&l.dynamic, "block in from b", 2);
    add_text(&l.dynamic, "block in tcp port 2", 3);
    add_text(&l.dynamic, "block in udp from b", 4);
    struct desired *x = build(&l, ids);
    assert_int_equal(dynamic_copy(&x->layers.dynamic, &next), 0);
    assert_int_equal(dynamic_extend(&next, 2, 0, "why", &changed), 0);
    dynamic_remove(&next, 0);
    add_text(&next, "block in tcp port 3", 5);
    assert_int_equal(next.n_named, 2);
    assert_true(dynamic_difference(&x->layers.dynamic, &next, &delta));
    assert_int_equal(delta.n_added * 100 + delta.n_deleted * 10 + delta.n_replaced, 111);
    assert_int_equal(counter_ids_get(ids, &next.v[delta.added]->filter.guid, &counter, NULL), 0);
    assert_int_equal(desired_reserve(x, &delta), 0);
    desired_change(x, &delta, &next, counter);
    assert_int_equal(x->n_fresh, 1);
    assert_int_equal(x->e.v[x->fresh[0]].counter_id, counter);
    assert_int_equal(layers_copy(&x->layers, &m), 0);
    struct desired *y = build(&m, ids);
    assert_int_equal(x->e.n, y->e.n);
    assert_int_equal(x->n_written, y->n_written);
    assert_memory_equal(x->digest, y->digest, sizeof(x->digest));
    for (size_t i = 0; i < x->e.n; i++) {
        assert_true(filter_eq(x->e.v[i].filter, y->e.v[i].filter));
        assert_int_equal(x->e.v[i].counter_id, y->e.v[i].counter_id);
        assert_int_equal(desired_origin(x, i), desired_origin(y, i));
        assert_ptr_equal(desired_written(x, i), desired_written(y, i));
        assert_ptr_equal(desired_dynamic(x, desired_origin(x, i)),
                         desired_dynamic(y, desired_origin(y, i)));
    }
    desired_free(x);
    desired_free(y);
    counter_ids_free(ids);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(answers),       T(last_good_is_kept), T(revert),  T(limit),           T(file),
        T(keyword_files), T(expansion),         T(desired), T(desired_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
