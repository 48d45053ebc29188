/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scan detection in the loaded programs: rows of frames by BPF_PROG_TEST_RUN, and what is found of
 * them; that no verdict changes; that memory stays what it is under a flood of forged sources. */
#include <net/if.h>

#include "datapath-help.h"
#include "datapath/scan.h"
#include "scan.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, NEXT = 0xffffffff, DROP = 2 };
#define FROM  "192.0.2.1"
#define FROM6 "2001:db8:9::1"
#define ME    "10.0.0.1"
#define ME6   "2001:db8::1"

struct lab {
    struct world *w;
    int in, out;
    uint32_t ifindex;
    uint8_t mac[6];
    unsigned n;
    struct scan_begin last;
};
static struct lab lab;

static int program(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/prog/%s", datapath_pin_dir(lab.w->dp), name);
    int fd = bpf_obj_get(path);
    assert_true(fd >= 0);
    return fd;
}

static int map_fd(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/map/%s", datapath_pin_dir(lab.w->dp), name);
    int fd = bpf_obj_get(path);
    assert_true(fd >= 0);
    return fd;
}

static void read_mac(void)
{
    unsigned b[6];
    FILE *f = popen("ip -o link show dev d0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]), 6);
    pclose(f);
    for (int i = 0; i < 6; i++)
        lab.mac[i] = (uint8_t)b[i];
}

static void open_lab(void **state, const struct scan_limits *l)
{
    lab = (struct lab){.w = *state, .ifindex = if_nametoindex("d0")};
    world_open(lab.w);
    ADD(&lab.w->set, .action = ACTION_BLOCK, .dst = "me");
    ADD(&lab.w->set, .action = ACTION_PERMIT, .proto = PROTO_TCP, .dst = "me", .dport = "80");
    world_flip(lab.w);
    lab.in = program("pw_in");
    lab.out = program("pw_out");
    read_mac();
    assert_int_equal(datapath_scan_set(lab.w->dp, l), 0);
}

static const struct scan_limits usual = {.on = true, .fast = 15, .slow = 30, .sweep = 15};

static uint32_t run(int prog, struct frame *f)
{
    struct __sk_buff ctx = {.ifindex = lab.ifindex};
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (uint32_t)f->len,
                .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
    assert_int_equal(bpf_prog_test_run_opts(prog, &o), 0);
    return o.retval;
}

static uint32_t arrive(struct frame f)
{
    memcpy(f.b, lab.mac, 6);
    return run(lab.in, &f);
}

static struct frame tcp(const char *src, unsigned sport, const char *dst, unsigned dport,
                        uint8_t flags)
{
    struct frame f = frame_l4(PROTO_TCP, src, sport, dst, dport);
    f.b[f.len - 7] = flags;
    return f;
}

static void on_begin(void *ctx _unused_, const struct scan_begin *b)
{
    lab.n++;
    lab.last = *b;
}

/* Scans that began since the last call. */
static unsigned found(void)
{
    lab.n = 0;
    assert_true(datapath_scan_read(lab.w->dp, 1000, on_begin, NULL) >= 0);
    return lab.n;
}

static void end(uint64_t source)
{
    assert_int_equal(datapath_scan_end(lab.w->dp, source), 0);
}

enum { SOURCE4 = 0xc0000201 };

static void test_kinds(void **state)
{
    static const struct {
        uint8_t flags;
        unsigned kind; /* 0 = no scan */
    } rows[] = {
        {SYN, SCAN_KIND_SYN},
        {SYN | 0xc0, SCAN_KIND_SYN},
        {FIN, SCAN_KIND_FIN},
        {0, SCAN_KIND_NULL},
        {FIN | PSH | URG, SCAN_KIND_XMAS},
        {ACK, 0},
        {RST, 0},
        {SYN | ACK, 0},
        {RST | ACK, 0},
        {FIN | ACK, 0},
        {PSH, 0},
    };
    open_lab(state, &usual);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (unsigned port = 100; port < 140; port++)
            assert_int_equal(arrive(tcp(FROM, 40000, ME, port, rows[i].flags)), DROP);
        unsigned n = found();
        if (n != !!rows[i].kind)
            fail_msg("flags %x: %u scans", rows[i].flags, n);
        if (!n)
            continue;
        assert_int_equal(lab.last.kinds, rows[i].kind);
        assert_int_equal(lab.last.source, SOURCE4);
        assert_int_equal(lab.last.src.lo, SOURCE4);
        assert_int_equal(lab.last.dst.lo, 0x0a000001);
        assert_int_equal(lab.last.family, FAMILY_4);
        assert_int_equal(lab.last.ifindex, lab.ifindex);
        assert_int_equal(lab.last.pace, SCAN_PACE_FAST);
        assert_false(lab.last.proven);
        assert_in_range(lab.last.count, 14, 22); /* collisions in the sketch */
        end(SOURCE4);
    }
}

