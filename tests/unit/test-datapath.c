/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a datapath in the kernel: load, lock, generations, adoption, another layout,
 * counters, cleaning up. Packets go through BPF_PROG_TEST_RUN; what a hook does on real traffic is
 * the business of tests/netns. */
#include <net/if.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "datapath-help.h"

#include "../../bpf/image.h"
#include "../../src/datapath/images.h"
#include "../../src/datapath/sysbpf.h"

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void block_udp(struct world *w, const char *port)
{
    ADD(&w->set, .action = ACTION_BLOCK, .proto = PROTO_UDP, .dst = "me", .dport = port);
}

static void test_open_is_open(void **state)
{
    struct world *w = *state;
    struct frame f = frame_l4(PROTO_UDP, "192.0.2.1", 1, "10.0.0.1", 1434);
    uint64_t before = now_ms();
    unsigned n;
    struct diag d;

    world_open(w);
    print_message("# open and load: %llu ms\n", (unsigned long long)(now_ms() - before));
    assert_int_equal(datapath_generation(w->dp), 0);
    assert_false(datapath_adopted(w->dp));
    assert_int_equal(datapath_tag_secret(w->dp) & 3, 0);
    assert_int_not_equal(datapath_tag_secret(w->dp), 0);
    assert_true(datapath_host(w->dp)->n_ifaces >= 3);
    assert_false(ask_slot(w, DATAPATH_ACTIVE, &f, (struct packet_meta){.dir = DIR_IN}).block);
    /* Neither slot holds an image yet: a malfunction, drops. */
    struct datapath_answer a = ASK(w, &f, .dir = DIR_IN);
    assert_true(a.block && a.reason == DROP_INTERNAL);
    assert_int_equal(datapath_visible(w->dp, DATAPATH_CANDIDATE, 0), 0);
    assert_int_equal(datapath_attach_all(w->dp, &d, &n), 0);
    assert_int_equal(n, 2); /* d0, p0; not lo */
}

static void test_one_agent(void **state)
{
    struct world *w = *state;
    struct world second = *w;
    struct diag d = {0};

    world_open(w);
    uint64_t maps = hash_all_maps(w);
    second.dp = NULL;
    assert_int_equal(try_open(&second, &d), -EBUSY);
    assert_null(second.dp);
    assert_non_null(strstr(d.message, "another agent"));
    assert_int_equal(datapath_clear_pins(w->root, datapath_netns_cookie(w->dp), &d), -EBUSY);
    assert_true(hash_all_maps(w) == maps);
}

static void test_no_bpffs(void **state)
{
    struct world *w = *state;
    struct diag d = {0};

    snprintf(w->root, sizeof(w->root), "/tmp/pw-none-%d/pins", (int)getpid());
    assert_int_equal(try_open(w, &d), -ENODEV);
    assert_non_null(strstr(d.hint, "nsenter"));
    assert_int_equal(access(w->root, F_OK), -1);
}

static void test_generations(void **state)
{
    struct world *w = *state;
    struct frame f = frame_l4(PROTO_UDP, "192.0.2.1", 1, "10.0.0.1", 1434);
    struct packet_meta in = {.dir = DIR_IN};
    struct diag d = {0};

    world_open(w);
    assert_int_equal(datapath_worker_process(w->dp), -EAGAIN);
    assert_int_equal(datapath_flip(w->dp, &d), -EBUSY);
    block_udp(w, "1434");
    world_candidate(w);
    assert_true(ask_slot(w, DATAPATH_CANDIDATE, &f, in).block);
    assert_false(ask_slot(w, DATAPATH_ACTIVE, &f, in).block);

    /* One installation at a time; an abandoned one makes room. */
    struct image img = world_compile(w);
    assert_int_equal(datapath_candidate(w->dp, &img, 1, &d), -EBUSY);
    datapath_abandon(w->dp);
    assert_int_equal(datapath_flip(w->dp, &d), -EBUSY);
    image_done(&img);

    world_flip(w);
    assert_int_equal(datapath_generation(w->dp), w->generation);
    struct datapath_answer a = ask_slot(w, DATAPATH_ACTIVE, &f, in);
    assert_true(a.block && a.reason == DROP_FILTER && a.by_filter);
    assert_int_equal(a.generation, w->generation);
    assert_int_equal(a.counter_id, 1);
    assert_false(ask_slot(w, DATAPATH_PREVIOUS, &f, in).block);

    block_udp(w, "1435");
    world_flip(w);
    assert_int_equal(datapath_visible(w->dp, DATAPATH_PREVIOUS, w->generation - 1), 1);
}

