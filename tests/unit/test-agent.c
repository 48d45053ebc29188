/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's state machine over a stand-in for the kernel: changes and their answers, failures
 * at every step, restart after a kill and after an orderly stop, damaged files. */
#include <signal.h>
#include <sys/stat.h>

#include "../../src/agent/files.h"
#include "agent-help.h"

/* --- helpers --- */
struct answer {
    bool done;
    int err;
    enum diag_code code;
    char message[DIAG_MESSAGE_BYTES], change[16], id[16], text[256], before[256];
    size_t n_filters, n_exceptions, n_warnings, n_errors;
    uint64_t generation;
    bool flipped;
    struct agent_policy_change policy;
};

static void keep(void *ctx, const struct agent_result *r)
{
    struct answer *a = ctx;
    assert_false(a->done); /* exactly once */
    *a = (struct answer){.done = true,
                         .err = r->err,
                         .code = r->diag.code,
                         .n_filters = r->filters.n,
                         .n_exceptions = r->exceptions.n,
                         .n_warnings = r->warnings.n,
                         .n_errors = r->errors.n_errors,
                         .generation = r->generation,
                         .flipped = r->flipped};
    snprintf(a->message, sizeof(a->message), "%s", r->diag.message);
    snprintf(a->change, sizeof(a->change), "%s", r->change ? r->change : "");
    snprintf(a->before, sizeof(a->before), "%s", r->before);
    if (r->filters.n > 0) {
        snprintf(a->id, sizeof(a->id), "%s", r->filters.v[0].id);
        snprintf(a->text, sizeof(a->text), "%s", r->filters.v[0].text);
    }
    if (r->n_policies > 0)
        a->policy = r->policies[0];
}

#include "agent-ask.h"

static struct answer block(const char *text)
{
    return ok(&(struct agent_change){.kind = AGENT_FILTER_ADD, .text = text});
}

static struct answer delete (const char *item)
{
    return request(
        &(struct agent_change){.kind = AGENT_FILTER_DELETE, .items = &item, .n_items = 1});
}

static struct answer load(const char *text, bool replace)
{
    return request(
        &(struct agent_change){.kind = AGENT_POLICY_LOAD, .text = text, .replace = replace});
}

static struct answer assign(const char *name)
{
    return request(&(struct agent_change){.kind = AGENT_ASSIGN, .policy = name});
}

static struct answer rule(const char *name, const char *text, bool replace)
{
    return request(&(struct agent_change){.kind = AGENT_RULE_ADD,
                                          .policy = "P",
                                          .rule = name,
                                          .text = text,
                                          .create = true,
                                          .replace = replace});
}

static void stop(void)
{
    struct diag d = {0};
    assert_int_equal(raise(SIGTERM), 0);
    int err = agent_run(agent, &d);
    if (err < 0)
        fail_msg("%s", d.message);
    agent = agent_free(agent);
}

static void write_in(const char *where, const char *name, const char *text)
{
    assert_int_equal(file_replace(where, name, text, strlen(text)), 0);
}

