/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pw-attach: enforces the policies of a file in this network namespace without an agent, for packet
 * tests of the datapath alone.
 *   pw-attach [--pin-root DIR] [--hook auto|tcx|clsact] [--guard] [--detach] FILE
 *   pw-attach [--pin-root DIR] --clear
 * Prints "ready" once the packets obey, and the milliseconds that each step took. Then it stays,
 * follows interfaces and addresses, and on SIGTERM prints the counter of each filter and removes
 * everything; with --detach it ends at once and leaves everything pinned. Filters that name an
 * interface or a profile are refused by compile, as in the agent. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "enforce.h"

enum { RECONCILE_MS = 500 };

/* Until SIGTERM or SIGINT. */
static int stay(struct datapath *dp, int signal_fd)
{
    struct pollfd p[2] = {{.fd = signal_fd, .events = POLLIN},
                          {.fd = datapath_rtnl_fd(dp), .events = POLLIN}};

    for (;;) {
        unsigned changes;
        int n = poll(p, ARRAY_SIZE(p), RECONCILE_MS);
        if (n < 0 || p[0].revents)
            return n < 0 ? -errno : 0;
        if (p[1].revents) {
            int r = datapath_rtnl_process(dp, &changes);
            if (r < 0)
                return r;
        }
        if (n == 0)
            (void)datapath_reconcile(dp);
    }
}

static void print_counters(struct datapath *dp, size_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct counter c;
        if (datapath_counters(dp, i, 1, &c) == 0)
            printf("filter %u packets %llu bytes %llu\n", i + 1, (unsigned long long)c.packets,
                   (unsigned long long)c.bytes);
    }
    for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++) {
        uint64_t passed, dropped[_DROP_REASON_MAX];
        if (datapath_stats(dp, dir, &passed, dropped) < 0)
            continue;
        printf("%s passed %llu\n", dir == DIR_IN ? "in" : "out", (unsigned long long)passed);
        for (enum drop_reason r = DROP_NONE + 1; r < _DROP_REASON_MAX; r++)
            if (dropped[r])
                printf("%s dropped %s %llu\n", dir == DIR_IN ? "in" : "out", drop_reason_name(r),
                       (unsigned long long)dropped[r]);
    }
}

static int run(const struct datapath_options *o, const char *file, bool detach, struct diag *d)
{
    struct enforced e = {0};
    struct enforce_times t = {0};
    struct datapath *dp = NULL;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    int r = signal_fd < 0 ? -errno : 0;
    if (r == 0 && file)
        r = enforced_read(file, &e, &t);
    if (r == 0)
        r = datapath_open(o, d, &dp);
    if (r == 0 && file) {
        r = enforced_install(dp, &e, d, &t);
        if (r == 0) {
            printf("ready hook %s\n", hook_mode_name(datapath_hook(dp)));
            printf("ms parse %.2f compile %.2f attach %.2f install %.2f\n", t.parse, t.compile,
                   t.attach, t.install);
            fflush(stdout);
        }
        if (r == 0 && !detach) {
            r = stay(dp, signal_fd);
            print_counters(dp, e.n);
        }
    }
    struct diag ignored;
    if (dp && detach && r == 0)
        datapath_close(dp);
    else if (dp && datapath_clear(dp, r == 0 ? d : &ignored) < 0)
        r = r ? r : -EIO;
    enforced_done(&e);
    return r;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"pin-root", required_argument, NULL, 'p'}, {"hook", required_argument, NULL, 'k'},
        {"guard", no_argument, NULL, 'g'},          {"detach", no_argument, NULL, 'd'},
        {"clear", no_argument, NULL, 'c'},          {0}};
    struct datapath_options o = {.hook = HOOK_AUTO};
    struct diag d = {0};
    bool detach = false, clear = false, bad = false;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'p')
            o.pin_root = optarg;
        else if (c == 'k')
            o.hook = strcmp(optarg, "tcx") == 0      ? HOOK_TCX
                     : strcmp(optarg, "clsact") == 0 ? HOOK_CLSACT
                                                     : HOOK_AUTO;
        o.guard |= c == 'g';
        detach |= c == 'd';
        clear |= c == 'c';
        bad |= c == '?';
    }
    if (bad || clear != (optind == argc)) {
        fprintf(stderr, "usage: pw-attach [--pin-root DIR] [--hook auto|tcx|clsact] "
                        "[--guard] [--detach] FILE | --clear\n");
        return 2;
    }
    int r = run(&o, clear ? NULL : argv[optind], detach, &d);
    if (r < 0)
        fprintf(stderr, "pw-attach: %s: %s\n", strerror(-r), d.message);
    return r < 0;
}
