/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datapath/attach*.c against the kernel, with programs of two instructions. Each test runs in
 * a network namespace and with a bpffs of its own, so that nothing stays behind. What is
 * attached is asked from the kernel (hook query, tc), and whether a program really runs is read
 * from its run counter. Without TCX only the clsact tests run. Needs root. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/datapath/attach.h"
#include "../../src/datapath/sysbpf.h"

struct world {
    int home;     /* network namespace to go back to */
    char dir[64]; /* bpffs */
    int in, out;  /* let everything pass */
    struct attach *at;
};

static _printf_(1, 2) int try_run(const char *fmt, ...)
{
    char cmd[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(cmd, sizeof(cmd), fmt, ap);
    va_end(ap);
    return system(cmd);
}

#define run(...) assert_int_equal(try_run(__VA_ARGS__), 0)

/* "return verdict"; name only to tell programs apart when debugging. */
static int load(const char *name, int verdict)
{
    const struct bpf_insn code[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict},
        {.code = BPF_JMP | BPF_EXIT},
    };
    int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, name, "GPL", code, ARRAY_SIZE(code), NULL);

    assert_true(fd >= 0);
    return fd;
}

static uint32_t prog_id(int fd)
{
    struct sysbpf_prog_info info;

    assert_int_equal(sysbpf_prog_info(fd, &info), 0);
    return info.id;
}

static uint64_t runs(int fd)
{
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof(info);

    assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
    return info.run_cnt;
}

static struct iface iface(const char *name, enum iface_role role)
{
    struct iface f = {.ifindex = if_nametoindex(name), .role = role};

    assert_int_not_equal(f.ifindex, 0);
    snprintf(f.name, sizeof(f.name), "%s", name);
    return f;
}

static void open_with(struct world *w, enum hook_mode hook, int in, int out)
{
    struct attach_options o = {
        .pin_dir = w->dir, .hook = hook, .prog_in_fd = in, .prog_out_fd = out};
    struct diag d = {0};

    attach_free(w->at);
    w->at = NULL;
    if (attach_new(&o, &d, &w->at) < 0)
        fail_msg("attach_new: %s", d.message);
}

static void cover(struct world *w, const char *name)
{
    struct iface f = iface(name, IFACE_NORMAL);

    assert_int_equal(attach_iface(w->at, &f), 0);
}

static bool pinned(const struct world *w, uint32_t ifindex, const char *dir)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/link/%u-%s", w->dir, ifindex, dir);
    return access(path, F_OK) == 0;
}

/* Programs on a TCX hook, first one first. */
static struct sysbpf_hook hook(const char *name, uint32_t type)
{
    struct sysbpf_hook h;

    assert_int_equal(sysbpf_hook_query(if_nametoindex(name), type, &h), 0);
    return h;
}

/* Lines of `tc filter show` that name our filter. */
static unsigned filters(const char *name, const char *side)
{
    char cmd[128], line[256];
    unsigned n = 0;

    snprintf(cmd, sizeof(cmd), "tc filter show dev %s %s", name, side);
    FILE *f = popen(cmd, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        n += strstr(line, "portward") && strstr(line, "0x7077");
    pclose(f);
    return n;
}

/* One frame out of v1, which is one frame into v0. */
static void send_frame(void)
{
    static const uint8_t frame[60] = {[12] = 0x88, [13] = 0xb5}; /* local experimental type */
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("v1")};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)), 60);
    close(fd);
    usleep(10000);
}