/* All answers at once: the flip is seen before the job ends, and not before it was asked for. */
static void test_flip_is_seen(void **state)
{
    struct world *w = *state;
    struct diag d = {0};

    world_open(w);
    block_udp(w, "1");
    world_candidate(w);
    assert_int_equal(datapath_visible(w->dp, DATAPATH_ACTIVE, w->generation), 0);
    assert_int_equal(datapath_flip(w->dp, &d), 0);
    for (uint64_t end = now_ms() + 5000; now_ms() < end;)
        if (datapath_visible(w->dp, DATAPATH_ACTIVE, w->generation) == 1)
            break;
    assert_int_equal(datapath_generation(w->dp), w->generation);
    wait_for_worker(w);
}

static void test_questions_write_nothing(void **state)
{
    struct world *w = *state;
    struct diag d;
    unsigned n;

    world_open(w);
    block_udp(w, "1434");
    world_flip(w);
    world_candidate(w);
    assert_int_equal(datapath_attach_all(w->dp, &d, &n), 0);
    uint64_t before = hash_all_maps(w);
    for (unsigned port = 1400; port < 1500; port++) {
        struct frame f = frame_l4(PROTO_UDP, "192.0.2.1", 1, "10.0.0.1", port);
        struct frame own = frame_l4(PROTO_UDP, "10.0.0.1", 1, "192.0.2.1", port);
        (void)ASK(w, &f, .dir = DIR_IN);
        (void)ASK(w, &own, .dir = DIR_OUT);
        (void)ask_slot(w, DATAPATH_ACTIVE, &f, (struct packet_meta){.dir = DIR_IN});
    }
    assert_true(hash_all_maps(w) == before);
    /* The comparison sees a change. */
    _cleanup_(close_p) int prog = pin_fd(w, "prog", "pw_in");
    struct frame f = frame_l4(PROTO_UDP, "192.0.2.1", 1, "10.0.0.1", 1434);
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f.b, .data_size_in = (uint32_t)f.len);
    assert_int_equal(bpf_prog_test_run_opts(prog, &o), 0);
    assert_int_equal(o.retval, SYSBPF_TCX_DROP);
    assert_true(hash_all_maps(w) != before);
}

/* pw_in itself on lo of this namespace: the packet is for this host. */
static uint32_t run_hook(struct world *w, const char *name, const struct frame *f,
                         unsigned gso_segs)
{
    _cleanup_(close_p) int prog = pin_fd(w, "prog", name);
    struct __sk_buff skb = {.gso_segs = gso_segs, .gso_size = gso_segs ? 100 : 0};
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (uint32_t)f->len,
                .ctx_in = &skb, .ctx_size_in = sizeof(skb));
    assert_int_equal(bpf_prog_test_run_opts(prog, &o), 0);
    return o.retval;
}

static void expect_counter(struct world *w, uint32_t id, uint64_t packets, uint64_t bytes)
{
    struct counter c;
    assert_int_equal(datapath_counters(w->dp, id, 1, &c), 0);
    assert_int_equal(c.packets, packets);
    assert_int_equal(c.bytes, bytes);
}

