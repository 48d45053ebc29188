/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard in the kernel: it loads, its links stand, are put back, handed over and taken away; and
 * its programs say what the classifier says. They run here by BPF_PROG_TEST_RUN, where a packet
 * looks as if it had been unwrapped on `lo`: no device ever took off its MAC header. What it does
 * on real traffic is the business of tests/netns/test-guard.py. */
#include <fcntl.h>
#include <net/if.h>
#include <sys/wait.h>

#include "datapath-help.h"

/* after <netinet/in.h>, which datapath-help.h needs */
#include <linux/netfilter.h>

#include "../../src/datapath/netns.h"
#include "../../src/datapath/sysbpf.h"

enum { FIRST = -350 };
static const uint32_t pf[2] = {NFPROTO_IPV4, NFPROTO_IPV6};
static const struct {
    const char *name;
    uint32_t hook;
} hooks[] = {
    {"guard-in", NF_INET_LOCAL_IN},
    {"guard-forward", NF_INET_FORWARD},
    {"guard-out", NF_INET_LOCAL_OUT},
};

static void open_guarded(struct world *w, bool guard)
{
    struct datapath_options o = {.pin_root = w->root, .guard = guard};
    struct guard_status s;
    struct diag d = {0};
    unsigned n;

    if (datapath_open(&o, &d, &w->dp) < 0 || datapath_attach_all(w->dp, &d, &n) < 0)
        fail_msg("open: %s", d.message);
    datapath_guard_status(w->dp, &s);
    if (guard && s.state != GUARD_ON)
        fail_msg("guard: %s", s.reason);
}

static const char *pin_name(size_t hook, unsigned family)
{
    static char name[32];

    snprintf(name, sizeof(name), "%s-%u", hooks[hook].name, family == 0 ? 4U : 6U);
    return name;
}

static struct sysbpf_link_info pinned_link(struct world *w, size_t hook, unsigned family)
{
    struct sysbpf_link_info info = {0};
    _cleanup_(close_p) int fd = pin_fd(w, "link", pin_name(hook, family));

    if (fd >= 0)
        assert_int_equal(sysbpf_link_info(fd, &info), 0);
    return info;
}

/* A program of somebody else. */
static int load_other(void)
{
    const struct bpf_insn code[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = NF_ACCEPT},
        {.code = BPF_JMP | BPF_EXIT},
    };
    LIBBPF_OPTS(bpf_prog_load_opts, o,
                .expected_attach_type = (enum bpf_attach_type)SYSBPF_NETFILTER);
    int fd = bpf_prog_load((enum bpf_prog_type)SYSBPF_PROG_TYPE_NETFILTER, "other", "GPL", code,
                           ARRAY_SIZE(code), &o);

    assert_true(fd >= 0);
    return fd;
}

/* Whether something stands at this place: the kernel takes one program per priority. */
static bool stands(size_t hook, unsigned family, int priority)
{
    _cleanup_(close_p) int prog = load_other();
    _cleanup_(close_p) int fd = sysbpf_netfilter_link(prog, pf[family], hooks[hook].hook, priority);

    return fd == -EBUSY;
}

static void assert_all_stand(struct world *w, int priority)
{
    struct guard_status s;

    datapath_guard_status(w->dp, &s);
    assert_int_equal(s.state, GUARD_ON);
    for (size_t h = 0; h < ARRAY_SIZE(hooks); h++)
        for (unsigned f = 0; f < 2; f++) {
            struct sysbpf_link_info info = pinned_link(w, h, f);

            assert_int_equal(info.type, SYSBPF_LINK_TYPE_NETFILTER);
            assert_int_equal(info.pf, pf[f]);
            assert_int_equal(info.hook, hooks[h].hook);
            assert_int_equal(info.priority, priority);
            assert_true(stands(h, f, priority));
        }
}

static uint8_t role_flags(struct world *w, const char *name)
{
    uint32_t ifindex = if_nametoindex(name);
    struct pw_ifrole role;
    _cleanup_(close_p) int fd = pin_fd(w, "map", "ifrole");

    assert_int_equal(bpf_map_lookup_elem(fd, &ifindex, &role), 0);
    return role.flags;
}

static void test_links(void **state)
{
    struct world *w = *state;

    open_guarded(w, true);
    assert_all_stand(w, FIRST);
    assert_true(role_flags(w, "d0") & PW_IF_GUARDED);
    assert_int_equal(datapath_reconcile(w->dp), 0);
}

