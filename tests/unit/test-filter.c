/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/filter.c: life, equality, and each rule of policy.md 1 that the grammar cannot check. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/limits.h"
#include "model/filter.h"

static const struct ip v4 = {0, 0x0a010105}, v6 = {0x20010db8ULL << 32, 1};
static const struct span here = {.line = 3, .column = 7, .len = 5, .offset = 40};

static struct filter make(enum action action, int16_t proto)
{
    struct filter f;
    filter_init(&f);
    f.action = action;
    f.proto = proto;
    f.at = here;
    return f;
}

static void set_port(struct portset *s, uint16_t port)
{
    assert_int_equal(portset_from(&(struct port_range){port, port}, 1, s), 0);
}

/* Validates f, which is used up; code DIAG_NONE means valid. */
static void expect(struct filter f, enum diag_code code)
{
    struct diag d = {0};
    int r = filter_validate(&f, &d);
    assert_int_equal(d.code, code);
    if (code == DIAG_NONE) {
        assert_int_equal(r, 0);
    } else {
        assert_true(r < 0);
        assert_int_equal(d.n_spans, 1);
        assert_int_equal(d.span[0].column, here.column);
        assert_true(d.message[0] != '\0' && strchr(d.message, '\n') == NULL);
    }
    filter_done(&f);
}

static void test_actions(void **state)
{
    (void)state;
    expect(make(0, PROTO_ANY), DIAG_COMBINATION);
    for (enum action a = ACTION_PERMIT; a <= ACTION_BLOCK; a++) {
        expect(make(a, PROTO_ANY), DIAG_NONE);
        struct filter f = make(a, PROTO_ANY);
        f.override = true;
        expect(f, a == ACTION_BLOCK ? DIAG_NONE : DIAG_COMBINATION);
        f = make(a, PROTO_ANY);
        f.keep_state = true;
        expect(f, a == ACTION_PERMIT ? DIAG_NONE : DIAG_COMBINATION);
        f = make(a, PROTO_ANY);
        f.inpass = true;
        expect(f, a == ACTION_PERMIT ? DIAG_NONE : DIAG_COMBINATION);
        f = make(a, PROTO_ANY);
        f.methods = strdup("esp");
        expect(f, a == ACTION_NEGOTIATE ? DIAG_NONE : DIAG_COMBINATION);
        f = make(a, PROTO_ANY);
        f.mirrored = f.log = true;
        expect(f, DIAG_NONE);
    }
}

static void test_protocols_and_ports(void **state)
{
    (void)state;
    for (int p = PROTO_ANY; p <= 255; p++) {
        enum diag_code code = proto_has_ports(p) ? DIAG_NONE : DIAG_COMBINATION;
        struct filter f = make(ACTION_BLOCK, (int16_t)p);
        set_port(&f.dport, 80);
        expect(f, code);
        f = make(ACTION_BLOCK, (int16_t)p);
        set_port(&f.sport, 80);
        expect(f, code);
        f = make(ACTION_BLOCK, (int16_t)p);
        f.icmp_type = 8;
        expect(f, p == PROTO_ICMP || p == PROTO_ICMPV6 ? DIAG_NONE : DIAG_COMBINATION);
    }
    expect(make(ACTION_BLOCK, 256), DIAG_PROTOCOL);
    expect(make(ACTION_BLOCK, -2), DIAG_PROTOCOL);
    struct filter f = make(ACTION_BLOCK, PROTO_ICMP);
    f.icmp_code = 0;
    expect(f, DIAG_COMBINATION);
    f.icmp_type = 255;
    f.icmp_code = 255;
    expect(f, DIAG_NONE);
    f.icmp_code = 256;
    expect(f, DIAG_PROTOCOL);
    f.icmp_code = -1;
    f.icmp_type = 256;
    expect(f, DIAG_PROTOCOL);
}

static void test_families(void **state)
{
    (void)state;
    struct filter f = make(ACTION_BLOCK, PROTO_ANY);
    assert_int_equal(filter_family(&f), FAMILY_ANY);
    f.src = addr_host(FAMILY_4, v4);
    f.dst = addr_me();
    assert_int_equal(filter_family(&f), FAMILY_4);
    expect(f, DIAG_NONE);
    f.dst = addr_prefix(FAMILY_6, v6, 0);
    expect(f, DIAG_FAMILY);
    f.src = addr_any();
    assert_int_equal(filter_family(&f), FAMILY_6);
    expect(f, DIAG_NONE);
    f.proto = PROTO_ICMP;
    expect(f, DIAG_FAMILY);
    f.proto = PROTO_ICMPV6;
    expect(f, DIAG_NONE);
    f.dst = addr_prefix(FAMILY_4, v4, 8);
    expect(f, DIAG_FAMILY);
    f.proto = PROTO_ICMP;
    expect(f, DIAG_NONE);
}

static void test_names_in_permits(void **state)
{
    (void)state;
    for (enum addr_kind k = ADDR_NAME; k < _ADDR_KIND_MAX; k++) {
        for (int side = 0; side < 2; side++) {
            struct filter f = make(ACTION_PERMIT, PROTO_ANY);
            struct addr *a = side ? &f.src : &f.dst;
            a->kind = k;
            if (k == ADDR_NAME)
                a->name = strdup("db.example");
            struct filter copy;
            struct diag d = {0};
            assert_true(filter_validate(&f, &d) < 0);
            assert_int_equal(d.code, DIAG_NAME_PERMIT);
            assert_int_equal(filter_copy(&f, &copy), 0);
            copy.proto = PROTO_TCP; /* a protocol alone does not do */
            expect(copy, DIAG_NAME_PERMIT);
            assert_int_equal(filter_copy(&f, &copy), 0);
            copy.proto = PROTO_TCP;
            set_port(&copy.dport, 443);
            expect(copy, DIAG_NONE);
            assert_int_equal(filter_copy(&f, &copy), 0);
            copy.keep_state = true;
            expect(copy, DIAG_NONE);
            f.action = ACTION_BLOCK; /* a forged answer can only block more */
            expect(f, DIAG_NONE);
        }
    }
}

