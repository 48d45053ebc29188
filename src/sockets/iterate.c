/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets/iterate.c: which TCP sockets listen, and who holds which socket, by the iterators of
 * bpf/sockets.bpf.c. The agent pins them; others open the pins, or load them themselves. Numbers of
 * processes are the host's: a reader in a pid namespace of its own notices that by a socket it
 * holds itself, and must look in /proc. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "internal.h"
#include "sockets.h"
#include "sockets.skel.h"

enum { READ_BYTES = 64 * 1024, PATH_BYTES = 512 };

static const char *const pins[_ITERATOR_MAX] = {
    [ITERATOR_HOLDERS] = "holders",
    [ITERATOR_LISTENERS] = "listeners",
};

static int print_nothing(enum libbpf_print_level level _unused_, const char *format _unused_,
                         va_list args _unused_)
{
    return 0;
}

/* --- links --- */
void iterators_init(struct iterators *x)
{
    *x = (struct iterators){.tried = false};
    for (unsigned i = 0; i < _ITERATOR_MAX; i++)
        x->link[i] = -1;
}

void iterators_done(struct iterators *x)
{
    for (unsigned i = 0; i < _ITERATOR_MAX; i++)
        close_p(&x->link[i]);
    for (unsigned i = 0; i < _ITERATOR_MAX; i++)
        if (x->own[i])
            (void)bpf_link__destroy(x->own[i]); /* ours alone */
    sockets_skel__destroy(x->skel);
}

static int open_pin(const char *dir, enum iterator which)
{
    char path[PATH_BYTES];
    struct bpf_link_info info = {0};
    uint32_t len = sizeof(info);

    (void)format_into(path, sizeof(path), "%s/%s", dir, pins[which]);
    _cleanup_(close_p) int fd = bpf_obj_get(path);
    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0 || info.type != BPF_LINK_TYPE_ITER)
        return -ENOENT;
    return TAKE_FD(fd);
}

static int load(struct iterators *x)
{
    libbpf_print_fn_t before = libbpf_set_print(print_nothing);
    int r = 0;

    x->tried = true;
    x->skel = sockets_skel__open_and_load();
    if (x->skel) {
        x->own[ITERATOR_HOLDERS] = bpf_program__attach_iter(x->skel->progs.pw_holders, NULL);
        x->own[ITERATOR_LISTENERS] = bpf_program__attach_iter(x->skel->progs.pw_listeners, NULL);
    }
    if (!x->skel || !x->own[ITERATOR_HOLDERS] || !x->own[ITERATOR_LISTENERS])
        r = -errno;
    (void)libbpf_set_print(before);
    return r;
}

void iterators_open(const char *pin, struct iterators *x)
{
    for (unsigned i = 0; pin && *pin && i < _ITERATOR_MAX; i++)
        x->link[i] = open_pin(pin, (enum iterator)i);
}

/* A descriptor to read from; the pin's, else that of a program of our own. */
static int start(struct iterators *x, enum iterator which)
{
    int fd = x->link[which] >= 0 ? bpf_iter_create(x->link[which]) : -ENOENT;

    if (fd >= 0)
        return fd;
    if (!x->tried && load(x) < 0)
        return -errno;
    return x->own[which] ? bpf_iter_create(bpf_link__fd(x->own[which])) : -ENOENT;
}

int sockets_pin_iterators(const char *dir, struct diag *d)
{
    _cleanup_(iterators_done) struct iterators x;
    char path[PATH_BYTES];

    iterators_init(&x);
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return diag_errno(d, errno, "cannot make '%s'", dir);
    int r = load(&x);
    if (r < 0)
        return diag_errno(d, r, "cannot load the iterators over sockets");
    for (unsigned i = 0; i < _ITERATOR_MAX; i++) {
        (void)format_into(path, sizeof(path), "%s/%s", dir, pins[i]);
        if (unlink(path) < 0 && errno != ENOENT)
            return diag_errno(d, errno, "cannot replace '%s'", path);
        r = bpf_obj_pin(bpf_link__fd(x.own[i]), path);
        if (r < 0)
            return diag_errno(d, r, "cannot pin '%s'", path);
    }
    return 0;
}

/* --- records --- */
typedef int (*record_visitor)(const void *record, void *arg);

static int read_records(int fd, size_t size, record_visitor visit, void *arg)
{
    _cleanup_free_ uint8_t *v = malloc(READ_BYTES);
    ssize_t n = 1;
    int r = v ? 0 : -ENOMEM;

    while (r == 0 && n > 0) {
        n = read(fd, v, READ_BYTES / size * size);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) /* the kernel lets others run */
            n = 1;
        else if (n < 0)
            return -errno;
        else
            for (size_t at = 0; r == 0 && at + size <= (size_t)n; at += size)
                r = visit(v + at, arg);
    }
    return r;
}

struct holding {
    struct sockets *s;
    uint32_t own_inode, own_pid;
    bool seen; /* the record of our own socket, with our own number */
};

static int on_holder(const void *record, void *arg)
{
    const struct pw_holder *h = record;
    struct holding *x = arg;

    x->seen |= h->inode == x->own_inode && h->pid == x->own_pid;
    return holders_add(x->s, (uint32_t)h->inode, h->pid);
}

int holders_iterate(struct iterators *it, uint32_t inode, struct sockets *s)
{
    struct holding x = {.s = s, .own_inode = inode, .own_pid = (uint32_t)getpid()};
    _cleanup_(close_p) int fd = start(it, ITERATOR_HOLDERS);

    if (fd < 0)
        return fd;
    int r = read_records(fd, sizeof(struct pw_holder), on_holder, &x);
    s->by = it->link[ITERATOR_HOLDERS] >= 0 ? HOLDERS_PINNED : HOLDERS_ITERATOR;
    return r < 0 ? r : x.seen ? 0 : -EXDEV;
}

static int on_listener(const void *record, void *arg)
{
    const struct pw_listener *l = record;
    struct sockets *s = arg;
    struct socket_row row = {
        .family = (uint8_t)l->family,
        .proto = IPPROTO_TCP,
        .state = SOCKET_LISTEN,
        .tcp_state = TCP_LISTEN,
        .six_only = l->six_only,
        .port = l->port,
        .ifindex = l->ifindex,
        .uid = l->uid,
        .inode = l->inode,
        .cgroup = l->cgroup,
        .cookie = l->cookie,
    };

    memcpy(row.local, l->local, sizeof(row.local));
    int r = array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v));
    if (r == 0)
        s->v[s->n++] = row;
    return r;
}

int listeners_iterate(struct iterators *it, struct sockets *s)
{
    _cleanup_(close_p) int fd = start(it, ITERATOR_LISTENERS);
    size_t before = s->n;

    if (fd < 0)
        return fd;
    int r = read_records(fd, sizeof(struct pw_listener), on_listener, s);
    if (r < 0)
        s->n = before;
    return r;
}