static void test_repairs(void **state)
{
    struct world *w = *state;

    open_guarded(w, true);
    for (size_t h = 0; h < ARRAY_SIZE(hooks); h++)
        for (unsigned f = 0; f < 2; f++) {
            char path[160];
            _cleanup_(close_p) int fd = pin_fd(w, "link", pin_name(h, f));

            assert_int_equal(sysbpf_link_detach(fd), 0);
            assert_false(stands(h, f, FIRST));
            assert_int_equal(datapath_reconcile(w->dp), 1);
            assert_all_stand(w, FIRST);

            snprintf(path, sizeof(path), "%s/%llu/link/%s", w->root,
                     (unsigned long long)datapath_netns_cookie(w->dp), pin_name(h, f));
            assert_int_equal(unlink(path), 0);
            assert_int_equal(datapath_reconcile(w->dp), 1);
            assert_all_stand(w, FIRST);
        }
    assert_int_equal(datapath_reconcile(w->dp), 0);
}

/* The next agent attaches its programs beside, then the old ones go; and once more. */
static void test_next_agent(void **state)
{
    struct world *w = *state;

    open_guarded(w, true);
    struct sysbpf_link_info before = pinned_link(w, 0, 0);
    w->dp = datapath_close(w->dp);
    open_guarded(w, true);
    assert_all_stand(w, FIRST + 1);
    assert_false(stands(0, 0, FIRST));
    assert_true(pinned_link(w, 0, 0).prog_id != before.prog_id);
    w->dp = datapath_close(w->dp);
    open_guarded(w, true);
    assert_all_stand(w, FIRST);
    assert_false(stands(0, 0, FIRST + 1));
}

static void test_place_is_taken(void **state)
{
    struct world *w = *state;
    struct guard_status s;
    _cleanup_(close_p) int prog = load_other();
    _cleanup_(close_p) int link =
        sysbpf_netfilter_link(prog, NFPROTO_IPV4, NF_INET_LOCAL_IN, FIRST);

    assert_true(link >= 0);
    open_guarded(w, true);
    datapath_guard_status(w->dp, &s);
    assert_int_equal(s.state, GUARD_ON);
    assert_int_equal(pinned_link(w, 0, 0).priority, FIRST + 1);
    assert_int_equal(pinned_link(w, 0, 1).priority, FIRST);
}

static void test_off(void **state)
{
    struct world *w = *state;
    struct guard_status s;

    open_guarded(w, true);
    w->dp = datapath_close(w->dp);
    open_guarded(w, false);
    datapath_guard_status(w->dp, &s);
    assert_int_equal(s.state, GUARD_OFF);
    assert_false(role_flags(w, "d0") & PW_IF_GUARDED);
    for (size_t h = 0; h < ARRAY_SIZE(hooks); h++)
        for (unsigned f = 0; f < 2; f++) {
            assert_int_equal(pin_fd(w, "link", pin_name(h, f)), -ENOENT);
            assert_false(stands(h, f, FIRST));
        }
}

static void test_clear(void **state)
{
    struct world *w = *state;
    struct diag d = {0};

    open_guarded(w, true);
    uint64_t cookie = datapath_netns_cookie(w->dp);
    assert_int_equal(datapath_clear(w->dp, &d), 0);
    w->dp = NULL;
    open_guarded(w, true);
    assert_all_stand(w, FIRST);
    w->dp = datapath_close(w->dp);
    assert_int_equal(datapath_clear_pins(w->root, cookie, &d), 0);
    open_guarded(w, false);
    for (size_t h = 0; h < ARRAY_SIZE(hooks); h++)
        assert_false(stands(h, 0, FIRST));
}

