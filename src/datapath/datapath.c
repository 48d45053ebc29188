/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Life of a datapath: open, attach, watch, clear, close (datapath.h). Called by the agent and by
 * test tools, always in the network namespace that is meant. Invariant: until the last step of
 * datapath_open() nothing is attached, replaced or moved; what it pinned before is taken back. */
#include "datapath/datapath.h"

#include <errno.h>
#include <string.h>

#include "images.h"
#include "internal.h"
#include "mpp.h"

static const char default_pin_root[] = "/sys/fs/bpf/portward";

const char *hook_mode_name(enum hook_mode m)
{
    switch (m) {
    case HOOK_AUTO:
        return "auto";
    case HOOK_TCX:
        return "tcx";
    case HOOK_CLSACT:
        return "clsact";
    }
    return "unknown";
}

int datapath_mpp_map(const struct datapath *dp, unsigned index)
{
    _Static_assert(MAP_MPP_COUNTS - MAP_MPP_CONTROL == MPP_MAP_COUNTS &&
                       MAP_SCAN_PROVEN - MAP_MPP_CONTROL == MPP_MAP_SCAN_PROVEN,
                   "one order");
    return index < _MPP_MAP_MAX ? dp->set.progs.map[MAP_MPP_CONTROL + index] : -1;
}

const char *datapath_pin_dir(const struct datapath *dp)
{
    return dp->pins.dir;
}

/* Everything but the pins. */
static void release(struct datapath *dp)
{
    dp->worker = worker_free(dp->worker);
    log_close(dp);
    scan_close(dp);
    dp->rtnl = rtnl_close(dp->rtnl);
    localexact_close(&dp->exact);
    dp->attach = attach_free(dp->attach);
    dp->guard = guard_free(dp->guard);
    close_p(&dp->candidate_fd);
    inplace_forget(dp);
    counters_done(&dp->counters);
    set_done(&dp->set);
}

struct datapath *datapath_close(struct datapath *dp)
{
    if (!dp)
        return NULL;
    release(dp);
    pins_close(&dp->pins);
    free(dp);
    return NULL;
}

void datapath_closep(struct datapath **dp)
{
    *dp = datapath_close(*dp);
}

static struct datapath *undo(struct datapath *dp)
{
    release(dp);
    pins_undo(&dp->pins);
    free(dp);
    return NULL;
}

static void undop(struct datapath **dp)
{
    if (*dp)
        *dp = undo(*dp);
}

/* *ret stays as it is if the slot is empty. */
static int read_candidate(struct datapath *dp, uint64_t *ret)
{
    struct img_header h;
    _cleanup_(close_p) int fd = image_map_at(dp->set.progs.map[MAP_ROOTS], PW_ROOT_CANDIDATE);

    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    int r = image_map_header(fd, &h);
    if (!r && h.generation > *ret)
        *ret = h.generation;
    return r;
}

static int read_generation(struct datapath *dp)
{
    struct img_header h;
    _cleanup_(close_p) int fd = image_map_at(dp->set.progs.map[MAP_ROOTS], PW_ROOT_ACTIVE);

    if (fd < 0)
        return fd;
    int r = image_map_header(fd, &h);
    if (r < 0)
        return r;
    dp->generation = h.generation;
    dp->adopted = dp->set.origin == SET_ADOPTED && h.generation != 0;
    dp->newest = h.generation;
    return read_candidate(dp, &dp->newest);
}

static int open_hooks(struct datapath *dp, enum hook_mode hook, struct diag *d)
{
    bool beside = dp->set.origin == SET_BESIDE;
    struct attach_options o = {
        .pin_dir = dp->pins.dir,
        .hook = hook,
        .prog_in_fd = beside ? dp->set.old_prog[PROG_IN] : dp->set.progs.prog[PROG_IN],
        .prog_out_fd = beside ? dp->set.old_prog[PROG_OUT] : dp->set.progs.prog[PROG_OUT],
    };

    dp->waits_beside = beside;
    return attach_new(&o, d, &dp->attach);
}

static int open_host(struct datapath *dp, struct diag *d)
{
    int r = localexact_open(&dp->exact, dp->set.progs.map[MAP_LOCAL_EXACT]);

    if (r < 0)
        return diag_errno(d, r, "cannot map the table of local addresses");
    r = rtnl_open(&hostmaps_ops, dp, d, &dp->rtnl);
    if (r < 0)
        return r;
    r = hostmaps_remove_stale(dp);
    return r < 0 ? diag_errno(d, r, "cannot update the maps of local addresses") : 0;
}

