/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches over a stand-in for the kernel: all OPs in one generation or nothing, later OPs see what
 * earlier ones did, the optimistic lock, and settings that win over the file. */
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>

#include "agent-help.h"

enum { KEPT_OPS = 16 };
struct answer {
    bool done, flipped, has_op, equal, made;
    int err;
    enum diag_code code;
    size_t op, n_ops, n_warnings;
    char message[DIAG_MESSAGE_BYTES];
    char change[KEPT_OPS][16], text[KEPT_OPS][64], id[KEPT_OPS][16], name[KEPT_OPS][256];
    size_t n_filters[KEPT_OPS];
    bool assigned[KEPT_OPS];
    char warning[32];
};

static void keep_op(struct answer *a, size_t i, const struct agent_op_result *o)
{
    snprintf(a->change[i], sizeof(a->change[i]), "%s", o->change);
    a->n_filters[i] = o->filters.n;
    if (o->filters.n > 0) {
        snprintf(a->id[i], sizeof(a->id[i]), "%s", o->filters.v[0].id);
        snprintf(a->text[i], sizeof(a->text[i]), "%s", o->filters.v[0].text);
    }
    if (o->n_policies > 0) {
        snprintf(a->name[i], sizeof(a->name[i]), "%s", o->policies[0].name);
        a->assigned[i] = o->policies[0].assigned;
    } else if (o->name) {
        snprintf(a->name[i], sizeof(a->name[i]), "%s", o->name);
    }
}

static void keep(void *ctx, const struct agent_result *r)
{
    struct answer *a = ctx;
    assert_false(a->done);
    *a = (struct answer){.done = true,
                         .err = r->err,
                         .code = r->diag.code,
                         .flipped = r->flipped,
                         .has_op = r->has_op,
                         .op = r->op,
                         .n_ops = r->n_ops,
                         .made = r->preview.made,
                         .equal = r->preview.equal,
                         .n_warnings = r->warnings.n};
    snprintf(a->message, sizeof(a->message), "%s", r->diag.message);
    if (r->warnings.n > 0)
        snprintf(a->warning, sizeof(a->warning), "%s", r->warnings.v[0].code);
    for (size_t i = 0; r->err == 0 && i < r->n_ops && i < KEPT_OPS; i++)
        keep_op(a, i, &r->ops[i]);
}

#include "agent-ask.h"

#define BATCH(...)                                                                                 \
    (struct agent_change)                                                                          \
    {                                                                                              \
        .kind = AGENT_BATCH, .ops = (const struct agent_change[]){__VA_ARGS__},                    \
        .n_ops = sizeof((const struct agent_change[]){__VA_ARGS__}) / sizeof(struct agent_change), \
        .author = {                                                                                \
            .origin = "dialect"                                                                    \
        }                                                                                          \
    }
#define ADD(t)                                \
    {                                         \
        .kind = AGENT_FILTER_ADD, .text = (t) \
    }
#define LOAD(t)                                                 \
    {                                                           \
        .kind = AGENT_POLICY_LOAD, .text = (t), .replace = true \
    }
#define ASSIGN(n)                           \
    {                                       \
        .kind = AGENT_ASSIGN, .policy = (n) \
    }
#define SET(k, v)                                      \
    {                                                  \
        .kind = AGENT_SETTING, .key = (k), .text = (v) \
    }

static uint64_t state_number(void)
{
    struct diag d = {0};
    uint64_t n = 0;
    assert_int_equal(agent_state(agent, &d, &n), 0);
    assert_true(n > 0 && n < (UINT64_C(1) << 53)); /* exact in JSON */
    return n;
}

static bool blocks(unsigned port)
{
    char packet[128];
    snprintf(packet, sizeof(packet), "in udp from 203.0.113.5 to 192.0.2.1 port %u", port);
    return fake_blocks(packet);
}

