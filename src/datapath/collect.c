/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removing pins without a running agent: of a namespace that is named, and of namespaces that no
 * longer exist. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "attach.h"
#include "datapath/datapath.h"
#include "guard.h"
#include "netns.h"
#include "pins.h"
#include "progs.h"
#include "set.h"

static const char default_pin_root[] = "/sys/fs/bpf/portward";

/* clsact filters have no pins, they can be taken off only from inside their namespace. */
static int clear_hooks(const struct pins *p, struct diag *d)
{
    _cleanup_(close_p) int in = pins_get(p, "prog", progs_prog_name(PROG_IN));
    _cleanup_(close_p) int out = pins_get(p, "prog", progs_prog_name(PROG_OUT));
    _cleanup_(attach_freep) struct attach *at = NULL;
    struct attach_options o = {
        .pin_dir = p->dir, .hook = HOOK_AUTO, .prog_in_fd = in, .prog_out_fd = out};

    if (in < 0 || out < 0)
        return 0;
    int r = guard_remove_pinned(p);
    if (!r)
        r = attach_new(&o, d, &at);
    return r < 0 ? r : attach_clear(at);
}

int datapath_clear_pins(const char *pin_root, uint64_t cookie, struct diag *d)
{
    struct pins p = PINS_INIT;
    uint64_t own;

    if (!pin_root)
        pin_root = default_pin_root;
    int r = pins_open_existing(pin_root, cookie, &p);

    if (r == -ENOENT)
        return 0;
    if (r == -EBUSY) {
        diag_fail(d, DIAG_CONFLICT, "an agent holds this network namespace ('%s/%llu' is locked)",
                  pin_root, (unsigned long long)cookie);
        return r;
    }
    if (r < 0)
        return diag_errno(d, r, "cannot open '%s/%llu'", pin_root, (unsigned long long)cookie);
    int hooks = pins_netns_cookie(&own) == 0 && own == cookie ? clear_hooks(&p, d) : 0;
    r = pins_remove(&p);
    pins_close(&p);
    if (hooks < 0 || r < 0)
        return diag_errno(d, hooks < 0 ? hooks : r, "cannot remove everything below '%s'", p.dir);
    return 0;
}

/* A link is dead when its interface is gone; all of them when the namespace is. A namespace that
 * nobody can enter any more is as good as gone: the guard's links alone keep it. */
static bool is_dead(const struct pins *p)
{
    unsigned n, alive;
    uint32_t netns = set_netns(p);

    if (pins_links(p, &n, &alive) < 0 || n == 0)
        return false;
    return alive == 0 || (netns && !netns_is_used(netns));
}

static int collect(const char *pin_root, uint64_t cookie)
{
    struct pins p = PINS_INIT;
    int r = pins_name(pin_root, cookie, &p);

    /* A lock that we held only to look would turn away an agent that starts just now. */
    if (r < 0 || !is_dead(&p))
        return 0;
    r = pins_open_existing(pin_root, cookie, &p);
    if (r < 0)
        return 0; /* held, or removed by somebody else */
    r = is_dead(&p) && pins_remove(&p) == 0;
    pins_close(&p);
    return r;
}

int datapath_collect_dead(const char *pin_root)
{
    if (!pin_root)
        pin_root = default_pin_root;
    DIR *dir = opendir(pin_root);
    int n = 0;

    if (!dir)
        return errno == ENOENT ? 0 : -errno;
    for (struct dirent *e; (e = readdir(dir));) {
        char *end;
        unsigned long long cookie = strtoull(e->d_name, &end, 10);

        if (cookie != 0 && *end == '\0')
            n += collect(pin_root, cookie);
    }
    closedir(dir);
    return n;
}
