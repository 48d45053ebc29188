/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in the agent over a stand-in for the kernel, with the test as portward-fetch: requests that
 * wait, answers that change what is in force, a generation that cannot be installed, restarts with
 * and without the last good addresses. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../src/agent/files.h"
#include "../../src/agent/keywords.h"
#include "agent-help.h"

static int fetcher = -1;
static char heard[4096];
static struct {
    struct address_list list;
    int error;
    unsigned n_reads;
} gateways;

/* For the one that asks the kernel (gateways.c). */
int gateways_read(struct address_list *ret)
{
    gateways.n_reads++;
    if (gateways.error == 0)
        *ret = gateways.list;
    return gateways.error;
}

static void set_gateway(uint64_t address)
{
    gateways.list = (struct address_list){.n = 0};
    address_list_add(&gateways.list, FAMILY_4, (struct ip){0, address});
}

static void turns(int n)
{
    for (int i = 0; i < n; i++)
        assert_true(sd_event_run(agent_event(agent), 2000) >= 0);
}

/* Waits until the agent said this. */
static void hear(const char *text)
{
    for (int i = 0; i < 500 && !strstr(heard, text); i++) {
        turns(1);
        size_t n = strlen(heard);
        ssize_t got = read(fetcher, heard + n, sizeof(heard) - 1 - n);
        if (got > 0)
            heard[n + (size_t)got] = '\0';
    }
    if (!strstr(heard, text))
        fail_msg("'%s' was not said, but '%s'", text, heard);
    heard[0] = '\0';
}

static void say(const char *text)
{
    assert_int_equal(write(fetcher, text, strlen(text)), strlen(text));
}

static void connect_fetcher(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/fetch.sock", run_dir);
    fetcher = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fetcher, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(fcntl(fetcher, F_SETFL, O_NONBLOCK), 0);
    heard[0] = '\0';
    say("portward-fetch 1\n");
    hear("portward-fetch 1\n");
    turns(5);
}

static int setup(void **state)
{
    memset(&gateways, 0, sizeof(gateways));
    return agent_setup(state);
}

static int teardown(void **state)
{
    close_p(&fetcher);
    fetcher = -1;
    return agent_teardown(state);
}

struct answer {
    bool done;
    int err;
    enum diag_code code;
    char message[DIAG_MESSAGE_BYTES], id[16];
    uint32_t n_addresses;
    size_t n_warnings;
};

static void keep(void *ctx, const struct agent_result *r)
{
    struct answer *a = ctx;
    assert_false(a->done); /* exactly once */
    *a = (struct answer){
        .done = true, .err = r->err, .code = r->diag.code, .n_warnings = r->warnings.n};
    snprintf(a->message, sizeof(a->message), "%s", r->diag.message);
    if (r->filters.n > 0) {
        snprintf(a->id, sizeof(a->id), "%s", r->filters.v[0].id);
        a->n_addresses = r->filters.v[0].n_addresses;
    }
}

static void ask(const char *text, struct answer *a)
{
    struct diag d = {0};
    struct agent_change c = {.kind = AGENT_FILTER_ADD, .text = text};
    *a = (struct answer){0};
    assert_int_equal(agent_change(agent, &c, keep, a, &d, NULL), 0);
}

static void await(struct answer *a)
{
    for (int i = 0; i < 5000 && !a->done; i++)
        turns(1);
    assert_true(a->done);
}

static bool blocked(const char *from)
{
    char packet[128];
    snprintf(packet, sizeof(packet), "in tcp from %s to 192.0.2.1 port 1", from);
    return fake_blocks(packet);
}

static void await_blocked(const char *from)
{
    for (int i = 0; i < 1500 && !blocked(from); i++)
        turns(1);
    assert_true(blocked(from));
}

