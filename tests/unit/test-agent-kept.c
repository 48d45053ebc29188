/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy that the agent keeps between its load and its assignment: what is assigned is what is
 * stored, whatever was tried, failed, deleted, renamed or changed in between, and the same as after
 * a restart, which reads it from the database. */
#include "agent-help.h"

struct answer {
    bool done;
    int err;
    char message[DIAG_MESSAGE_BYTES];
    uint64_t parse_ns, compile_ns;
};

static void keep(void *ctx, const struct agent_result *r)
{
    struct answer *a = ctx;
    assert_false(a->done);
    *a = (struct answer){.done = true,
                         .err = r->err,
                         .parse_ns = r->phase_ns[AGENT_PHASE_PARSE],
                         .compile_ns = r->phase_ns[AGENT_PHASE_COMPILE]};
    snprintf(a->message, sizeof(a->message), "%s", r->diag.message);
}

#include "agent-ask.h"

static struct agent_change load_of(const char *text)
{
    return (struct agent_change){.kind = AGENT_POLICY_LOAD, .text = text, .replace = true};
}

static struct answer load(const char *text)
{
    struct agent_change c = load_of(text);
    return ok(&c);
}

static struct answer assign(const char *name)
{
    return ok(&(struct agent_change){.kind = AGENT_ASSIGN, .policy = name});
}

static void unassign(void)
{
    ok(&(struct agent_change){.kind = AGENT_UNASSIGN});
}

#define POLICY(name, port) "policy \"" name "\" { rule \"a\" block in tcp port " port " }"

/* Exactly these of the ports 1 to 4 are blocked, now and after a restart. */
static void expect_blocked(const char *ports)
{
    for (unsigned again = 0; again < 2; again++) {
        for (unsigned port = 1; port <= 4; port++) {
            char packet[64];
            snprintf(packet, sizeof(packet), "in tcp from 10.9.9.9 to 192.0.2.1 port %u", port);
            if (fake_blocks(packet) != !!strchr(ports, (int)('0' + port)))
                fail_msg("port %u, expected %s, %s restart", port, ports,
                         again ? "after a" : "before a");
        }
        kill_agent();
        start();
    }
}

static void test_load_and_assign(void **state _unused_)
{
    start();
    struct answer a = load(POLICY("P", "1"));
    assert_true(a.parse_ns > 0 && a.compile_ns == 0);
    a = assign("p");
    assert_true(a.parse_ns == 0 && a.compile_ns > 0);
    expect_blocked("1");
    load(POLICY("P", "2"));
    expect_blocked("2");
    unassign();
    assign("P");
    expect_blocked("2");
}

/* A revision that was rolled back has the number of the one that comes next. */
static void test_what_was_rolled_back(void **state _unused_)
{
    start();
    load(POLICY("P", "1"));
    struct agent_change c = load_of(POLICY("P", "2"));
    c.dry_run = true;
    ok(&c);
    assign("P");
    expect_blocked("1");
    fake.candidate_error = -ENOMEM;
    c = load_of(POLICY("P", "2"));
    assert_true(request(&c).err < 0);
    fake.candidate_error = 0;
    unassign();
    assign("P");
    expect_blocked("1");
    load(POLICY("P", "3"));
    unassign();
    assign("P");
    expect_blocked("3");
}

static void test_batches(void **state _unused_)
{
    start();
    load(POLICY("P", "1"));
    struct agent_change ops[] = {load_of(POLICY("P", "2")),
                                 {.kind = AGENT_ASSIGN, .policy = "P"},
                                 {.kind = AGENT_ASSIGN, .policy = "No such"}};
    struct agent_change batch = {.kind = AGENT_BATCH, .ops = ops, .n_ops = 3};
    assert_true(request(&batch).err < 0);
    assign("P");
    expect_blocked("1");
    batch.n_ops = 2;
    ok(&batch);
    expect_blocked("2");
    struct agent_change two[] = {load_of(POLICY("P", "3")),
                                 load_of(POLICY("Q", "4")),
                                 {.kind = AGENT_ASSIGN, .policy = "P"},
                                 {.kind = AGENT_ASSIGN, .policy = "Q", .persistent = true}};
    batch = (struct agent_change){.kind = AGENT_BATCH, .ops = two, .n_ops = 4};
    ok(&batch);
    expect_blocked("34");
}

/* The same name, another policy. */
static void test_deleted_and_renamed(void **state _unused_)
{
    start();
    load(POLICY("P", "1"));
    ok(&(struct agent_change){.kind = AGENT_POLICY_DELETE, .policy = "P"});
    load(POLICY("Q", "2"));
    assert_true(request(&(struct agent_change){.kind = AGENT_ASSIGN, .policy = "P"}).err < 0);
    struct agent_change op = load_of(POLICY("P", "2"));
    op.renamed_from = "Q";
    ok(&(struct agent_change){.kind = AGENT_BATCH, .ops = &op, .n_ops = 1});
    load(POLICY("Q", "3"));
    assign("P");
    expect_blocked("2");
    assign("Q");
    expect_blocked("3");
    ok(&(struct agent_change){.kind = AGENT_POLICY_ROLLBACK, .policy = "P", .revision = 1});
    assign("P");
    expect_blocked("1");
}

/* Rules change a copy of what is kept. */
static void test_rules(void **state _unused_)
{
    start();
    load(POLICY("P", "1"));
    assign("P");
    struct agent_change add = {
        .kind = AGENT_RULE_ADD, .policy = "P", .rule = "b", .text = "block in tcp port 2"};
    fake.candidate_error = -ENOMEM;
    assert_true(request(&add).err < 0);
    fake.candidate_error = 0;
    expect_blocked("1");
    ok(&add);
    expect_blocked("12");
    ok(&(struct agent_change){.kind = AGENT_RULE_DELETE, .policy = "P", .rule = "a"});
    unassign();
    assign("P");
    expect_blocked("2");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, agent_setup, agent_teardown)
    const struct CMUnitTest tests[] = {
        T(load_and_assign), T(what_was_rolled_back), T(batches), T(deleted_and_renamed), T(rules),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
