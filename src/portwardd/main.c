/* SPDX-License-Identifier: GPL-2.0-or-later */
/* portwardd/main.c: the daemon: options, then agent and API server in one event loop.
 * Started by systemd or by hand. Invariant: the API answers only while the desired state is in
 * force, between agent_start() and the end of agent_run(). Exit codes: portwardd(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/events.h"
#include "api/server.h"
#include "base/strbuf.h"

enum { EXIT_ERROR = 1, EXIT_USAGE = 2, EXIT_REJECTED = 7 };

enum {
    OPTION_CONFIG = 256,
    OPTION_STATE_DIR,
    OPTION_RUNTIME_DIR,
    OPTION_CHECK_CONFIG,
    OPTION_FORGET_DYNAMIC,
    OPTION_FOREGROUND,
    OPTION_HELP,
    OPTION_VERSION,
};
static const struct option options[] = {
    {"foreground", no_argument, NULL, OPTION_FOREGROUND},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
    {"runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR},
    {"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
    {"forget-dynamic", no_argument, NULL, OPTION_FORGET_DYNAMIC},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "portwardd protects the network namespace it is started in.\n"
    "\n"
    "  portwardd --foreground                 start, events on standard error\n"
    "  portwardd --check-config               is the configuration valid?\n"
    "  nsenter --net=/run/netns/X portwardd --foreground --state-dir D --runtime-dir D\n"
    "\n"
    "options:\n"
    "  --foreground        stay in the foreground (the only way it runs)\n"
    "  --config FILE       configuration (/etc/portward/portward.conf and conf.d)\n"
    "  --state-dir DIR     database (/var/lib/portward)\n"
    "  --runtime-dir DIR   socket and dynamic layer (/run/portward)\n"
    "  --check-config      validate the configuration and exit\n"
    "  --forget-dynamic    give up the dynamic filters of the agent before: opens what they\n"
    "                      blocked\n"
    "  --help, --version\n";

static int show(const struct diag *d, int err)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(8192);
    struct diag made = *d;
    if (made.code == DIAG_NONE)
        diag_errno(&made, err, "cannot start");
    if (diag_render(&made, NULL, NULL, 0, false, &b) == 0)
        (void)fputs(b.s, stderr); /* nobody is left to be told */
    return diag_exit_code(made.code) == EXIT_REJECTED ? EXIT_REJECTED : EXIT_ERROR;
}

/* 0 = go on, else exit with *ret. */
static int read_options(int argc, char **argv, struct agent_options *o, bool *ret_check, int *ret)
{
    opterr = 0; /* the message is ours, like all others */
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case OPTION_CONFIG:
            o->config = optarg;
            break;
        case OPTION_STATE_DIR:
            o->state_dir = optarg;
            break;
        case OPTION_RUNTIME_DIR:
            o->runtime_dir = optarg;
            break;
        case OPTION_CHECK_CONFIG:
            *ret_check = true;
            break;
        case OPTION_FORGET_DYNAMIC:
            o->forget_dynamic = true;
            break;
        case OPTION_FOREGROUND: /* what always happens; units and scripts say it */
            break;
        case OPTION_HELP:
            *ret = fputs(help, stdout) < 0 ? EXIT_ERROR : 0;
            return 1;
        case OPTION_VERSION:
            *ret = puts("portwardd " PORTWARD_VERSION) < 0 ? EXIT_ERROR : 0;
            return 1;
        default:
            (void)fprintf(stderr,
                          "portwardd: unknown option or missing value: '%s'\n"
                          "hint: portwardd --help\n",
                          argv[optind - 1]);
            *ret = EXIT_USAGE;
            return 1;
        }
    }
    if (optind == argc)
        return 0;
    (void)fprintf(stderr, "portwardd: unexpected argument '%s'\nhint: portwardd --help\n",
                  argv[optind]);
    *ret = EXIT_USAGE;
    return 1;
}

static int run(const struct agent_options *o, int argc, char **argv, struct diag *d)
{
    _cleanup_(agent_freep) struct agent *a = NULL;
    struct api_options api = {0};
    struct api_server *server = NULL;
    int err = agent_new(o, d, &a);
    if (err == 0)
        err = agent_start(a, d);
    if (err == 0)
        err = api_server_start(agent_event(a), a, &api, d, &server);
    if (err < 0)
        return err;
    agent_remember_arguments(a, argc, argv);
    agent_ready(a);
    err = agent_run(a, d);
    api_server_stop(server);
    return err;
}

/* Blocks of this size go back to the kernel when they are freed. Without a fixed number the C
 * library raises it to the size of the largest image (mallopt(3)), and what a compilation needed
 * for a moment stays resident. */
enum { RETURNED_BYTES = 128 * 1024 };

/* Who starts us may have closed them. The next file opened would take the number, and events would
 * be written into a client's connection or worse. */
static int open_standard_files(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            return -errno;
    } while (fd <= STDERR_FILENO);
    return close(fd) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    struct agent_options o = {0};
    struct diag d = {0};
    bool check = false;
    int code;
    if (open_standard_files() < 0)
        return EXIT_ERROR;
    (void)mallopt(M_MMAP_THRESHOLD, RETURNED_BYTES); /* only memory is at stake */
    if (read_options(argc, argv, &o, &check, &code))
        return code;
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return show(&d, -errno);
    int err = check ? agent_check_config(&o, &d) : run(&o, argc, argv, &d);
    if (err < 0)
        return show(&d, err);
    return 0;
}