/* --- tests --- */
static void test_waits_for_its_name(void **state _unused_)
{
    struct answer named, other;
    start();
    connect_fetcher();
    unsigned flips = fake.n_flips;
    ask("block in tcp from a.example to me port 1", &named);
    hear("want a.example\n");
    assert_false(named.done);
    ask("block in tcp port 2", &other);
    await(&other); /* meanwhile */
    assert_int_equal(other.err, 0);
    assert_string_equal(other.id, "d1");
    assert_false(named.done);
    say("found a.example 60 10.0.0.1 10.0.0.2\n");
    await(&named);
    assert_int_equal(named.err, 0);
    assert_string_equal(named.id, "d2");
    assert_int_equal(named.n_addresses, 2);
    assert_int_equal(fake.n_flips, flips + 2);
    assert_true(blocked("10.0.0.1") && blocked("10.0.0.2") && !blocked("10.0.0.3"));
    struct answer same;
    ask("block in udp from a.example to me port 1", &same);
    await(&same); /* known: no question */
    assert_int_equal(same.err, 0);
}

static void test_refused(void **state _unused_)
{
    struct answer a;
    start();
    ask("block in from a.example", &a);
    await(&a);
    assert_int_equal(a.code, DIAG_SYSTEM);
    assert_non_null(strstr(a.message, "not connected"));
    connect_fetcher();
    unsigned flips = fake.n_flips;
    ask("block in from a.example", &a);
    hear("want a.example\n");
    say("absent a.example\n");
    await(&a);
    assert_int_equal(a.code, DIAG_ADDRESS);
    ask("block in from a.example", &a);
    hear("want a.example\n"); /* asked anew, the old failure does not count */
    say("found a.example 60 127.0.0.1\n");
    await(&a);
    assert_int_equal(a.code, DIAG_ADDRESS);
    assert_non_null(strstr(a.message, "loopback"));
    ask("block in from b.example", &a);
    hear("want b.example\n");
    close_p(&fetcher);
    await(&a);
    assert_int_equal(a.code, DIAG_SYSTEM);
    assert_int_equal(fake.n_flips, flips);
    assert_int_equal(agent->in_force->e.n, 0);
}

/* All names of all OPs have addresses before anything of a batch is in force. */
static void test_batch_waits_for_all_names(void **state _unused_)
{
    const struct agent_change ops[] = {
        {.kind = AGENT_FILTER_ADD, .text = "block in tcp from a.example to me port 1"},
        {.kind = AGENT_POLICY_LOAD,
         .text = "policy \"P\" { rule \"r\" block in tcp from b.example to me port 1 }"},
        {.kind = AGENT_ASSIGN, .policy = "P"}};
    struct agent_change c = {.kind = AGENT_BATCH, .ops = ops, .n_ops = ARRAY_SIZE(ops)};
    struct answer a = {0}, failed = {0};
    struct diag d = {0};
    start();
    connect_fetcher();
    unsigned flips = fake.n_flips;
    assert_int_equal(agent_change(agent, &c, keep, &a, &d, NULL), 0);
    hear("want a.example\n"); /* the dynamic one is asked for last */
    say("found a.example 60 10.0.0.1\n");
    turns(20);
    assert_false(a.done);
    assert_int_equal(fake.n_flips, flips);
    say("found b.example 60 10.0.0.2 10.0.0.3\n");
    await(&a);
    assert_int_equal(a.err, 0);
    assert_int_equal(fake.n_flips, flips + 1);
    assert_true(blocked("10.0.0.1") && blocked("10.0.0.2") && blocked("10.0.0.3"));
    const struct agent_change more[] = {
        {.kind = AGENT_UNASSIGN},
        {.kind = AGENT_FILTER_ADD, .text = "block in tcp from c.example to me port 1"}};
    c.ops = more;
    c.n_ops = ARRAY_SIZE(more);
    assert_int_equal(agent_change(agent, &c, keep, &failed, &d, NULL), 0);
    hear("want c.example\n");
    say("absent c.example\n");
    await(&failed);
    assert_int_equal(failed.code, DIAG_ADDRESS);
    assert_true(blocked("10.0.0.2"));
}

static void test_times_out(void **state _unused_)
{
    struct answer a;
    start();
    connect_fetcher();
    ask("block in from a.example", &a);
    uint64_t from = agent_now_ns();
    await(&a);
    uint64_t ms = (agent_now_ns() - from) / 1000000;
    assert_int_equal(a.code, DIAG_SYSTEM);
    assert_non_null(strstr(a.message, "no answer"));
    assert_true(ms >= 7900 && ms < 9500);
}

