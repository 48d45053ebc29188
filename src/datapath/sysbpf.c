/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw bpf(2) for what libbpf 1.1.2 lacks. The attribute structs are our own: the headers at
 * build time are older than TCX, and the layouts are kernel ABI. The size handed to the kernel
 * is that of our struct; trailing fields a newer kernel knows read as zero, and an older one
 * refuses with E2BIG only if bytes it does not know are set. */
#include "sysbpf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* bpf_attr.link_create for TCX (Linux 6.6). */
struct attr_link_create {
    uint32_t prog_fd, target_ifindex, attach_type, flags;
    uint32_t relative_fd, _pad;
    uint64_t expected_revision;
};
_Static_assert(sizeof(struct attr_link_create) == 32, "kernel ABI");

/* bpf_attr.link_create for netfilter (Linux 6.4). */
struct attr_netfilter_link {
    uint32_t prog_fd, target_fd, attach_type, flags;
    uint32_t pf, hook;
    int32_t priority;
    uint32_t netfilter_flags;
};
_Static_assert(sizeof(struct attr_netfilter_link) == 32, "kernel ABI");

/* bpf_attr.link_update. */
struct attr_link_update {
    uint32_t link_fd, new_prog_fd, flags, old_prog_fd;
};

/* bpf_attr.query as of Linux 6.6; the header of 6.1 ends after prog_attach_flags. */
struct attr_query {
    uint32_t target_ifindex, attach_type, query_flags, attach_flags;
    uint64_t prog_ids;
    uint32_t count, _pad;
    uint64_t prog_attach_flags, link_ids, link_attach_flags, revision;
};
_Static_assert(sizeof(struct attr_query) == 64, "kernel ABI");

static int sys_bpf(int cmd, void *attr, size_t size)
{
    long r = syscall(SYS_bpf, cmd, attr, size);

    return r < 0 ? -errno : (int)r;
}

int sysbpf_tcx_link(int prog_fd, uint32_t ifindex, uint32_t attach_type)
{
    struct attr_link_create a = {
        .prog_fd = (uint32_t)prog_fd,
        .target_ifindex = ifindex,
        .attach_type = attach_type,
        .flags = SYSBPF_F_BEFORE,
    };

    return sys_bpf(BPF_LINK_CREATE, &a, sizeof(a));
}

int sysbpf_netfilter_link(int prog_fd, uint32_t pf, uint32_t hook, int32_t priority)
{
    struct attr_netfilter_link a = {
        .prog_fd = (uint32_t)prog_fd,
        .attach_type = SYSBPF_NETFILTER,
        .pf = pf,
        .hook = hook,
        .priority = priority,
    };

    return sys_bpf(BPF_LINK_CREATE, &a, sizeof(a));
}

bool sysbpf_has_netfilter(void)
{
    /* mov r0, 1; exit */
    static const uint64_t code[] = {0x00000001000000b7, 0x0000000000000095};
    struct {
        uint32_t prog_type, insn_cnt;
        uint64_t insns, license;
        uint32_t log_level, log_size;
        uint64_t log_buf;
        uint32_t kern_version, prog_flags;
        char prog_name[16];
        uint32_t prog_ifindex, expected_attach_type;
    } a = {
        .prog_type = SYSBPF_PROG_TYPE_NETFILTER,
        .insn_cnt = ARRAY_SIZE(code),
        .insns = (uintptr_t)code,
        .license = (uintptr_t) "GPL",
        .prog_name = "pw_probe",
        .expected_attach_type = SYSBPF_NETFILTER,
    };
    _cleanup_(close_p) int fd = sys_bpf(BPF_PROG_LOAD, &a, sizeof(a));

    return fd >= 0;
}

int sysbpf_link_update(int link_fd, int prog_fd)
{
    struct attr_link_update a = {.link_fd = (uint32_t)link_fd, .new_prog_fd = (uint32_t)prog_fd};

    return sys_bpf(BPF_LINK_UPDATE, &a, sizeof(a));
}

int sysbpf_link_detach(int link_fd)
{
    uint32_t a = (uint32_t)link_fd;

    return sys_bpf(BPF_LINK_DETACH, &a, sizeof(a));
}

/* The kernel writes as many bytes of its info as fit. */
static int info_by_fd(int fd, void *info, size_t size)
{
    struct {
        uint32_t fd, len;
        uint64_t info;
    } a = {.fd = (uint32_t)fd, .len = (uint32_t)size, .info = (uintptr_t)info};

    return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &a, sizeof(a));
}

int sysbpf_link_info(int link_fd, struct sysbpf_link_info *ret)
{
    /* struct bpf_link_info: type, id, prog_id, then a union aligned to 8 bytes. */
    uint32_t w[8] = {0};
    int r = info_by_fd(link_fd, w, sizeof(w));

    if (r < 0)
        return r;
    bool tcx = w[0] == SYSBPF_LINK_TYPE_TCX, nf = w[0] == SYSBPF_LINK_TYPE_NETFILTER;
    *ret = (struct sysbpf_link_info){
        .type = w[0],
        .id = w[1],
        .prog_id = w[2],
        .ifindex = tcx ? w[4] : 0,
        .attach_type = tcx ? w[5] : 0,
        .pf = nf ? w[4] : 0,
        .hook = nf ? w[5] : 0,
        .priority = nf ? (int32_t)w[6] : 0,
    };
    return 0;
}

int sysbpf_prog_info(int prog_fd, struct sysbpf_prog_info *ret)
{
    /* struct bpf_prog_info begins with type, id, tag. */
    struct sysbpf_prog_info p = {0};
    int r = info_by_fd(prog_fd, &p, sizeof(p));

    if (r < 0)
        return r;
    *ret = p;
    return 0;
}
_Static_assert(sizeof(struct sysbpf_prog_info) == 16, "begin of struct bpf_prog_info");

int sysbpf_hook_query(uint32_t ifindex, uint32_t attach_type, struct sysbpf_hook *ret)
{
    struct sysbpf_hook h = {0};
    struct attr_query a = {
        .target_ifindex = ifindex,
        .attach_type = attach_type,
        .prog_ids = (uintptr_t)h.prog_id,
        .count = SYSBPF_HOOK_MAX,
        .link_ids = (uintptr_t)h.link_id,
    };
    int r = sys_bpf(BPF_PROG_QUERY, &a, sizeof(a));

    if (r == -ENOENT) { /* nothing was ever attached to this hook */
        *ret = h;
        return 0;
    }
    if (r < 0)
        return r;
    h.n = a.count > SYSBPF_HOOK_MAX ? SYSBPF_HOOK_MAX : a.count;
    h.revision = a.revision;
    *ret = h;
    return 0;
}

uint32_t sysbpf_tcx_hook(enum direction dir)
{
    return dir == DIR_IN ? SYSBPF_TCX_INGRESS : SYSBPF_TCX_EGRESS;
}

int sysbpf_hook_find(const struct sysbpf_hook *h, uint32_t link_id)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (h->link_id[i] == link_id)
            return (int)i;
    return -ENOENT;
}