static void test_udp(void **state)
{
    open_lab(state, &usual);
    for (unsigned port = 100; port < 140; port++)
        assert_int_equal(arrive(frame_l4(PROTO_UDP, FROM6, 5000, ME6, port)), DROP);
    assert_int_equal(found(), 1);
    assert_int_equal(lab.last.kinds, SCAN_KIND_UDP);
    assert_true(lab.last.source == 0x20010db800090000);
    end(lab.last.source);
    for (unsigned port = 0; port < 100; port++) { /* late answers, and traceroute */
        arrive(frame_l4(PROTO_UDP, FROM, 53, ME, 40000 + port));
        arrive(frame_l4(PROTO_UDP, FROM, 40000, ME, 33434 + port));
    }
    assert_int_equal(found(), 0);
}

/* What a client does that is not let in: the same ports again and again. */
static void test_retries(void **state)
{
    open_lab(state, &usual);
    for (unsigned i = 0; i < 20000; i++)
        arrive(tcp(FROM, 30000 + i % 20000, ME, 1 + i % 13, SYN));
    assert_int_equal(found(), 0);
    for (unsigned i = 0; i < 2000; i++) /* permitted: not looked at */
        assert_int_equal(arrive(tcp(FROM, 30000 + i, ME, 80, SYN)), NEXT);
    assert_int_equal(found(), 0);
    struct frame f = tcp(FROM, 40000, ME, 1, SYN);
    memset(f.b, 0xff, 6);
    for (unsigned port = 500; port < 600; port++) { /* to a group, not to this host */
        put16(f.b + 36, port);
        run(lab.in, &f);
    }
    assert_int_equal(found(), 0);
}

static void test_progress(void **state)
{
    struct scan_state s;

    open_lab(state, &usual);
    for (unsigned port = 100; port < 200; port++)
        arrive(tcp(FROM, 40000, ME, port, SYN));
    assert_int_equal(found(), 1); /* one, however long it lasts */
    assert_int_equal(datapath_scan_state(lab.w->dp, SOURCE4, &s), 0);
    assert_int_equal(s.count + lab.last.count, 100);
    assert_int_equal(s.n_ports, SCAN_SAMPLE);
    assert_int_equal(s.port[0], lab.last.port + 1);
    assert_int_equal(s.kinds, SCAN_KIND_SYN);
    arrive(frame_l4(PROTO_UDP, FROM, 40000, ME, 5));
    assert_int_equal(datapath_scan_state(lab.w->dp, SOURCE4, &s), 0);
    assert_int_equal(s.kinds, SCAN_KIND_SYN | SCAN_KIND_UDP);
    uint64_t list[4];
    assert_int_equal(datapath_scan_list(lab.w->dp, list, 4), 1);
    assert_int_equal(list[0], SOURCE4);
    end(SOURCE4);
    assert_int_equal(datapath_scan_state(lab.w->dp, SOURCE4, &s), -ENOENT);
    for (unsigned port = 100; port < 200; port++)
        arrive(tcp(FROM, 40000, ME, port, SYN));
    assert_int_equal(found(), 1); /* another one */
}

