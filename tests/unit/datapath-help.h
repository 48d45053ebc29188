/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by test-datapath*.c: a private bpffs, a network namespace per test, frames, and a picture
 * of everything that the pinned maps hold. Each helper fails the test when something goes wrong. */
#pragma once
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "compile-help.h"
#include "datapath/datapath.h"

struct world {
    char root[64]; /* pin root, below a bpffs of this process */
    enum hook_mode hook;
    struct datapath *dp;
    struct set set;
    uint64_t generation;
};

#define shell(...)                                 \
    do {                                           \
        char _cmd[256];                            \
        snprintf(_cmd, sizeof(_cmd), __VA_ARGS__); \
        assert_int_equal(system(_cmd), 0);         \
    } while (0)

static char bpffs_dir[32] = "/tmp/pw-datapath-XXXXXX";

/* A mount namespace and a bpffs of our own: pins end with this process. False: cannot run here. */
static inline bool world_prepare(void)
{
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mkdtemp(bpffs_dir) &&
           mount("bpf", bpffs_dir, "bpf", 0, NULL) == 0;
}

static inline void world_forget(void)
{
    (void)umount(bpffs_dir);
    (void)rmdir(bpffs_dir);
}

static inline int try_open(struct world *w, struct diag *d)
{
    struct datapath_options o = {.pin_root = w->root, .hook = w->hook};
    return datapath_open(&o, d, &w->dp);
}

static inline void world_open(struct world *w)
{
    struct diag d = {0};
    if (try_open(w, &d) < 0)
        fail_msg("open: %s", d.message);
}

/* lo and one veth pair: d0 (10.0.0.1/24, 2001:db8::1/64) here, p0 as well. Without link-local
 * addresses and with NOARP nobody sends a thing here: a multicast listener report in the middle of
 * a test would be counted. */
static inline int world_enter(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    snprintf(w->root, sizeof(w->root), "%s/pins", bpffs_dir);
    shell("ip link set lo up; ip link add d0 type veth peer name p0");
    shell("ip link set d0 addrgenmode none arp off; ip link set p0 addrgenmode none arp off");
    shell("ip addr add 10.0.0.1/24 dev d0; ip addr add 2001:db8::1/64 dev d0 nodad");
    shell("ip link set d0 up; ip link set p0 up");
    set_init(&w->set);
    *state = w;
    return 0;
}

static inline int world_leave(void **state)
{
    struct world *w = *state;
    struct diag d = {0};
    if (w->dp && datapath_clear(w->dp, &d) < 0)
        fail_msg("clear: %s", d.message);
    set_done(&w->set);
    free(w);
    return 0;
}