/* --- tests --- */
static void test_one_generation(void **state _unused_)
{
    start();
    unsigned flips = fake.n_flips;
    struct agent_change c =
        BATCH(LOAD("policy \"P\" { rule \"r\" block in udp port 1 }"),
              LOAD("policy \"Q\" { rule \"r\" block in udp port 2 }"), ASSIGN("P"),
              {.kind = AGENT_ASSIGN, .policy = "Q", .persistent = true}, ADD("block in udp port 3"),
              {.kind = AGENT_LIBRARY, .text = "lists"});
    struct answer a = ok(&c);
    assert_int_equal(fake.n_flips, flips + 1);
    assert_int_equal(a.n_ops, 6);
    assert_true(a.flipped && blocks(1) && blocks(2) && blocks(3) && !blocks(4));
    assert_string_equal(a.name[0], "P");
    assert_string_equal(a.name[3], "Q");
    assert_string_equal(a.id[4], "d1");
    assert_string_equal(a.text[4], "block in udp from any to me port 3");
    /* One row for each of them, in order, by the dialect, with the generation. */
    struct history h = {0};
    struct diag d = {0};
    assert_int_equal(agent_history(agent, NULL, 0, &d, &h), 0);
    assert_int_equal(h.n, 6);
    for (size_t i = 0; i < h.n; i++) {
        assert_string_equal(h.v[i].origin, "dialect");
        assert_int_equal(h.v[i].generation, agent_generation(agent));
    }
    history_done(&h);
    _cleanup_free_ char *library = NULL;
    assert_int_equal(agent_library(agent, &d, &library), 0);
    assert_string_equal(library, "lists");
    /* The same again: nothing to do. */
    a = ok(&c);
    assert_false(a.flipped);
    assert_string_equal(a.change[2], "none");
    assert_string_equal(a.change[4], "none");
}

static void test_nothing_after_an_error(void **state _unused_)
{
    const struct agent_change wrong[] = {
        ADD("block in udp port 99999"),
        LOAD("policy \"X\" { rule \"r\" blok }"),
        ASSIGN("none"),
        {.kind = AGENT_FILTER_DELETE, .items = (const char *const[]){"d9"}, .n_items = 1},
        {.kind = AGENT_POLICY_DELETE, .policy = "none"},
        SET("filter.exempt", "9"),
        SET("no.such", "1"),
        {.kind = AGENT_SECRET, .key = "", .text = "x"},
    };
    start();
    (void)ok(&BATCH(LOAD("policy \"P\" { rule \"r\" block in udp port 1 }"), ASSIGN("P"),
                    ADD("block in udp port 3")));
    unsigned flips = fake.n_flips;
    struct diag d = {0};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct agent_change c =
            BATCH({.kind = AGENT_UNASSIGN}, {.kind = AGENT_FLUSH}, SET("filter.exempt", "0"),
                  {.kind = AGENT_LIBRARY, .text = "lost"}, wrong[i]);
        struct answer a = request(&c);
        assert_true(a.err < 0 && a.has_op);
        assert_int_equal(a.op, 4);
        assert_int_equal(fake.n_flips, flips);
        assert_true(blocks(1) && blocks(3));
        assert_int_equal(agent->config.filter.exempt, 3);
        struct agent_settings s = {0};
        assert_int_equal(agent_settings(agent, "filter.exempt", &d, &s), 0);
        assert_string_equal(s.v[0].source, "default");
        agent_settings_done(&s);
        _cleanup_free_ char *library = NULL;
        assert_int_equal(agent_library(agent, &d, &library), 0);
        assert_string_equal(library, "");
    }
    /* What the kernel refuses belongs to no OP. */
    fake.candidate_error = ENOMEM;
    struct answer a = request(&BATCH({.kind = AGENT_UNASSIGN}, ADD("block in udp port 5")));
    fake.candidate_error = 0;
    assert_true(a.err < 0 && !a.has_op && blocks(1) && !blocks(5));
}

