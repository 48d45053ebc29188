/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc-join: puts the unit in whose cgroup it runs under the confinement of ports, before the unit's
 * server starts. Called by the drop-in of a confined unit (ExecStartPre=+).
 *   rpc-join [--class internet|loose|local|default|own] UNIT
 * Invariant: it ends with 0 only if the programs of this network namespace know the unit, so that
 * the service manager starts no server that would get a port from anywhere. */
#include <bpf/bpf.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cgroup.h"
#include "rpc.h"
#include "sockets/units.h"

#ifndef SO_NETNS_COOKIE /* Linux 5.14 */
#define SO_NETNS_COOKIE 71
#endif

enum { EXIT_ERROR = 1, EXIT_USAGE = 2, LINE_BYTES = 1024 };

static const char *const classes[RPC_CLASSES] = {
    [RPC_CLASS_INTERNET] = "internet", [RPC_CLASS_LOOSE] = "loose", [RPC_CLASS_LOCAL] = "local",
    [RPC_CLASS_DEFAULT] = "default",   [RPC_CLASS_OWN] = "own",
};

static int fail(const char *what, int err)
{
    (void)fprintf(stderr, "rpc-join: %s: %s\nhint: portward rpc show\n", what, strerror(-err));
    return EXIT_ERROR;
}

static int own_cookie(uint64_t *ret)
{
    _cleanup_(close_p) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*ret);

    return fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &len) < 0 ? -errno : 0;
}

/* Directory of this process in cgroup v2: the line "0::/system.slice/x.service". systemd runs such
 * a program in ".control" below it if the unit manages its own directories. */
static int own_path(char *ret, size_t size)
{
    static const char control[] = "/.control";
    FILE *f = fopen("/proc/self/cgroup", "re");
    char line[LINE_BYTES];
    int r = -ENOENT;

    if (!f)
        return -errno;
    while (r < 0 && fgets(line, sizeof(line), f)) {
        if (strncmp(line, "0::/", 4) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        size_t n = strlen(line);
        if (n > sizeof(control) && strcmp(line + n - (sizeof(control) - 1), control) == 0)
            line[n - (sizeof(control) - 1)] = '\0';
        (void)snprintf(ret, size, "%s", line + 3); /* a longer one is not found below */
        r = 0;
    }
    (void)fclose(f); /* only read */
    return r;
}

static int find_id(const char *unit, uint64_t *ret)
{
    char mount[CGROUP_PATH_BYTES], path[LINE_BYTES], whole[CGROUP_PATH_BYTES + LINE_BYTES];
    int r = cgroup2_mount(mount, sizeof(mount));

    if (r == 0)
        r = own_path(path, sizeof(path));
    if (r < 0)
        return r;
    const char *last = strrchr(path, '/');
    if (!last || strcmp(last + 1, unit) != 0)
        return -ESRCH;
    (void)snprintf(whole, sizeof(whole), "%s%s", mount, path); /* fits */
    return cgroup_id(whole, ret);
}

static int join(const char *unit, uint32_t class)
{
    struct rpc_unit v = {.class = class};
    char path[128];
    uint64_t cookie, id;
    int r = own_cookie(&cookie);

    if (r < 0)
        return fail("cannot name this network namespace", r);
    r = find_id(unit, &id);
    if (r == -ESRCH)
        return fail("this process is not in the cgroup of the unit", r);
    if (r < 0)
        return fail("cannot find the cgroup of the unit", r);
    (void)snprintf(path, sizeof(path), "/sys/fs/bpf/portward/%" PRIu64 "/rpc/map/rpc_units",
                   cookie);
    _cleanup_(close_p) int fd = bpf_obj_get(path);
    if (fd < 0)
        return fail("ports are not confined here, the agent is not running", fd);
    r = bpf_map_update_elem(fd, &id, &v, BPF_NOEXIST);
    if (r < 0 && r != -EEXIST) /* the agent was faster */
        return fail("cannot confine the unit", r);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"class", required_argument, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};
    uint32_t class = RPC_CLASS_INTERNET;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint32_t i = 0;

        while (c == 'c' && i < RPC_CLASSES && (!classes[i] || strcmp(classes[i], optarg) != 0))
            i++;
        if (c != 'c' || i == RPC_CLASSES) {
            (void)fprintf(stderr, "rpc-join: wrong option\n"
                                  "hint: rpc-join --class internet UNIT\n");
            return EXIT_USAGE;
        }
        class = i;
    }
    if (optind + 1 != argc) {
        (void)fprintf(stderr, "rpc-join: give one unit\nhint: rpc-join rpcbind.service\n");
        return EXIT_USAGE;
    }
    return join(argv[optind], class);
}
