/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of src/agent/scanwatch.c and scanblock.c over a kernel that finds what it is told to:
 * which events there are, when a scan ends, who is blocked and who never is; and the history of the
 * packet log, which must not grow. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent-help.h"

static char said[65536];

/* What standard error gets while fn runs. */
static void listen_to(void (*fn)(void))
{
    int pipe_fd[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK), 0);
    assert_true(dup2(pipe_fd[1], STDERR_FILENO) >= 0);
    fn();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(pipe_fd[1]);
    ssize_t n = read(pipe_fd[0], said, sizeof(said) - 1);
    close(pipe_fd[0]);
    said[n > 0 ? n : 0] = '\0';
}

static unsigned times(const char *what)
{
    unsigned n = 0;
    for (const char *at = said; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void second(void)
{
    scanwatch_poll(agent, true);
    for (int i = 0; i < 200; i++) /* changes that were asked for */
        (void)sd_event_run(agent->event, 0);
}

static void begin_with(const char *settings)
{
    FILE *f = fopen(config, "w");
    assert_non_null(f);
    fputs(settings, f);
    fclose(f);
    start();
    listen_to(second); /* the first look at the numbers */
}

static struct scan_begin scan_of(uint32_t address)
{
    return (struct scan_begin){.time_ns = agent_now_ns(),
                               .source = address,
                               .family = FAMILY_4,
                               .src = {0, address},
                               .dst = {0, 0x0a000001},
                               .ifindex = 2,
                               .count = 14,
                               .port = 99,
                               .kinds = SCAN_KIND_SYN | SCAN_KIND_UDP,
                               .kind = SCAN_KIND_SYN,
                               .proven = true};
}

static void find(uint32_t address)
{
    fake.scans[0] = scan_of(address);
    fake.n_scans = 1;
    listen_to(second);
}

enum { STRANGER = 0xcb007107, OTHER = 0xcb007108 }; /* 203.0.113.7 */

static void test_events(void **state _unused_)
{
    begin_with("");
    fake.scan_state = (struct scan_state){.source = STRANGER,
                                          .last_ns = agent_now_ns(),
                                          .count = 100,
                                          .port = {7, 8},
                                          .n_ports = 2,
                                          .kinds = SCAN_KIND_CLOSED_UDP};
    find(STRANGER);
    assert_int_equal(times("\"scan-detected\""), 1);
    assert_non_null(strstr(said, "\"SOURCE\":\"203.0.113.7\",\"KIND\":\"syn\",\"PACE\":\"fast\""));
    assert_int_equal(times("scan-blocked"), 0); /* off by default */
    listen_to(second);
    assert_int_equal(times("scan-"), 0);
    agent->scans.v[0].begin_ns -= 70000000000;
    fake.scan_state.last_ns -= 61000000000;
    listen_to(second);
    assert_int_equal(times("\"scan-ended\""), 1);
    assert_non_null(strstr(said, "\"KINDS\":\"syn,udp\",\"PORTS\":\"7,8\",\"COUNT\":\"114\""));
    assert_int_equal(fake.scan_state.source, 0); /* given back */
    assert_int_equal(agent->scans.n, 0);
}

static void test_many(void **state _unused_)
{
    begin_with("");
    for (uint32_t i = 0; i < 30; i++) {
        fake.scans[0] = scan_of(STRANGER + i);
        fake.n_scans = 1;
        scanwatch_poll(agent, false);
    }
    fake.scan_stats.lost = 4;
    listen_to(second);
    assert_int_equal(times("\"scan-more\""), 1);
    assert_non_null(strstr(said, "\"COUNT\":\"20\",\"LOST\":\"4\""));
}

static void test_ignored(void **state _unused_)
{
    begin_with("[scan]\nignore = 203.0.113.8, 2001:db8::/32\nblock = 1h\n"
               "[safety]\nfailsafe = tcp/22 from 198.51.100.0/24\n");
    find(OTHER);
    assert_int_equal(times("scan-"), 0);
    find(0xc6336401);
    assert_int_equal(times("scan-"), 0);
    find(STRANGER);
    assert_int_equal(times("\"scan-detected\""), 1);
}

static void test_blind(void **state _unused_)
{
    begin_with("");
    for (int i = 0; i < 4; i++) {
        fake.scan_stats.pushed_out += 1001;
        listen_to(second);
        assert_int_equal(times("scan-detector-blind"), 0);
    }
    fake.scan_stats.pushed_out += 1001;
    listen_to(second);
    assert_int_equal(times("\"scan-detector-blind\""), 1);
    fake.scan_stats.pushed_out += 100000;
    listen_to(second);
    assert_int_equal(times("scan-detector-blind"), 0); /* once */
    for (int i = 0; i < 60; i++)
        listen_to(second);
    assert_false(agent->scans.blind);
}

static void test_block(void **state _unused_)
{
    begin_with("[scan]\nblock = 10m\n");
    find(STRANGER);
    assert_int_equal(times("\"scan-blocked\""), 1);
    assert_non_null(strstr(said, "\"SECONDS\":\"600\""));
    assert_true(fake_blocks("in tcp from 203.0.113.7 to 192.0.2.1 port 80"));
    assert_false(fake_blocks("in tcp from 203.0.113.8 to 192.0.2.1 port 80"));
    find(STRANGER); /* again: longer */
    assert_non_null(strstr(said, "\"SECONDS\":\"1200\""));
    fake.scans[0] = scan_of(OTHER);
    fake.scans[0].proven = false; /* anybody can say that he is */
    fake.n_scans = 1;
    listen_to(second);
    assert_int_equal(times("\"scan-detected\""), 1);
    assert_int_equal(times("scan-blocked"), 0);
    find((uint32_t)fake.host.local[0].prefix.lo); /* this host itself */
    assert_int_equal(times("scan-blocked"), 0);
}

static void test_block_limit(void **state _unused_)
{
    begin_with("[scan]\nblock = 10m\nblock-proven = no\n");
    unsigned blocked = 0, told = 0;
    for (uint32_t i = 0; i < 70; i++) {
        find(STRANGER + i);
        blocked += times("\"scan-blocked\"");
        told += times("\"scan-block-limit\"");
    }
    assert_int_equal(blocked, 64);
    assert_int_equal(told, 1);
}

static void test_history(void **state _unused_)
{
    static struct log_history h;
    static char name[65536];
    struct log_entry e = {.rule = "short"};
    for (unsigned i = 0; i < 3 * LOG_HISTORY_MAX; i++)
        log_history_add(&h, &e);
    assert_int_equal(h.n, LOG_HISTORY_MAX);
    assert_int_equal(log_history_at(&h, 0)->seq, 2 * LOG_HISTORY_MAX + 1);
    memset(name, 'x', sizeof(name) - 1);
    e.rule = name;
    for (unsigned i = 0; i < 1000; i++)
        log_history_add(&h, &e);
    assert_true(h.n > 10 && h.bytes <= LOG_HISTORY_BYTES);
    assert_int_equal(log_history_at(&h, h.n - 1)->seq, 3 * LOG_HISTORY_MAX + 1000);
    log_history_done(&h);
    assert_int_equal(h.bytes, 0);
}

/* Names that are no plain file are refused, and nothing is written through them. */
static void test_files(void **state _unused_)
{
    static struct log_files f;
    struct log_settings s = {.max_kib = 64};
    char target[128], command[1024];
    struct stat st;
    snprintf(target, sizeof(target), "%s/target", dir);
    snprintf(s.json_file, sizeof(s.json_file), "%s/link", dir);
    snprintf(s.pfirewall_file, sizeof(s.pfirewall_file), "%s/pipe", dir);
    snprintf(command, sizeof(command), "ln -s %s %s && mkfifo %s", target, s.json_file,
             s.pfirewall_file);
    assert_int_equal(system(command), 0);
    struct log_entry e = {.dir = "in"};
    log_files_apply(&f, &s);
    log_files_add(&f, &e);
    log_files_flush(&f);
    assert_true(f.v[0].failed && f.v[1].failed);
    assert_int_equal(stat(target, &st), -1);
    log_files_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events, agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(test_many, agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(test_ignored, agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(test_blind, agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(test_block, agent_setup, agent_teardown),
        cmocka_unit_test_setup_teardown(test_block_limit, agent_setup, agent_teardown),
        cmocka_unit_test(test_history),
        cmocka_unit_test_setup_teardown(test_files, agent_setup, agent_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