static void test_where_and_lengths(void **state)
{
    (void)state;
    struct filter f = make(ACTION_BLOCK, PROTO_ANY);
    f.interface = strdup("eth0");
    f.profile = PROFILE_PUBLIC;
    expect(f, DIAG_COMBINATION);
    f = make(ACTION_BLOCK, PROTO_ANY);
    f.interface = strdup("");
    expect(f, DIAG_LIMIT);
    for (size_t over = 0; over < 2; over++) {
        enum diag_code code = over ? DIAG_LIMIT : DIAG_NONE;
        f = make(ACTION_BLOCK, PROTO_ANY);
        f.interface = calloc(1, LIMIT_NAME_BYTES + 2);
        assert_non_null(f.interface);
        memset(f.interface, 'x', LIMIT_NAME_BYTES + over);
        expect(f, code);
        f = make(ACTION_BLOCK, PROTO_ANY);
        f.dst = (struct addr){.kind = ADDR_NAME, .name = calloc(1, LIMIT_NAME_BYTES + 2)};
        assert_non_null(f.dst.name);
        memset(f.dst.name, 'x', LIMIT_NAME_BYTES + over);
        expect(f, code);
        f = make(ACTION_BLOCK, PROTO_ANY);
        f.description = calloc(1, LIMIT_TEXT_STRING_BYTES + 2);
        assert_non_null(f.description);
        memset(f.description, 'x', LIMIT_TEXT_STRING_BYTES + over);
        expect(f, code);
    }
}

static void test_effect(void **state)
{
    (void)state;
    static const enum action actions[] = {ACTION_PERMIT, ACTION_NEGOTIATE, ACTION_BLOCK};
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        struct filter f = make(actions[i], PROTO_TCP);
        assert_int_equal(filter_effect(&f), actions[i]);
        f.inpass = true;
        assert_int_equal(filter_effect(&f),
                         actions[i] == ACTION_PERMIT ? ACTION_NEGOTIATE : actions[i]);
    }
}

static void fill_all(struct filter *f)
{
    *f = make(ACTION_PERMIT, PROTO_TCP);
    f->guid.b[0] = 1;
    f->handle = 12;
    f->src = (struct addr){.kind = ADDR_NAME, .name = strdup("a.example")};
    f->dst = addr_range(FAMILY_4, v4, ip_add1(v4));
    set_port(&f->sport, 1);
    set_port(&f->dport, 2);
    f->interface = strdup("eth0");
    f->methods = strdup("esp");
    f->description = strdup("text");
}

static void test_copy_is_deep_and_equal(void **state)
{
    (void)state;
    struct filter f, copy;
    fill_all(&f);
    assert_int_equal(filter_copy(&f, &copy), 0);
    assert_true(filter_eq(&f, &copy));
    assert_int_equal(copy.handle, 12);
    assert_string_equal(copy.description, "text");
    filter_done(&f);
    assert_string_equal(copy.src.name, "a.example");
    assert_true(portset_contains(&copy.dport, 2));
    /* Identity, place and description do not matter for equality. */
    fill_all(&f);
    f.guid.b[0] = 2;
    f.handle = 13;
    f.at.line = 9;
    free(f.description);
    f.description = NULL;
    assert_true(filter_eq(&f, &copy));
    filter_done(&copy);
    filter_done(&f);
}

static void test_eq_sees_every_field(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        struct filter f, g;
        fill_all(&f);
        fill_all(&g);
        assert_true(filter_eq(&f, &g));
        switch (i) {
        case 0:
            g.action = ACTION_BLOCK;
            break;
        case 1:
            g.inpass = true;
            break;
        case 2:
            g.mirrored = true;
            break;
        case 3:
            g.override = true;
            break;
        case 4:
            g.keep_state = true;
            break;
        case 5:
            g.log = true;
            break;
        case 6:
            g.proto = PROTO_UDP;
            break;
        case 7:
            g.icmp_type = 0;
            break;
        case 8:
            g.icmp_code = 0;
            break;
        case 9:
            g.profile = PROFILE_PUBLIC;
            break;
        case 10:
            g.src.name[0] = 'b';
            break;
        case 11:
            g.dst = addr_me();
            break;
        case 12:
            g.sport.range[0].last = 9;
            break;
        case 13:
            g.dport.range[0].last = 9;
            break;
        case 14:
            g.interface[0] = 'x';
            break;
        case 15:
            free(g.methods);
            g.methods = NULL;
            break;
        }
        assert_false(filter_eq(&f, &g));
        assert_false(filter_eq(&g, &f));
        filter_done(&f);
        filter_done(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_protocols_and_ports),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_names_in_permits),
        cmocka_unit_test(test_where_and_lengths),
        cmocka_unit_test(test_effect),
        cmocka_unit_test(test_copy_is_deep_and_equal),
        cmocka_unit_test(test_eq_sees_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