/* --- tests --- */
static void test_dynamic(void **state _unused_)
{
    start();
    assert_int_equal(fake.n_flips, 1);
    struct answer a = block("block in udp port 1434 reason \"Slammer\"");
    assert_string_equal(a.change, "added");
    assert_string_equal(a.id, "d1");
    assert_string_equal(a.text, "block in udp from any to me port 1434");
    assert_true(a.flipped);
    assert_true(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 1434"));
    assert_false(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 1435"));
    a = block("block in udp port 1434");
    assert_string_equal(a.change, "none");
    assert_string_equal(a.id, "d1");
    assert_false(a.flipped);
    assert_string_equal(block("block in udp port 9 for 1h").id, "d2");
    a = block("block in udp port 9 for 2h");
    assert_string_equal(a.change, "extended");
    assert_false(a.flipped); /* a deadline of a block is the agent's */
    assert_string_equal(block("block in udp port 9 for 1h").change, "none");
    assert_string_equal(block("permit in udp port 7 for 1h").change, "added");
    a = block("permit in udp port 7 for 2h");
    assert_string_equal(a.change, "extended");
    assert_true(a.flipped); /* a deadline of a permit is in the image */
    list_is("d1 d2 d3");
}

static void test_delete(void **state _unused_)
{
    start();
    block("block in udp port 1");
    block("block in udp port 2");
    struct answer a = delete ("d9");
    assert_int_equal(a.code, DIAG_UNKNOWN_OBJECT);
    const char *items[] = {"d1", "d9"};
    a = request(&(struct agent_change){.kind = AGENT_FILTER_DELETE, .items = items, .n_items = 2});
    assert_int_equal(a.code, DIAG_UNKNOWN_OBJECT);
    list_is("d1 d2"); /* all or nothing */
    a = delete ("block in udp from any to me port 1");
    assert_int_equal(a.err, 0);
    assert_string_equal(a.id, "d1");
    assert_int_equal(delete ("nonsense").n_errors, 1);
    assert_int_equal(load("policy \"P\" { rule \"r\" block in tcp port 3 }", false).err, 0);
    assert_int_equal(assign("p").err, 0);
    list_is("d2 s1");
    a = delete ("s1");
    assert_int_equal(a.code, DIAG_USAGE);
    assert_non_null(strstr(a.message, "'P'"));
    assert_int_equal(delete ("block in tcp port 3").code, DIAG_USAGE);
    a = ok(&(struct agent_change){.kind = AGENT_FLUSH});
    assert_int_equal(a.n_filters, 1);
    list_is("s1");
    assert_string_equal(ok(&(struct agent_change){.kind = AGENT_FLUSH}).change, "none");
    assert_string_equal(block("block in udp port 1").id, "d3"); /* ids are never reused */
}

static void test_policies(void **state _unused_)
{
    start();
    struct answer a = load("# c\npolicy \"P\" { rule \"a\" block in tcp port 1\n"
                           "rule \"b\" block in tcp port 2 }",
                           false);
    assert_int_equal(a.err, 0);
    assert_string_equal(a.policy.name, "P");
    assert_string_equal(a.policy.change, "added");
    assert_int_equal(a.policy.n_rules, 2);
    assert_false(a.flipped);
    list_is("");
    a = assign("P");
    assert_int_equal(a.err, 0);
    assert_true(a.flipped);
    list_is("s1 s2");
    assert_false(assign("P").flipped);
    /* The same text again changes nothing; another one keeps ids of equal filters. */
    a = load("policy \"P\" { rule \"a\" block in tcp port 1\nrule \"b\" block in tcp port 2 }",
             true);
    assert_string_equal(a.policy.change, "none");
    assert_false(a.flipped);
    a = load("policy \"P\" { rule \"b\" block in tcp port 2\nrule \"c\" block in tcp port 3 }",
             true);
    assert_string_equal(a.policy.change, "replaced");
    assert_true(a.policy.assigned);
    list_is("s2 s3");
    assert_int_equal(load("policy \"P\" { rule \"c\" block in tcp }", false).code, DIAG_CONFLICT);
    assert_int_equal(
        request(&(struct agent_change){.kind = AGENT_POLICY_DELETE, .policy = "P"}).code,
        DIAG_CONFLICT);
    a = ok(&(struct agent_change){.kind = AGENT_UNASSIGN});
    assert_true(a.flipped);
    list_is("");
    assert_false(fake_blocks("in tcp from 10.1.1.5 to 192.0.2.1 port 2"));
    assert_string_equal(ok(&(struct agent_change){.kind = AGENT_UNASSIGN}).change, "none");
    assert_int_equal(
        request(&(struct agent_change){.kind = AGENT_POLICY_DELETE, .policy = "P"}).err, 0);
    assert_int_equal(assign("P").code, DIAG_UNKNOWN_OBJECT);
}

static void test_persistent_slot(void **state _unused_)
{
    start();
    load("policy \"A\" { rule \"a\" block in tcp port 1 }", false);
    load("policy \"B\" { rule \"b\" block in tcp port 2 }", false);
    assert_int_equal(assign("A").err, 0);
    ok(&(struct agent_change){.kind = AGENT_ASSIGN, .policy = "B", .persistent = true});
    list_is("p2 s1");
    ok(&(struct agent_change){.kind = AGENT_UNASSIGN});
    list_is("p2");
    kill_agent();
    start();
    list_is("p2");
}

static void test_rules(void **state _unused_)
{
    start();
    struct answer a = rule("r", "block in tcp port 1", false);
    assert_int_equal(a.err, 0);
    assert_string_equal(a.change, "added");
    assert_string_equal(a.id, "s1");
    assert_int_equal(assign("P").err, 0);
    assert_string_equal(rule("r", "block in tcp from any to me port 1", false).change, "none");
    assert_int_equal(rule("r", "block in tcp port 2", false).code, DIAG_CONFLICT);
    a = rule("r", "block in tcp port 2", true);
    assert_string_equal(a.change, "replaced");
    assert_true(a.flipped);
    list_is(a.id);
    a = request(&(struct agent_change){.kind = AGENT_RULE_DELETE, .policy = "P", .rule = "no"});
    assert_int_equal(a.code, DIAG_UNKNOWN_OBJECT);
    a = ok(&(struct agent_change){.kind = AGENT_RULE_DELETE, .policy = "P", .rule = "R"});
    assert_string_equal(a.id, "s2");
    list_is("");
}

/* Whatever fails before the flip: the old generation is in force, store and files say so. */
static void nothing_changed(const char *what)
{
    struct diag d = {0};
    print_message("%s\n", what);
    list_is("d1");
    assert_int_equal(assign("P").code, fake.lie ? DIAG_SELF_TEST : DIAG_SYSTEM);
    struct answer a =
        request(&(struct agent_change){.kind = AGENT_FILTER_ADD, .text = "block in tcp port 5"});
    assert_true(a.err < 0);
    assert_false(a.flipped);
    list_is("d1");
    char name[256];
    assert_int_equal(store_assigned(agent->store, ASSIGN_LOCAL, &d, name), 0);
    assert_string_equal(name, "");
    struct dynamic l = {0};
    assert_int_equal(snapshot_read(run_dir, &agent->origin, true, &d, &l), 0);
    assert_int_equal(l.n, 1);
    dynamic_done(&l);
    fake.lie = false;
    fake.candidate_error = fake.flip_error = fake.worker_error = 0;
}

static void test_failures(void **state _unused_)
{
    start();
    block("block in udp port 1");
    load("policy \"P\" { rule \"a\" block in tcp port 1 }", false);
    fake.lie = true;
    nothing_changed("self-test");
    fake.candidate_error = ENOMEM;
    nothing_changed("candidate");
    fake.flip_error = EBUSY;
    nothing_changed("flip");
    fake.worker_error = ENOSPC;
    nothing_changed("worker");
    assert_int_equal(assign("P").err, 0); /* and then it works */
    list_is("d1 s1");
    assert_string_equal(block("block in tcp port 5").id, "d2");
}

/* Something goes wrong after the kernel has the new generation: it is in force, and the agent
 * must not claim anything else. */
static void test_failure_after_the_flip(void **state _unused_)
{
    start();
    block("block in udp port 1");
    fake.late_error = EIO;
    assert_int_equal(block("block in udp port 2").err, 0);
    list_is("d1 d2");
    assert_int_equal(delete ("d1").err, 0);
    list_is("d2");
    assert_false(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 1"));
    fake.late_error = 0;
    kill_agent();
    start();
    list_is("d2");
    assert_true(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 2"));
}

static void start_refused(const char *message, enum diag_code code);

/* Killed between candidate and flip: the number of what stands in the slot is not used again. */
static void test_left_candidate(void **state _unused_)
{
    start();
    uint64_t before = block("block in udp port 1").generation;
    kill_agent();
    fake.left_candidate = before + 5;
    start();
    assert_true(agent_generation(agent) == before); /* adopted all the same */
    assert_true(block("block in udp port 2").generation > before + 5);
}

/* A directory of an agent that ran before the last one: its file does not name what is in force. */
static void test_stale_snapshot(void **state _unused_)
{
    char *text, path[128];
    size_t len;
    struct diag d = {0};
    start();
    block("block in udp port 2");
    snprintf(path, sizeof(path), "%s/%s", run_dir, SNAPSHOT_NAME);
    assert_int_equal(file_read(path, 1 << 20, &text, &len), 0);
    block("block in udp port 1");
    kill_agent();
    write_in(run_dir, SNAPSHOT_NAME, text);
    free(text);
    start_refused("older", DIAG_CORRUPT);
    assert_int_equal(try_start(true, &d), 0);
    list_is("");
}

static void test_kill_and_start(void **state _unused_)
{
    start();
    load("policy \"P\" { rule \"a\" block in tcp port 1 }", false);
    assign("P");
    block("block in udp port 1 for 1h");
    block("permit in udp port 2");
    delete ("d2");
    block("permit in udp port 2");
    fake.counters[agent->in_force->e.v[agent->in_force->dynamic_first].counter_id] =
        (struct counter){38, 2280};
    list_is("d1 s1 d3");
    unsigned flips = fake.n_flips;
    uint64_t generation = agent_generation(agent);
    kill_agent();
    start();
    list_is("d1 s1 d3");
    assert_int_equal(fake.n_flips, flips); /* adopted */
    assert_true(agent_generation(agent) == generation);
    struct agent_filters l = {0};
    struct diag d = {0};
    assert_int_equal(agent_list(agent, &(struct agent_list_query){.layer = -1}, &d, &l), 0);
    assert_int_equal(l.v[0].packets, 38);
    assert_true(l.v[0].expires_in_s > 3500 && l.v[0].expires_in_s <= 3600);
    agent_filters_done(&l);
    assert_string_equal(block("block in udp port 4").id, "d4");
    struct agent_status s;
    assert_int_equal(agent_status(agent, &d, &s), 0);
    assert_int_equal(s.image_entries > 0 && s.armed && s.n_dynamic == 3, 1);
    assert_string_equal(s.policy_local, "P");
    agent_status_done(&s);
}

/* The image before may still count for a deleted filter: its id waits until the flip settled. */
static void test_counter_of_deleted(void **state _unused_)
{
    start();
    block("block in udp port 1 for 1h");
    block("block in udp port 2");
    struct counter *c = &fake.counters[agent->in_force->e.v[1].counter_id];
    fake.slow_worker = true;
    delete ("d2");
    fake.slow_worker = false;
    c->packets = 3;
    assert_string_equal(block("block in udp port 1 for 2h").change, "extended");
    assert_int_equal(c->packets, 3);
    fake_worker_ends(fake.dp);
    assert_true(block("block in udp port 3").flipped);
}

static void test_lost_counters(void **state _unused_)
{
    char path[128];
    start();
    block("block in udp port 1");
    fake.counters[agent->in_force->e.v[0].counter_id].packets = 5;
    fake.counters[77].packets = 6;
    kill_agent();
    snprintf(path, sizeof(path), "%s/%s", run_dir, RUNSTATE_NAME);
    assert_int_equal(unlink(path), 0);
    start(); /* installs anew, as it cannot know; then nothing counts from elsewhere */
    list_is("d1");
    while (agent->install.state != INSTALL_IDLE)
        assert_true(sd_event_run(agent_event(agent), 5000000) > 0);
    assert_int_equal(fake.counters[77].packets, 0);
    assert_int_equal(fake.counters[agent->in_force->e.v[0].counter_id].packets, 0);
}

static void test_stop_and_start(void **state _unused_)
{
    start();
    load("policy \"P\" { rule \"a\" block in tcp port 1 }", false);
    assign("P");
    block("block in udp port 1");
    block("permit in tcp from 10.1.1.0/24 to me port 1");
    assert_false(fake_blocks("in tcp from 10.1.1.5 to 192.0.2.1 port 1"));
    stop();
    assert_true(fake_blocks("in tcp from 10.1.1.5 to 192.0.2.1 port 1"));
    assert_true(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 1"));
    unsigned flips = fake.n_flips;
    start();
    assert_int_equal(fake.n_flips, flips);
    list_is("d1 s1");
    assert_string_equal(block("block in udp port 3").id, "d3");
}

static void test_lost_on_stop(void **state _unused_)
{
    write_in(dir, "own.conf", "[dynamic]\nlost-on-stop = yes\n");
    start();
    block("block in udp port 1");
    stop();
    assert_false(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 1"));
    start();
    list_is("");
}

static void test_expiry(void **state _unused_)
{
    start();
    block("block in udp port 1 for 1s");
    block("block in udp port 2 for 1s");
    block("block in udp port 3");
    for (int i = 0; i < 40 && agent->in_force->e.n > 1; i++)
        assert_true(sd_event_run(agent_event(agent), 100000) >= 0);
    list_is("d3");
    assert_false(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 1"));
    /* While nobody runs: gone before the agent is ready. */
    block("block in udp port 4 for 1s");
    kill_agent();
    usleep(1050000);
    assert_true(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 4"));
    start();
    assert_false(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 4"));
    list_is("d3");
}

/* An expiry that fails is tried again, but not in a circle. */
static void test_expiry_fails(void **state _unused_)
{
    start();
    block("block in udp port 1 for 1s");
    fake.candidate_error = ENOMEM;
    unsigned rounds = 0;
    for (uint64_t end = agent_now_ns() + 1500000000; agent_now_ns() < end; rounds++)
        assert_true(sd_event_run(agent_event(agent), 100000) >= 0);
    assert_true(rounds < 200);
    list_is("d1");
    fake.candidate_error = 0;
    for (int i = 0; i < 30 && agent->in_force->e.n > 0; i++)
        assert_true(sd_event_run(agent_event(agent), 100000) >= 0);
    list_is("");
}

static void start_refused(const char *message, enum diag_code code)
{
    struct diag d = {0};
    unsigned flips = fake.n_flips;
    assert_true(try_start(false, &d) < 0);
    assert_int_equal(d.code, code);
    if (!strstr(d.message, message))
        fail_msg("'%s' does not say '%s'", d.message, message);
    assert_int_equal(fake.n_flips, flips);
    assert_true(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 1"));
}

static void test_start_refused(void **state _unused_)
{
    char path[128];
    struct diag d = {0};
    start();
    block("block in udp port 1");
    struct agent *first = agent;
    agent = NULL;
    start_refused("another agent", DIAG_SYSTEM);
    agent = first;
    kill_agent();
    write_in(run_dir, SNAPSHOT_NAME, "{\"format\": 1");
    start_refused("damaged", DIAG_CORRUPT);
    assert_int_equal(chmod(run_dir, 01777), 0);
    start_refused("runtime directory", DIAG_SYSTEM);
    assert_int_equal(chmod(run_dir, 0755), 0);
    assert_int_equal(chmod(state_dir, 0777), 0);
    start_refused("state directory", DIAG_SYSTEM);
    assert_int_equal(chmod(state_dir, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s", run_dir, SNAPSHOT_NAME);
    assert_int_equal(unlink(path), 0);
    start_refused("missing", DIAG_CORRUPT);
    write_in(dir, "own.conf", "[filter]\nexempt = 5\n");
    start_refused("own.conf:2", DIAG_SYNTAX);
    assert_int_equal(unlink(config), 0);
    fake.refuse_open = true;
    start_refused("another agent", DIAG_SYSTEM);
    fake.refuse_open = false;
    char aside[128];
    snprintf(path, sizeof(path), "%s/portward.db", state_dir);
    snprintf(aside, sizeof(aside), "%s/aside", dir);
    assert_int_equal(rename(path, aside), 0);
    write_in(state_dir, "portward.db", "this is not a database, it is a text of some length......");
    start_refused("portward.db", DIAG_CORRUPT);
    assert_int_equal(rename(aside, path), 0);
    /* The verb that opens. */
    assert_int_equal(try_start(true, &d), 0);
    list_is("");
    assert_false(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 1"));
}

static void test_reboot(void **state _unused_)
{
    start();
    load("policy \"P\" { rule \"a\" block in tcp port 1 }", false);
    assign("P");
    block("block in udp port 1");
    kill_agent();
    fake_reset();
    char *text;
    size_t len;
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", run_dir, SNAPSHOT_NAME);
    assert_int_equal(file_read(path, 1 << 20, &text, &len), 0);
    char *at = strstr(text, "\"boot_id\": \"");
    assert_non_null(at);
    at[12] = at[12] == 'f' ? 'e' : 'f';
    write_in(run_dir, SNAPSHOT_NAME, text);
    free(text);
    start();
    list_is("s1");
    assert_true(fake_blocks("in tcp from 10.1.1.5 to 192.0.2.1 port 1"));
}

static void test_reload_and_host(void **state _unused_)
{
    start();
    unsigned flips = fake.n_flips;
    write_in(dir, "own.conf", "[safety]\nfailsafe = tcp/22 from any\n");
    block("block in");
    assert_true(fake_blocks("in tcp from 10.1.1.5 to 192.0.2.1 port 22"));
    raise(SIGHUP);
    for (int i = 0; i < 50 && agent->in_force->layers.settings.n_failsafe == 0; i++)
        assert_true(sd_event_run(agent_event(agent), 100000) >= 0);
    assert_false(fake_blocks("in tcp from 10.1.1.5 to 192.0.2.1 port 22"));
    assert_int_equal(fake.n_flips, flips + 2);
    /* An error keeps what was. */
    write_in(dir, "own.conf", "[safety]\nfailsafe = 22\n");
    raise(SIGHUP);
    for (int i = 0; i < 5; i++)
        assert_true(sd_event_run(agent_event(agent), 20000) >= 0);
    assert_int_equal(agent->in_force->layers.settings.n_failsafe, 1);
    /* A leased address needs new derived entries, anything else does not. */
    uint64_t one = 1;
    assert_int_equal(write(fake.dp->rtnl_fd, &one, sizeof(one)), sizeof(one));
    for (int i = 0; i < 5; i++)
        assert_true(sd_event_run(agent_event(agent), 20000) >= 0);
    assert_int_equal(fake.n_flips, flips + 2);
    fake.iface.dhcp4 = true;
    assert_int_equal(write(fake.dp->rtnl_fd, &one, sizeof(one)), sizeof(one));
    for (int i = 0; i < 50 && fake.n_flips == flips + 2; i++)
        assert_true(sd_event_run(agent_event(agent), 20000) >= 0);
    assert_int_equal(fake.n_flips, flips + 3);
}

static void test_notes(void **state _unused_)
{
    start();
    load("policy \"P\" { rule \"lan\" permit in tcp from 10.1.1.0/24 to me port 445,135\n"
         "rule \"udp\" permit in udp from 10.1.1.0/24 to me port 445\n"
         "rule \"far\" permit tcp from 10.1.1.0/24 to 198.51.100.1 port 445\n"
         "rule \"any\" permit in tcp port 445 }",
         false);
    assert_int_equal(assign("P").n_warnings, 0);
    struct answer a = block("block in tcp port 445");
    assert_int_equal(a.n_exceptions, 1);
    assert_int_equal(a.n_warnings, 1); /* conflict with "any" */
    a = block("block in tcp port 445 override");
    assert_int_equal(a.n_exceptions, 0);
    a = block("block out tcp port 25");
    assert_int_equal(a.n_warnings, 1); /* forwarded traffic */
    a = load("policy \"Q\" { rule \"1\" block in tcp port 7\nrule \"2\" permit in tcp port 8,9\n"
             "rule \"3\" permit in tcp port 7\nrule \"4\" block in tcp port 8 }",
             false);
    assert_int_equal(assign("Q").n_warnings, 1);
}

static void test_explain(void **state _unused_)
{
    struct agent_explanation x;
    struct diag d = {0};
    start();
    load("policy \"P\" { rule \"b\" block in tcp port 135\n"
         "rule \"lan\" permit in tcp from 10.1.1.0/24 to me port 135 }",
         false);
    assign("P");
    const char *packet = "in tcp from 10.1.1.7 port 40000 to 192.0.2.1 port 135 on eth0";
    assert_int_equal(agent_explain(agent, packet, true, &d, &x), 0);
    assert_false(x.block);
    assert_int_equal(x.n, 2);
    assert_string_equal(x.v[0].filter.rule, "lan");
    assert_string_equal(x.lost_in, "addresses");
    assert_true(x.kernel.asked && x.kernel.agrees);
    assert_string_equal(x.kernel.id, x.v[0].filter.id);
    assert_string_equal(x.path.interface, "eth0");
    assert_true(x.path.attached);
    agent_explanation_done(&x);
    fake.lie = true;
    packet = "in tcp from 10.9.9.9 to 192.0.2.1 port 135 on eth0";
    assert_int_equal(agent_explain(agent, packet, true, &d, &x), 0);
    assert_true(x.block && x.kernel.asked && !x.kernel.agrees);
    agent_explanation_done(&x);
    assert_true(agent_explain(agent, "in tcp from 10.9.9.9 to me on eth7", false, &d, &x) < 0);
    assert_true(agent_explain(agent, "tcp", false, &d, &x) < 0);
    struct agent_filters l = {0};
    assert_int_equal(
        agent_list(agent, &(struct agent_list_query){.layer = -1, .all = true}, &d, &l), 0);
    assert_true(l.n > 2 && l.v[0].derived);
    agent_filters_done(&l);
    assert_true(agent_list(agent, &(struct agent_list_query){-1, "no", false}, &d, &l) < 0);
}

static void never(void *ctx _unused_, const struct agent_result *r _unused_)
{
    fail_msg("a forgotten change was answered");
}

static void test_queue(void **state _unused_)
{
    struct answer a[3] = {{0}};
    struct diag d = {0};
    uint64_t id;
    struct agent_change c = {.kind = AGENT_FILTER_ADD, .text = "block in udp port 1"};
    start();
    assert_int_equal(agent_change(agent, &c, keep, &a[0], &d, NULL), 0);
    c.text = "block in udp port 2";
    assert_int_equal(agent_change(agent, &c, never, NULL, &d, &id), 0);
    agent_forget(agent, id);
    c.text = "block in udp port 3";
    assert_int_equal(agent_change(agent, &c, keep, &a[1], &d, NULL), 0);
    while (!a[1].done)
        assert_true(sd_event_run(agent_event(agent), 5000000) > 0);
    assert_true(a[0].done);
    list_is("d1 d2 d3");
    assert_true(a[0].generation + 2 == a[1].generation);
    for (int i = 0; i < AGENT_QUEUE_MAX; i++)
        assert_int_equal(agent_change(agent, &c, i ? NULL : keep, &a[2], &d, NULL), 0);
    assert_int_equal(agent_change(agent, &c, never, NULL, &d, NULL), -EBUSY);
    assert_int_equal(d.code, DIAG_AGENT);
    kill_agent();
    assert_true(a[2].done && a[2].code == DIAG_AGENT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, agent_setup, agent_teardown)
    const struct CMUnitTest tests[] = {
        T(dynamic),
        T(delete),
        T(policies),
        T(persistent_slot),
        T(rules),
        T(failures),
        T(failure_after_the_flip),
        T(left_candidate),
        T(stale_snapshot),
        T(kill_and_start),
        T(lost_counters),
        T(counter_of_deleted),
        T(stop_and_start),
        T(lost_on_stop),
        T(expiry),
        T(expiry_fails),
        T(start_refused),
        T(reboot),
        T(reload_and_host),
        T(notes),
        T(explain),
        T(queue),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
