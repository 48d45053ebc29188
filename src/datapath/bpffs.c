/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds, or mounts, the BPF file system. Called by pins.c. Under `ip netns exec` /sys is another
 * mount without a bpffs: that is noticed and said, nothing is pinned into a place that vanishes. */
#include "bpffs.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char usual_place[] = "/sys/fs/bpf";

static void fclosep(FILE **f)
{
    if (*f)
        fclose(*f);
}

static bool is_kind(const char *path, long magic)
{
    struct statfs s;

    return statfs(path, &s) == 0 && (long)s.f_type == magic;
}

/* Whether the mount that `path` lies on is one of pid 1's: numbers of mounts are unique on the
 * host. /proc/1/ns/mnt would say it too, but only to those who may trace pid 1. */
static bool in_first_mount_namespace(const char *path)
{
    struct statx st;
    _cleanup_(fclosep) FILE *f = fopen("/proc/1/mountinfo", "re");
    _cleanup_free_ char *line = NULL;
    size_t size = 0;

    if (!f || statx(AT_FDCWD, path, 0, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
        return false;
    while (getline(&line, &size, f) > 0)
        if (strtoull(line, NULL, 10) == st.stx_mnt_id)
            return true;
    return false;
}

/* Two agents may start at once: a second mount would hide the pins in the first. The lock is on
 * the directory below the mounts. */
static int mount_usual_place(void)
{
    _cleanup_(close_p) int fd = open(usual_place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return -errno;
    if (is_kind(usual_place, BPF_FS_MAGIC))
        return 0;
    if (!is_kind(usual_place, SYSFS_MAGIC) || !in_first_mount_namespace(usual_place))
        return -ENODEV;
    if (mount("bpf", usual_place, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") < 0)
        return -errno;
    return 0;
}

int bpffs_prepare(const char *root, struct diag *d)
{
    const char *slash = strrchr(root, '/');
    _cleanup_free_ char *parent =
        slash && slash != root ? strndup(root, (size_t)(slash - root)) : NULL;
    int r = 0;

    if (!parent)
        return diag_fail(d, DIAG_USAGE, "pin directory '%s' is not an absolute path below a bpffs",
                         root);
    if (!is_kind(parent, BPF_FS_MAGIC)) {
        r = strcmp(parent, usual_place) == 0 ? mount_usual_place() : -ENODEV;
        if (r == -EPERM || r == -EACCES)
            return diag_errno(d, r, "cannot mount a BPF file system on '%s'", usual_place);
    }
    if (r < 0) {
        diag_fail(d, DIAG_SYSTEM, "no BPF file system at '%s'; 'ip netns exec' hides it", parent);
        diag_hint(d, "nsenter --net=/run/netns/NAME portwardd --foreground");
        return -ENODEV;
    }
    if (mkdir(root, 0700) < 0 && errno != EEXIST)
        return diag_errno(d, errno, "cannot make '%s'", root);
    return 0;
}
