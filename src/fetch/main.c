/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fetch/main.c: portward-fetch, the process that asks name servers for the agent.
 * Started by systemd as user portward-fetch, or by root. Invariant: nothing of the network is
 * parsed with privileges: started by root it becomes user portward-fetch before it connects to
 * the agent, or, where that user does not exist, nobody right after (the agent knows its peer by
 * the credentials at connect(2); unix(7), SO_PEERCRED). */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "session.h"

#define FETCH_USER "portward-fetch"
enum { EXIT_ERROR = 1, EXIT_USAGE = 2, MIN_TTL_S = 60, MAX_MIN_TTL_S = 3600, DNS_PORT = 53 };

struct options {
    const char *runtime_dir;
    struct session_options session;
};
enum { OPTION_RUNTIME_DIR = 256, OPTION_NAMESERVER, OPTION_MIN_TTL, OPTION_HELP, OPTION_VERSION };
static const struct option long_options[] = {
    {"runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR},
    {"nameserver", required_argument, NULL, OPTION_NAMESERVER},
    {"min-ttl", required_argument, NULL, OPTION_MIN_TTL},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};
static const char help[] =
    "portward-fetch resolves the DNS names in filters for portwardd.\n"
    "\n"
    "  portward-fetch                         serve the agent of /run/portward\n"
    "  portward-fetch --runtime-dir D --nameserver 192.0.2.53\n"
    "\n"
    "options:\n"
    "  --runtime-dir DIR         where the agent's fetch.sock is (/run/portward)\n"
    "  --nameserver ADDR[:PORT]  ask this IPv4 server, not those of resolv.conf\n"
    "  --min-ttl SECONDS         shortest lifetime that is believed (60); less is for tests\n"
    "  --help, --version\n";

static int usage(const char *what, const char *value)
{
    (void)fprintf(stderr, "portward-fetch: %s '%s'\nhint: portward-fetch --help\n", what, value);
    return EXIT_USAGE;
}

/* A number of digits only, 1 .. max. */
static bool parse_number(const char *s, unsigned long max, unsigned long *ret)
{
    char *end;
    if (*s < '1' || *s > '9')
        return false;
    errno = 0;
    *ret = strtoul(s, &end, 10);
    return errno == 0 && !*end && *ret <= max;
}

static bool parse_server(const char *text, struct resolve_options *o)
{
    char address[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    unsigned long port = DNS_PORT;
    if (n >= sizeof(address) || (colon && !parse_number(colon + 1, UINT16_MAX, &port)))
        return false;
    memcpy(address, text, n);
    address[n] = '\0';
    o->server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    o->has_server = inet_pton(AF_INET, address, &o->server.sin_addr) == 1;
    return o->has_server;
}

/* -1 = go on, else the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        unsigned long number;
        switch (c) {
        case OPTION_RUNTIME_DIR:
            o->runtime_dir = optarg;
            break;
        case OPTION_NAMESERVER:
            if (!parse_server(optarg, &o->session.resolve))
                return usage("not an IPv4 address with or without port:", optarg);
            break;
        case OPTION_MIN_TTL:
            if (!parse_number(optarg, MAX_MIN_TTL_S, &number))
                return usage("not a number of seconds from 1 to 3600:", optarg);
            o->session.min_ttl_s = (uint32_t)number;
            break;
        case OPTION_HELP:
            return fputs(help, stdout) < 0 ? EXIT_ERROR : 0;
        case OPTION_VERSION:
            return puts("portward-fetch " PORTWARD_VERSION) < 0 ? EXIT_ERROR : 0;
        default:
            return EXIT_USAGE;
        }
    }
    return optind == argc ? -1 : usage("unexpected argument", argv[optind]);
}

/* --- privileges --- */
struct account {
    uid_t uid; /* 0 = there is none (root is no account to become) */
    gid_t gid;
};

/* A copy: getpwnam(3) has one result for all calls. */
static struct account find_account(const char *name)
{
    const struct passwd *p = getpwnam(name);
    return p ? (struct account){p->pw_uid, p->pw_gid} : (struct account){0, 0};
}

static int become(struct account a)
{
    if (a.uid == 0)
        return -ENOENT;
    if (setgroups(0, NULL) < 0 || setresgid(a.gid, a.gid, a.gid) < 0 ||
        setresuid(a.uid, a.uid, a.uid) < 0)
        return -errno;
    if (setuid(0) == 0)
        return -EPERM; /* there must be no way back */
    /* What others of that user may do to us; a change of user sets it anew (proc(5),
     * suid_dumpable). */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

/* What no process needs that only asks name servers. */
static int restrict_process(void)
{
    static const struct {
        __rlimit_resource_t what; /* an enum in glibc */
        rlim_t n;
    } limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_NOFILE, 64}};
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        const struct rlimit r = {limits[i].n, limits[i].n};
        if (setrlimit(limits[i].what, &r) < 0)
            return -errno;
    }
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0
               ? -errno
               : 0;
}

static int connect_agent(const char *dir)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    _cleanup_(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" FETCH_SOCKET_NAME, dir);
    if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
        return -ENAMETOOLONG;
    if (fd < 0 || connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int fail(const char *what, int err)
{
    (void)fprintf(stderr, "portward-fetch: %s: %s\n", what, strerror(-err));
    return EXIT_ERROR;
}

/* Waits for an agent; a path or a right that is wrong will not become right. */
static int wait_for_agent(const char *dir)
{
    int fd;
    while ((fd = connect_agent(dir)) == -ENOENT || fd == -ECONNREFUSED)
        (void)sleep(1); /* a signal only shortens it */
    return fd;
}

static int serve(const struct options *o)
{
    const struct account user = find_account(FETCH_USER), nobody = find_account("nobody");
    bool root = geteuid() == 0, has_user = user.uid != 0;
    int err = root && has_user ? become(user) : 0;
    if (err == 0)
        err = restrict_process();
    if (err < 0)
        return fail("cannot give up privileges", err);
    for (;;) {
        int fd = wait_for_agent(o->runtime_dir);
        if (fd < 0)
            return fail("cannot connect to the agent", fd);
        if (root && !has_user) {
            err = become(nobody);
            if (err < 0)
                return fail("cannot become user nobody", err);
        }
        session_run(fd, &o->session);
        if (root && !has_user)
            return fail("the agent is gone", -ECONNRESET); /* nobody may not connect again */
        (void)sleep(1);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.runtime_dir = "/run/portward", .session = {.min_ttl_s = MIN_TTL_S}};
    int code = read_options(argc, argv, &o);
    return code >= 0 ? code : serve(&o);
}