static void add_named(void)
{
    struct answer a;
    connect_fetcher();
    ask("block in tcp from a.example to me port 1", &a);
    hear("want a.example\n");
    say("found a.example 60 10.0.0.1\n");
    await(&a);
    assert_int_equal(a.err, 0);
}

static void test_follows(void **state _unused_)
{
    start();
    add_named();
    unsigned flips = fake.n_flips;
    say("found a.example 60 10.0.0.1\nabsent a.example\nerror a.example timeout\n"
        "found a.example 60 224.0.0.1\nfound z.example 60 10.0.0.9\n");
    turns(20);
    assert_int_equal(fake.n_flips, flips); /* nothing but events */
    assert_true(blocked("10.0.0.1"));
    say("found a.example 60 10.0.0.2\n");
    await_blocked("10.0.0.2");
    assert_false(blocked("10.0.0.1"));
    assert_int_equal(fake.n_flips, flips + 1);
    /* several within a second are one generation */
    say("found a.example 60 10.0.0.3\nfound a.example 60 10.0.0.4\nfound a.example 60 10.0.0.5\n");
    await_blocked("10.0.0.5");
    assert_int_equal(fake.n_flips, flips + 2);
}

static bool in_file(const char *what)
{
    char path[128];
    _cleanup_free_ char *text = NULL;
    size_t len;
    snprintf(path, sizeof(path), "%s/names", state_dir);
    return file_read(path, 4096, &text, &len) == 0 && strstr(text, what);
}

static void test_failed_generation(void **state _unused_)
{
    start();
    add_named();
    fake.candidate_error = ENOMEM;
    say("found a.example 60 10.0.0.2\n");
    turns(100);
    fake.candidate_error = 0;
    assert_true(blocked("10.0.0.1") && !blocked("10.0.0.2"));
    assert_true(in_file("10.0.0.1") && !in_file("10.0.0.2")); /* for a restart right now */
    struct answer a;
    ask("block in tcp port 9", &a);
    await(&a); /* with the addresses that are in force */
    assert_true(blocked("10.0.0.1") && !blocked("10.0.0.2"));
    say("found a.example 60 10.0.0.2\n"); /* the next answer */
    await_blocked("10.0.0.2");
}