static void test_limits(void **state)
{
    struct scan_limits l = {.on = true, .fast = 90, .slow = 30, .sweep = 15};

    open_lab(state, &l);
    for (unsigned port = 100; port < 140; port++)
        arrive(tcp(FROM, 40000, ME, port, SYN));
    assert_int_equal(found(), 1);
    assert_int_equal(lab.last.pace, SCAN_PACE_SLOW);
    end(SOURCE4);
    l.on = false;
    assert_int_equal(datapath_scan_set(lab.w->dp, &l), 0);
    for (unsigned port = 100; port < 200; port++)
        arrive(tcp(FROM, 40000, ME, port, SYN));
    assert_int_equal(found(), 0);
}

static void test_sweep(void **state)
{
    char dst[32];

    open_lab(state, &usual);
    ADD(&lab.w->set, .action = ACTION_BLOCK, .dst = "198.51.100.0/24");
    world_flip(lab.w);
    for (unsigned i = 1; i < 40; i++) {
        snprintf(dst, sizeof(dst), "198.51.100.%u", i);
        assert_int_equal(arrive(tcp(FROM, 40000, dst, 22, SYN)), DROP);
    }
    assert_int_equal(found(), 1);
    assert_int_equal(lab.last.pace, SCAN_PACE_SWEEP);
    assert_int_equal(lab.last.port, 22);
    end(SOURCE4);
    for (unsigned i = 1; i < 200; i++) { /* two ports in turn: no hosts of one port */
        snprintf(dst, sizeof(dst), "198.51.100.%u", i);
        arrive(tcp(FROM, 40000, dst, 22 + i % 2, SYN));
    }
    assert_int_equal(found(), 0);
}

/* Closed ports that no filter protects: known by what this host answers. */
static void test_answers(void **state)
{
    open_lab(state, &usual);
    for (unsigned port = 1000; port < 1040; port++) {
        struct frame f = tcp(ME, port, FROM, 40000, RST | ACK);
        assert_int_equal(run(lab.out, &f), NEXT);
    }
    assert_int_equal(found(), 1);
    assert_int_equal(lab.last.kinds, SCAN_KIND_CLOSED_TCP);
    assert_int_equal(lab.last.src.lo, SOURCE4);
    end(SOURCE4);
    for (unsigned port = 1000; port < 1040; port++) { /* a connection that is reset */
        struct frame f = tcp(ME, port, FROM, 40000, RST | ACK);
        f.b[38] = 1;
        (void)run(lab.out, &f);
    }
    assert_int_equal(found(), 0);
    for (unsigned port = 1000; port < 1040; port++) {
        struct frame f = frame_ip(0, ME, FROM, PROTO_ICMP, 36);
        uint8_t icmp[8] = {3, 3}, quoted[28] = {0x45, [9] = PROTO_UDP};
        put16(quoted + 22, port);
        frame_add(&f, icmp, sizeof(icmp));
        frame_add(&f, quoted, sizeof(quoted));
        (void)run(lab.out, &f);
    }
    assert_int_equal(found(), 1);
    assert_int_equal(lab.last.kinds, SCAN_KIND_CLOSED_UDP);
    end(SOURCE4);
}

/* As the program at completed handshakes does (bpf/scan_maps.h). */
static void prove(uint64_t source)
{
    struct scan_control c;
    struct scan_set s;
    uint32_t zero = 0;
    int control = map_fd("scan_control"), proven = map_fd("scan_proven");

    assert_int_equal(bpf_map_lookup_elem(control, &zero, &c), 0);
    uint32_t set = scan_set_of(source, c.seed, SCAN_PROVEN_SETS);
    assert_int_equal(bpf_map_lookup_elem(proven, &set, &s), 0);
    s.source[1] = source;
    assert_int_equal(bpf_map_update_elem(proven, &set, &s, BPF_ANY), 0);
    close(control);
    close(proven);
}

