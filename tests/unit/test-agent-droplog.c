/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of src/agent/droplog.c over a datapath without a kernel: whose record it is, what the
 * event says, how much is read at once, and what is said about the rest. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake-datapath.h"

static struct agent a;
static struct desired desired;
static struct filter_settings settings;
static struct filter filters[3];
static struct effective_filter effective[3];
static int saved_stderr, pipe_fd[2];

static int setup(void **state _unused_)
{
    static struct hash_seed seed = {1, 2};
    a = (struct agent){0};
    desired = (struct desired){0};
    fake.host = (struct host){.ifaces = &fake.iface, .n_ifaces = 1};
    filter_settings_init(&settings);
    fake.active.e = (struct effective){.settings = &settings, .host = &fake.host};
    fake.n_records = 0;
    fake.log = (struct log_stats){0};
    fake.record = (struct log_record){.counter_id = 1,
                                      .ifindex = 2,
                                      .length = 60,
                                      .weight = 0x40006203,
                                      .reason = DROP_FILTER,
                                      .family = FAMILY_4,
                                      .proto = PROTO_TCP,
                                      .src = {0, 0xc0000207},
                                      .dst = {0, 0xc0000201},
                                      .sport = 40000,
                                      .dport = 445,
                                      .tcp_flags = 0x12};
    assert_int_equal(counter_ids_new(seed, &a.ids), 0);
    counter_ids_begin(a.ids);
    for (unsigned i = 0; i < ARRAY_SIZE(filters); i++) {
        struct guid g = {.b = {[15] = (uint8_t)(i + 1)}};
        uint32_t id;
        bool fresh;
        filter_init(&filters[i]);
        filters[i].handle = i + 10;
        assert_int_equal(counter_ids_get(a.ids, &g, &id, &fresh), 0);
        effective[i] = (struct effective_filter){.filter = &filters[i],
                                                 .layer = i ? LAYER_LOCAL : LAYER_DYNAMIC,
                                                 .counter_id = id,
                                                 .policy = i ? "Servers" : NULL,
                                                 .rule = i ? "SMB" : NULL};
    }
    counter_ids_commit(a.ids);
    desired.e = (struct effective){.v = effective, .n = ARRAY_SIZE(effective)};
    a.in_force = &desired;
    return 0;
}

static int teardown(void **state _unused_)
{
    droplog_done(&a);
    counter_index_done(&a.counter_index);
    counter_ids_free(a.ids);
    for (unsigned i = 0; i < ARRAY_SIZE(filters); i++)
        filter_done(&filters[i]);
    return 0;
}

