/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine on the real kernel, in a network namespace, a cgroup and a pin directory of its own:
 * what rpc_apply() puts in force and takes away, what rpc_status() says, drop-ins, and the sysctls
 * of NFS in a directory that stands for them. Needs root. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* after the headers it needs */
#include <cmocka.h>

#include "../../src/rpc/cgroup.h"
#include "rpc/rpc.h"
#include "rpc/settings.h"
#include "sockets/units.h"

enum { SKIP = 77 };

struct world {
    char pins[128], dir[64], state[128], marker[128], cgroup[CGROUP_PATH_BYTES + 64];
    char mount[CGROUP_PATH_BYTES];
    const char *unit; /* its name as a path below the mount */
    uint64_t cookie;
    struct rpc_engine *e;
};

static void put(const char *path, const char *text)
{
    _cleanup_(close_p) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void get(const char *path, char *out, size_t size)
{
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    assert_true(n >= 0);
    out[n] = '\0';
}

static void __attribute__((format(printf, 1, 2))) shell(const char *fmt, ...)
{
    char command[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    assert_int_equal(system(command), 0);
}

static void enter(const char *cgroup)
{
    char path[CGROUP_PATH_BYTES + 128], pid[16];

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
    (void)snprintf(pid, sizeof(pid), "%d", getpid());
    put(path, pid);
}

static int set_up(void **state)
{
    static struct world w;
    _cleanup_(close_p) int fd = -1;
    socklen_t len = sizeof(w.cookie);

    w = (struct world){.e = NULL};
    assert_int_equal(cgroup2_mount(w.mount, sizeof(w.mount)), 0);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &w.cookie, &len), 0);
    (void)snprintf(w.pins, sizeof(w.pins), "/sys/fs/bpf/pw-rpc-unit-%d", getpid());
    (void)snprintf(w.dir, sizeof(w.dir), "/tmp/pw-rpc-unit-%d", getpid());
    (void)snprintf(w.state, sizeof(w.state), "%s/reserved", w.dir);
    (void)snprintf(w.marker, sizeof(w.marker), "%s/marker", w.dir);
    (void)snprintf(w.cgroup, sizeof(w.cgroup), "%s/pw-rpc-unit-%d", w.mount, getpid());
    w.unit = w.cgroup + strlen(w.mount);
    shell("mkdir -p %s %s %s/systemd %s/sys/fs/nfs", w.pins, w.cgroup, w.dir, w.dir);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    w->e = rpc_engine_free(w->e);
    enter(w->mount);
    shell("rm -rf %s %s; rmdir %s", w->pins, w->dir, w->cgroup);
    return 0;
}

static void open_engine(struct world *w)
{
    char systemd[128], sys[128];
    struct rpc_options o = {.pin_dir = w->pins,
                            .netns_cookie = w->cookie,
                            .state_file = w->state,
                            .marker_file = w->marker,
                            .systemd_dir = systemd,
                            .sysctl_dir = sys,
                            .samba_conf = "/nonexistent/smb.conf",
                            .join_program = "/libexec/rpc-join"};
    struct diag d = {0};

    (void)snprintf(systemd, sizeof(systemd), "%s/systemd", w->dir);
    (void)snprintf(sys, sizeof(sys), "%s/sys", w->dir);
    assert_int_equal(rpc_engine_new(&o, &d, &w->e), 0);
}

struct texts {
    const char *ports, *confine, *local, *available;
};

static const char *text_of(void *ctx, const char *key)
{
    const struct texts *t = ctx;

    return strcmp(key, "ports") == 0                      ? t->ports
           : strcmp(key, "confine") == 0                  ? t->confine
           : strcmp(key, "local") == 0                    ? t->local
           : strcmp(key, "ports-internet-available") == 0 ? t->available
           : strcmp(key, "use-internet-ports") == 0       ? "yes"
                                                          : NULL;
}

static int apply(struct world *w, struct texts t)
{
    _cleanup_(rpc_settings_done) struct rpc_settings s;
    struct diag d = {0};

    assert_int_equal(rpc_settings_read(text_of, &t, &s), 0);
    s.is_set = t.ports != NULL;
    int r = rpc_apply(w->e, &s, &d);
    if (r < 0)
        print_message("%s\n", d.message);
    return r;
}

/* Port that bind() to 0 gives, or -errno. The socket stays. */
static int bound(int type)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);

    assert_true(fd >= 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        int r = -errno;
        (void)close(fd);
        return r;
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    return ntohs(a.sin_port);
}

static void close_sockets(void)
{
    for (int fd = 3; fd < 256; fd++) {
        int type;
        socklen_t len = sizeof(type);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &type, &len) == 0 && type == AF_INET)
            (void)close(fd);
    }
}

static const struct rpc_unit_status *unit_of(const struct rpc_status *s, const char *name)
{
    for (size_t i = 0; i < s->n_units; i++)
        if (strcmp(s->units[i].name, name) == 0)
            return &s->units[i];
    return NULL;
}