static int enter(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    snprintf(w->dir, sizeof(w->dir), "/tmp/pw-attach-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(mount("bpf", w->dir, "bpf", 0, NULL), 0);
    w->in = load("pass_in", SYSBPF_TCX_NEXT);
    w->out = load("pass_out", SYSBPF_TCX_NEXT);
    assert_int_equal(system("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; "
                            "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"),
                     0);
    run("ip link add v0 index 500 type veth peer name v1");
    run("ip link set v0 up; ip link set v1 up");
    *state = w;
    return 0;
}

static int leave(void **state)
{
    struct world *w = *state;

    attach_free(w->at);
    close(w->in);
    close(w->out);
    assert_int_equal(umount(w->dir), 0);
    assert_int_equal(rmdir(w->dir), 0);
    assert_int_equal(setns(w->home, CLONE_NEWNET), 0);
    close(w->home);
    free(w);
    return 0;
}

static bool has_tcx(void)
{
    struct sysbpf_hook h;

    return sysbpf_hook_query(1, SYSBPF_TCX_INGRESS, &h) == 0;
}

static void test_attach_and_pin(void **state)
{
    struct world *w = *state;
    struct iface lo = iface("lo", IFACE_NONE);
    struct iface_status *s;
    size_t n;

    open_with(w, HOOK_AUTO, w->in, w->out);
    assert_int_equal(attach_mode(w->at), HOOK_TCX);
    cover(w, "v0");
    cover(w, "v0"); /* idempotent */
    assert_int_equal(attach_iface(w->at, &lo), 0);
    assert_true(pinned(w, 500, "in") && pinned(w, 500, "out"));
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).prog_id[0], prog_id(w->in));
    assert_int_equal(hook("v0", SYSBPF_TCX_EGRESS).prog_id[0], prog_id(w->out));
    assert_int_equal(hook("lo", SYSBPF_TCX_INGRESS).n, 0);
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).n, 1);

    uint64_t before = runs(w->in);
    send_frame();
    assert_int_equal(runs(w->in), before + 1);

    assert_int_equal(attach_status(w->at, &s, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(s[0].ifindex, 1);
    assert_false(s[0].attached_in || s[0].attached_out);
    assert_string_equal(s[1].name, "v0");
    assert_true(s[1].attached_in && s[1].attached_out);
    assert_int_equal(s[1].error, 0);
    free(s);

    w->at = attach_free(w->at); /* enforcement goes on */
    before = runs(w->in);
    send_frame();
    assert_int_equal(runs(w->in), before + 1);
}

static void test_adopt_and_upgrade(void **state)
{
    struct world *w = *state;

    open_with(w, HOOK_TCX, w->in, w->out);
    cover(w, "v0");
    cover(w, "v1");
    uint32_t link = hook("v0", SYSBPF_TCX_INGRESS).link_id[0];

    int in2 = load("new_in", SYSBPF_TCX_NEXT), out2 = load("new_out", SYSBPF_TCX_NEXT);
    open_with(w, HOOK_TCX, in2, out2); /* another process with a newer build */
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).prog_id[0], prog_id(w->in)); /* not yet */
    cover(w, "v0");
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).prog_id[0], prog_id(in2));
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).link_id[0], link); /* the same link */
    assert_int_equal(hook("v1", SYSBPF_TCX_EGRESS).prog_id[0], prog_id(w->out));

    /* The other way: keep what runs, change later. */
    assert_int_equal(attach_set_programs(w->at, w->in, w->out), 0);
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).prog_id[0], prog_id(w->in));
    assert_int_equal(hook("v0", SYSBPF_TCX_EGRESS).prog_id[0], prog_id(w->out));
    assert_int_equal(hook("v1", SYSBPF_TCX_EGRESS).prog_id[0], prog_id(w->out));
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).n, 1);
    close(in2);
    close(out2);
}

static void test_stale_pins(void **state)
{
    struct world *w = *state;
    char path[128];

    open_with(w, HOOK_TCX, w->in, w->out);
    cover(w, "v0");
    w->at = attach_free(w->at);
    run("ip link del v0");
    assert_true(pinned(w, 500, "in")); /* the kernel leaves it */
    run("ip link add v0 index 500 type veth peer name v1; ip link set v0 up; ip link set v1 up");
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).n, 0);

    /* Under a wrong name: a link of the other direction, and something that is no link. */
    int fd = sysbpf_tcx_link(w->in, if_nametoindex("v1"), SYSBPF_TCX_EGRESS);
    assert_true(fd >= 0);
    snprintf(path, sizeof(path), "%s/link/%u-in", w->dir, if_nametoindex("v1"));
    assert_int_equal(bpf_obj_pin(fd, path), 0);
    close(fd);
    snprintf(path, sizeof(path), "%s/link/1-out", w->dir);
    assert_int_equal(bpf_obj_pin(w->in, path), 0);

    open_with(w, HOOK_TCX, w->in, w->out);
    assert_false(pinned(w, 500, "in") || pinned(w, 500, "out"));
    assert_false(pinned(w, if_nametoindex("v1"), "in") || pinned(w, 1, "out"));
    assert_int_equal(hook("v1", SYSBPF_TCX_EGRESS).n, 0);
    cover(w, "v0");
    assert_true(pinned(w, 500, "in"));
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).n, 1);
}

