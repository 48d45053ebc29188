/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which interface gets which programs: the table of interfaces behind attach.h. The two kinds
 * of hook differ in how a direction is made sure of; the order "new in place, then the other
 * kind away" is kept here, so that changing the kind leaves no gap and no double attachment. */
#include "attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach_front.h"

static size_t position(const struct attach *at, uint32_t ifindex)
{
    size_t lo = 0, hi = at->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (at->v[mid].ifindex < ifindex)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct attach_entry *attach_entry_get(struct attach *at, uint32_t ifindex)
{
    size_t i = position(at, ifindex);

    if (i < at->n && at->v[i].ifindex == ifindex)
        return &at->v[i];
    if (array_reserve(&at->v, &at->cap, at->n + 1, sizeof(*at->v)) < 0)
        return NULL;
    memmove(at->v + i + 1, at->v + i, (at->n - i) * sizeof(*at->v));
    at->n++;
    at->v[i] = (struct attach_entry){
        .ifindex = ifindex,
        .role = IFACE_NORMAL,
        .link = {[DIR_IN] = {.fd = -1}, [DIR_OUT] = {.fd = -1}},
    };
    return &at->v[i];
}

static int drop_other(struct attach *at, struct attach_entry *e, enum direction dir)
{
    if (e->other_gone[dir])
        return 0;
    int r = at->mode == HOOK_TCX ? clsact_drop(at, e->ifindex, dir) : tcx_drop(at, e, dir);
    e->other_gone[dir] = !r;
    return r;
}

/* 1 if something was changed, 0, -errno. */
static int ensure(struct attach *at, struct attach_entry *e, enum direction dir)
{
    int r = at->mode == HOOK_TCX ? tcx_ensure(at, e, dir) : clsact_ensure(at, e->ifindex, dir);

    if (r < 0)
        return r;
    int ro = drop_other(at, e, dir);
    return ro < 0 ? ro : r;
}

/* Takes both kinds off. */
static int drop(struct attach *at, struct attach_entry *e, enum direction dir)
{
    int rt = tcx_drop(at, e, dir), rc = clsact_drop(at, e->ifindex, dir);

    return rt ? rt : rc;
}

/* Both directions as the role wants them; *changes is increased by what was repaired. */
static int bring_about(struct attach *at, struct attach_entry *e, int *changes)
{
    int error = 0;

    for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++) {
        int r = e->role == IFACE_NONE ? drop(at, e, dir) : ensure(at, e, dir);

        if (r > 0)
            *changes += r;
        else if (r < 0 && !error)
            error = r;
    }
    e->error = error;
    return error;
}

int attach_iface(struct attach *at, const struct iface *f)
{
    struct attach_entry *e = attach_entry_get(at, f->ifindex);
    int changes = 0;

    if (!e)
        return -ENOMEM;
    memcpy(e->name, f->name, sizeof(e->name));
    e->role = f->role;
    e->known = true;
    return bring_about(at, e, &changes);
}

static void forget_at(struct attach *at, size_t i)
{
    for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++)
        tcx_drop(at, &at->v[i], dir);
    at->n--;
    memmove(at->v + i, at->v + i + 1, (at->n - i) * sizeof(*at->v));
}

void attach_forget(struct attach *at, uint32_t ifindex)
{
    size_t i = position(at, ifindex);

    if (i < at->n && at->v[i].ifindex == ifindex)
        forget_at(at, i);
}

static int take_program(int fd, int *ret_fd, uint32_t *ret_id)
{
    struct sysbpf_prog_info info;
    int r = sysbpf_prog_info(fd, &info);

    if (r < 0)
        return r;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return -errno;
    *ret_fd = copy;
    *ret_id = info.id;
    return 0;
}

static int take_programs(struct attach *at, int in_fd, int out_fd)
{
    _cleanup_(close_p) int in = -1, out = -1;
    uint32_t in_id = 0, out_id = 0;
    int r = take_program(in_fd, &in, &in_id);

    if (!r)
        r = take_program(out_fd, &out, &out_id);
    if (r < 0)
        return r;
    close_p(&at->prog_fd[DIR_IN]);
    close_p(&at->prog_fd[DIR_OUT]);
    at->prog_fd[DIR_IN] = TAKE_FD(in);
    at->prog_fd[DIR_OUT] = TAKE_FD(out);
    at->prog_id[DIR_IN] = in_id;
    at->prog_id[DIR_OUT] = out_id;
    return 0;
}

int attach_set_programs(struct attach *at, int prog_in_fd, int prog_out_fd)
{
    int r = take_programs(at, prog_in_fd, prog_out_fd), changes = 0;

    for (size_t i = 0; !r && i < at->n; i++)
        if (at->v[i].role != IFACE_NONE)
            (void)bring_about(at, &at->v[i], &changes);
    return r;
}

static bool host_has(const struct host *h, uint32_t ifindex)
{
    for (size_t i = 0; i < h->n_ifaces; i++)
        if (h->ifaces[i].ifindex == ifindex)
            return true;
    return false;
}

