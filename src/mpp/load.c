/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See load.h; the only file that sees the skeleton. What this kernel cannot do is tried and said,
 * never told from its version. */
#include "load.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mpp.skel.h"
#include "sockets/units.h"

enum { PATH_BYTES = 256, ROOT_BYTES = 1024 };

static void skel_destroyp(struct mpp_skel **s)
{
    mpp_skel__destroy(*s);
}

static int print_nothing(enum libbpf_print_level level _unused_, const char *format _unused_,
                         va_list args _unused_)
{
    return 0;
}

static void note(struct mpp_kern *k, const char *what, int err)
{
    if (!k->degraded[0])
        (void)snprintf(k->degraded, sizeof(k->degraded), "%s: %s", what, strerror(-err));
}

static int reuse_shared(struct mpp_skel *s, const struct mpp_options *o)
{
    struct bpf_map *const maps[_MPP_MAP_MAX] = {
        [MPP_MAP_CONTROL] = s->maps.mpp_control,
        [MPP_MAP_SETTINGS] = s->maps.mpp_settings,
        [MPP_MAP_IFACES] = s->maps.mpp_ifaces,
        [MPP_MAP_BANS] = s->maps.mpp_bans,
        [MPP_MAP_NET_BANS] = s->maps.mpp_net_bans,
        [MPP_MAP_CONN_RATE] = s->maps.mpp_conn_rate,
        [MPP_MAP_SYN_RATE] = s->maps.mpp_syn_rate,
        [MPP_MAP_DROPS] = s->maps.mpp_drops,
        [MPP_MAP_COUNTS] = s->maps.mpp_counts,
        [MPP_MAP_SCAN_CONTROL] = s->maps.scan_control,
        [MPP_MAP_SCAN_SPOOFABLE] = s->maps.scan_spoofable,
        [MPP_MAP_SCAN_PROVEN] = s->maps.scan_proven,
    };
    int r = 0;

    /* Those that neither program uses are not in the object. */
    for (unsigned m = 0; !r && m < _MPP_MAP_MAX; m++)
        r = bpf_map__reuse_fd(maps[m], o->shared[m]);
    return r;
}

static void pin_path(const char *dir, const char *name, char ret[PATH_BYTES])
{
    (void)snprintf(ret, PATH_BYTES, "%.200s/%s", dir, name); /* fits */
}

/* Stamps of an earlier agent, if their layout is the same. */
static void reuse_stamps(struct mpp_skel *s, const char *dir)
{
    char path[PATH_BYTES], name[32];
    struct bpf_map_info info = {0};
    uint32_t len = sizeof(info);

    (void)snprintf(name, sizeof(name), "stamps-%d", MPP_LAYOUT);
    pin_path(dir, name, path);
    _cleanup_(close_p) int fd = bpf_obj_get(path);
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
        info.type == BPF_MAP_TYPE_SK_STORAGE && info.value_size == sizeof(struct mpp_stamp))
        (void)bpf_map__reuse_fd(s->maps.mpp_stamps, fd); /* else new stamps, adopted */
}

static int pin(int fd, const char *dir, const char *name)
{
    char path[PATH_BYTES];

    pin_path(dir, name, path);
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    return bpf_obj_pin(fd, path);
}

static int pin_stamps(int fd, const char *dir)
{
    char path[PATH_BYTES], name[32];

    (void)snprintf(name, sizeof(name), "stamps-%d", MPP_LAYOUT);
    pin_path(dir, name, path);
    return access(path, F_OK) == 0 ? 0 : pin(fd, dir, name);
}