static pid_t other_namespace(int *ret_pipe)
{
    int go[2], ready[2];
    char c;

    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        close(go[1]);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || unshare(CLONE_NEWNET) < 0 ||
            write(ready[1], "", 1) != 1)
            _exit(1);
        _exit(read(go[0], &c, 1) != 0);
    }
    close(go[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    *ret_pipe = go[1];
    return pid;
}

static void end_namespace(pid_t pid, int go)
{
    int status;

    close(go);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* The device moves away and another takes its ifindex: whether the link went along or died, it
 * must not be taken for a cover of the new one. */
static void test_moved_device(void **state)
{
    struct world *w = *state;
    struct iface f;
    struct host h = {.ifaces = &f, .n_ifaces = 1};
    int go;

    pid_t pid = other_namespace(&go);
    open_with(w, HOOK_TCX, w->in, w->out);
    cover(w, "v0");
    run("ip link set v0 netns %d", pid);
    run("ip link add v0 index 500 type veth peer name v2");
    f = iface("v0", IFACE_NORMAL);
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).n, 0);
    assert_int_equal(attach_reconcile(w->at, &h), 2); /* nobody read RTM_DELLINK */
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).prog_id[0], prog_id(w->in));

    end_namespace(pid, go);

    /* The same while nobody watches. */
    pid = other_namespace(&go);
    w->at = attach_free(w->at);
    run("ip link set v0 down; ip link set v0 netns %d", pid);
    run("ip link add v0 index 500 type veth peer name v3");
    open_with(w, HOOK_TCX, w->in, w->out);
    assert_false(pinned(w, 500, "in"));
    end_namespace(pid, go);
}

static void test_forget(void **state)
{
    struct world *w = *state;

    open_with(w, HOOK_TCX, w->in, w->out);
    cover(w, "v0");
    char path[128];
    snprintf(path, sizeof(path), "%s/link/500-in", w->dir);
    int held = bpf_obj_get(path); /* somebody else's descriptor does not keep it there */
    assert_true(held >= 0);
    attach_forget(w->at, 500);
    attach_forget(w->at, 500);
    attach_forget(w->at, 4711);
    assert_false(pinned(w, 500, "in") || pinned(w, 500, "out"));
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).n, 0);
    close(held);
}

static void test_repairs(void **state)
{
    struct world *w = *state;
    struct iface f[] = {iface("v0", IFACE_NORMAL), iface("lo", IFACE_NONE)};
    struct host h = {.ifaces = f, .n_ifaces = 2};
    struct sysbpf_hook q;
    char path[128];

    open_with(w, HOOK_TCX, w->in, w->out);
    assert_int_equal(attach_reconcile(w->at, &h), 2); /* never attached */
    assert_int_equal(attach_reconcile(w->at, &h), 0);

    run("rm %s/link/500-in", w->dir);
    assert_int_equal(attach_reconcile(w->at, &h), 1);
    assert_true(pinned(w, 500, "in"));

    /* Detached behind our back; the descriptor we hold is of no use then. */
    snprintf(path, sizeof(path), "%s/link/500-out", w->dir);
    int fd = bpf_obj_get(path);
    assert_int_equal(sysbpf_link_detach(fd), 0);
    close(fd);
    assert_int_equal(hook("v0", SYSBPF_TCX_EGRESS).n, 0);
    assert_int_equal(attach_reconcile(w->at, &h), 1);
    assert_int_equal(hook("v0", SYSBPF_TCX_EGRESS).prog_id[0], prog_id(w->out));

    /* Another program in our link. */
    int evil = load("evil", SYSBPF_TCX_PASS);
    fd = bpf_obj_get(path);
    assert_int_equal(sysbpf_link_update(fd, evil), 0);
    close(fd);
    assert_int_equal(attach_reconcile(w->at, &h), 1);
    q = hook("v0", SYSBPF_TCX_EGRESS);
    assert_int_equal(q.n, 1);
    assert_int_equal(q.prog_id[0], prog_id(w->out));

    /* Another object under our name. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(bpf_obj_pin(evil, path), 0);
    assert_int_equal(attach_reconcile(w->at, &h), 1);
    fd = bpf_obj_get(path);
    struct sysbpf_link_info info;
    assert_int_equal(sysbpf_link_info(fd, &info), 0);
    assert_int_equal(info.type, SYSBPF_LINK_TYPE_TCX);
    assert_int_equal(info.ifindex, 500);
    close(fd);
    close(evil);

    h.n_ifaces = 0; /* the host has lost it */
    assert_int_equal(attach_reconcile(w->at, &h), 0);
    assert_false(pinned(w, 500, "in"));
}