static inline void wait_for_worker(struct world *w)
{
    struct pollfd p = {.fd = datapath_worker_fd(w->dp), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(datapath_worker_process(w->dp), 0);
}

static inline struct image world_compile(struct world *w)
{
    struct effective e = set_effective(&w->set);
    struct compile_options o = {.generation = ++w->generation,
                                .seed = w->generation * 77,
                                .tag_secret = datapath_tag_secret(w->dp)};
    struct diag d = {0};
    struct image img;
    e.host = datapath_host(w->dp);
    if (compile_image(&e, &o, &d, &img, NULL) < 0)
        fail_msg("compile: %s", d.message);
    return img;
}

/* The filters of w->set into the candidate slot. */
static inline void world_candidate(struct world *w)
{
    struct image img = world_compile(w);
    struct diag d = {0};
    if (datapath_candidate(w->dp, &img, (uint32_t)w->set.n + 1, &d) < 0)
        fail_msg("candidate: %s", d.message);
    image_done(&img);
    wait_for_worker(w);
    assert_int_equal(datapath_visible(w->dp, DATAPATH_CANDIDATE, w->generation), 1);
}

static inline void world_flip(struct world *w)
{
    struct diag d = {0};
    world_candidate(w);
    assert_int_equal(datapath_flip(w->dp, &d), 0);
    wait_for_worker(w);
    assert_int_equal(datapath_visible(w->dp, DATAPATH_ACTIVE, w->generation), 1);
}

/* --- frames --- */
struct frame {
    uint8_t b[2048];
    size_t len;
};

static inline void put16(uint8_t *at, unsigned v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static inline void frame_add(struct frame *f, const void *bytes, size_t n)
{
    assert_true(f->len + n <= sizeof(f->b));
    memcpy(f->b + f->len, bytes, n);
    f->len += n;
}

/* n VLAN tags, IP header with `extra` bytes promised behind it. */
static inline struct frame frame_ip(unsigned n_tags, const char *src, const char *dst, int proto,
                                    size_t extra)
{
    struct frame f = {.len = 12};
    uint8_t tag[4] = {0x81, 0}, type[2];
    bool v6 = strchr(src, ':');
    for (unsigned i = 0; i < n_tags; i++)
        frame_add(&f, tag, 4);
    put16(type, v6 ? 0x86dd : 0x0800);
    frame_add(&f, type, 2);
    uint8_t h[40] = {0};
    if (v6) {
        h[0] = 0x60;
        put16(h + 4, (unsigned)extra);
        h[6] = (uint8_t)proto;
        h[7] = 64;
        assert_int_equal(inet_pton(AF_INET6, src, h + 8), 1);
        assert_int_equal(inet_pton(AF_INET6, dst, h + 24), 1);
    } else {
        h[0] = 0x45;
        put16(h + 2, 20 + (unsigned)extra);
        h[8] = 64;
        h[9] = (uint8_t)proto;
        assert_int_equal(inet_pton(AF_INET, src, h + 12), 1);
        assert_int_equal(inet_pton(AF_INET, dst, h + 16), 1);
    }
    frame_add(&f, h, v6 ? 40 : 20);
    return f;
}

/* A packet with 20 bytes behind the IP header: enough for each protocol with ports. */
static inline struct frame frame_l4(int proto, const char *src, unsigned sport, const char *dst,
                                    unsigned dport)
{
    struct frame f = frame_ip(0, src, dst, proto, 20);
    uint8_t l4[20] = {0};
    put16(l4, sport);
    put16(l4 + 2, dport);
    frame_add(&f, l4, sizeof(l4));
    return f;
}

static inline struct datapath_answer ask_slot(struct world *w, unsigned slot, const struct frame *f,
                                              struct packet_meta meta)
{
    struct datapath_answer a;
    assert_int_equal(datapath_test(w->dp, slot, f->b, f->len, &meta, &a), 0);
    return a;
}
#define ASK(w, f, ...) ask_slot(w, DATAPATH_CANDIDATE, f, (struct packet_meta){__VA_ARGS__})

/* --- maps --- */
static inline int pin_fd(const struct world *w, const char *sub, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%llu/%s/%s", w->root,
             (unsigned long long)datapath_netns_cookie(w->dp), sub, name);
    return bpf_obj_get(path);
}

static inline uint64_t hash_map(int fd, uint64_t h)
{
    struct bpf_map_info info = {0};
    uint32_t len = sizeof(info);
    assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
    bool per_cpu = info.type == BPF_MAP_TYPE_PERCPU_ARRAY;
    size_t size = per_cpu ? (info.value_size + 7u) / 8 * 8 * (size_t)libbpf_num_possible_cpus()
                          : info.value_size;
    uint8_t key[32], next[32];
    _cleanup_free_ uint8_t *value = malloc(size);
    assert_non_null(value);
    for (bool first = true; bpf_map_get_next_key(fd, first ? NULL : key, next) == 0;
         first = false) {
        memcpy(key, next, sizeof(key));
        if (bpf_map_lookup_elem(fd, key, value) < 0)
            continue; /* an empty slot of an array of maps */
        h = siphash24(key, info.key_size, (struct hash_seed){h, 1});
        h = siphash24(value, size, (struct hash_seed){h, 2});
        if (info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS) {
            uint32_t id;
            memcpy(&id, value, sizeof(id));
            _cleanup_(close_p) int inner = bpf_map_get_fd_by_id(id);
            h = hash_map(inner, h);
        }
    }
    return h;
}

/* A number that changes if anything in any map changes. */
static inline uint64_t hash_all_maps(const struct world *w)
{
    static const char *const names[] = {"roots",  "ifrole",     "ifrole_low",  "local4",
                                        "local6", "local_hint", "local_exact", "counters",
                                        "stats",  "meta"};
    uint64_t h = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_(close_p) int fd = pin_fd(w, "map", names[i]);
        assert_true(fd >= 0);
        h = hash_map(fd, h);
    }
    return h;
}