/* What standard error gets during one poll. */
static size_t poll_into(char *text, size_t size)
{
    assert_int_equal(pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(pipe_fd[1], STDERR_FILENO) >= 0);
    droplog_poll(&a);
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    close(pipe_fd[1]);
    ssize_t n = read(pipe_fd[0], text, size - 1);
    close(pipe_fd[0]);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static void says(const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("'%s' does not say %s", text, what);
}

static void says_not(const char *text, const char *what)
{
    if (strstr(text, what))
        fail_msg("'%s' says %s", text, what);
}

static void test_filter(void **state _unused_)
{
    char text[8192];
    fake.n_records = 1;
    assert_true(poll_into(text, sizeof(text)) > 0);
    static const char *const want[] = {
        "\"event\":\"packet-dropped\"",  "\"REASON\":\"filter\"",
        "\"DIRECTION\":\"in\"",          "\"INTERFACE\":\"eth0\"",
        "\"PROTOCOL\":\"tcp\"",          "\"SOURCE\":\"192.0.2.7\"",
        "\"SOURCE_PORT\":\"40000\"",     "\"TCP_FLAGS\":\"SA\"",
        "\"DESTINATION\":\"192.0.2.1\"", "\"ID\":\"s11\"",
        "\"DESTINATION_PORT\":\"445\"",  "\"LAYER\":\"local\"",
        "\"POLICY\":\"Servers\"",        "\"RULE\":\"SMB\"",
        "\"WEIGHT\":\"40006203\"",
    };
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        says(text, want[i]);
    says_not(text, "SUPPRESSED");
    says_not(text, "FLAGS\":\"guard");
    says_not(text, "MAC");
    assert_int_equal(fake.n_records, 0);
    assert_int_equal(poll_into(text, sizeof(text)), 0);
}

static void test_others(void **state _unused_)
{
    char text[8192];
    struct log_record *r = &fake.record;
    fake.n_records = 1;
    r->counter_id = 0;
    r->flags = LOG_EGRESS | LOG_GUARD | LOG_MASQUERADED | LOG_FRAGMENT | LOG_DECAPSULATED;
    r->suppressed = 17;
    r->mac[5] = 0xab;
    (void)poll_into(text, sizeof(text));
    says(text, "\"ID\":\"d10\"");
    says(text, "\"DIRECTION\":\"out\"");
    says(text, "\"FLAGS\":\"guard,fragment,masqueraded,decapsulated\"");
    says(text, "\"SUPPRESSED\":\"17\"");
    says(text, "\"MAC\":\"00:00:00:00:00:ab\"");
    says_not(text, "RULE");
    fake.n_records = 1;
    r->counter_id = COUNTER_NONE;
    r->reason = DROP_BAD_HEADER;
    r->family = FAMILY_ANY;
    r->flags = LOG_FORWARDED;
    r->ifindex = 9;
    r->weight = 0;
    (void)poll_into(text, sizeof(text));
    says(text, "\"REASON\":\"bad-header\"");
    says(text, "\"DIRECTION\":\"forwarded\"");
    static const char *const none[] = {"INTERFACE", "SOURCE", "PROTOCOL", "\"ID\"", "WEIGHT"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++)
        says_not(text, none[i]);
    fake.n_records = 1;
    r->reason = DROP_NONE;
    r->family = FAMILY_6;
    r->proto = PROTO_ICMPV6;
    r->icmp_type = 128;
    r->src = (struct ip){0x20010db8ULL << 32, 1};
    r->counter_id = 77; /* of a filter that is gone */
    (void)poll_into(text, sizeof(text));
    says(text, "\"event\":\"packet-passed\"");
    says(text, "\"SOURCE\":\"2001:db8::1\"");
    says(text, "\"ICMP\":\"128/0\"");
    says_not(text, "SOURCE_PORT");
    says_not(text, "REASON");
    says_not(text, "\"ID\"");
}

/* Another state in force is asked anew. */
static void test_index_is_fresh(void **state _unused_)
{
    char text[8192];
    fake.n_records = 1;
    (void)poll_into(text, sizeof(text));
    says(text, "\"ID\":\"s11\"");
    effective[1].counter_id = effective[2].counter_id;
    effective[2].counter_id = 1;
    a.run.generation++;
    fake.n_records = 1;
    (void)poll_into(text, sizeof(text));
    says(text, "\"ID\":\"s12\"");
}

static void test_left_out(void **state _unused_)
{
    char text[8192];
    fake.log = (struct log_stats){.written = 5, .suppressed = 100, .lost = 3};
    assert_int_equal(poll_into(text, sizeof(text)), 0); /* what was before is nothing new */
    fake.log.suppressed += 40;
    fake.log.lost += 2;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(poll_into(text, sizeof(text)), 0); /* once a second */
    (void)poll_into(text, sizeof(text));
    says(text, "\"event\":\"log-suppressed\"");
    says(text, "\"SUPPRESSED\":\"40\"");
    says(text, "\"LOST\":\"2\"");
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(poll_into(text, sizeof(text)), 0);
}

static void test_bounded(void **state _unused_)
{
    fake.n_records = 100000;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(null >= 0 && dup2(null, STDERR_FILENO) >= 0);
    droplog_poll(&a);
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    close(null);
    assert_true(fake.n_records >= 95000 && fake.n_records < 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_index_is_fresh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