static void test_counters(void **state)
{
    struct world *w = *state;
    struct frame hit = frame_l4(PROTO_UDP, "192.0.2.1", 1, "10.0.0.1", 1434);
    struct frame miss = frame_l4(PROTO_UDP, "192.0.2.1", 1, "10.0.0.1", 1435);
    uint64_t passed, dropped[_DROP_REASON_MAX];
    struct counter c[3];

    world_open(w);
    block_udp(w, "1434");
    ADD(&w->set, .action = ACTION_PERMIT, .proto = PROTO_UDP, .dst = "me", .dport = "1436",
        .id = 2 * PW_CHUNK_IDS + 5); /* the counters grow over a chunk that nobody uses */
    w->set.v[1].counter_id = 2 * PW_CHUNK_IDS + 5;
    struct image img = world_compile(w);
    struct diag d;
    assert_int_equal(datapath_candidate(w->dp, &img, 2 * PW_CHUNK_IDS + 6, &d), 0);
    image_done(&img);
    wait_for_worker(w);
    assert_int_equal(datapath_flip(w->dp, &d), 0);
    wait_for_worker(w);

    for (int i = 0; i < 3; i++)
        assert_int_equal(run_hook(w, "pw_in", &hit, 0), SYSBPF_TCX_DROP);
    assert_int_equal(run_hook(w, "pw_in", &hit, 7), SYSBPF_TCX_DROP);
    assert_int_equal(run_hook(w, "pw_in", &miss, 0), (uint32_t)SYSBPF_TCX_NEXT);
    put16(hit.b + 14 + 20 + 2, 1436);
    assert_int_equal(run_hook(w, "pw_in", &hit, 0), (uint32_t)SYSBPF_TCX_NEXT);
    expect_counter(w, 1, 10, 4 * hit.len);
    expect_counter(w, 2 * PW_CHUNK_IDS + 5, 1, hit.len);
    assert_int_equal(datapath_stats(w->dp, DIR_IN, &passed, dropped), 0);
    assert_int_equal(passed, 2);
    assert_int_equal(dropped[DROP_FILTER], 10);
    assert_int_equal(datapath_stats(w->dp, DIR_OUT, &passed, dropped), 0);
    assert_int_equal(passed + dropped[DROP_FILTER], 0);

    /* Survive a generation, are reset one by one, and are zero beyond what exists. */
    world_flip(w);
    expect_counter(w, 1, 10, 4 * hit.len);
    assert_int_equal(datapath_counter_reset(w->dp, 1), 0);
    expect_counter(w, 1, 0, 0);
    assert_int_equal(datapath_counters(w->dp, DATAPATH_COUNTER_IDS - 1, 3, c), 0);
    assert_int_equal(c[0].packets + c[1].packets + c[2].packets, 0);
    struct image big = world_compile(w);
    assert_int_equal(datapath_candidate(w->dp, &big, DATAPATH_COUNTER_IDS + 1, &d), -E2BIG);
    assert_int_equal(d.code, DIAG_LIMIT);
    image_done(&big);
    expect_counter(w, 2 * PW_CHUNK_IDS + 5, 1, hit.len);
    world_candidate(w); /* a refused one leaves room for the next */
}

