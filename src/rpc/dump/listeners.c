/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc/dump/listeners.c: sockets of this host that wait for somebody, with the unit of each. Called
 * by the command line. The unit is the directory of cgroup v2 whose id the kernel gives with the
 * socket; without the right to open a directory by its id it stays unknown. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "cgroup.h"
#include "rpcdump/rpcdump.h"
#include "sockets/units.h"
#include "socks.h"

enum { HANDLE_KERNFS = 0xfe /* FILEID_KERNFS of linux/exportfs.h */ };

void rpc_listeners_done(struct rpc_listeners *l)
{
    free(l->v);
    *l = (struct rpc_listeners){0};
}

/* "smbd.service" of ".../system.slice/smbd.service"; a directory that is no unit by its path. */
static void name_unit(const char *path, const char *root, char *out, size_t size)
{
    const char *last = strrchr(path, '/'), *dot = last ? strrchr(last, '.') : NULL;
    size_t n = strlen(root);
    bool unit = dot && (strcmp(dot, ".service") == 0 || strcmp(dot, ".scope") == 0 ||
                        strcmp(dot, ".socket") == 0 || strcmp(dot, ".slice") == 0);
    if (unit)
        (void)format_into(out, size, "%s", last + 1);
    else if (strncmp(path, root, n) == 0)
        (void)format_into(out, size, "%s", path[n] ? path + n : "/");
}

static void find_unit(int mount_fd, const char *root, uint64_t id, char *out, size_t size)
{
    struct {
        struct file_handle h;
        uint64_t id;
    } handle = {.h = {.handle_bytes = sizeof(uint64_t), .handle_type = HANDLE_KERNFS}};
    char link[64], path[CGROUP_PATH_BYTES];
    memcpy(handle.h.f_handle, &id, sizeof(id));
    int fd = open_by_handle_at(mount_fd, &handle.h, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    close_p(&fd);
    if (n <= 0)
        return;
    path[n] = '\0';
    name_unit(path, root, out, size);
}

static bool listens(const struct sock *s)
{
    return s->proto == RPC_PROTO_TCP ? s->state == TCP_LISTEN : sock_waits(s);
}

int rpc_listeners_read(struct diag *d, struct rpc_listeners *ret)
{
    _cleanup_(socks_done) struct socks socks = {0};
    _cleanup_(rpc_listeners_done) struct rpc_listeners l = {0};
    char root[CGROUP_PATH_BYTES] = "";
    _cleanup_(close_p) int mount_fd = -1;
    int err = socks_read(&socks);
    if (err < 0)
        return diag_errno(d, err, "cannot read the sockets of this host");
    if (cgroup2_mount(root, sizeof(root)) == 0)
        mount_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < socks.n; i++) {
        const struct sock *s = &socks.v[i];
        if (!listens(s))
            continue;
        if (array_reserve(&l.v, &l.cap, l.n + 1, sizeof(*l.v)) < 0)
            return -ENOMEM;
        struct rpc_listener *k = &l.v[l.n++];
        *k = (struct rpc_listener){
            .udp = s->proto == RPC_PROTO_UDP, .family = s->family, .port = s->port, .uid = s->uid};
        (void)inet_ntop(s->family, s->local, k->address, sizeof(k->address)); /* fits */
        if (mount_fd >= 0 && s->cgroup)
            find_unit(mount_fd, root, s->cgroup, k->unit, sizeof(k->unit));
    }
    *ret = l;
    l = (struct rpc_listeners){0};
    return 0;
}

void rpc_dynamic_range(uint16_t *ret_first, uint16_t *ret_last)
{
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    unsigned first = 0, last = 0;
    bool ok = f && fscanf(f, "%u %u", &first, &last) == 2 && first <= last && last <= UINT16_MAX;
    if (f)
        (void)fclose(f);
    *ret_first = ok ? (uint16_t)first : 32768;
    *ret_last = ok ? (uint16_t)last : 60999;
}
