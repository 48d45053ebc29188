/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nanoseconds that the ingress program takes for one packet, by BPF_PROG_TEST_RUN with many
 * repetitions, for growing policies. Runs in network and mount namespaces of its own with a BPF
 * file system of its own, so that nothing is left however it ends. Nothing is attached.
 *
 * Repeating a packet keeps its lines in the cache: hit, miss and other are the costs of the
 * program itself. "spread" runs many different packets once each, so that their lines come from
 * memory, and so does the program's code after each system call. Figures are minima of several
 * rounds; only the ratios within one run mean anything on a shared machine. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bench-set.h"
#include "datapath/datapath.h"
#include "image.h"

enum { SKIP = 77, WAIT_MS = 10000, ROUNDS = 5 };
/* Packets per round and repetitions of each. */
enum { FRAMES = 64, REPEAT = 10000, SPREAD_FRAMES = 20000 };
enum { FRAME_BYTES = 64, LOCAL_ADDR = 0xc0000201 };
static const char pin_name[] = "pw_in"; /* of the ingress program, below <cookie>/prog/ */

static const char pin_root[] = "/sys/fs/bpf/portward";

struct bench {
    struct datapath *dp;
    uint64_t generation;
    struct diag d;
};

/* --- frames --- */

static void put_be(uint8_t *at, uint32_t value, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        at[i] = (uint8_t)(value >> 8 * (n - 1 - i));
}

/* Ethernet, IPv4, TCP SYN. The MAC addresses are those of `lo`. */
static void make_frame(uint8_t f[FRAME_BYTES], uint32_t src, uint16_t dport)
{
    memset(f, 0, FRAME_BYTES);
    put_be(f + 12, 0x0800, 2);
    f[14] = 0x45;
    put_be(f + 16, FRAME_BYTES - 14, 2);
    f[22] = 64; /* hop limit */
    f[23] = PROTO_TCP;
    put_be(f + 26, src, 4);
    put_be(f + 30, LOCAL_ADDR, 4);
    put_be(f + 34, 40000, 2);
    put_be(f + 36, dport, 2);
    f[46] = 5 << 4;
    f[47] = 0x02; /* SYN */
}

/* hit: the source and port of a filter; miss: a source and a port that filters name, but not
 * together; other: a port that no filter names; spread: hits all over the policy. */
enum kind { HIT, MISS, OTHER, SPREAD, _KIND_MAX };

static void frame_of(uint8_t f[FRAME_BYTES], enum kind kind, uint32_t i)
{
    switch (kind) {
    case HIT:
    case SPREAD:
        make_frame(f, bench_addr(i), bench_port(i));
        return;
    case MISS:
        make_frame(f, bench_addr(i), bench_port(i + 1));
        return;
    case OTHER:
        make_frame(f, bench_addr(i), 443);
        return;
    case _KIND_MAX:
        return;
    }
}

/* --- measuring --- */

/* Mean over the frames; negative errno as a number if a run failed or decided wrongly. */
static double run_frames(int prog, enum kind kind, uint32_t n_filters)
{
    double sum = 0;
    uint32_t n_frames = kind == SPREAD ? SPREAD_FRAMES : FRAMES;
    bool want_drop = (kind == HIT || kind == SPREAD) && n_filters > 0;
    for (uint32_t i = 0; i < n_frames; i++) {
        uint8_t frame[FRAME_BYTES], out[FRAME_BYTES + 256];
        frame_of(frame, kind, n_filters ? i * 7919u % n_filters : i);
        LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = sizeof(frame),
                    .data_out = out, .data_size_out = sizeof(out),
                    .repeat = kind == SPREAD ? 1 : REPEAT);
        int r = bpf_prog_test_run_opts(prog, &o);
        if (r < 0)
            return r;
        if ((o.retval == 2) != want_drop)
            return -EBADMSG;
        sum += o.duration;
    }
    return sum / n_frames;
}

static double fastest(int prog, enum kind kind, uint32_t n_filters)
{
    double best = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        double ns = run_frames(prog, kind, n_filters);
        if (ns < 0)
            return ns;
        best = round == 0 || ns < best ? ns : best;
    }
    return best;
}

