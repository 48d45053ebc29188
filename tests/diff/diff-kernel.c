/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff-kernel: eval on frames against the loaded eBPF program through its test entry, in a network
 * namespace and a bpffs of this process alone; both are gone afterwards. Images go to the
 * candidate slot only, nothing is attached. `me` is what the kernel says: random addresses
 * and local routes are set in the namespace and read back with datapath_host(). */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "compile/compile.h"
#include "datapath/datapath.h"
#include "diff.h"
#include "eval/eval.h"
#include "image.h"
#include "kernel_ns.h"

enum { SKIP = 77, WAIT_MS = 5000, POLICIES_PER_HOST = 40 };

struct kernel {
    struct datapath *dp;
    uint64_t generation;
    unsigned policies;
    struct diag d;
};

static uint64_t boot_time_ns(void *self)
{
    (void)self;
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void set_profiles(struct kernel *k, struct rng *r)
{
    static const char *const names[] = {"pwd0", "pwd*", "ppp*", "pwp?", "lo"};
    struct profile_patterns l = {.n = rng_below(r, ARRAY_SIZE(names) + 1)};
    for (unsigned i = 0; i < l.n; i++) {
        snprintf(l.v[i].name, sizeof(l.v[i].name), "%s", names[i]);
        l.v[i].profile = (enum profile)(PROFILE_DOMAIN + rng_below(r, 3));
    }
    datapath_set_profiles(k->dp, &l);
}

static int host_of_kernel(void *self, struct rng *r, const struct host **ret)
{
    struct kernel *k = self;
    if (k->policies++ % POLICIES_PER_HOST == 0) {
        unsigned changes;
        int err = kernel_ns_shuffle(r);
        if (err < 0)
            return err;
        err = datapath_rtnl_process(k->dp, &changes);
        if (err < 0)
            return err;
        set_profiles(k, r);
    }
    *ret = datapath_host(k->dp);
    return 0;
}

/* Until the worker has put the image into the candidate slot. */
static int wait_for_worker(struct kernel *k)
{
    struct pollfd p = {.fd = datapath_worker_fd(k->dp), .events = POLLIN};
    int n = poll(&p, 1, WAIT_MS);
    if (n <= 0)
        return n < 0 ? -errno : -ETIMEDOUT;
    int err = datapath_worker_process(k->dp);
    if (err < 0)
        return err;
    return datapath_visible(k->dp, PW_ROOT_CANDIDATE, k->generation) == 1 ? 0 : -ESTALE;
}

static int install(void *self, const struct effective *e)
{
    struct kernel *k = self;
    struct compile_options o = {.generation = ++k->generation,
                                .seed = k->generation * 0x9e3779b97f4a7c15ULL,
                                .tag_secret = datapath_tag_secret(k->dp),
                                .merge = k->generation % 2 ? MERGE_FORCED : MERGE_NEVER};
    _cleanup_(image_done) struct image image = {0};
    int err = compile_image(e, &o, &k->d, &image, NULL);
    if (err < 0)
        return err;
    datapath_abandon(k->dp);
    err = datapath_candidate(k->dp, &image, GEN_COUNTERS, &k->d);
    return err < 0 ? err : wait_for_worker(k);
}

static bool expect(void *self, const struct effective *e, const struct question *q,
                   struct verdict *ret)
{
    (void)self;
    *ret = eval_frame(e, q->frame, q->len, &q->packet.meta, q->now_ns);
    return true;
}

static int ask(void *self, const struct effective *e, const struct question *q, struct outcome *ret)
{
    struct kernel *k = self;
    struct datapath_answer a;
    (void)e;
    int err = datapath_test(k->dp, PW_ROOT_CANDIDATE, q->frame, q->len, &q->packet.meta, &a);
    if (err < 0)
        return err;
    *ret = (struct outcome){
        .block = a.block,
        .reason = a.reason,
        .tier = a.tier,
        .weight = a.weight,
        .counter_id = a.counter_id,
    };
    return 0;
}

static int start(struct kernel *k)
{
    int err = kernel_ns_enter();
    if (err < 0)
        return err;
    struct datapath_options o = {.pin_root = "/sys/fs/bpf/portward-diff", .hook = HOOK_AUTO};
    return datapath_open(&o, &k->d, &k->dp);
}

static void stop(struct kernel *k)
{
    struct diag d;
    if (k->dp && datapath_clear(k->dp, &d) < 0)
        printf("cleaning up: %s\n", d.message);
}

int main(int argc, char **argv)
{
    struct kernel k = {.generation = 0};
    const struct backend b = {
        .name = "kernel",
        .packets_per_policy = 400,
        .host = host_of_kernel,
        .now_ns = boot_time_ns,
        .install = install,
        .expect = expect,
        .ask = ask,
        .self = &k,
    };
    int err = start(&k);
    if (err == -EPERM) {
        printf("SKIP: needs root\n");
        return SKIP;
    }
    if (err < 0) {
        printf("start failed: %s: %s\n", strerror(-err), k.d.message);
        return 1;
    }
    int status = diff_main(argc, argv, &b);
    if (status && k.d.message[0])
        printf("last message: %s\n", k.d.message);
    stop(&k);
    return status;
}