static struct iface_status status_of(struct world *w, const char *name)
{
    _cleanup_free_ struct iface_status *s = NULL;
    size_t n;

    assert_int_equal(attach_status(w->at, &s, &n), 0);
    for (size_t i = 0; i < n; i++)
        if (strcmp(s[i].name, name) == 0)
            return s[i];
    fail_msg("no '%s' in the status", name);
    return (struct iface_status){0};
}

static void test_foreign_program_in_front(void **state)
{
    struct world *w = *state;
    struct front_news news;

    int foreign = load("foreign", SYSBPF_TCX_NEXT);
    open_with(w, HOOK_TCX, w->in, w->out);
    cover(w, "v0");
    int link = sysbpf_tcx_link(foreign, 500, SYSBPF_TCX_INGRESS); /* in front of ours */
    assert_true(link >= 0);
    assert_false(attach_front_news(w->at, &news));
    cover(w, "v0");
    struct sysbpf_hook q = hook("v0", SYSBPF_TCX_INGRESS);
    assert_int_equal(q.n, 2);
    assert_int_equal(q.prog_id[0], prog_id(w->in));
    assert_int_equal(q.prog_id[1], prog_id(foreign));
    assert_true(pinned(w, 500, "in"));
    assert_true(attach_front_news(w->at, &news));
    assert_true(news.overtaken && news.dir == DIR_IN);
    assert_string_equal(news.name, "v0");
    assert_true(strncmp(news.program, "foreign (id ", 12) == 0);
    assert_false(attach_front_news(w->at, &news));

    /* One who comes back within a minute keeps the place; that is said once. */
    close(link);
    link = sysbpf_tcx_link(foreign, 500, SYSBPF_TCX_INGRESS);
    cover(w, "v0");
    cover(w, "v0");
    q = hook("v0", SYSBPF_TCX_INGRESS);
    assert_int_equal(q.prog_id[0], prog_id(foreign));
    assert_int_equal(q.prog_id[1], prog_id(w->in));
    assert_true(attach_front_news(w->at, &news));
    assert_false(news.overtaken);
    assert_false(attach_front_news(w->at, &news));
    assert_string_equal(status_of(w, "v0").front[DIR_IN], news.program);
    assert_int_equal(attach_clear(w->at), 0);
    q = hook("v0", SYSBPF_TCX_INGRESS);
    assert_int_equal(q.n, 1);
    assert_int_equal(q.prog_id[0], prog_id(foreign));

    open_with(w, HOOK_TCX, w->in, w->out); /* it was there first, ours goes in front */
    cover(w, "v0");
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).prog_id[0], prog_id(w->in));
    close(link);
    close(foreign);
}

static void test_role_none_takes_off(void **state)
{
    struct world *w = *state;
    struct iface f = iface("v0", IFACE_NONE);

    open_with(w, HOOK_TCX, w->in, w->out);
    cover(w, "v0");
    assert_int_equal(attach_iface(w->at, &f), 0);
    assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).n, 0);
    assert_false(pinned(w, 500, "in"));
}

static void test_clsact(void **state)
{
    struct world *w = *state;
    struct iface f = iface("v0", IFACE_NORMAL);
    struct host h = {.ifaces = &f, .n_ifaces = 1};
    struct iface_status *s;
    size_t n;

    open_with(w, HOOK_CLSACT, w->in, w->out);
    assert_int_equal(attach_mode(w->at), HOOK_CLSACT);
    cover(w, "v0");
    assert_int_equal(attach_reconcile(w->at, &h), 0);
    assert_int_equal(filters("v0", "ingress"), 1);
    assert_int_equal(filters("v0", "egress"), 1);
    uint64_t before = runs(w->in);
    send_frame();
    assert_int_equal(runs(w->in), before + 1);

    /* Deleted and replaced behind our back, and with the qdisc. */
    run("tc filter del dev v0 ingress pref 1");
    assert_int_equal(attach_status(w->at, &s, &n), 0);
    assert_true(n == 1 && !s[0].attached_in && s[0].attached_out);
    free(s);
    assert_int_equal(attach_reconcile(w->at, &h), 1);
    run("tc qdisc del dev v0 clsact");
    assert_int_equal(attach_reconcile(w->at, &h), 2);
    assert_int_equal(filters("v0", "egress"), 1);

    /* A new process, newer programs; filters need no pins. */
    int in2 = load("new_in", SYSBPF_TCX_NEXT), out2 = load("new_out", SYSBPF_TCX_NEXT);
    open_with(w, HOOK_CLSACT, w->in, w->out);
    assert_int_equal(attach_reconcile(w->at, &h), 0);
    assert_int_equal(attach_set_programs(w->at, in2, out2), 0);
    assert_int_equal(filters("v0", "ingress"), 1);
    before = runs(in2);
    send_frame();
    assert_int_equal(runs(in2), before + 1);
    assert_int_equal(attach_status(w->at, &s, &n), 0);
    assert_true(n == 1 && s[0].attached_in && s[0].attached_out);
    free(s);

    assert_int_equal(attach_clear(w->at), 0);
    assert_int_equal(filters("v0", "ingress") + filters("v0", "egress"), 0);
    close(in2);
    close(out2);
}

