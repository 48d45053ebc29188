/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See load.h; the only file that sees the skeleton. Links are made in an order in which no number
 * can be handed out before the programs that give it back are there, and taken off in reverse. */
#include "load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/verifier.h"

#include "rpc.skel.h"

enum { PATH_BYTES = 320, LOG_BYTES = 64 * 1024 };

static const char *const map_names[_LOAD_MAP_MAX] = {
    [LOAD_MAP_CONF] = "rpc_conf",         [LOAD_MAP_TABLES] = "rpc_tables",
    [LOAD_MAP_PENDINGS] = "rpc_pendings", [LOAD_MAP_UNITS] = "rpc_units",
    [LOAD_MAP_SOCKS] = "rpc_socks",       [LOAD_MAP_RING] = "rpc_ring",
};
static const struct {
    const char *name; /* of link and pin */
    const char *program;
    enum bpf_attach_type type;
} hooks[LOAD_LINKS] = {
    {"release", "pw_rpc_release", BPF_CGROUP_INET_SOCK_RELEASE},
    {"post-bind-4", "pw_rpc_post_bind4", BPF_CGROUP_INET4_POST_BIND},
    {"post-bind-6", "pw_rpc_post_bind6", BPF_CGROUP_INET6_POST_BIND},
    {"connect-4", "pw_rpc_connect4", BPF_CGROUP_INET4_CONNECT},
    {"connect-6", "pw_rpc_connect6", BPF_CGROUP_INET6_CONNECT},
    {"bind-4", "pw_rpc_bind4", BPF_CGROUP_INET4_BIND},
    {"bind-6", "pw_rpc_bind6", BPF_CGROUP_INET6_BIND},
};

static void skel_freep(struct rpc_skel **s)
{
    rpc_skel__destroy(*s); /* NULL is fine */
}

void load_init(struct load *l, const char *pin_dir)
{
    *l = (struct load){.cgroup_fd = -1};
    (void)snprintf(l->dir, sizeof(l->dir), "%s/rpc", pin_dir); /* pins.h bounds it */
    for (unsigned i = 0; i < _LOAD_MAP_MAX; i++)
        l->map[i] = -1;
    for (unsigned i = 0; i < LOAD_LINKS; i++)
        l->prog[i] = l->link[i] = -1;
}

static void path_of(const struct load *l, const char *sub, const char *name, char out[PATH_BYTES])
{
    (void)snprintf(out, PATH_BYTES, "%s/%s%s%s", l->dir, sub, name ? "/" : "", name ? name : "");
}

static int make_dir(const char *path)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_dirs(const struct load *l)
{
    char path[PATH_BYTES];
    int r = make_dir(l->dir);

    for (unsigned i = 0; r == 0 && i < 2; i++) {
        path_of(l, i ? "link" : "map", NULL, path);
        r = make_dir(path);
    }
    return r;
}

static int get_pin(const struct load *l, const char *sub, const char *name)
{
    char path[PATH_BYTES];

    path_of(l, sub, name, path);
    return bpf_obj_get(path);
}

/* Pins under that name, in place of what is there. */
static int put_pin(const struct load *l, const char *sub, const char *name, int fd)
{
    char path[PATH_BYTES];

    path_of(l, sub, name, path);
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    return bpf_obj_pin(fd, path);
}

static void drop_pin(const struct load *l, const char *sub, const char *name, int *error)
{
    char path[PATH_BYTES];

    path_of(l, sub, name, path);
    if (unlink(path) < 0 && errno != ENOENT && !*error)
        *error = -errno;
}

bool load_is_pinned(const struct load *l)
{
    _cleanup_(close_p) int fd = get_pin(l, "map", map_names[LOAD_MAP_CONF]);

    return fd >= 0;
}

/* All maps of the agent before, if they have our layout. */
static bool take_maps(struct load *l)
{
    _cleanup_free_ struct rpc_conf *c = calloc(1, sizeof(*c));
    uint32_t zero = 0;

    for (unsigned i = 0; c && i < _LOAD_MAP_MAX; i++)
        l->map[i] = get_pin(l, "map", map_names[i]);
    bool fit = c && l->map[LOAD_MAP_CONF] >= 0 &&
               bpf_map_lookup_elem(l->map[LOAD_MAP_CONF], &zero, c) == 0 && c->layout == RPC_LAYOUT;
    for (unsigned i = 0; i < _LOAD_MAP_MAX; i++)
        fit = fit && l->map[i] >= 0;
    for (unsigned i = 0; !fit && i < _LOAD_MAP_MAX; i++)
        close_p(&l->map[i]);
    return fit;
}

static int reuse_maps(const struct load *l, const struct rpc_skel *s)
{
    for (unsigned i = 0; i < _LOAD_MAP_MAX; i++) {
        struct bpf_map *map = bpf_object__find_map_by_name(s->obj, map_names[i]);
        int r = map ? bpf_map__reuse_fd(map, l->map[i]) : -ENOENT;

        if (r < 0)
            return r;
    }
    return 0;
}

static int take_fd(int fd, int *ret)
{
    *ret = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *ret < 0 ? -errno : 0;
}