static void test_confined(void **state)
{
    struct world *w = *state;
    struct rpc_status s;
    struct diag d = {0};

    open_engine(w);
    assert_int_equal(apply(w, (struct texts){"5001-5003", w->unit, "none.service", "yes"}), 0);
    enter(w->cgroup);
    for (int i = 0; i < 3; i++) {
        int port = bound(SOCK_DGRAM);
        assert_in_range(port, 5001, 5003);
    }
    assert_int_equal(bound(SOCK_DGRAM), -EADDRINUSE);
    assert_int_equal(rpc_reconcile(w->e), 0);
    assert_int_equal(rpc_status(w->e, &d, &s), 0);
    assert_true(s.active && s.available && s.guard && !s.invalid);
    assert_string_equal(s.range, "5001-5003");
    assert_int_equal(s.n[RPC_PROTO_UDP].used, 3);
    assert_int_equal(s.n[RPC_PROTO_TCP].used, 0);
    assert_int_equal(s.n[RPC_PROTO_UDP].max_listeners, 3);
    assert_int_equal(s.exhausted, 1);
    assert_int_equal(s.n_holders, 3);
    assert_string_equal(s.holders[0].unit, w->unit);
    const struct rpc_unit_status *u = unit_of(&s, w->unit), *none = unit_of(&s, "none.service");
    assert_true(u && none);
    if (u && none) {
        assert_int_equal(u->state, RPC_UNIT_CONFINED);
        assert_int_equal(u->held[RPC_PROTO_UDP], 3);
        assert_int_equal(none->state, RPC_UNIT_ABSENT);
    }
    rpc_status_done(&s);
    /* the engine of the next agent takes over */
    w->e = rpc_engine_free(w->e);
    open_engine(w);
    assert_int_equal(apply(w, (struct texts){"5001-5003", w->unit, "none.service", "yes"}), 0);
    assert_int_equal(bound(SOCK_DGRAM), -EADDRINUSE);
    close_sockets();
    assert_in_range(bound(SOCK_STREAM), 5001, 5003);
    close_sockets();
}

/* Rows of the truth table that leave a unit outside, and settings that are none. */
static void test_classes(void **state)
{
    struct world *w = *state;
    struct rpc_status s;
    struct diag d = {0};

    open_engine(w);
    enter(w->cgroup);
    assert_int_equal(apply(w, (struct texts){"5001-5003", NULL, w->unit, "yes"}), 0);
    assert_true(bound(SOCK_STREAM) > 5003);
    assert_int_equal(apply(w, (struct texts){"5001-5003", NULL, w->unit, "no"}), 0);
    assert_in_range(bound(SOCK_STREAM), 5001, 5003);
    assert_int_equal(apply(w, (struct texts){"5001-5003", w->unit, NULL, "no"}), 0);
    assert_true(bound(SOCK_STREAM) > 5003);
    assert_int_equal(apply(w, (struct texts){"5001-99999", w->unit, NULL, "yes"}), 0);
    assert_int_equal(bound(SOCK_STREAM), -EACCES);
    assert_int_equal(rpc_status(w->e, &d, &s), 0);
    assert_true(s.invalid && *s.why);
    assert_int_equal(s.units[0].state, RPC_UNIT_REFUSED);
    rpc_status_done(&s);
    close_sockets();
}

static void test_holders(void **state)
{
    struct world *w = *state;

    open_engine(w);
    assert_int_equal(apply(w, (struct texts){"5001-5003", w->unit, NULL, "yes"}), 0);
    enter(w->cgroup);
    int port = bound(SOCK_DGRAM);
    assert_in_range(port, 5001, 5003);
    assert_int_equal(apply(w, (struct texts){"6001-6003", w->unit, NULL, "yes"}), -EBUSY);
    assert_in_range(bound(SOCK_DGRAM), 5001, 5003); /* nothing has changed */
    close_sockets();
    assert_int_equal(apply(w, (struct texts){"6001-6003", w->unit, NULL, "yes"}), 0);
    assert_in_range(bound(SOCK_DGRAM), 6001, 6003);
    close_sockets();
}

static void test_files(void **state)
{
    struct world *w = *state;
    char path[256], tcp[256], text[512];

    (void)snprintf(tcp, sizeof(tcp), "%s/sys/fs/nfs/nlm_tcpport", w->dir);
    put(tcp, "0\n");
    (void)snprintf(path, sizeof(path), "%s/sys/fs/nfs/nlm_udpport", w->dir);
    put(path, "0\n");
    shell("mkdir %s/systemd/other.service.d; touch %s/systemd/other.service.d/mine.conf", w->dir,
          w->dir);
    open_engine(w);
    assert_int_equal(
        apply(w, (struct texts){"5001-5003", "a.service nfs-server.service", NULL, "yes"}), 0);
    assert_true(rpc_take_reload(w->e));
    assert_false(rpc_take_reload(w->e));
    (void)snprintf(path, sizeof(path), "%s/systemd/a.service.d/portward-rpc.conf", w->dir);
    get(path, text, sizeof(text));
    assert_non_null(strstr(text, "ExecStartPre=+/libexec/rpc-join --class internet %n\n"));
    get(tcp, text, sizeof(text));
    assert_int_equal(strtoul(text, NULL, 10), 5001);
    assert_int_equal(
        apply(w, (struct texts){"5001-5003", "a.service nfs-server.service", NULL, "yes"}), 0);
    assert_false(rpc_take_reload(w->e)); /* nothing new */
    assert_int_equal(apply(w, (struct texts){NULL, NULL, NULL, NULL}), 0);
    assert_true(rpc_take_reload(w->e));
    assert_int_equal(access(path, F_OK), -1);
    get(tcp, text, sizeof(text));
    assert_int_equal(strtoul(text, NULL, 10), 0);
    (void)snprintf(path, sizeof(path), "%s/systemd/other.service.d/mine.conf", w->dir);
    assert_int_equal(access(path, F_OK), 0);
    (void)snprintf(path, sizeof(path), "%s/rpc", w->pins);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    char mount[CGROUP_PATH_BYTES];

    if (geteuid() != 0 || cgroup2_mount(mount, sizeof(mount)) < 0)
        return SKIP;
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {T(test_confined), T(test_classes), T(test_holders),
                                       T(test_files)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
