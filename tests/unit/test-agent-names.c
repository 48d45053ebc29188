/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in the agent over a stand-in for the kernel, with the test as portward-fetch: requests that
 * wait, answers that change what is in force, a generation that cannot be installed, restarts with
 * and without the last good addresses. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "../../src/agent/files.h"
#include "fake-datapath.h"

static char dir[64], state_dir[80], run_dir[80], config[80];
static struct agent *agent;
static int fetcher = -1;
static char heard[4096];

static int try_start(bool forget, struct diag *d)
{
    struct agent_options o = {.config = config,
                              .state_dir = state_dir,
                              .runtime_dir = run_dir,
                              .vendor_dir = dir,
                              .forget_dynamic = forget};
    int err = agent_new(&o, d, &agent);
    fake.agent = agent;
    if (err == 0)
        err = agent_start(agent, d);
    if (err < 0)
        agent = agent_free(agent);
    return err;
}

static void start(void)
{
    struct diag d = {0};
    if (try_start(false, &d) < 0)
        fail_msg("%s", d.message);
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

static int setup(void **state _unused_)
{
    snprintf(dir, sizeof(dir), "/tmp/pw-names-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
    snprintf(config, sizeof(config), "%s/own.conf", dir);
    fake_reset();
    return 0;
}

static int teardown(void **state _unused_)
{
    char command[128];
    close_p(&fetcher);
    fetcher = -1;
    agent = agent_free(agent);
    fake_image_done(&fake.active);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
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

static void test_failed_generation(void **state _unused_)
{
    start();
    add_named();
    fake.candidate_error = ENOMEM;
    say("found a.example 60 10.0.0.2\n");
    turns(100);
    fake.candidate_error = 0;
    assert_true(blocked("10.0.0.1") && !blocked("10.0.0.2"));
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(waits_for_its_name), T(refused), T(times_out),  T(follows),
        T(failed_generation),  T(restart), T(connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