/* A namespace is used by a process in it, by a descriptor, and by nobody. */
static void test_use_of_namespaces(void **state _unused_)
{
    int up[2], down[2], status;
    uint32_t inode = 0;

    assert_true(pipe(up) == 0 && pipe(down) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;

        inode = unshare(CLONE_NEWNET) == 0 ? netns_inode() : 0;
        if (write(up[1], &inode, sizeof(inode)) != sizeof(inode) || read(down[0], &byte, 1) != 1)
            _exit(1);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(read(up[0], &inode, sizeof(inode)), sizeof(inode));
    assert_true(netns_is_used(netns_inode()));
    assert_true(inode != 0 && netns_is_used(inode));

    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(down[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(netns_is_used(inode));
    close(fd);
    assert_false(netns_is_used(inode));
    for (int i = 0; i < 2; i++) {
        close(up[i]);
        close(down[i]);
    }
}

/* --- verdicts --- */
static bool guard_blocks(struct world *w, size_t hook, const struct frame *f)
{
    unsigned family = f->b[12] == 0x86;
    struct {
        uint8_t hook, pf;
        uint8_t rest[54];
    } context = {.hook = (uint8_t)hooks[hook].hook, .pf = (uint8_t)pf[family]};
    _cleanup_(close_p) int prog = bpf_prog_get_fd_by_id(pinned_link(w, hook, family).prog_id);
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (uint32_t)f->len,
                .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

    assert_int_equal(bpf_prog_test_run_opts(prog, &o), 0);
    return o.retval == NF_DROP;
}

static void add_filters(struct world *w)
{
    ADD(&w->set, .action = ACTION_BLOCK, .proto = PROTO_UDP, .dst = "me", .dport = "1000-2000");
    ADD(&w->set, .action = ACTION_PERMIT, .proto = PROTO_UDP, .src = "198.51.100.0/24", .dst = "me",
        .dport = "1500");
    ADD(&w->set, .action = ACTION_BLOCK, .src = "2001:db8:bad::/48", .dst = "me");
    ADD(&w->set, .action = ACTION_BLOCK, .proto = PROTO_TCP, .src = "me", .dport = "1000-2000");
    ADD(&w->set, .action = ACTION_BLOCK, .proto = PROTO_TCP, .src = "203.0.113.0/24",
        .dst = "198.51.100.0/24");
    ADD(&w->set, .action = ACTION_PERMIT, .proto = PROTO_TCP, .src = "me", .dst = "198.51.100.7",
        .dport = "1500");
}

static struct frame random_frame(struct rng *rng)
{
    static const char *const far4[] = {"192.0.2.9", "198.51.100.7", "203.0.113.4"};
    static const char *const far6[] = {"2001:db8:bad::1", "2001:db8:2::1"};
    int proto = rng_below(rng, 2) ? PROTO_UDP : PROTO_TCP;
    bool six = rng_below(rng, 3) == 0;
    const char *far = six ? far6[rng_below(rng, 2)] : far4[rng_below(rng, 3)];
    unsigned port = 900 + rng_below(rng, 1200);

    if (rng_below(rng, 3) == 0)
        port = 1500;
    return frame_l4(proto, far, 4000, six ? "2001:db8::1" : "10.0.0.1", port);
}

/* As `me` at LOCAL_IN. At LOCAL_OUT a test run leaves by `lo`, where all is accepted. */
static void test_same_verdict(void **state)
{
    struct world *w = *state;
    const char *env = getenv("PORTWARD_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 10) : 20261125;
    struct rng rng = {seed};
    unsigned blocked = 0;

    open_guarded(w, true);
    add_filters(w);
    world_flip(w);
    for (unsigned i = 0; i < 4000; i++) {
        struct frame f = random_frame(&rng);
        struct packet_meta meta = {.dir = DIR_IN, .to_host = true};
        struct datapath_answer a = ask_slot(w, DATAPATH_ACTIVE, &f, meta);

        if (guard_blocks(w, 0, &f) != a.block)
            fail_msg("packet %u: the classifier says %s; PORTWARD_SEED=%llu", i,
                     a.block ? "block" : "permit", (unsigned long long)seed);
        blocked += a.block;
        assert_false(guard_blocks(w, 2, &f));
    }
    assert_true(blocked > 400 && blocked < 3600);
}

/* Nobody is `me` at FORWARD, whatever the addresses say; structure is judged as everywhere. */
static void test_forward(void **state)
{
    struct world *w = *state;
    struct frame to_me = frame_l4(PROTO_UDP, "192.0.2.9", 1, "10.0.0.1", 1000);
    struct frame match = frame_l4(PROTO_TCP, "203.0.113.4", 1, "198.51.100.9", 80);
    struct frame other = frame_l4(PROTO_TCP, "203.0.113.4", 1, "192.0.2.9", 80);
    struct frame martian = frame_l4(PROTO_TCP, "127.0.0.1", 1, "192.0.2.9", 80);

    open_guarded(w, true);
    add_filters(w);
    world_flip(w);
    assert_false(guard_blocks(w, 1, &to_me));
    assert_true(guard_blocks(w, 0, &to_me));
    assert_true(guard_blocks(w, 1, &match));
    assert_false(guard_blocks(w, 1, &other));
    assert_true(guard_blocks(w, 1, &martian));
    assert_true(guard_blocks(w, 0, &martian)); /* not from `lo`: it was unwrapped there */
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, world_enter, world_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(test_links),
        LIVE(test_repairs),
        LIVE(test_next_agent),
        LIVE(test_place_is_taken),
        LIVE(test_off),
        LIVE(test_clear),
        LIVE(test_use_of_namespaces),
        LIVE(test_same_verdict),
        LIVE(test_forward),
    };

    if (!world_prepare()) {
        puts("1..0 # SKIP needs root");
        return 0;
    }
    if (!sysbpf_has_netfilter()) {
        puts("1..0 # SKIP this kernel has no netfilter programs");
        return 0;
    }
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    world_forget();
    return r;
}
