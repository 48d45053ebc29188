/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Confinement of what binds no port 0 in a process, and drop-ins that confine a systemd unit before
 * its server starts. See internal.h. Invariant: a drop-in of ours is known by its name; nothing
 * else in the directories of units is touched. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "samba.h"

enum { PATH_BYTES = 768, TEXT_BYTES = 1024, SAMBA_PORTS = 8 };

static const char dropin_name[] = "portward-rpc.conf";

static void closedirp(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

/* --- NFS --- */

static int put_number(const char *path, unsigned number)
{
    _cleanup_(close_p) int fd = open(path, O_WRONLY | O_CLOEXEC);
    char text[16];
    int n = snprintf(text, sizeof(text), "%u\n", number);

    return fd < 0 || write(fd, text, (size_t)n) < 0 ? -errno : 0;
}

static unsigned get_number(const char *path)
{
    FILE *f = fopen(path, "re");
    unsigned number = 0;

    if (f && fscanf(f, "%u", &number) != 1)
        number = 0;
    if (f)
        (void)fclose(f); /* only read */
    return number;
}

static uint16_t lowest(const struct port_bits *b)
{
    for (unsigned port = 1; port < RPC_PORTS; port++)
        if (port_bits_has(b, (uint16_t)port))
            return (uint16_t)port;
    return 0;
}

/* The lock manager gets the first port of the set, which is then nobody else's. Peers say that the
 * kernel ignores the numbers while lockd runs: they are read back. */
static void confine_nfs(struct rpc_engine *e, struct unit *u)
{
    static const char *const names[] = {"nlm_tcpport", "nlm_udpport"};
    uint16_t port = lowest(&e->set);

    u->why[0] = '\0';
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        char path[PATH_BYTES];

        (void)snprintf(path, sizeof(path), "%s/fs/nfs/%s", e->options.sysctl_dir, names[i]);
        int r = put_number(path, port);
        if (r == -ENOENT)
            (void)snprintf(u->why, sizeof(u->why),
                           "the kernel has no lock manager loaded: "
                           "modprobe lockd");
        else if (r < 0)
            (void)snprintf(u->why, sizeof(u->why), "fs.nfs.%s: %s", names[i], strerror(-r));
        else if (get_number(path) != port)
            (void)snprintf(u->why, sizeof(u->why), "fs.nfs.%s is not taken over", names[i]);
    }
    if (u->why[0])
        return;
    e->nfs_port = port;
    port_bits_add(&e->own, port);
}

static void release_nfs(struct rpc_engine *e)
{
    char path[PATH_BYTES];

    if (!e->nfs_port)
        return;
    e->nfs_port = 0;
    (void)snprintf(path, sizeof(path), "%s/fs/nfs/nlm_tcpport", e->options.sysctl_dir);
    (void)put_number(path, 0);
    (void)snprintf(path, sizeof(path), "%s/fs/nfs/nlm_udpport", e->options.sysctl_dir);
    (void)put_number(path, 0);
}

/* --- Samba --- */

/* Samba wants each of its numbers on IPv4 and IPv6, and gives a service up whose number is taken on
 * one of them. It gets the last ports of the set for itself: a third, at most SAMBA_PORTS. */
static void samba_share(const struct port_bits *set, struct port_bits *ret)
{
    uint32_t third = port_bits_count(set) / 3, n = third < SAMBA_PORTS ? third : SAMBA_PORTS;

    if (n == 0)
        n = 1;
    for (unsigned port = RPC_PORTS; n > 0 && port-- > 1;) {
        if (!port_bits_has(set, (uint16_t)port))
            continue;
        port_bits_add(ret, (uint16_t)port);
        n--;
    }
}

static void confine_samba(struct rpc_engine *e, struct unit *u)
{
    struct port_bits share = {{0}};
    struct diag d = {0};

    u->why[0] = '\0';
    samba_share(&e->set, &share);
    if (samba_confine(e->options.samba_conf, &share, &d) < 0)
        (void)snprintf(u->why, sizeof(u->why), "%.255s", d.message);
    for (unsigned i = 0; !u->why[0] && i < RPC_WORDS; i++)
        e->own.word[i] |= share.word[i];
}

static void release_samba(struct rpc_engine *e)
{
    struct diag d = {0};

    if (samba_release(e->options.samba_conf, &d) < 0)
        watch_found(e, RPC_EVENT_FAILED, NULL, NULL, d.message);
}

/* --- drop-ins --- */

static void dropin_dir(const struct rpc_engine *e, const char *unit, char out[PATH_BYTES])
{
    (void)snprintf(out, PATH_BYTES, "%s/%s.d", e->options.systemd_dir, unit);
}

static const char *class_word(const struct unit *u)
{
    return u->class == RPC_CLASS_LOOSE     ? "loose"
           : u->class == RPC_CLASS_LOCAL   ? "local"
           : u->class == RPC_CLASS_DEFAULT ? "default"
           : u->class == RPC_CLASS_OWN     ? "own"
                                           : "internet";
}

