/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links of the guard, see guard.h. The kernel does not tell a detached netfilter link from an
 * attached one, and none of them takes another program. So a link is made sure of by making it
 * again at its own priority: -EBUSY says that it is there. A new program gets the next priority
 * that is free. */
#include "guard.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sysbpf.h"

/* After reassembly (-400), before connection tracking (-200). */
enum { PRIORITY_FIRST = -350, PRIORITY_LAST = -341 };
static const char link_sub[] = "link";

static const struct place {
    const char *name; /* of the pin */
    uint32_t pf, hook;
} places[GUARD_LINKS] = {
    {"guard-in-4", NFPROTO_IPV4, NF_INET_LOCAL_IN},
    {"guard-in-6", NFPROTO_IPV6, NF_INET_LOCAL_IN},
    {"guard-forward-4", NFPROTO_IPV4, NF_INET_FORWARD},
    {"guard-forward-6", NFPROTO_IPV6, NF_INET_FORWARD},
    {"guard-out-4", NFPROTO_IPV4, NF_INET_LOCAL_OUT},
    {"guard-out-6", NFPROTO_IPV6, NF_INET_LOCAL_OUT},
};

/* Where the pin of a link lies that has not taken its place yet. */
enum { NEXT_BYTES = 32 };
static void next_name(const struct place *p, char ret[NEXT_BYTES])
{
    snprintf(ret, NEXT_BYTES, "next-%s", p->name);
}

struct guard_link {
    int fd; /* -1 = none */
    int32_t priority;
    uint64_t pin_ino; /* inode of the pin we made, 0 = none */
};

struct guard {
    int prog_fd; /* one for all hooks */
    struct guard_link link[GUARD_LINKS];
};

int guard_open(const struct guard_load_options *o, struct diag *d, struct guard **ret)
{
    struct guard *g = calloc(1, sizeof(*g));

    if (!g)
        return diag_errno(d, ENOMEM, "cannot load the guard");
    for (size_t i = 0; i < GUARD_LINKS; i++)
        g->link[i].fd = -1;
    g->prog_fd = -1;
    int r = guard_load(o, d, &g->prog_fd);
    if (r < 0) {
        guard_free(g);
        return r;
    }
    *ret = g;
    return 0;
}

struct guard *guard_free(struct guard *g)
{
    if (!g)
        return NULL;
    for (size_t i = 0; i < GUARD_LINKS; i++)
        close_p(&g->link[i].fd);
    close_p(&g->prog_fd);
    free(g);
    return NULL;
}

static uint64_t pin_inode(const struct pins *pins, const char *name)
{
    char path[PINS_PATH_BYTES];
    struct stat st;

    pins_path(pins, link_sub, name, path);
    return lstat(path, &st) < 0 ? 0 : st.st_ino;
}