static void test_clsact_beside_others(void **state)
{
    struct world *w = *state;
    struct iface v0 = iface("v0", IFACE_NORMAL), v1 = iface("v1", IFACE_NORMAL);
    struct iface_status *s;
    char path[128];
    size_t n;

    int foreign = load("foreign", SYSBPF_TCX_PASS);
    snprintf(path, sizeof(path), "%s/foreign", w->dir);
    assert_int_equal(bpf_obj_pin(foreign, path), 0);

    /* Their qdisc and filters stay. */
    run("tc qdisc add dev v0 clsact; tc filter add dev v0 ingress pref 5 bpf da pinned %s", path);
    open_with(w, HOOK_CLSACT, w->in, w->out);
    cover(w, "v0");
    assert_int_equal(attach_clear(w->at), 0);
    run("tc filter show dev v0 ingress pref 5 | grep -q direct-action");
    run("tc qdisc show dev v0 | grep -q clsact");

    /* Their filter at our very place. */
    run("tc filter add dev v0 egress pref 1 handle 0x7077 bpf da pinned %s", path);
    open_with(w, HOOK_CLSACT, w->in, w->out);
    assert_int_equal(attach_iface(w->at, &v0), -EEXIST);
    run("tc filter show dev v0 egress | grep -q 'pref 1 bpf.*0x7077 foreign'");
    assert_int_equal(filters("v0", "ingress"), 1); /* the other direction is covered */
    assert_int_equal(attach_clear(w->at), 0);
    run("tc filter show dev v0 egress | grep -q 'pref 1 bpf.*0x7077 foreign'");
    open_with(w, HOOK_CLSACT, w->in, w->out);
    assert_int_equal(attach_iface(w->at, &v0), -EEXIST);

    /* A filter of another kind has the priority to itself. */
    run("tc filter del dev v0 egress pref 1");
    run("tc filter add dev v0 egress pref 1 protocol all u32 match u32 0 0 classid 1:1");
    assert_true(attach_iface(w->at, &v0) < 0);
    run("tc filter show dev v0 egress | grep -q u32");

    /* A legacy qdisc has no egress. */
    run("tc qdisc add dev v1 ingress");
    assert_int_equal(attach_iface(w->at, &v1), -EOPNOTSUPP);
    assert_int_equal(filters("v1", "ingress"), 1);
    assert_int_equal(attach_status(w->at, &s, &n), 0);
    assert_int_equal(n, 2);
    assert_true(s[0].attached_in && !s[0].attached_out);
    assert_int_equal(s[0].error, -EOPNOTSUPP); /* v1 has the smaller ifindex */
    assert_true(s[1].error < 0);
    free(s);
    close(foreign);
}