int attach_reconcile(struct attach *at, const struct host *h)
{
    int changes = 0;

    for (size_t i = at->n; i-- > 0;)
        if (!host_has(h, at->v[i].ifindex))
            forget_at(at, i);
    for (size_t i = 0; i < h->n_ifaces; i++) {
        const struct iface *f = &h->ifaces[i];
        struct attach_entry *e = attach_entry_get(at, f->ifindex);

        if (!e) /* out of memory: the next call tries again */
            continue;
        bool settled = e->known && f->role == IFACE_NONE && e->role == IFACE_NONE && !e->error;
        memcpy(e->name, f->name, sizeof(e->name));
        e->role = f->role;
        e->known = true;
        if (!settled)
            bring_about(at, e, &changes);
    }
    return changes;
}

int attach_status(struct attach *at, struct iface_status **ret, size_t *ret_n)
{
    struct iface_status *v = calloc(at->n + 1, sizeof(*v));
    size_t n = 0;

    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < at->n; i++) {
        const struct attach_entry *e = &at->v[i];
        bool on[ATTACH_DIRECTIONS];

        if (!e->known)
            continue;
        for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++)
            on[dir] = at->mode == HOOK_TCX ? tcx_attached(at, e, dir)
                                           : clsact_attached(at, e->ifindex, dir);
        v[n] = (struct iface_status){
            .ifindex = e->ifindex,
            .role = e->role,
            .attached_in = on[DIR_IN],
            .attached_out = on[DIR_OUT],
            .error = e->error,
        };
        memcpy(v[n].name, e->name, sizeof(v[n].name));
        for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++)
            front_program_name(e->front[dir], v[n].front[dir]);
        n++;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

bool attach_front_news(struct attach *at, struct front_news *ret)
{
    if (at->n_news == 0)
        return false;
    *ret = at->news[0];
    at->n_news--;
    memmove(at->news, at->news + 1, at->n_news * sizeof(at->news[0]));
    return true;
}

enum hook_mode attach_mode(const struct attach *at)
{
    return at->mode;
}

int attach_clear(struct attach *at)
{
    int error = 0;

    for (size_t i = 0; i < at->n; i++)
        for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++) {
            int r = tcx_drop(at, &at->v[i], dir);

            error = error ? error : r;
        }
    at->n = 0;
    int r = clsact_drop_all(at);
    if (rmdir(at->link_dir) < 0 && errno != ENOENT && !r)
        r = -errno;
    return error ? error : r;
}

struct attach *attach_free(struct attach *at)
{
    if (!at)
        return NULL;
    for (size_t i = 0; i < at->n; i++)
        for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++)
            close_p(&at->v[i].link[dir].fd);
    for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++)
        close_p(&at->prog_fd[dir]);
    rtnl_query_close(&at->tc);
    front_done(at);
    free(at->link_dir);
    free(at->v);
    free(at);
    return NULL;
}

void attach_freep(struct attach **at)
{
    *at = attach_free(*at);
}

static int choose_mode(enum hook_mode wanted, enum hook_mode *ret)
{
    switch (wanted) {
    case HOOK_CLSACT:
        *ret = HOOK_CLSACT;
        return 0;
    case HOOK_TCX:
        if (!tcx_works())
            return -EOPNOTSUPP;
        *ret = HOOK_TCX;
        return 0;
    case HOOK_AUTO:
        *ret = tcx_works() ? HOOK_TCX : HOOK_CLSACT;
        return 0;
    }
    return -EINVAL;
}

int attach_new(const struct attach_options *o, struct diag *d, struct attach **ret)
{
    _cleanup_(attach_freep) struct attach *at = calloc(1, sizeof(*at));

    if (!at)
        return diag_errno(d, ENOMEM, "cannot prepare the attachment");
    at->prog_fd[DIR_IN] = at->prog_fd[DIR_OUT] = -1;
    if (choose_mode(o->hook, &at->mode) < 0) {
        diag_fail(d, DIAG_NOT_ENFORCED, "this kernel has no TCX hooks");
        diag_hint(d, "set 'hook = auto' in section [datapath], or use Linux 6.6 or later");
        return -EOPNOTSUPP;
    }
    if (asprintf(&at->link_dir, "%s/link", o->pin_dir) < 0) {
        at->link_dir = NULL;
        return diag_errno(d, ENOMEM, "cannot prepare the attachment");
    }
    if (mkdir(at->link_dir, 0700) < 0 && errno != EEXIST)
        return diag_errno(d, errno, "cannot make '%s'", at->link_dir);
    int r = take_programs(at, o->prog_in_fd, o->prog_out_fd);

    if (!r)
        r = rtnl_query_open(&at->tc, NETLINK_ROUTE);
    if (r < 0)
        return diag_errno(d, r, "cannot prepare the attachment");
    r = tcx_adopt(at);
    if (r < 0)
        return diag_errno(d, r, "cannot read the pins in '%s'", at->link_dir);
    *ret = TAKE_PTR(at);
    return 0;
}