static int open_parts(struct datapath *dp, const struct datapath_options *o, struct diag *d)
{
    int r = set_open(&dp->pins, d, &dp->set);

    if (r < 0)
        return r;
    r = read_generation(dp);
    if (!r)
        r = counters_open(dp->set.progs.map[MAP_COUNTERS], &dp->counters);
    if (!r)
        r = worker_new(&dp->worker);
    if (r < 0)
        return diag_errno(d, r, "cannot start the datapath");
    r = open_hooks(dp, o->hook, d);
    if (r < 0)
        return r;
    dp->guard_wanted = o->guard;
    guarding_open(dp);
    r = open_host(dp, d);
    if (!r)
        r = set_prepare(&dp->pins, &dp->set, d);
    if (r < 0 || dp->waits_beside)
        return r;
    r = set_take_place(&dp->pins, &dp->set);
    return r < 0 ? diag_errno(d, r, "cannot pin the classifier below '%s'", dp->pins.dir) : 0;
}

int datapath_open(const struct datapath_options *o, struct diag *d, struct datapath **ret)
{
    _cleanup_(undop) struct datapath *dp = calloc(1, sizeof(*dp));

    if (!dp)
        return diag_errno(d, ENOMEM, "cannot start the datapath");
    dp->set = (struct set)SET_INIT;
    dp->pins = (struct pins)PINS_INIT;
    dp->candidate_fd = -1;
    int r = pins_netns_cookie(&dp->cookie);
    if (r < 0)
        return diag_errno(d, r, "cannot name this network namespace");
    r = pins_open(o->pin_root ? o->pin_root : default_pin_root, dp->cookie, d, &dp->pins);
    if (!r)
        r = open_parts(dp, o, d);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(dp);
    return 0;
}

int datapath_clear(struct datapath *dp, struct diag *d)
{
    int rg = dp->guard ? guard_remove(dp->guard, &dp->pins) : guard_remove_pinned(&dp->pins);
    int r = attach_clear(dp->attach);

    r = r ? r : rg;
    release(dp);
    int removed = pins_remove(&dp->pins);
    if (r < 0 || removed < 0)
        diag_errno(d, r < 0 ? r : removed, "cannot remove everything below '%s'", dp->pins.dir);
    datapath_close(dp);
    return r < 0 ? r : removed;
}

uint64_t datapath_netns_cookie(const struct datapath *dp)
{
    return dp->cookie;
}

bool datapath_adopted(const struct datapath *dp)
{
    return dp->adopted;
}

uint16_t datapath_tag_secret(const struct datapath *dp)
{
    return dp->set.tag_secret;
}

enum hook_mode datapath_hook(const struct datapath *dp)
{
    return attach_mode(dp->attach);
}

const struct host *datapath_host(const struct datapath *dp)
{
    return rtnl_host(dp->rtnl);
}

int datapath_attach_all(struct datapath *dp, struct diag *d, unsigned *ret_n)
{
    const struct host *h = datapath_host(dp);
    unsigned wanted = 0, n = 0;
    int error = 0;

    dp->attaching = true;
    (void)guarding_apply(dp); /* what it makes is no repair */
    for (size_t i = 0; i < h->n_ifaces; i++) {
        int r = attach_iface(dp->attach, &h->ifaces[i]);

        if (h->ifaces[i].role == IFACE_NONE)
            continue;
        wanted++;
        n += r == 0;
        error = error ? error : r;
    }
    if (wanted > 0 && n == 0)
        return diag_errno(d, error, "cannot attach to any of %u interfaces", wanted);
    *ret_n = n;
    return 0;
}

void datapath_set_profiles(struct datapath *dp, const struct profile_patterns *l)
{
    rtnl_set_profiles(dp->rtnl, l);
}

int datapath_iface_status(const struct datapath *dp, struct iface_status **ret, size_t *ret_n)
{
    const struct host *h = datapath_host(dp);
    int r = attach_status(dp->attach, ret, ret_n);

    for (size_t i = 0; r >= 0 && i < *ret_n; i++) {
        for (size_t k = 0; k < h->n_ifaces; k++)
            if (h->ifaces[k].ifindex == (*ret)[i].ifindex) {
                (*ret)[i].profile = h->ifaces[k].profile;
                memcpy((*ret)[i].untested, h->ifaces[k].untested, sizeof((*ret)[i].untested));
            }
    }
    return r;
}

bool datapath_front_news(struct datapath *dp, struct front_news *ret)
{
    return attach_front_news(dp->attach, ret);
}

int datapath_rtnl_fd(const struct datapath *dp)
{
    return rtnl_fd(dp->rtnl);
}

int datapath_rtnl_process(struct datapath *dp, unsigned *ret_changes)
{
    return rtnl_process(dp->rtnl, ret_changes);
}

int datapath_resync(struct datapath *dp, unsigned *ret_changes)
{
    return rtnl_resync(dp->rtnl, ret_changes);
}

int datapath_reconcile(struct datapath *dp)
{
    int remade = pins_repair(&dp->pins);
    int n = remade > 0;

    if (remade == -EBUSY) /* another agent took the name, and the hooks are its business */
        return 0;
    if (dp->attaching)
        n += attach_reconcile(dp->attach, datapath_host(dp)) + guarding_apply(dp);

    return n + (dp->waits_beside ? 0 : set_repair(&dp->pins, &dp->set));
}