static void print_dropin(const struct rpc_engine *e, const struct unit *u, char text[TEXT_BYTES])
{
    (void)snprintf(text, TEXT_BYTES,
                   "# Written by portward (rpc confine); changes are lost.\n"
                   "[Unit]\nAfter=portwardd.service\nWants=portwardd.service\n"
                   "[Service]\nExecStartPre=+%s --class %s %%n\n",
                   e->options.join_program, class_word(u)); /* fits */
}

static bool has_text(const char *path, const char *text)
{
    char now[TEXT_BYTES] = "";
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, now, sizeof(now) - 1);

    return n >= 0 && strcmp(now, text) == 0;
}

static int write_dropin(struct rpc_engine *e, const struct unit *u)
{
    char dir[PATH_BYTES], path[PATH_BYTES + 32], text[TEXT_BYTES];

    dropin_dir(e, u->name, dir);
    print_dropin(e, u, text);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, dropin_name); /* fits */
    if (has_text(path, text))
        return 0;
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return -errno;
    _cleanup_(close_p) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return -errno;
    e->reload = true;
    return 0;
}

static bool has_dropin(const struct rpc_engine *e, const char *unit, size_t len)
{
    for (size_t i = 0; i < e->n_units; i++) {
        const struct unit *u = &e->units[i];

        if (strlen(u->name) == len && memcmp(u->name, unit, len) == 0)
            return true;
    }
    return false;
}

/* Of units that are confined no more. */
static void remove_dropins(struct rpc_engine *e)
{
    _cleanup_(closedirp) DIR *d = e->options.systemd_dir ? opendir(e->options.systemd_dir) : NULL;

    for (struct dirent *f; d && (f = readdir(d));) {
        size_t n = strlen(f->d_name);
        char path[PATH_BYTES + 32];

        if (n < 3 || strcmp(f->d_name + n - 2, ".d") != 0 || has_dropin(e, f->d_name, n - 2))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s/%s", e->options.systemd_dir, f->d_name,
                       dropin_name); /* names of files are shorter */
        if (unlink(path) < 0)
            continue;
        e->reload = true;
        *strrchr(path, '/') = '\0';
        (void)rmdir(path); /* if nothing else is in it */
    }
}

/* --- all of them --- */

static bool has_how(const struct rpc_engine *e, enum rpc_how how)
{
    for (size_t i = 0; i < e->n_units; i++)
        if (e->units[i].how == how)
            return true;
    return false;
}

static bool has_marker(const struct rpc_engine *e)
{
    return e->options.marker_file && access(e->options.marker_file, F_OK) == 0;
}

static void put_marker(struct rpc_engine *e, struct unit *u)
{
    _cleanup_(close_p) int fd =
        e->options.marker_file ? open(e->options.marker_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)
                               : -1;

    if (fd < 0)
        (void)snprintf(u->why, sizeof(u->why), "cannot note what is written: %s", strerror(errno));
}

static void take_away(struct rpc_engine *e)
{
    remove_dropins(e);
    if (!has_how(e, RPC_HOW_SAMBA))
        release_samba(e);
    if (!has_how(e, RPC_HOW_NFS))
        release_nfs(e);
}

static void put_dropin(struct rpc_engine *e, struct unit *u)
{
    if (!e->options.systemd_dir || !e->options.join_program || *u->name == '/')
        return;
    int r = write_dropin(e, u);
    if (r < 0)
        (void)snprintf(u->why, sizeof(u->why), "cannot write a drop-in: %s", strerror(-r));
}

static bool writes_files(const struct rpc_engine *e, const struct unit *u)
{
    return u->how != RPC_HOW_CGROUP || (e->options.systemd_dir && *u->name != '/');
}

void helpers_apply(struct rpc_engine *e)
{
    memset(&e->own, 0, sizeof(e->own));
    for (size_t i = 0; i < e->n_units; i++) {
        struct unit *u = &e->units[i];

        if (writes_files(e, u) && !has_marker(e))
            put_marker(e, u);
        if (u->how == RPC_HOW_NFS && !e->invalid)
            confine_nfs(e, u);
        else if (u->how == RPC_HOW_SAMBA && !e->invalid)
            confine_samba(e, u);
        if (u->how != RPC_HOW_NFS)
            put_dropin(e, u);
    }
    if (has_marker(e))
        take_away(e);
    tables_keep(&e->tables, &e->own);
}

void helpers_remove(struct rpc_engine *e)
{
    size_t n = e->n_units;

    if (!has_marker(e))
        return;
    e->n_units = 0; /* none of them is confined any more */
    take_away(e);
    e->n_units = n;
    (void)unlink(e->options.marker_file); /* if it stays, the next time looks again */
}