/* No descriptors left in the middle of growing: what was counted stays. */
static void test_counters_cannot_grow(void **state)
{
    struct world *w = *state;
    struct frame hit = frame_l4(PROTO_UDP, "192.0.2.1", 1, "10.0.0.1", 1434);
    struct rlimit old, tight;
    struct diag d = {0};

    world_open(w);
    block_udp(w, "1434");
    world_flip(w);
    assert_int_equal(run_hook(w, "pw_in", &hit, 0), SYSBPF_TCX_DROP);
    struct image img = world_compile(w);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    int next = dup(0);
    tight.rlim_cur = (rlim_t)next;
    assert_int_equal(close(next), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    int r = datapath_candidate(w->dp, &img, 20 * PW_CHUNK_IDS, &d);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    image_done(&img);
    assert_int_equal(r, -EMFILE);
    expect_counter(w, 1, 1, hit.len);
    world_flip(w);
    expect_counter(w, 1, 1, hit.len);
}

static uint32_t active_image_id(const struct world *w)
{
    _cleanup_(close_p) int roots = pin_fd(w, "map", "roots");
    uint32_t slot = PW_ROOT_ACTIVE, id;
    assert_int_equal(bpf_map_lookup_elem(roots, &slot, &id), 0);
    return id;
}

static uint32_t link_program(const struct world *w, const char *name)
{
    struct sysbpf_link_info info;
    _cleanup_(close_p) int fd = pin_fd(w, "link", name);
    assert_true(fd >= 0);
    assert_int_equal(sysbpf_link_info(fd, &info), 0);
    return info.prog_id;
}

static void in_force(struct world *w, char link[32])
{
    struct diag d;
    unsigned n;
    world_open(w);
    block_udp(w, "1434");
    assert_int_equal(datapath_attach_all(w->dp, &d, &n), 0);
    world_flip(w);
    const struct host *h = datapath_host(w->dp);
    for (size_t i = 0; i < h->n_ifaces; i++)
        if (strcmp(h->ifaces[i].name, "d0") == 0)
            snprintf(link, 32, "%u-in", h->ifaces[i].ifindex);
}

static void test_adoption(void **state)
{
    struct world *w = *state;
    struct frame f = frame_l4(PROTO_UDP, "192.0.2.1", 1, "10.0.0.1", 1434);
    struct diag d;
    char link[32];
    unsigned n;

    in_force(w, link);
    assert_int_equal(run_hook(w, "pw_in", &f, 0), SYSBPF_TCX_DROP);
    uint32_t image = active_image_id(w), program = link_program(w, link);
    uint16_t secret = datapath_tag_secret(w->dp);
    /* Killed before the flip: the candidate stays in its slot and is still seen. */
    world_candidate(w);
    w->dp = datapath_close(w->dp);
    shell("ip addr del 10.0.0.1/24 dev d0; ip addr add 10.0.0.7/24 dev d0");
    world_open(w);
    assert_int_equal(datapath_newest(w->dp), w->generation);
    assert_int_equal(datapath_visible(w->dp, DATAPATH_CANDIDATE, w->generation), 1);
    w->generation--;
    assert_true(datapath_adopted(w->dp));
    assert_int_equal(datapath_generation(w->dp), w->generation);
    assert_int_equal(datapath_tag_secret(w->dp), secret);
    assert_int_equal(active_image_id(w), image);
    expect_counter(w, 1, 1, f.len);
    assert_int_equal(datapath_attach_all(w->dp, &d, &n), 0);
    assert_int_not_equal(link_program(w, link), program); /* new program, same image */
    /* The address went while nobody looked. */
    assert_false(ask_slot(w, DATAPATH_ACTIVE, &f, (struct packet_meta){.dir = DIR_IN}).block);
    inet_pton(AF_INET, "10.0.0.7", f.b + 30);
    assert_true(ask_slot(w, DATAPATH_ACTIVE, &f, (struct packet_meta){.dir = DIR_IN}).block);
}

/* An upgrade with another layout: the old programs decide until the first new generation does. */
/* Returns the secret of the packet tag. */
static uint32_t pretend_other_layout(const struct world *w)
{
    uint32_t key = 0, meta[4];
    _cleanup_(close_p) int fd = pin_fd(w, "map", "meta");
    assert_int_equal(bpf_map_lookup_elem(fd, &key, meta), 0);
    meta[1] = IMG_LAYOUT + 1;
    assert_int_equal(bpf_map_update_elem(fd, &key, meta, 0), 0);
    return meta[2];
}

/* One interface that cannot be attached is no reason to call a generation in force a failure. */
static void test_other_layout_with_a_bad_interface(void **state)
{
    struct world *w = *state;
    struct diag d;
    unsigned n;

    shell("tc qdisc add dev p0 ingress"); /* leaves no room for an egress filter */
    w->hook = HOOK_CLSACT;
    world_open(w);
    block_udp(w, "1434");
    assert_int_equal(datapath_attach_all(w->dp, &d, &n), 0);
    assert_int_equal(n, 1);
    world_flip(w);
    (void)pretend_other_layout(w);
    w->dp = datapath_close(w->dp);
    world_open(w);
    assert_false(datapath_adopted(w->dp));
    assert_int_equal(datapath_attach_all(w->dp, &d, &n), 0);
    world_flip(w);
    w->dp = datapath_close(w->dp);
    world_open(w);
    assert_true(datapath_adopted(w->dp));
}

static void test_other_layout(void **state)
{
    struct world *w = *state;
    struct frame f = frame_l4(PROTO_UDP, "192.0.2.1", 1, "10.0.0.1", 1434);
    struct diag d;
    char link[32];
    unsigned n;

    in_force(w, link);
    uint32_t program = link_program(w, link);
    uint32_t secret = pretend_other_layout(w);
    w->dp = datapath_close(w->dp);

    world_open(w);
    assert_false(datapath_adopted(w->dp));
    assert_int_equal(datapath_generation(w->dp), 0);
    assert_int_equal(datapath_tag_secret(w->dp), secret);
    assert_int_equal(datapath_attach_all(w->dp, &d, &n), 0);
    assert_int_equal(link_program(w, link), program);
    assert_int_equal(run_hook(w, "pw_in", &f, 0), SYSBPF_TCX_DROP); /* prog/pw_in is the old one */
    (void)datapath_reconcile(w->dp);
    assert_int_equal(link_program(w, link), program);
    world_flip(w);
    assert_int_not_equal(link_program(w, link), program);
    assert_int_equal(run_hook(w, "pw_in", &f, 0), SYSBPF_TCX_DROP);
    expect_counter(w, 1, 1, f.len);
    w->dp = datapath_close(w->dp);
    world_open(w);
    assert_true(datapath_adopted(w->dp));
}

static void test_pins_are_put_back(void **state)
{
    struct world *w = *state;
    char link[32];

    in_force(w, link);
    assert_int_equal(datapath_reconcile(w->dp), 0);
    shell("rm %s/%llu/map/roots %s/%llu/link/%s", w->root,
          (unsigned long long)datapath_netns_cookie(w->dp), w->root,
          (unsigned long long)datapath_netns_cookie(w->dp), link);
    assert_true(datapath_reconcile(w->dp) >= 2);
    assert_int_equal(datapath_reconcile(w->dp), 0);
    assert_true(link_program(w, link) != 0);
    w->dp = datapath_close(w->dp);
    world_open(w);
    assert_true(datapath_adopted(w->dp));
}

/* Somebody removes the whole directory: pins and lock must come back, or the host is open as soon
 * as this process ends. */
static void test_directory_is_put_back(void **state)
{
    struct world *w = *state;
    struct world second = {0};
    struct diag d = {0};
    char link[32];

    in_force(w, link);
    for (unsigned i = 0; i < 2; i++) {
        shell("rm -r %s", w->root);
        assert_true(datapath_reconcile(w->dp) > 0);
        assert_int_equal(datapath_reconcile(w->dp), 0);
        assert_true(link_program(w, link) != 0);
        memcpy(second.root, w->root, sizeof(second.root));
        assert_int_equal(try_open(&second, &d), -EBUSY);
    }
    w->dp = datapath_close(w->dp);
    world_open(w);
    assert_true(datapath_adopted(w->dp));
}

/* Looking for dead namespaces must not turn away an agent that starts meanwhile. */
static void test_collecting_locks_nobody_out(void **state)
{
    struct world *w = *state;
    char link[32];

    in_force(w, link);
    w->dp = datapath_close(w->dp); /* the child shall not inherit the lock */
    pid_t child = fork();
    assert_true(child >= 0);
    for (int i = 0; child == 0 && i < 1000000; i++)
        (void)datapath_collect_dead(w->root);
    if (child == 0)
        _exit(0);
    int error = 0;
    for (unsigned i = 0; i < 8 && !error; i++) {
        struct diag d = {0};
        error = try_open(w, &d);
        w->dp = i < 7 && !error ? datapath_close(w->dp) : w->dp;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(error, 0);
}

/* The sysctl accept_local sends no message. */
static void test_resync(void **state)
{
    struct world *w = *state;
    unsigned changes = 0;
    struct pw_ifrole role = {0};
    uint32_t ifindex = if_nametoindex("d0");

    world_open(w);
    _cleanup_(close_p) int fd = pin_fd(w, "map", "ifrole");
    shell("sysctl -qw net.ipv4.conf.d0.accept_local=1");
    assert_int_equal(datapath_resync(w->dp, &changes), 0);
    assert_int_equal(changes, HOST_CHANGED_IFACES);
    assert_int_equal(bpf_map_lookup_elem(fd, &ifindex, &role), 0);
    assert_int_equal(role.flags, PW_IF_ACCEPT_LOCAL | PW_IF_ETHERNET);
}

static void test_clearing(void **state)
{
    struct world *w = *state;
    struct diag d = {0};
    char link[32];

    in_force(w, link);
    uint64_t cookie = datapath_netns_cookie(w->dp);
    w->dp = datapath_close(w->dp);
    assert_int_equal(datapath_collect_dead(w->root), 0); /* alive */
    assert_int_equal(datapath_clear_pins(w->root, cookie, &d), 0);
    assert_int_equal(datapath_clear_pins(w->root, cookie, &d), 0);
    assert_int_equal(rmdir(w->root), 0); /* nothing was left in it */

    in_force(w, link);
    w->dp = datapath_close(w->dp);
    assert_int_equal(unshare(CLONE_NEWNET), 0); /* nobody is in the old namespace any more */
    int n = 0;
    for (uint64_t end = now_ms() + 10000; n == 0 && now_ms() < end; usleep(20000))
        n = datapath_collect_dead(w->root); /* the kernel ends it in its own time */
    assert_int_equal(n, 1);
    assert_int_equal(rmdir(w->root), 0);
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, world_enter, world_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(test_open_is_open),
        LIVE(test_one_agent),
        LIVE(test_no_bpffs),
        LIVE(test_generations),
        LIVE(test_flip_is_seen),
        LIVE(test_questions_write_nothing),
        LIVE(test_counters),
        LIVE(test_counters_cannot_grow),
        LIVE(test_adoption),
        LIVE(test_other_layout),
        LIVE(test_other_layout_with_a_bad_interface),
        LIVE(test_pins_are_put_back),
        LIVE(test_directory_is_put_back),
        LIVE(test_collecting_locks_nobody_out),
        LIVE(test_resync),
        LIVE(test_clearing),
    };
    if (!world_prepare()) {
        puts("1..0 # SKIP needs root");
        return 0;
    }
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    world_forget();
    return r;
}