static void test_later_ops_see_earlier_ones(void **state _unused_)
{
    start();
    struct answer a = ok(
        &BATCH(ADD("block in udp port 1"), ADD("block in udp port 1"),
               ADD("block in udp port 1 for 1h"), ADD("permit in udp from 10.0.0.0/8 to me port 2"),
               {.kind = AGENT_FILTER_DELETE,
                .items = (const char *const[]){"permit in udp from 10.0.0.0/8 to me port 2"},
                .n_items = 1},
               {.kind = AGENT_FILTER_DELETE, .items = (const char *const[]){"d1"}, .n_items = 1},
               ADD("block in udp port 1"), ADD("block in udp port 7"), {.kind = AGENT_FLUSH},
               ADD("block in udp port 8")));
    assert_string_equal(a.change[0], "added");
    assert_string_equal(a.change[1], "none");
    assert_int_equal(a.n_filters[0], 0); /* deleted later */
    assert_int_equal(a.n_filters[4], 1);
    assert_string_equal(a.id[5], "d1");
    assert_int_equal(a.n_filters[8], 2); /* flushed */
    assert_string_equal(a.id[9], "d5");
    assert_true(blocks(8) && !blocks(7) && !blocks(1));
    assert_int_equal(agent->in_force->layers.dynamic.n, 1);
    /* A policy that the same batch loads, renames, and deletes. */
    const struct renamed rules[] = {{"new", "r"}};
    a = ok(&BATCH(LOAD("policy \"P\" { rule \"r\" block in udp port 1 }"), ASSIGN("P"),
                  {.kind = AGENT_POLICY_LOAD,
                   .text = "policy \"P2\" { rule \"new\" block in udp port 1 }",
                   .renamed_from = "P",
                   .renamed_rules = rules,
                   .n_renamed_rules = 1}));
    assert_true(a.assigned[2] && blocks(1));
    assert_string_equal(a.name[2], "P2");
    a = request(&BATCH({.kind = AGENT_POLICY_DELETE, .policy = "P2"}));
    assert_int_equal(a.code, DIAG_CONFLICT);
    a = ok(&BATCH({.kind = AGENT_POLICY_DELETE, .policy = "p2", .unassign = true}));
    assert_true(a.flipped && !blocks(1));
    assert_null(agent->in_force->layers.policy[ASSIGN_LOCAL]);
}

static void test_renamed_keeps_ids(void **state _unused_)
{
    const struct renamed rules[] = {{"new", "old"}};
    start();
    (void)ok(&BATCH(LOAD("policy \"P\" { rule \"old\" block in udp port 1 }"), ASSIGN("P")));
    unsigned flips = fake.n_flips;
    struct guid before = agent->in_force->e.v[0].filter->guid;
    struct answer a = ok(&BATCH({.kind = AGENT_POLICY_LOAD,
                                 .text = "policy \"R\" { rule \"new\" block in udp port 1 }",
                                 .title = "set policy",
                                 .renamed_from = "P",
                                 .renamed_rules = rules,
                                 .n_renamed_rules = 1}));
    assert_true(a.assigned[0]);
    assert_int_equal(guid_cmp(&agent->in_force->e.v[0].filter->guid, &before), 0);
    assert_int_equal(fake.n_flips, flips); /* the same packets, the same counters */
    assert_string_equal(agent->in_force->layers.policy[ASSIGN_LOCAL]->policy->name, "R");
    a = request(&BATCH({.kind = AGENT_POLICY_LOAD,
                        .text = "policy \"A\" { } policy \"B\" { }",
                        .renamed_from = "R"}));
    assert_int_equal(a.code, DIAG_USAGE);
}

static void test_lock(void **state _unused_)
{
    static const struct agent_change changes[] = {
        ADD("block in udp port 1"),
        ADD("block in udp port 1 reason \"r\""),
        LOAD("policy \"P\" { rule \"r\" block in udp port 1 }"),
        ASSIGN("P"),
        {.kind = AGENT_LIBRARY, .text = "x"},
        SET("mpp.rates", "eth0=1"),
        {.kind = AGENT_SECRET, .key = "k", .text = "v"},
        {.kind = AGENT_FLUSH},
    };
    start();
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        uint64_t before = state_number();
        assert_true(before == state_number());
        struct agent_change c = BATCH(changes[i]);
        c.dry_run = true;
        (void)ok(&c);
        assert_true(before == state_number());
        c.dry_run = false;
        c.if_state = before;
        (void)ok(&c);
        assert_true(before != state_number());
        struct answer a = request(&c);
        assert_int_equal(a.code, DIAG_STALE);
        assert_false(a.has_op);
    }
    uint64_t before = state_number();
    agent = agent_free(agent);
    start();
    assert_true(before != state_number()); /* nobody knows what happened meanwhile */
}

static const char *value_of(const char *key, char source[128])
{
    static char value[128];
    struct agent_settings s = {0};
    struct diag d = {0};
    assert_int_equal(agent_settings(agent, key, &d, &s), 0);
    assert_int_equal(s.n, 1);
    snprintf(value, sizeof(value), "%s", s.v[0].value ? s.v[0].value : "(none)");
    snprintf(source, 128, "%s", s.v[0].source);
    agent_settings_done(&s);
    return value;
}