static int remove_pin(const struct pins *pins, const char *name)
{
    char path[PINS_PATH_BYTES];

    pins_path(pins, link_sub, name, path);
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int rename_pin(const struct pins *pins, const char *from, const char *to)
{
    char old[PINS_PATH_BYTES], new[PINS_PATH_BYTES];

    pins_path(pins, link_sub, from, old);
    pins_path(pins, link_sub, to, new);
    return rename(old, new) < 0 ? -errno : 0;
}

/* Takes the link of this pin off its hook, if it is one of this place, and removes the pin. */
static int remove_pinned(const struct pins *pins, const struct place *p, const char *name)
{
    struct sysbpf_link_info info;
    _cleanup_(close_p) int fd = pins_get(pins, link_sub, name);
    int r = 0;

    if (fd >= 0 && sysbpf_link_info(fd, &info) == 0 && info.type == SYSBPF_LINK_TYPE_NETFILTER &&
        info.pf == p->pf && info.hook == p->hook)
        r = sysbpf_link_detach(fd);
    int removed = remove_pin(pins, name);
    return r < 0 && r != -ENOLINK ? r : removed;
}

/* The pin takes its place over the one of an earlier agent, whose link goes afterwards. */
static int take_pin(const struct pins *pins, const struct place *p, struct guard_link *l)
{
    _cleanup_(close_p) int old = pins_get(pins, link_sub, p->name);
    struct sysbpf_link_info was, is;
    char next[NEXT_BYTES];

    next_name(p, next);
    l->pin_ino = 0;
    (void)remove_pin(pins, next); /* of an agent that ended in between */
    int r = pins_mkdir(pins, link_sub);
    if (!r)
        r = pins_put(pins, link_sub, next, l->fd);
    if (!r)
        r = rename_pin(pins, next, p->name);
    if (r < 0)
        return r;
    l->pin_ino = pin_inode(pins, p->name);
    if (old < 0 || sysbpf_link_info(old, &was) < 0 || sysbpf_link_info(l->fd, &is) < 0 ||
        was.type != SYSBPF_LINK_TYPE_NETFILTER || was.id == is.id)
        return 0;
    r = sysbpf_link_detach(old);
    return r == -ENOLINK ? 0 : r;
}

static int make_link(const struct guard *g, const struct place *p, struct guard_link *l)
{
    for (int32_t at = PRIORITY_FIRST; at <= PRIORITY_LAST; at++) {
        int fd = sysbpf_netfilter_link(g->prog_fd, p->pf, p->hook, at);

        if (fd == -EBUSY)
            continue;
        if (fd < 0)
            return fd;
        close_p(&l->fd);
        *l = (struct guard_link){.fd = fd, .priority = at};
        return 0;
    }
    return -EBUSY;
}

/* 1 if it had to be made. */
static int ensure_link(const struct guard *g, const struct place *p, struct guard_link *l)
{
    if (l->fd >= 0) {
        int fd = sysbpf_netfilter_link(g->prog_fd, p->pf, p->hook, l->priority);

        if (fd == -EBUSY)
            return 0;
        if (fd < 0)
            return fd;
        close_p(&l->fd);
        *l = (struct guard_link){.fd = fd, .priority = l->priority};
        return 1;
    }
    int r = make_link(g, p, l);
    return r < 0 ? r : 1;
}

/* 1 if something was changed. */
static int ensure(struct guard *g, const struct pins *pins, size_t i)
{
    struct guard_link *l = &g->link[i];
    int made = ensure_link(g, &places[i], l);

    if (made < 0)
        return made;
    if (l->pin_ino && pin_inode(pins, places[i].name) == l->pin_ino)
        return made;
    int r = take_pin(pins, &places[i], l);
    return r < 0 ? r : 1;
}

int guard_ensure(struct guard *g, const struct pins *pins)
{
    int n = 0, error = 0;

    for (size_t i = 0; i < GUARD_LINKS; i++) {
        int r = ensure(g, pins, i);

        if (r < 0)
            error = error ? error : r;
        else
            n += r;
    }
    return error ? error : n;
}

bool guard_judges_input(const struct guard *g)
{
    for (size_t i = 0; i < GUARD_LINKS; i++)
        if (places[i].hook == NF_INET_LOCAL_IN && g->link[i].fd < 0)
            return false;
    return true;
}

unsigned guard_links(const struct guard *g)
{
    unsigned n = 0;

    for (size_t i = 0; i < GUARD_LINKS; i++)
        n += g->link[i].fd >= 0;
    return n;
}

int guard_remove_pinned(const struct pins *pins)
{
    int error = 0;

    for (size_t i = 0; i < GUARD_LINKS; i++) {
        char next[NEXT_BYTES];

        next_name(&places[i], next);
        int r = remove_pinned(pins, &places[i], places[i].name);
        int rn = remove_pinned(pins, &places[i], next);

        r = r ? r : rn;
        error = error ? error : r;
    }
    return error;
}

int guard_remove(struct guard *g, const struct pins *pins)
{
    int error = 0;

    for (size_t i = 0; i < GUARD_LINKS; i++) {
        struct guard_link *l = &g->link[i];
        int r = l->fd >= 0 ? sysbpf_link_detach(l->fd) : 0;

        close_p(&l->fd);
        *l = (struct guard_link){.fd = -1};
        if (r < 0 && r != -ENOLINK)
            error = error ? error : r;
    }
    int r = guard_remove_pinned(pins);
    return error ? error : r;
}