static void test_restart(void **state _unused_)
{
    struct diag d = {0};
    char path[128];
    start();
    add_named();
    agent = agent_free(agent);
    close_p(&fetcher);
    start(); /* nobody answers */
    assert_true(blocked("10.0.0.1"));
    struct agent_status s;
    assert_int_equal(agent_status(agent, &d, &s), 0);
    assert_int_equal(s.warnings.n, 1);
    assert_string_equal(s.warnings.v[0].code, "fetch-not-connected");
    agent_status_done(&s);
    agent = agent_free(agent);
    /* Lost or damaged: what is in force stays. */
    snprintf(path, sizeof(path), "%s/names", state_dir);
    assert_int_equal(file_replace(state_dir, "names", "portward-names 1\na.exa", 22), 0);
    assert_true(try_start(false, &d) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
    assert_true(blocked("10.0.0.1"));
    assert_int_equal(unlink(path), 0);
    assert_true(try_start(false, &d) < 0);
    assert_true(blocked("10.0.0.1"));
    assert_int_equal(try_start(true, &d), 0);
    assert_false(blocked("10.0.0.1"));
}

static void test_connection(void **state _unused_)
{
    start();
    add_named();
    static const char *const wrong[] = {"found a.example 0 10.0.0.9\n", "x\n", "\n",
                                        "found a.example 60 10.0.0.9 \n"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char rest[4096];
        ssize_t n;
        say(wrong[i]);
        turns(10);
        while ((n = recv(fetcher, rest, sizeof(rest), 0)) > 0)
            ;
        assert_int_equal(n, 0); /* hung up */
        close_p(&fetcher);
        connect_fetcher();
        assert_false(blocked("10.0.0.9"));
    }
    /* A newer one takes the place and is told the names. */
    int old = fetcher;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/fetch.sock", run_dir);
    fetcher = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fetcher, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(fcntl(fetcher, F_SETFL, O_NONBLOCK), 0);
    say("portward-fetch 1\n");
    hear("want a.example\n");
    say("found a.example 60 10.0.0.7\n");
    await_blocked("10.0.0.7");
    close_p(&old);
}

/* What another request was refused for takes no name away from one that waits. */
static void test_refused_beside_waiting(void **state _unused_)
{
    struct answer waiting, other;
    start();
    connect_fetcher();
    ask("block in tcp from a.example to me port 1", &waiting);
    hear("want a.example\n");
    ask("block tcp from a.example to b.example port 1", &other);
    hear("want b.example\n");
    say("absent b.example\n");
    await(&other);
    assert_int_equal(other.code, DIAG_ADDRESS);
    say("found a.example 60 10.0.0.1\n");
    await(&waiting);
    assert_int_equal(waiting.err, 0);
    assert_true(blocked("10.0.0.1"));
}

static void ignore(void *ctx _unused_, const struct agent_result *r _unused_)
{
}

static void test_waiting_is_bounded(void **state _unused_)
{
    struct diag d = {0};
    struct agent_change c = {.kind = AGENT_FILTER_ADD, .text = "block in from a.example"};
    start();
    connect_fetcher();
    for (unsigned i = 0; i < AGENT_QUEUE_MAX; i++)
        assert_int_equal(agent_change(agent, &c, ignore, NULL, &d, NULL), 0);
    for (int i = 0; i < 2000 && agent->queue; i++)
        turns(1);
    assert_null(agent->queue); /* all wait for the name */
    assert_int_equal(agent_change(agent, &c, ignore, NULL, &d, NULL), -EBUSY);
}

/* An answer while the generation with the one before is on its way, and cannot be enforced. */
static void test_changes_under_way(void **state _unused_)
{
    struct answer a;
    start();
    connect_fetcher();
    ask("block in tcp from a.example to me port 1", &a);
    hear("want a.example\n");
    say("found a.example 60 10.0.0.1\n");
    for (int i = 0; i < 100 && !agent->current; i++)
        turns(1);
    assert_non_null(agent->current);
    say("found a.example 60 10.0.0.2\n");
    await(&a);
    assert_int_equal(a.err, 0);
    assert_true(agent->resolver.version != agent->resolver.built);
    fake.candidate_error = ENOMEM;
    turns(600); /* a second after the generation before */
    fake.candidate_error = 0;
    assert_true(blocked("10.0.0.1") && !blocked("10.0.0.2"));
    ask("block in tcp port 9", &a);
    await(&a);
    assert_true(blocked("10.0.0.1") && !blocked("10.0.0.2"));
}

static void test_dry_run(void **state _unused_)
{
    struct diag d = {0};
    struct answer a = {0};
    struct agent_change c = {.kind = AGENT_FILTER_ADD,
                             .dry_run = true,
                             .text = "block in tcp from a.example to me port 1"};
    start();
    connect_fetcher();
    set_gateway(0x0a000009);
    unsigned flips = fake.n_flips;
    assert_int_equal(agent_change(agent, &c, keep, &a, &d, NULL), 0);
    hear("want a.example\n");
    say("found a.example 60 10.0.0.1\n");
    await(&a);
    assert_int_equal(a.err, 0);
    a = (struct answer){0};
    c.text = "block in tcp from gateway to me port 1";
    assert_int_equal(agent_change(agent, &c, keep, &a, &d, NULL), 0);
    await(&a);
    assert_int_equal(a.err, 0);
    turns(700); /* longer than changes of addresses take */
    assert_int_equal(fake.n_flips, flips);
    assert_false(in_file("10.0.0.1"));
    ask("block in tcp from a.example to me port 1", &a);
    await(&a);
    assert_true(a.err == 0 && blocked("10.0.0.1") && in_file("10.0.0.1"));
}

static void test_gateway(void **state _unused_)
{
    struct answer a;
    struct diag d = {0};
    start();
    set_gateway(0x0a000001);
    ask("block in tcp from gateway to me port 1", &a);
    await(&a);
    assert_true(a.err == 0 && blocked("10.0.0.1"));
    set_gateway(0x0a000002);
    gateways.error = -EINTR; /* routes changed during the dump */
    resolver_routes_changed(agent);
    turns(200);
    gateways.error = 0;
    await_blocked("10.0.0.2"); /* nobody said again that routes changed */
    set_gateway(0x0a000003);
    fake.candidate_error = ENOMEM;
    resolver_routes_changed(agent);
    turns(800);
    fake.candidate_error = 0;
    await_blocked("10.0.0.3");
    agent = agent_free(agent);
    gateways.error = -EMFILE;
    assert_true(try_start(false, &d) < 0); /* what is in force stays */
    assert_true(blocked("10.0.0.3"));
    gateways.error = 0;
    start();
    assert_true(blocked("10.0.0.3"));
}

static void change(const struct agent_change *c)
{
    struct diag d = {0};
    struct answer a = {0};
    assert_int_equal(agent_change(agent, c, keep, &a, &d, NULL), 0);
    await(&a);
    if (a.err < 0)
        fail_msg("%s", a.message);
}

/* Many filters with a keyword are one look at where it comes from. */
static void test_keyword_read_once(void **state _unused_)
{
    char text[16384] = "policy \"P\" { rule \"r\" {\n";
    for (int i = 1; i <= 200; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "block in tcp from gateway to me port %d\n", i);
    strcat(text, "} }\n");
    start();
    set_gateway(0x0a000001);
    change(&(struct agent_change){.kind = AGENT_POLICY_LOAD, .text = text});
    change(&(struct agent_change){.kind = AGENT_ASSIGN, .policy = "P"});
    assert_true(blocked("10.0.0.1"));
    assert_int_equal(gateways.n_reads, 1);
}

/* In force without addresses: a new filter does not wait for it, but says so. */
static void test_unknown_in_force(void **state _unused_)
{
    struct answer a;
    char path[128];
    start();
    add_named();
    change(&(struct agent_change){.kind = AGENT_POLICY_LOAD,
                                  .text = "policy \"P\" { rule \"r\" block in tcp from a.example "
                                          "to me port 3 }"});
    change(&(struct agent_change){.kind = AGENT_ASSIGN, .policy = "P"});
    agent = agent_free(agent);
    close_p(&fetcher);
    fetcher = -1;
    fake_image_done(&fake.active); /* a reboot, and the file is lost */
    fake.adopted = false;
    snprintf(path, sizeof(path), "%s/names", state_dir);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "rm -r %s", run_dir);
    assert_int_equal(system(path), 0);
    start();
    ask("block in tcp from a.example to me port 4", &a);
    await(&a);
    assert_int_equal(a.err, 0);
    assert_int_equal(a.n_warnings, 1);
}

