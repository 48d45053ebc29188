/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See guard_load.h; the only file that sees the guard's skeleton. libbpf 1.1.2 does not know the
 * program type, so that it is set here by number. */
#include "guard_load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>

#include "sysbpf.h"

#include "guard.skel.h"

enum { LOG_BYTES = 64 * 1024 };

static const char hooks_name[] = "pw_guard", state_name[] = "pw_guard_state";

static void guard_destroyp(struct guard_skel **s)
{
    guard_skel__destroy(*s);
}

/* A map that the classifier has and the guard does not use is not in its object. */
static int reuse_maps(struct guard_skel *s, const struct progs *p)
{
    for (unsigned m = 0; m < _MAP_MAX; m++) {
        struct bpf_map *map = bpf_object__find_map_by_name(s->obj, progs_map_name(m));
        int r = map ? bpf_map__reuse_fd(map, p->map[m]) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

static int prepare(struct guard_skel *s, const char *name)
{
    struct bpf_program *prog = bpf_object__find_program_by_name(s->obj, name);
    int r = prog ? bpf_program__set_type(prog, (enum bpf_prog_type)SYSBPF_PROG_TYPE_NETFILTER)
                 : -ENOENT;

    if (!r)
        r = bpf_program__set_expected_attach_type(prog, (enum bpf_attach_type)SYSBPF_NETFILTER);
    return r ? r : bpf_program__set_autoload(prog, true);
}

static int prepare_programs(struct guard_skel *s)
{
    int r = prepare(s, state_name);

    return r ? r : prepare(s, hooks_name);
}

static int let_it_go_on(const struct guard_skel *s, const struct progs *p)
{
    const struct bpf_program *prog = bpf_object__find_program_by_name(s->obj, state_name);

    return prog ? progs_go_on(p->map[MAP_GUARD_NEXT], bpf_program__fd(prog)) : -ENOENT;
}

static int take_fd(const struct guard_skel *s, int *ret_fd)
{
    const struct bpf_program *prog = bpf_object__find_program_by_name(s->obj, hooks_name);
    int fd = prog ? fcntl(bpf_program__fd(prog), F_DUPFD_CLOEXEC, 0) : -1;

    if (fd < 0)
        return prog ? -errno : -ENOENT;
    *ret_fd = fd;
    return 0;
}

int guard_load(const struct guard_load_options *o, struct diag *d, int *ret_fd)
{
    _cleanup_free_ char *log = calloc(1, LOG_BYTES);
    LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log, .kernel_log_size = LOG_BYTES);

    if (!log)
        return diag_errno(d, ENOMEM, "cannot load the guard");
    _cleanup_(guard_destroyp) struct guard_skel *s = guard_skel__open_opts(&opts);
    if (!s)
        return diag_errno(d, errno, "cannot read the guard's object");
    s->rodata->guard_secret = o->tag_secret;
    s->rodata->guard_out_program = o->out_program;
    int r = reuse_maps(s, o->progs);
    if (!r)
        r = prepare_programs(s);
    if (!r)
        r = guard_skel__load(s);
    if (r < 0) {
        progs_quote_log(d, r, "guard", log);
        return r;
    }
    r = let_it_go_on(s, o->progs);
    if (!r)
        r = take_fd(s, ret_fd);
    return r < 0 ? diag_errno(d, r, "cannot load the guard") : 0;
}