static int take_fds(struct load *l, const struct rpc_skel *s)
{
    int r = 0;

    for (unsigned i = 0; r == 0 && !l->adopted && i < _LOAD_MAP_MAX; i++) {
        const struct bpf_map *map = bpf_object__find_map_by_name(s->obj, map_names[i]);

        r = map ? take_fd(bpf_map__fd(map), &l->map[i]) : -ENOENT;
    }
    for (unsigned i = 0; r == 0 && i < LOAD_LINKS; i++) {
        const struct bpf_program *p = bpf_object__find_program_by_name(s->obj, hooks[i].program);

        r = p ? take_fd(bpf_program__fd(p), &l->prog[i]) : -ENOENT;
    }
    return r;
}

static int pin_maps(const struct load *l)
{
    uint32_t zero = 0;
    _cleanup_free_ struct rpc_conf *c = calloc(1, sizeof(*c));
    int r = c ? make_dirs(l) : -ENOMEM;

    if (r == 0)
        c->layout = RPC_LAYOUT;
    if (r == 0)
        r = bpf_map_update_elem(l->map[LOAD_MAP_CONF], &zero, c, 0);
    for (unsigned i = 0; r == 0 && i < _LOAD_MAP_MAX; i++)
        r = put_pin(l, "map", map_names[i], l->map[i]);
    return r;
}

static int quote(struct diag *d, int err, char *log)
{
    const char *line = verifier_last_words(log);

    if (!*line)
        return diag_errno(d, err, "cannot load the programs that confine ports");
    (void)diag_fail(d, DIAG_SYSTEM, "cannot load the programs that confine ports: %.200s", line);
    return err;
}

int load_open(struct load *l, uint64_t netns_cookie, struct diag *d)
{
    _cleanup_free_ char *log = calloc(1, LOG_BYTES);
    LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log, .kernel_log_size = LOG_BYTES);

    if (!log)
        return diag_errno(d, ENOMEM, "cannot load the programs that confine ports");
    _cleanup_(skel_freep) struct rpc_skel *s = rpc_skel__open_opts(&opts);
    if (!s)
        return diag_errno(d, errno, "cannot read the programs that confine ports");
    s->rodata->rpc_netns = netns_cookie;
    l->adopted = take_maps(l);
    if (!l->adopted)
        (void)load_remove(l); /* of another layout: their links would go on with their maps */
    int r = l->adopted ? reuse_maps(l, s) : 0;
    if (r == 0)
        r = rpc_skel__load(s);
    if (r < 0)
        return quote(d, r, log);
    r = take_fds(l, s);
    if (r == 0 && !l->adopted)
        r = pin_maps(l);
    return r < 0 ? diag_errno(d, r, "cannot pin the tables of confined ports below '%s'", l->dir)
                 : 0;
}

static bool is_attached(int fd)
{
    struct bpf_link_info info = {0};
    uint32_t len = sizeof(info);

    return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.cgroup.cgroup_id != 0;
}

/* 1 = made, 0 = was there. */
static int ensure_link(struct load *l, unsigned i)
{
    _cleanup_(close_p) int fd = get_pin(l, "link", hooks[i].name);

    if (is_attached(fd) && bpf_link_update(fd, l->prog[i], NULL) == 0) {
        close_p(&l->link[i]);
        l->link[i] = TAKE_FD(fd);
        return 0;
    }
    close_p(&l->link[i]);
    close_p(&fd);
    fd = bpf_link_create(l->prog[i], l->cgroup_fd, hooks[i].type, NULL);
    if (fd < 0)
        return fd;
    int r = put_pin(l, "link", hooks[i].name, fd);
    if (r < 0)
        return r;
    l->link[i] = TAKE_FD(fd);
    return 1;
}

int load_attach(struct load *l)
{
    int n = 0, r = make_dirs(l);

    for (unsigned i = 0; r >= 0 && i < LOAD_LINKS; i++) {
        r = ensure_link(l, i);
        n += r > 0;
    }
    return r < 0 ? r : n;
}

unsigned load_count_links(const struct load *l)
{
    unsigned n = 0;

    for (unsigned i = 0; i < LOAD_LINKS; i++) {
        char path[PATH_BYTES];

        path_of(l, "link", hooks[i].name, path);
        n += is_attached(l->link[i]) && access(path, F_OK) == 0;
    }
    return n;
}

unsigned load_count_pinned(const struct load *l)
{
    unsigned n = 0;

    for (unsigned i = 0; l->adopted && i < LOAD_LINKS; i++) {
        _cleanup_(close_p) int fd = get_pin(l, "link", hooks[i].name);

        n += is_attached(fd);
    }
    return n;
}

int load_remove(struct load *l)
{
    char path[PATH_BYTES];
    int error = 0;

    for (unsigned i = LOAD_LINKS; i-- > 0;) {
        _cleanup_(close_p) int fd = get_pin(l, "link", hooks[i].name);

        if (fd >= 0)
            (void)bpf_link_detach(fd); /* without it a descriptor elsewhere would keep it */
        drop_pin(l, "link", hooks[i].name, &error);
    }
    for (unsigned i = 0; i < _LOAD_MAP_MAX; i++)
        drop_pin(l, "map", map_names[i], &error);
    for (unsigned i = 0; i < 2; i++) {
        path_of(l, i ? "link" : "map", NULL, path);
        (void)rmdir(path);
    }
    (void)rmdir(l->dir);
    load_close(l);
    return error;
}

void load_close(struct load *l)
{
    for (unsigned i = 0; i < _LOAD_MAP_MAX; i++)
        close_p(&l->map[i]);
    for (unsigned i = 0; i < LOAD_LINKS; i++) {
        close_p(&l->prog[i]);
        close_p(&l->link[i]);
    }
}
