/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/files.c: bounded reads, atomic replacement of files, directory locks.
 * Called by config, snapshot, runstate and agent. Invariant: a file that was replaced is
 * complete, the old or the new one, at every moment at which processes look (write to a temporary
 * name, rename); the syncs say what a loss of power may do. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(const char *path, size_t max, char **ret, size_t *ret_len)
{
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    if ((uint64_t)st.st_size > max)
        return -EFBIG;
    size_t size = (size_t)st.st_size, len = 0;
    _cleanup_free_ char *data = malloc(size + 1);
    if (!data)
        return -ENOMEM;
    while (len < size) {
        ssize_t n = read(fd, data + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    data[len] = '\0';
    *ret = TAKE_PTR(data);
    *ret_len = len;
    return 0;
}

static int write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

enum sync { SYNC_NOTHING, SYNC_FILE, SYNC_DIRECTORY }; /* each includes those before */

static int replace(const char *dir, const char *name, const void *data, size_t len, enum sync sync)
{
    char temp[64];
    if (snprintf(temp, sizeof(temp), "%s.tmp", name) >= (int)sizeof(temp))
        return -ENAMETOOLONG;
    _cleanup_(close_p) int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return -errno;
    /* A rest of an earlier crash must not be written through if somebody linked it. */
    if (unlinkat(dir_fd, temp, 0) < 0 && errno != ENOENT)
        return -errno;
    _cleanup_(close_p) int fd =
        openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int err = write_all(fd, data, len);
    if (err == 0 && sync >= SYNC_FILE && fsync(fd) < 0)
        err = -errno;
    if (err == 0 && renameat(dir_fd, temp, dir_fd, name) < 0)
        err = -errno;
    if (err < 0) {
        (void)unlinkat(dir_fd, temp, 0); /* the error before it is the one to report */
        return err;
    }
    return sync >= SYNC_DIRECTORY && fsync(dir_fd) < 0 ? -errno : 0;
}

int file_replace(const char *dir, const char *name, const void *data, size_t len)
{
    return replace(dir, name, data, len, SYNC_DIRECTORY);
}

int file_replace_whole(const char *dir, const char *name, const void *data, size_t len)
{
    return replace(dir, name, data, len, SYNC_FILE);
}

int file_replace_volatile(const char *dir, const char *name, const void *data, size_t len)
{
    return replace(dir, name, data, len, SYNC_NOTHING);
}

int file_replace_failed(const char *dir, const char *name, int err, struct diag *d)
{
    (void)diag_errno(d, err, "cannot write '%s/%s', nothing was changed", dir, name);
    diag_hint(d, err == -ENOSPC ? "df -h %s" : "ls -ld %s", dir);
    return err;
}

int dir_make(const char *path, mode_t mode, struct diag *d)
{
    _cleanup_free_ char *part = strdup(path);
    if (!part)
        return -ENOMEM;
    for (char *at = part + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return diag_errno(d, errno, "cannot create directory '%s'", part);
        *at = '/';
    }
    if (mkdir(part, mode) < 0 && errno != EEXIST)
        return diag_errno(d, errno, "cannot create directory '%s'", path);
    return 0;
}

/* Who can write into the directory decides what the next agent believes. */
static int check_owner(int fd, const char *path, const char *what, struct diag *d)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return diag_errno(d, errno, "cannot read %s '%s'", what, path);
    if (st.st_uid != 0 && st.st_uid != getuid()) {
        diag_fail(d, DIAG_SYSTEM, "%s '%s' belongs to another user (uid %u)", what, path,
                  (unsigned)st.st_uid);
        diag_hint(d, "chown root: %s", path);
        return -EPERM;
    }
    bool others = (st.st_mode & S_IWOTH) != 0;
    if (others || ((st.st_mode & S_IWGRP) != 0 && st.st_gid != 0 && st.st_gid != getgid())) {
        diag_fail(d, DIAG_SYSTEM, "%s '%s' can be written by %s", what, path,
                  others ? "everybody" : "a group of other users");
        diag_hint(d, "chmod go-w %s", path);
        return -EPERM;
    }
    return 0;
}

int dir_lock(const char *path, const char *what, struct diag *d, int *ret_fd)
{
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return diag_errno(d, errno, "cannot open %s '%s'", what, path);
    int err = check_owner(fd, path, what, d);
    if (err < 0)
        return err;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return diag_errno(d, errno, "cannot lock %s '%s'", what, path);
        diag_fail(d, DIAG_SYSTEM, "another agent uses the %s '%s'", what, path);
        diag_hint(d, "portward status");
        return -EBUSY;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}