static void write_config(const char *text)
{
    FILE *f = fopen(config, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void reload(void)
{
    struct agent_config c;
    struct diag d = {0};
    assert_int_equal(agent_config_load(&agent->options, &d, &c), 0);
    assert_int_equal(agent_queue_internal(agent, JOB_RELOAD, &c), 0);
    while (agent->queue || agent->current)
        assert_true(sd_event_run(agent_event(agent), 5000000) > 0);
}

static void test_settings(void **state _unused_)
{
    char source[128], place[128];
    write_config("[filter]\nexempt = 1\n");
    snprintf(place, sizeof(place), "%s:2", config);
    start();
    assert_string_equal(value_of("filter.exempt", source), "1");
    assert_string_equal(source, place);
    unsigned flips = fake.n_flips;
    struct answer a = ok(&BATCH(SET("filter.exempt", "0"), SET("filter.dhcp-client", "off")));
    assert_int_equal(fake.n_flips, flips + 1);
    assert_string_equal(a.warning, "exempt-kerberos");
    assert_int_equal(fake.active.settings.exempt, 0);
    assert_true(fake.active.settings.dhcp_client_off);
    assert_string_equal(value_of("filter.exempt", source), "0");
    assert_string_equal(source, "database");
    write_config("[filter]\nexempt = 2\nmasqueraded = pass\n");
    reload();
    assert_int_equal(fake.active.settings.exempt, 0);
    assert_true(fake.active.settings.masqueraded_pass);
    agent = agent_free(agent);
    start();
    assert_int_equal(agent->in_force->layers.settings.exempt, 0);
    a = ok(&BATCH(SET("filter.exempt", NULL)));
    assert_int_equal(fake.active.settings.exempt, 2);
    assert_int_equal(a.n_warnings, 1);
    assert_string_equal(value_of("filter.exempt", source), "2");
    assert_true(fake.active.settings.dhcp_client_off); /* the other one stays */
    /* Kept for others to read: no packet changes. */
    flips = fake.n_flips;
    a = ok(&BATCH(SET("mpp.rates", "eth0=7"), SET("boot.mode", "stateful"),
                  SET("compat.persona", "xp")));
    assert_int_equal(fake.n_flips, flips);
    assert_string_equal(value_of("boot.mode", source), "stateful");
    assert_string_equal(value_of("boot.exempt", source), "(none)");
    static const struct agent_change wrong[] = {
        SET("boot.mode", "open"),      SET("boot.persistent", "1"),
        SET("dialect", "1"),           SET("dialect.", "1"),
        SET("dialect.A", "1"),         SET("dialect..a", "1"),
        SET("mpp.generation", "1"),    SET("mpp.rates", "eth0"),
        SET("mpp.ipv4.exempt", "9-8"), SET("filter.exempt", ""),
        SET("datapath.hook", "tcx"),   SET("filter.wins", "192.0.2.1"),
        SET("dialect.x", "\xff"),      SET(NULL, "1"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        a = request(&BATCH(wrong[i]));
        if (a.err == 0)
            fail_msg("setting %zu is accepted", i);
    }
}

/* A batch of dynamic filters works as long as a single one does: a store that cannot be written is
 * a warning. */
static void test_without_store(void **state _unused_)
{
    start();
    (void)ok(&BATCH(LOAD("policy \"P\" { rule \"r\" block in udp port 1 }"), ASSIGN("P")));
    /* The log of the database is longer, the other files of the agent are shorter. */
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit full = {.rlim_cur = 8192, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    struct answer a = request(&BATCH(ADD("block in udp port 3"), ADD("block in udp port 4")));
    struct answer mixed = request(&BATCH(ADD("block in udp port 5"), {.kind = AGENT_UNASSIGN}));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    if (a.err < 0)
        fail_msg("%s", a.message);
    assert_true(blocks(3) && blocks(4));
    assert_string_equal(a.warning, "not-recorded");
    assert_true(mixed.err < 0 && !blocks(5) && blocks(1));
}

/* The disk breaks between the flip and the commit: the caller is told that it failed, and policies,
 * settings and dynamic filters are as before. */
static struct rlimit limit_before;

static void break_disk(void)
{
    struct rlimit full = {.rlim_cur = 8192, .rlim_max = limit_before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    fake.at_flip = fake.at_host = NULL;
}

static void test_failed_commit(void **state _unused_)
{
    start();
    (void)ok(&BATCH(LOAD("policy \"P\" { rule \"r\" block in udp port 1 }"), ASSIGN("P"),
                    ADD("block in udp port 3"), ADD("block in udp port 4")));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit_before), 0);
    fake.at_flip = break_disk;
    struct answer a = request(&BATCH({.kind = AGENT_UNASSIGN}, {.kind = AGENT_FLUSH},
                                     ADD("block in udp port 5"), SET("filter.exempt", "0")));
    assert_true(a.err < 0 && !fake.at_flip);
    while (agent->queue || agent->current)
        assert_true(sd_event_run(agent_event(agent), 5000000) > 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit_before), 0);
    assert_true(blocks(1) && blocks(3) && blocks(4) && !blocks(5));
    assert_int_equal(fake.active.settings.exempt, 3);
    assert_int_equal(agent->config.filter.exempt, 3);
    a = ok(&BATCH(ADD("block in udp port 6")));
    assert_string_equal(a.id[0], "d4"); /* d3 was given already */
}

/* The line for history comes from a caller: what cannot be kept is his error. */
static void test_title(void **state _unused_)
{
    char longer[1026];
    const char *const titles[] = {"", longer};
    start();
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(titles); i++) {
        struct answer a = request(
            &BATCH({.kind = AGENT_POLICY_LOAD, .text = "policy \"P\" { }", .title = titles[i]}));
        assert_true(a.err < 0 && a.has_op);
        assert_int_equal(a.code, DIAG_LIMIT);
    }
    longer[1024] = '\0';
    (void)ok(&BATCH({.kind = AGENT_POLICY_LOAD, .text = "policy \"P\" { }", .title = longer}));
}

/* The same without a flip: names of rules and ends of blocks are no part of an image. */
static void test_failed_commit_in_place(void **state _unused_)
{
    start();
    (void)ok(&BATCH(LOAD("policy \"P\" { rule \"r\" block in udp port 1 }"), ASSIGN("P"),
                    ADD("block in udp port 3 for 1h")));
    uint64_t end = agent->in_force->layers.dynamic.v[0]->deadline_ns;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit_before), 0);
    fake.at_host = break_disk; /* after the room for the commit was reserved */
    unsigned flips = fake.n_flips;
    struct answer a = request(&BATCH(ADD("block in udp port 3 for 2h"), SET("mpp.profiles", "no")));
    assert_true(a.err < 0 && !fake.at_host && !a.flipped);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit_before), 0);
    while (agent->queue || agent->current)
        assert_true(sd_event_run(agent_event(agent), 5000000) > 0);
    assert_int_equal(fake.n_flips, flips);
    assert_true(agent->in_force->layers.dynamic.v[0]->deadline_ns == end);
}

