/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See attach_front.h. To the front: the stand-in (bpf/front.bpf.c) is attached there and calls
 * ours; then our link goes; then the stand-in's link gets our program. Meanwhile a packet may be
 * judged twice, never not at all. Only the last step leaves a link behind, and no step needs the
 * pin. */
#include "attach_front.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "front.skel.h"

enum { AGAIN_S = 60 };

static uint64_t now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec;
}

void front_done(struct attach *at)
{
    front_skel__destroy(at->front);
    at->front = NULL;
}

/* Descriptor of the stand-in, borrowed; it calls our program from now on. */
static int stand_in(struct attach *at, enum direction dir)
{
    uint32_t key = (uint32_t)dir;

    if (!at->front)
        at->front = front_skel__open_and_load();
    if (!at->front)
        return errno ? -errno : -ENOMEM;
    int r = bpf_map_update_elem(bpf_map__fd(at->front->maps.classifier), &key, &at->prog_fd[dir],
                                BPF_ANY);
    if (r < 0)
        return r;
    return bpf_program__fd(dir == DIR_IN ? at->front->progs.pw_front_in
                                         : at->front->progs.pw_front_out);
}

static int move(struct attach *at, struct attach_entry *e, enum direction dir)
{
    struct attach_link *l = &e->link[dir];
    struct sysbpf_link_info info;
    int prog = stand_in(at, dir);

    if (prog < 0)
        return prog;
    _cleanup_(close_p) int fd = sysbpf_tcx_link(prog, e->ifindex, sysbpf_tcx_hook(dir));
    if (fd < 0)
        return fd;
    int r = sysbpf_link_info(fd, &info);
    if (!r)
        r = sysbpf_link_detach(l->fd);
    if (r < 0)
        return r;
    close_p(&l->fd);
    *l = (struct attach_link){.fd = TAKE_FD(fd), .id = info.id}; /* the pin follows */
    return sysbpf_link_update(l->fd, at->prog_fd[dir]);
}

void front_program_name(uint32_t id, char ret[FRONT_BYTES])
{
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof(info);
    _cleanup_(close_p) int fd = id ? bpf_prog_get_fd_by_id(id) : -1;

    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
        info.name[0] = '\0';
    if (id) /* fits: 15, 6 and 10 characters at most */
        snprintf(ret, FRONT_BYTES, "%.15s (id %u)", *info.name ? info.name : "unnamed", id);
    else
        ret[0] = '\0';
}

static void tell(struct attach *at, const struct attach_entry *e, enum direction dir,
                 bool overtaken)
{
    struct front_news *n;

    if (at->n_news == ARRAY_SIZE(at->news)) /* nobody asks: the status has it all */
        return;
    n = &at->news[at->n_news++];
    *n = (struct front_news){.dir = dir, .overtaken = overtaken};
    memcpy(n->name, e->name, sizeof(n->name));
    front_program_name(e->front[dir], n->program);
}

bool front_watch(struct attach *at, struct attach_entry *e, enum direction dir,
                 const struct sysbpf_hook *h, int position)
{
    uint32_t first = position > 0 ? h->prog_id[0] : 0;
    bool is_new = first && first != e->front[dir];
    uint64_t now = now_s();
    int r = 0;

    e->front[dir] = first;
    if (!first)
        return false;
    if (!e->moved_s[dir] || now - e->moved_s[dir] >= AGAIN_S) {
        e->moved_s[dir] = now;
        r = move(at, e, dir);
        if (is_new || !r)
            tell(at, e, dir, r == 0);
        if (!r)
            e->front[dir] = 0;
        return r == 0;
    }
    if (is_new)
        tell(at, e, dir, /* overtaken= */ false);
    return false;
}
