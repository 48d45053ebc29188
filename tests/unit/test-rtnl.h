/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What test-rtnl.c and test-rtnl-kinds.c share: a world is a network namespace with an open
 * struct rtnl and a mirror of everything its ops were told. verify() holds the invariant of
 * rtnl.h: mirror == rtnl_host() == what a fresh dump says. */
#pragma once
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/datapath/rtnl.h"
#include "datapath/datapath.h"

enum { MAX = 2048 };

/* What the ops were told. */
struct mirror {
    struct local_route local[MAX];
    size_t n_local;
    struct iface ifaces[MAX];
    size_t n_ifaces;
    unsigned calls;
    int answer; /* what the ops return */
};

struct world {
    int home; /* namespace to go back to */
    struct rtnl *rtnl;
    struct mirror mirror;
};

static bool same_prefix(const struct local_route *a, const struct local_route *b)
{
    return a->family == b->family && ip_eq(a->prefix, b->prefix) && a->prefix_len == b->prefix_len;
}

static int on_local_set(void *u, const struct local_route *l)
{
    struct mirror *m = u;
    size_t i = 0;

    m->calls++;
    while (i < m->n_local && !same_prefix(&m->local[i], l))
        i++;
    assert_true(i < MAX);
    if (i == m->n_local)
        m->n_local++;
    else
        assert_int_not_equal(m->local[i].kind, l->kind); /* told for nothing */
    m->local[i] = *l;
    return m->answer;
}

static int on_local_del(void *u, const struct local_route *l)
{
    struct mirror *m = u;
    size_t i = 0;

    m->calls++;
    while (i < m->n_local && !same_prefix(&m->local[i], l))
        i++;
    assert_true(i < m->n_local);
    assert_int_equal(m->local[i].kind, l->kind);
    m->local[i] = m->local[--m->n_local];
    return m->answer;
}

static int on_iface_set(void *u, const struct iface *f, bool is_new)
{
    struct mirror *m = u;
    size_t i = 0;

    m->calls++;
    while (i < m->n_ifaces && m->ifaces[i].ifindex != f->ifindex)
        i++;
    assert_true(i < MAX);
    assert_int_equal(is_new, i == m->n_ifaces);
    if (is_new)
        m->n_ifaces++;
    m->ifaces[i] = *f;
    return m->answer;
}

static int on_iface_del(void *u, uint32_t ifindex)
{
    struct mirror *m = u;
    size_t i = 0;

    m->calls++;
    while (i < m->n_ifaces && m->ifaces[i].ifindex != ifindex)
        i++;
    assert_true(i < m->n_ifaces);
    m->ifaces[i] = m->ifaces[--m->n_ifaces];
    return m->answer;
}

static const struct rtnl_ops ops = {on_local_set, on_local_del, on_iface_set, on_iface_del};

static _printf_(1, 2) int try_run(const char *fmt, ...)
{
    char cmd[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(cmd, sizeof(cmd), fmt, ap);
    va_end(ap);
    return system(cmd);
}

/* In the namespace of the calling test. */
#define run(...) assert_int_equal(try_run(__VA_ARGS__), 0)

static void assert_same_iface(const struct iface *a, const struct iface *b)
{
    assert_int_equal(a->ifindex, b->ifindex);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->role, b->role);
    assert_int_equal(a->stacked, b->stacked);
    assert_int_equal(a->forwarding4, b->forwarding4);
    assert_int_equal(a->forwarding6, b->forwarding6);
    assert_int_equal(a->accept_local, b->accept_local);
    assert_int_equal(a->dhcp4, b->dhcp4);
    assert_int_equal(a->dhcp6, b->dhcp6);
}

static void assert_same(const struct host *h, const struct mirror *m)
{
    assert_int_equal(h->n_local, m->n_local);
    for (size_t i = 0; i < h->n_local; i++) {
        size_t k = 0;

        while (k < m->n_local && !same_prefix(&m->local[k], &h->local[i]))
            k++;
        assert_true(k < m->n_local);
        assert_int_equal(m->local[k].kind, h->local[i].kind);
    }
    assert_int_equal(h->n_ifaces, m->n_ifaces);
    for (size_t i = 0; i < h->n_ifaces; i++) {
        size_t k = 0;

        while (k < m->n_ifaces && m->ifaces[k].ifindex != h->ifaces[i].ifindex)
            k++;
        assert_true(k < m->n_ifaces);
        assert_same_iface(&m->ifaces[k], &h->ifaces[i]);
    }
}

/* Until the kernel has nothing more to say: IPv6 addresses are finished by its workers. */
static unsigned settle(struct world *w)
{
    unsigned changes, all = 0;

    do {
        assert_int_equal(rtnl_process(w->rtnl, &changes), 0);
        all |= changes;
        usleep(10000);
    } while (changes);
    return all;
}

/* Processes what is pending and checks the invariant. Returns what changed. */
static unsigned verify(struct world *w)
{
    static struct mirror fresh;
    struct rtnl *again = NULL;
    unsigned all = settle(w), late;

    do { /* both must have seen the same moment */
        rtnl_close(again);
        memset(&fresh, 0, sizeof(fresh));
        assert_int_equal(rtnl_open(&ops, &fresh, NULL, &again), 0);
        late = settle(w);
        all |= late;
    } while (late);
    assert_same(rtnl_host(w->rtnl), &w->mirror);
    assert_same(rtnl_host(w->rtnl), &fresh);
    rtnl_close(again);
    return all;
}

static const struct iface *find_iface(const struct world *w, const char *name)
{
    const struct host *h = rtnl_host(w->rtnl);

    for (size_t i = 0; i < h->n_ifaces; i++)
        if (!strcmp(h->ifaces[i].name, name))
            return &h->ifaces[i];
    return NULL;
}

static struct iface iface_of(const struct world *w, const char *name)
{
    const struct iface *f = find_iface(w, name);

    if (!f) {
        fail_msg("no interface '%s'", name);
        abort();
    }
    return *f;
}

static enum local_kind kind_of(const struct world *w, const char *addr, unsigned len)
{
    const struct host *h = rtnl_host(w->rtnl);
    struct local_route key = {.prefix_len = (uint8_t)len};

    assert_int_equal(ip_parse(addr, strlen(addr), &key.family, &key.prefix), 0);
    for (size_t i = 0; i < h->n_local; i++)
        if (same_prefix(&h->local[i], &key))
            return h->local[i].kind;
    return LOCAL_NONE;
}

static void assert_role(const struct world *w, const char *name, enum iface_role role, bool stacked)
{
    assert_int_equal(iface_of(w, name).role, role);
    assert_int_equal(iface_of(w, name).stacked, stacked);
}

static int enter(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(w->home >= 0);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    assert_int_equal(rtnl_open(&ops, &w->mirror, NULL, &w->rtnl), 0);
    *state = w;
    return 0;
}

static int leave(void **state)
{
    struct world *w = *state;

    rtnl_close(w->rtnl);
    assert_int_equal(setns(w->home, CLONE_NEWNET), 0);
    close(w->home);
    free(w);
    return 0;
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, enter, leave)
