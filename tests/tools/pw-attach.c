/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pw-attach: enforces the policies of a file in this network namespace without an agent, for packet
 * tests of the datapath alone.
 *   pw-attach [--pin-root DIR] [--hook auto|tcx|clsact] [--detach] FILE
 *   pw-attach [--pin-root DIR] --clear
 * Prints "ready" once the packets obey. Then it stays, follows interfaces and addresses, and on
 * SIGTERM prints the counter of each filter and removes everything; with --detach it ends at once
 * and leaves everything pinned. Filters that name an interface or a profile are refused by
 * compile, as in the agent. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/limits.h"
#include "compile/compile.h"
#include "datapath/datapath.h"
#include "text/text.h"

enum { WORKER_WAIT_MS = 10000, RECONCILE_MS = 500 };

struct enforced {
    struct policy_list policies;
    struct effective_filter *v;
    size_t n, cap;
    struct filter_settings settings;
};

static int read_policies(const char *path, struct policy_list *ret)
{
    _cleanup_free_ char *text = malloc(LIMIT_POLICY_TEXT_BYTES);
    struct diag_list dl = {0};
    FILE *f = text ? fopen(path, "re") : NULL;

    if (!f) {
        fprintf(stderr, "pw-attach: %s: %s\n", path, strerror(errno));
        return -EIO;
    }
    size_t len = fread(text, 1, LIMIT_POLICY_TEXT_BYTES, f);
    fclose(f);
    int r = text_parse_policies(text, len, &dl, ret);
    for (unsigned i = 0; i < dl.n; i++)
        fprintf(stderr, "%s:%u: %s\n", path, dl.d[i].span[0].line, dl.d[i].message);
    return r;
}

/* Every filter of every active rule, in order; its number is its handle, counter and GUID. */
static int collect(struct enforced *e)
{
    filter_settings_init(&e->settings);
    for (size_t i = 0; i < e->policies.n; i++) {
        struct policy *p = e->policies.v[i];
        for (size_t j = 0; j < p->n_rules; j++) {
            struct rule *rule = &p->rules[j];
            for (size_t k = 0; !rule->inactive && k < rule->n_filters; k++) {
                struct filter *f = &rule->filters[k];
                if (array_reserve(&e->v, &e->cap, e->n + 1, sizeof(*e->v)) < 0)
                    return -ENOMEM;
                f->handle = (uint32_t)e->n + 1;
                for (unsigned b = 0; b < 4; b++)
                    f->guid.b[12 + b] = (uint8_t)(f->handle >> (24 - 8 * b));
                e->v[e->n] = (struct effective_filter){
                    .filter = f, .layer = LAYER_LOCAL, .counter_id = (uint32_t)e->n};
                e->n++;
            }
        }
    }
    return 0;
}

static int wait_for_worker(struct datapath *dp)
{
    struct pollfd p = {.fd = datapath_worker_fd(dp), .events = POLLIN};

    return poll(&p, 1, WORKER_WAIT_MS) == 1 ? datapath_worker_process(dp) : -ETIMEDOUT;
}

static int enforce(struct datapath *dp, const struct enforced *e, struct diag *d)
{
    struct effective eff = {
        .v = e->v, .n = e->n, .settings = &e->settings, .host = datapath_host(dp)};
    struct compile_options o = {.generation = datapath_generation(dp) + 1,
                                .tag_secret = datapath_tag_secret(dp)};
    _cleanup_(image_done) struct image img = {0};
    unsigned n_ifaces;

    if (getrandom(&o.seed, sizeof(o.seed), 0) != sizeof(o.seed))
        return -errno;
    int r = compile_image(&eff, &o, d, &img, NULL);
    if (r == 0)
        r = datapath_attach_all(dp, d, &n_ifaces);
    if (r == 0)
        r = datapath_candidate(dp, &img, (uint32_t)e->n, d);
    if (r == 0)
        r = wait_for_worker(dp);
    if (r == 0)
        r = datapath_flip(dp, d);
    return r == 0 ? wait_for_worker(dp) : r;
}

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
    struct datapath *dp = NULL;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    int r = signal_fd < 0 ? -errno : 0;
    if (r == 0 && file)
        r = read_policies(file, &e.policies);
    if (r == 0)
        r = collect(&e);
    if (r == 0)
        r = datapath_open(o, d, &dp);
    if (r == 0 && file) {
        r = enforce(dp, &e, d);
        if (r == 0) {
            printf("ready hook %s\n", hook_mode_name(datapath_hook(dp)));
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
    free(e.v);
    policy_list_done(&e.policies);
    return r;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"pin-root", required_argument, NULL, 'p'},
                                            {"hook", required_argument, NULL, 'k'},
                                            {"detach", no_argument, NULL, 'd'},
                                            {"clear", no_argument, NULL, 'c'},
                                            {0}};
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
        detach |= c == 'd';
        clear |= c == 'c';
        bad |= c == '?';
    }
    if (bad || clear != (optind == argc)) {
        fprintf(stderr, "usage: pw-attach [--pin-root DIR] [--hook auto|tcx|clsact] "
                        "[--detach] FILE | --clear\n");
        return 2;
    }
    int r = run(&o, clear ? NULL : argv[optind], detach, &d);
    if (r < 0)
        fprintf(stderr, "pw-attach: %s: %s\n", strerror(-r), d.message);
    return r < 0;
}