/* --- installing --- */

static int wait_for_worker(struct bench *b, unsigned root_slot)
{
    struct pollfd p = {.fd = datapath_worker_fd(b->dp), .events = POLLIN};
    int n = poll(&p, 1, WAIT_MS);
    if (n <= 0)
        return n < 0 ? -errno : -ETIMEDOUT;
    int r = datapath_worker_process(b->dp);
    if (r < 0)
        return r;
    return datapath_visible(b->dp, root_slot, b->generation) == 1 ? 0 : -ESTALE;
}

static int install(struct bench *b, const struct effective *e)
{
    struct compile_options o = {
        .generation = ++b->generation, .seed = 0x5eed, .tag_secret = datapath_tag_secret(b->dp)};
    _cleanup_(image_done) struct image img = {0};
    int r = compile_image(e, &o, &b->d, &img, NULL);
    if (r == 0)
        r = datapath_candidate(b->dp, &img, (uint32_t)e->n, &b->d);
    if (r == 0)
        r = wait_for_worker(b, PW_ROOT_CANDIDATE);
    if (r == 0)
        r = datapath_flip(b->dp, &b->d);
    return r < 0 ? r : wait_for_worker(b, PW_ROOT_ACTIVE);
}

static int open_program(const struct bench *b)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%llu/prog/%s", pin_root,
             (unsigned long long)datapath_netns_cookie(b->dp), pin_name);
    return bpf_obj_get(path);
}

static int measure(struct bench *b, uint32_t n, double ret_ns[_KIND_MAX])
{
    struct bench_set s;
    int r = bench_set_init(&s, n) ? install(b, &s.e) : -ENOMEM;
    bench_set_done(&s);
    _cleanup_(close_p) int prog = r < 0 ? -1 : open_program(b);
    if (r == 0 && prog < 0)
        r = -errno;
    for (unsigned kind = HIT; kind < _KIND_MAX && r == 0; kind++) {
        ret_ns[kind] = fastest(prog, (enum kind)kind, n);
        if (ret_ns[kind] < 0)
            r = (int)ret_ns[kind];
    }
    return r;
}

static int run(struct bench *b)
{
    static const uint32_t sizes[] = {0, 10, 1000, 10000, 100000};
    double base[_KIND_MAX] = {0};
    static const char *const titles[_KIND_MAX] = {"hit", "miss", "other", "spread"};
    printf("ns per packet, ratio to 10 filters\n%9s", "filters");
    for (unsigned kind = HIT; kind < _KIND_MAX; kind++)
        printf(" %8s %7s", titles[kind], "ratio");
    printf("\n");
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        double ns[_KIND_MAX];
        int r = measure(b, sizes[i], ns);
        if (r < 0)
            return r;
        if (sizes[i] == 10)
            memcpy(base, ns, sizeof(base));
        printf("%9u", sizes[i]);
        for (unsigned kind = HIT; kind < _KIND_MAX; kind++) {
            if (base[kind] > 0)
                printf(" %8.1f %6.2fx", ns[kind], ns[kind] / base[kind]);
            else
                printf(" %8.1f %7s", ns[kind], "-");
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}

static int start(struct bench *b)
{
    if (geteuid() != 0)
        return -EPERM;
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("bpf", "/sys/fs/bpf", "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return -errno;
    if (system("ip link set lo up && ip addr add 192.0.2.1/32 dev lo") != 0)
        return -ENOENT;
    struct datapath_options o = {.pin_root = pin_root, .hook = HOOK_AUTO};
    return datapath_open(&o, &b->d, &b->dp);
}

int main(void)
{
    struct bench b = {.generation = 0};
    int r = start(&b);
    if (r == -EPERM) {
        fprintf(stderr, "SKIP: bench-classify: needs root for network namespaces and eBPF\n");
        return SKIP;
    }
    if (r == 0)
        r = run(&b);
    if (r < 0)
        fprintf(stderr, "bench-classify: %s (%s)\n", b.d.message[0] ? b.d.message : "failed",
                strerror(-r));
    datapath_close(b.dp);
    return r < 0;
}