/* Sends datagrams to 10.0.0.1:9 without pause until killed. */
static pid_t flood(int *ret_go)
{
    pid_t ns = other_namespace(ret_go);

    run("ip link set v1 netns %d", ns);
    run("nsenter -t %d -n sh -c 'ip link set v1 up; ip addr add 10.0.0.2/24 dev v1; "
        "ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev v1 nud permanent'",
        ns);
    run("ip link set v0 address 02:00:00:00:00:01; ip link set v0 up; "
        "ip addr add 10.0.0.1/24 dev v0");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char path[64];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    snprintf(path, sizeof(path), "/proc/%d/ns/net", ns);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        _exit(1);
    to.sin_addr.s_addr = htonl(0x0a000001);
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (;;)
        if (sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
            usleep(100);
}

static unsigned received(int s)
{
    char buf[16];
    unsigned n = 0;

    while (recv(s, buf, sizeof(buf), MSG_DONTWAIT) > 0)
        n++;
    return n;
}

/* Under a flood that the programs drop: adopting, changing programs and changing the kind of
 * hook in both directions lets not one datagram through, and leaves one attachment only. */
static void test_no_gap(void **state)
{
    struct world *w = *state;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(9)};
    int go, s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), status;

    int drop1 = load("drop1", SYSBPF_TCX_DROP), drop2 = load("drop2", SYSBPF_TCX_DROP);
    assert_int_equal(bind(s, (struct sockaddr *)&any, sizeof(any)), 0);
    pid_t pid = flood(&go);
    struct pollfd p = {.fd = s, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 5000), 1); /* control: without us they arrive */
    open_with(w, HOOK_TCX, drop1, w->out);
    cover(w, "v0");
    usleep(50000);
    received(s);
    for (int i = 0; i < 20; i++) {
        bool clsact = i % 2 == 0;
        uint64_t before = runs(drop1) + runs(drop2);

        open_with(w, clsact ? HOOK_CLSACT : HOOK_TCX, drop1, w->out);
        cover(w, "v0");
        assert_int_equal(attach_set_programs(w->at, drop2, w->out), 0);
        assert_int_equal(filters("v0", "ingress"), clsact);
        assert_int_equal(filters("v0", "egress"), clsact);
        assert_int_equal(hook("v0", SYSBPF_TCX_INGRESS).n, !clsact);
        assert_int_equal(hook("v0", SYSBPF_TCX_EGRESS).n, !clsact);
        assert_int_equal(pinned(w, 500, "in"), !clsact);
        for (int k = 0; k < 2000 && runs(drop1) + runs(drop2) == before; k++)
            usleep(1000);
        assert_true(runs(drop1) + runs(drop2) > before); /* the flood is there */
    }
    assert_int_equal(received(s), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(go);
    assert_true(wait(&status) > 0);
    close(drop1);
    close(drop2);
    close(s);
}

static void test_errors(void **state)
{
    struct world *w = *state;
    struct attach_options o = {.pin_dir = "/proc/nonexistent",
                               .hook = HOOK_CLSACT,
                               .prog_in_fd = w->in,
                               .prog_out_fd = w->out};
    struct iface gone = {.ifindex = 4711, .name = "gone", .role = IFACE_NORMAL};
    struct attach *at = NULL;
    struct diag d = {0};

    assert_int_equal(attach_new(&o, &d, &at), -ENOENT);
    assert_non_null(strstr(d.message, "/proc/nonexistent/link"));
    o.pin_dir = w->dir;
    o.prog_out_fd = -1;
    assert_true(attach_new(&o, &d, &at) < 0);
    assert_null(at);
    open_with(w, HOOK_AUTO, w->in, w->out);
    assert_int_equal(attach_iface(w->at, &gone), -ENODEV);
    assert_int_equal(attach_set_programs(w->at, w->in, w->out), 0);
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, enter, leave)

static int run_those_possible(void)
{
    const struct CMUnitTest clsact[] = {
        LIVE(test_clsact),
        LIVE(test_clsact_beside_others),
        LIVE(test_errors),
    };
    const struct CMUnitTest all[] = {
        LIVE(test_attach_and_pin),
        LIVE(test_adopt_and_upgrade),
        LIVE(test_stale_pins),
        LIVE(test_moved_device),
        LIVE(test_forget),
        LIVE(test_repairs),
        LIVE(test_foreign_program_in_front),
        LIVE(test_role_none_takes_off),
        LIVE(test_no_gap),
        LIVE(test_clsact),
        LIVE(test_clsact_beside_others),
        LIVE(test_errors),
    };

    if (has_tcx())
        return cmocka_run_group_tests(all, NULL, NULL);
    puts("# this kernel has no TCX: its tests are left out");
    return cmocka_run_group_tests(clsact, NULL, NULL);
}

int main(void)
{
    /* A mount namespace of our own: pins end with this process. */
    if (geteuid() || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        puts("1..0 # SKIP needs root");
        return 0;
    }
    _cleanup_(close_p) int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
    if (stats < 0) { /* run counters would stand still */
        puts("1..0 # SKIP no run counters of eBPF programs");
        return 0;
    }
    return run_those_possible();
}
