/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Desired state: order of layers, inactive rules, what is refused; and the digest, which must
 * differ exactly when the image would. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/agent/desired.h"
#include "text/text.h"

static struct counter_ids *ids;
static struct host host;

static int setup(void **state _unused_)
{
    memset(&host, 0, sizeof(host));
    return counter_ids_new((struct hash_seed){1, 2}, &ids);
}

static int teardown(void **state _unused_)
{
    ids = counter_ids_free(ids);
    return 0;
}

/* GUIDs by position, as the store would give them. */
static struct policy *policy_of(const char *text, uint8_t tag)
{
    struct policy_list l = {0};
    struct diag_list dl = {0};
    int err = text_parse_policies(text, strlen(text), &dl, &l);
    assert_int_equal(err, 0);
    assert_int_equal(l.n, 1);
    struct policy *p = TAKE_PTR(l.v[0]);
    l.n = 0;
    policy_list_done(&l);
    uint8_t n = 0;
    for (size_t r = 0; r < p->n_rules; r++)
        for (size_t i = 0; i < p->rules[r].n_filters; i++)
            p->rules[r].filters[i].guid = (struct guid){{tag, ++n}};
    return p;
}

static void add_dynamic(struct layers *l, const char *text, uint64_t deadline_ns)
{
    struct filter f;
    struct diag d = {0};
    size_t i;
    filter_init(&f);
    assert_int_equal(text_parse_filter(text, strlen(text), &d, &f), 0);
    struct dynamic_new o = {
        .filter = &f, .guid = {{200, (uint8_t)l->dynamic.n}}, .deadline_ns = deadline_ns};
    assert_int_equal(dynamic_add(&l->dynamic, &o, &d, &i), 0);
    filter_done(&f);
}

static struct desired *build(struct layers *l)
{
    struct desired *x = NULL;
    struct diag d = {0};
    int err = desired_build(l, &host, ids, &d, &x);
    if (err < 0)
        print_message("%s\n", d.message);
    assert_int_equal(err, 0);
    counter_ids_commit(ids);
    return x;
}

static struct layers sample(uint64_t deadline_ns)
{
    struct layers l = {0};
    filter_settings_init(&l.settings);
    assert_int_equal(
        layers_set_policy(&l, ASSIGN_LOCAL,
                          policy_of("policy \"L\" { rule \"a\" { block in tcp port 1 "
                                    "block in tcp port 2 } inactive rule \"b\" block in }",
                                    1)),
        0);
    assert_int_equal(
        layers_set_policy(&l, ASSIGN_PERSISTENT,
                          policy_of("policy \"P\" { rule \"p\" block in tcp port 3 }", 2)),
        0);
    add_dynamic(&l, "block in tcp port 4", 3);
    add_dynamic(&l, "permit in tcp port 5", deadline_ns);
    return l;
}

static void test_layers(void **state _unused_)
{
    struct layers l = sample(99);
    _cleanup_(desired_freep) struct desired *x = build(&l);
    static const enum layer layers[] = {LAYER_PERSISTENT, LAYER_LOCAL, LAYER_LOCAL, LAYER_DYNAMIC,
                                        LAYER_DYNAMIC};
    assert_int_equal(x->e.n, ARRAY_SIZE(layers));
    for (size_t i = 0; i < x->e.n; i++) {
        assert_int_equal(x->e.v[i].layer, layers[i]);
        assert_true(x->e.v[i].counter_id != COUNTER_NONE);
        assert_int_equal(desired_dynamic(x, i) != NULL, layers[i] == LAYER_DYNAMIC);
    }
    assert_string_equal(x->e.v[0].policy, "P");
    assert_string_equal(x->e.v[2].rule, "a");
    assert_null(x->e.v[3].policy);
    assert_true(x->e.v[4].deadline_ns == 99);
    assert_int_equal(x->n_fresh, 5);
    assert_int_equal(l.dynamic.n, 0); /* taken over */
}

static void test_counters_stay(void **state _unused_)
{
    struct layers l = sample(0);
    _cleanup_(desired_freep) struct desired *x = build(&l);
    struct layers m = {0};
    assert_int_equal(layers_copy(&x->layers, &m), 0);
    dynamic_remove(&m.dynamic, 0);
    _cleanup_(desired_freep) struct desired *y = build(&m);
    assert_int_equal(y->e.n, 4);
    assert_int_equal(y->n_fresh, 0);
    assert_int_equal(y->e.v[0].counter_id, x->e.v[0].counter_id);
    assert_int_equal(y->e.v[3].counter_id, x->e.v[4].counter_id);
}