/* 200,000 sources push no proven one out, and take no memory. */
static void test_flood(void **state)
{
    struct scan_stats s;
    struct __sk_buff ctx;

    open_lab(state, &usual);
    prove(SOURCE4);
    struct frame f = tcp("198.51.100.1", 40000, ME, 1, SYN);
    memcpy(f.b, lab.mac, 6);
    for (unsigned i = 0; i < 200000; i++) {
        put16(f.b + 26, 0x0100 + (i >> 16)); /* 1.x.x.x */
        put16(f.b + 28, i & 0xffff);
        ctx = (struct __sk_buff){.ifindex = lab.ifindex};
        LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f.b, .data_size_in = (uint32_t)f.len,
                    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
        assert_int_equal(bpf_prog_test_run_opts(lab.in, &o), 0);
        assert_int_equal(o.retval, DROP);
    }
    assert_int_equal(datapath_scan_stats(lab.w->dp, &s), 0);
    assert_true(s.new4 == 200000 && s.pushed_out > s.new4 - 60000 && s.pushed_out < s.new4 - 40000);
    assert_int_equal(found(), 0);
    for (unsigned port = 100; port < 140; port++)
        arrive(tcp(FROM, 40000, ME, port, SYN));
    assert_int_equal(found(), 1);
    assert_true(lab.last.proven);
    end(SOURCE4);
    for (unsigned port = 100; port < 140; port++)
        arrive(tcp(FROM, 40000, ME, port, SYN));
    assert_int_equal(found(), 1);
    assert_true(lab.last.proven); /* still */
}

/* What the maps take, by what the kernel says. */
static void test_memory(void **state)
{
    static const char *const maps[] = {"scan_spoofable", "scan_proven", "scan_active",
                                       "scan_ring",      "scan_counts", "scan_control"};
    uint64_t sum = 0;

    open_lab(state, &usual);
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        char path[256], line[256];
        unsigned long bytes = 0;
        int fd = map_fd(maps[i]);
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
            (void)sscanf(line, "memlock: %lu", &bytes);
        fclose(f);
        close(fd);
        assert_true(bytes > 0);
        sum += bytes;
    }
    print_message("# scan detection: %lu bytes\n", (unsigned long)sum);
    assert_in_range(sum, 1, 8 << 20);
}

/* ns for one packet, the least of several runs. */
static uint32_t cost(struct frame *f)
{
    uint32_t least = UINT32_MAX;

    for (int i = 0; i < 7; i++) {
        struct __sk_buff ctx = {.ifindex = lab.ifindex};
        LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (uint32_t)f->len,
                    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 200000);
        assert_int_equal(bpf_prog_test_run_opts(lab.in, &o), 0);
        if (o.duration < least)
            least = o.duration;
    }
    return least;
}

/* Only a gross mistake fails: other work on this machine is in the numbers. */
static void test_cost(void **state)
{
    struct scan_limits off = usual;
    struct frame dropped = tcp(FROM, 40000, ME, 81, SYN), passed = tcp(FROM, 40000, ME, 80, SYN);

    off.on = false;
    open_lab(state, &off);
    memcpy(dropped.b, lab.mac, 6);
    memcpy(passed.b, lab.mac, 6);
    uint32_t drop_off = cost(&dropped), pass_off = cost(&passed);
    assert_int_equal(datapath_scan_set(lab.w->dp, &usual), 0);
    uint32_t drop_on = cost(&dropped), pass_on = cost(&passed);
    print_message("# dropped: %u ns without, %u ns with; passed: %u and %u\n", drop_off, drop_on,
                  pass_off, pass_on);
    assert_true(drop_on < drop_off + 150);
    assert_true(pass_on < pass_off + 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_udp, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_retries, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_progress, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_limits, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_sweep, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_answers, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_flood, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_memory, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_cost, world_enter, world_leave),
    };
    if (!world_prepare()) {
        printf("1..0 # SKIP needs root and a bpffs\n");
        return 0;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_forget();
    return failed;
}