static void test_try(void **state _unused_)
{
    start();
    struct agent_change c = BATCH(LOAD("policy \"P\" { rule \"r\" block in udp port 1 }"),
                                  ASSIGN("P"), ADD("block in udp port 3"));
    c.dry_run = true;
    unsigned flips = fake.n_flips;
    struct answer a = ok(&c);
    assert_true(a.made && !a.equal);
    assert_string_equal(a.text[2], "block in udp from any to me port 3");
    assert_int_equal(fake.n_flips, flips);
    assert_int_equal(agent->in_force->e.n, 0);
    struct agent_change empty = {.kind = AGENT_BATCH};
    a = ok(&empty);
    assert_int_equal(a.n_ops, 0);
}

int main(void)
{
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return 1;
#define T(name) cmocka_unit_test_setup_teardown(name, agent_setup, agent_teardown)
    const struct CMUnitTest tests[] = {T(test_one_generation),
                                       T(test_nothing_after_an_error),
                                       T(test_later_ops_see_earlier_ones),
                                       T(test_renamed_keeps_ids),
                                       T(test_lock),
                                       T(test_settings),
                                       T(test_without_store),
                                       T(test_failed_commit),
                                       T(test_title),
                                       T(test_failed_commit_in_place),
                                       T(test_try)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