/* Digest of the sample after a change of it. */
static void digest_of(void (*change)(struct layers *), uint64_t ret[2])
{
    struct layers l = sample(1000);
    if (change)
        change(&l);
    struct desired *x = build(&l);
    ret[0] = x->digest[0];
    ret[1] = x->digest[1];
    desired_free(x);
}

static void change_block_deadline(struct layers *l)
{
    bool changed;
    dynamic_remove(&l->dynamic, 1);
    dynamic_remove(&l->dynamic, 0);
    add_dynamic(l, "block in tcp port 4", 5);
    add_dynamic(l, "permit in tcp port 5", 1000);
    assert_int_equal(dynamic_extend(&l->dynamic, 0, 50, "why", &changed), 0);
}
static void change_permit_deadline(struct layers *l)
{
    bool changed;
    assert_int_equal(dynamic_extend(&l->dynamic, 1, 2000, NULL, &changed), 0);
}
/* Its reason of a drop changes: `timed-block` to `filter`. */
static void change_block_end(struct layers *l)
{
    bool changed;
    assert_int_equal(dynamic_extend(&l->dynamic, 0, 0, NULL, &changed), 0);
    assert_true(changed);
}
static void change_exempt(struct layers *l)
{
    l->settings.exempt = 1;
}
static void change_failsafe(struct layers *l)
{
    l->settings.n_failsafe = 1;
    l->settings.failsafe[0] = (struct failsafe){.proto = 6, .port = 22};
}
static void change_dynamic(struct layers *l)
{
    dynamic_remove(&l->dynamic, 0);
}
static void change_port(struct layers *l)
{
    l->policy[ASSIGN_LOCAL]->policy->rules[0].filters[0].dport.range[0].last++;
}
static void change_mirrored(struct layers *l)
{
    l->policy[ASSIGN_LOCAL]->policy->rules[0].filters[1].mirrored = true;
}
static void change_slot(struct layers *l)
{
    layers_unset_policy(l, ASSIGN_PERSISTENT);
}
static void change_guid(struct layers *l)
{
    l->policy[ASSIGN_LOCAL]->policy->rules[0].filters[0].guid.b[5] = 1;
}

static void test_digest(void **state _unused_)
{
    static void (*const same[])(struct layers *) = {NULL, change_block_deadline};
    static void (*const differ[])(struct layers *) = {
        change_permit_deadline, change_block_end, change_exempt,
        change_failsafe,        change_dynamic,   change_port,
        change_mirrored,        change_slot,      change_guid,
    };
    uint64_t base[2], other[2];
    digest_of(NULL, base);
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        digest_of(same[i], other);
        assert_memory_equal(base, other, sizeof(base));
    }
    for (size_t i = 0; i < ARRAY_SIZE(differ); i++) {
        digest_of(differ[i], other);
        if (memcmp(base, other, sizeof(base)) == 0)
            fail_msg("change %zu is not seen", i);
        digest_of(NULL, other); /* counter ids are as before again */
    }
}

static void test_host(void **state _unused_)
{
    struct iface eth = {.ifindex = 2, .name = "eth0", .zone = 1};
    uint64_t base[2], other[2], print;
    host = (struct host){.ifaces = &eth, .n_ifaces = 1};
    digest_of(NULL, base);
    print = host_print(&host, false);
    eth.forwarding4 = true; /* maps only, no image depends on it */
    digest_of(NULL, other);
    assert_memory_equal(base, other, sizeof(base));
    assert_true(print == host_print(&host, false));
    eth.dhcp4 = true;
    digest_of(NULL, other);
    assert_memory_not_equal(base, other, sizeof(base));
    assert_true(print != host_print(&host, false));
}

/* Of interfaces that nobody asks for, nothing is in the image. */
static void test_places(void **state _unused_)
{
    struct iface eth = {.ifindex = 2, .name = "eth0", .zone = 1};
    host = (struct host){.ifaces = &eth, .n_ifaces = 1};
    uint64_t without = host_print(&host, false), with = host_print(&host, true);
    assert_true(without != with);
    eth.name[3] = '1';
    assert_true(without == host_print(&host, false) && with != host_print(&host, true));
    with = host_print(&host, true);
    eth.profile = PROFILE_PUBLIC; /* the same as none */
    assert_true(with == host_print(&host, true));
    eth.profile = PROFILE_PRIVATE;
    assert_true(without == host_print(&host, false) && with != host_print(&host, true));
    with = host_print(&host, true);
    eth.zone = 2;
    assert_true(without == host_print(&host, false) && with != host_print(&host, true));
    host = (struct host){0};
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counters_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