static int open_cgroup(void)
{
    char root[ROOT_BYTES];
    int r = cgroup2_mount(root, sizeof(root));

    if (r < 0)
        return r;
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int attach_sockops(int prog, const char *dir)
{
    static const char name[] = "sockops";
    char path[PATH_BYTES];

    pin_path(dir, name, path);
    _cleanup_(close_p) int old = bpf_obj_get(path);
    if (old >= 0 && bpf_link_update(old, prog, NULL) == 0)
        return TAKE_FD(old);
    _cleanup_(close_p) int cgroup = open_cgroup();
    if (cgroup < 0)
        return cgroup;
    _cleanup_(close_p) int link = bpf_link_create(prog, cgroup, BPF_CGROUP_SOCK_OPS, NULL);
    if (link < 0)
        return link;
    int r = pin(link, dir, name);
    return r < 0 ? r : TAKE_FD(link);
}

static int copy_fd(int fd, int *ret)
{
    *ret = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *ret < 0 ? -errno : 0;
}

static int take_fds(const struct mpp_skel *s, struct mpp_kern *k)
{
    int r = copy_fd(bpf_map__fd(s->maps.mpp_stamps), &k->stamps);

    if (!r)
        r = copy_fd(bpf_map__fd(s->maps.mpp_sources), &k->sources);
    if (!r)
        r = copy_fd(bpf_map__fd(s->maps.mpp_scan), &k->scan);
    if (!r)
        r = copy_fd(bpf_map__fd(s->maps.mpp_sums), &k->sums);
    if (!r && bpf_program__fd(s->progs.mpp_read_limits) >= 0)
        r = copy_fd(bpf_program__fd(s->progs.mpp_read_limits), &k->limits);
    return r ? r : copy_fd(bpf_map__fd(s->maps.mpp_ring), &k->ring);
}

/* With both programs, or with one of them if the kernel refuses the other. */
static struct mpp_skel *load(const struct mpp_options *o, bool stamp, bool look, int *ret_err)
{
    _cleanup_(skel_destroyp) struct mpp_skel *s = mpp_skel__open();

    *ret_err = -errno;
    if (!s)
        return NULL;
    s->rodata->mpp_netns = o->netns_cookie;
    (void)bpf_program__set_autoload(s->progs.mpp_sockops, stamp); /* not loaded yet: cannot fail */
    (void)bpf_program__set_autoload(s->progs.mpp_look_at, look);
    (void)bpf_program__set_autoload(s->progs.mpp_read_limits, look);
    (void)bpf_program__set_autoload(s->progs.mpp_find_limits, look);
    reuse_stamps(s, o->pin_dir);
    *ret_err = reuse_shared(s, o);
    if (*ret_err == 0)
        *ret_err = mpp_skel__load(s);
    return *ret_err < 0 ? NULL : TAKE_PTR(s);
}

/* Where tcp_mem lies: a program looks at the files of this process, one of which is a TCP socket.
 * Needed only where /proc does not show it. */
static int find_limits(const struct mpp_skel *s)
{
    union bpf_iter_link_info info = {.task = {.pid = (uint32_t)getpid()}};
    LIBBPF_OPTS(bpf_iter_attach_opts, o, .link_info = &info, .link_info_len = sizeof(info));
    _cleanup_(close_p) int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char nothing[64];

    if (tcp < 0)
        return -errno;
    struct bpf_link *link = bpf_program__attach_iter(s->progs.mpp_find_limits, &o);
    if (!link)
        return -errno;
    _cleanup_(close_p) int fd = bpf_iter_create(bpf_link__fd(link));
    int r = fd < 0 ? fd : read(fd, nothing, sizeof(nothing)) < 0 ? -errno : 0;
    bpf_link__destroy(link);
    return r;
}

static int has_destroy(void)
{
    struct btf *btf = btf__load_vmlinux_btf();
    int id = btf ? btf__find_by_name_kind(btf, "bpf_sock_destroy", BTF_KIND_FUNC) : -ENOENT;

    btf__free(btf);
    return id > 0;
}

static int attach(const struct mpp_options *o, struct mpp_skel *s, struct mpp_kern *k)
{
    int prog = bpf_program__fd(s->progs.mpp_sockops);

    int r = pin_stamps(k->stamps, o->pin_dir);
    if (r < 0)
        note(k, "cannot pin stamps", r);
    k->sockops = prog < 0 ? -ENOTSUP : attach_sockops(prog, o->pin_dir);
    if (k->sockops < 0) {
        note(k, "stamps at first sight, no program at cgroup2", k->sockops);
        k->sockops = -1;
    }
    if (bpf_program__fd(s->progs.mpp_look_at) < 0)
        return 0;
    r = find_limits(s);
    if (r < 0)
        note(k, "cannot find the limits of TCP memory", r);
    k->iter = bpf_program__attach_iter(s->progs.mpp_look_at, NULL);
    if (!k->iter)
        note(k, "no iterator over connections", -errno);
    k->destroy = k->iter && has_destroy();
    return 0;
}

int kern_open(const struct mpp_options *o, struct diag *d, struct mpp_kern *ret)
{
    struct mpp_kern k = {.stamps = -1,
                         .sources = -1,
                         .scan = -1,
                         .sums = -1,
                         .ring = -1,
                         .limits = -1,
                         .sockops = -1};
    int err;

    libbpf_set_print(print_nothing);
    if (mkdir(o->pin_dir, 0700) < 0 && errno != EEXIST)
        note(&k, "cannot make the directory of pins", -errno);
    _cleanup_(skel_destroyp) struct mpp_skel *s = load(o, true, true, &err);
    if (!s) {
        note(&k, "not everything could be loaded", err);
        s = load(o, true, false, &err);
    }
    if (!s)
        s = load(o, false, true, &err);
    if (!s)
        return diag_errno(d, err, "cannot load memory pressure protection");
    err = take_fds(s, &k);
    if (!err)
        err = attach(o, s, &k);
    if (err < 0) {
        kern_close(&k);
        return diag_errno(d, err, "cannot load memory pressure protection");
    }
    *ret = k;
    return 0;
}

void kern_close(struct mpp_kern *k)
{
    bpf_link__destroy(k->iter);
    k->iter = NULL;
    close_p(&k->stamps);
    close_p(&k->sources);
    close_p(&k->scan);
    close_p(&k->sums);
    close_p(&k->ring);
    close_p(&k->sockops);
    close_p(&k->limits);
}

int kern_limits(int prog, uint64_t ret[3])
{
    struct mpp_limits x = {.pages = {0}};
    LIBBPF_OPTS(bpf_test_run_opts, o, .ctx_in = &x, .ctx_size_in = sizeof(x)); /* and out */

    int r = bpf_prog_test_run_opts(prog, &o);
    if (r < 0 || o.retval)
        return r < 0 ? r : -ENOENT;
    memcpy(ret, x.pages, sizeof(x.pages));
    return 0;
}

/* The kernel hands whole records to the reader. */
static int read_records(int fd, kern_record_fn *fn, void *ctx)
{
    struct mpp_record r[64];

    for (;;) {
        ssize_t n = read(fd, r, sizeof(r));
        if (n < 0 && errno == EAGAIN)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        for (size_t i = 0; fn && i < (size_t)n / sizeof(r[0]); i++) {
            int err = fn(ctx, &r[i]);
            if (err < 0)
                return err;
        }
    }
}

int kern_look(struct mpp_kern *k, const struct mpp_scan *scan, kern_record_fn *fn, void *ctx,
              struct mpp_sums *ret)
{
    static const struct mpp_sums none;
    uint32_t zero = 0;

    if (!k->iter)
        return -EOPNOTSUPP;
    int r = bpf_map_update_elem(k->scan, &zero, scan, BPF_ANY);
    if (!r)
        r = bpf_map_update_elem(k->sums, &zero, &none, BPF_ANY);
    if (r < 0)
        return r;
    _cleanup_(close_p) int fd = bpf_iter_create(bpf_link__fd(k->iter));
    if (fd < 0)
        return fd;
    r = read_records(fd, fn, ctx);
    return r < 0 ? r : bpf_map_lookup_elem(k->sums, &zero, ret);
}