/* A full table at start: what filters use is not what makes room. */
static void test_full_at_start(void **state _unused_)
{
    struct answer a;
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(65536);
    start();
    add_named();
    ask("permit in tcp from b.example to me port 2", &a);
    hear("want b.example\n");
    say("found b.example 60 10.0.0.2\n");
    await(&a);
    assert_int_equal(a.err, 0);
    agent = agent_free(agent);
    close_p(&fetcher);
    fetcher = -1;
    assert_int_equal(strbuf_add(&text, "portward-names 1\na.example 10.0.0.1\n"), 0);
    for (int i = 1; i < LIMIT_NAMES; i++)
        assert_int_equal(strbuf_addf(&text, "c%d.example 10.0.0.3\n", i), 0);
    assert_int_equal(strbuf_add(&text, "end\n"), 0);
    assert_int_equal(file_replace(state_dir, "names", text.s, text.len), 0);
    start();
    assert_true(blocked("10.0.0.1"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(waits_for_its_name),
        T(refused),
        T(batch_waits_for_all_names),
        T(times_out),
        T(follows),
        T(failed_generation),
        T(restart),
        T(connection),
        T(refused_beside_waiting),
        T(waiting_is_bounded),
        T(changes_under_way),
        T(dry_run),
        T(gateway),
        T(keyword_read_once),
        T(unknown_in_force),
        T(full_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
