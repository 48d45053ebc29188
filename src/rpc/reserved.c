/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See reserved.h. Invariant: the file is written before the kernel's list is changed, and removed
 * after it is back. */
#include "reserved.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 128 * 1024 };

static const char sysctl[] = "/proc/sys/net/ipv4/ip_local_reserved_ports";

/* Whole small file as a string. */
static int read_file(const char *path, char **ret)
{
    _cleanup_free_ char *text = malloc(TEXT_BYTES);
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;

    if (!text || fd < 0)
        return text ? -errno : -ENOMEM;
    while (n < TEXT_BYTES - 1) {
        ssize_t got = read(fd, text + n, TEXT_BYTES - 1 - n);

        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    text[n] = '\0';
    *ret = TAKE_PTR(text);
    return 0;
}

static int write_file(const char *path, int flags, const char *text)
{
    _cleanup_(close_p) int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);
    size_t n = strlen(text);

    if (fd < 0)
        return -errno;
    ssize_t put = write(fd, text, n); /* a sysctl takes one write only */
    return put < 0 ? -errno : (size_t)put == n ? 0 : -EIO;
}

int reserved_parse(const char *text, struct port_bits *b)
{
    while (*text && *text != '\n') {
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = first;

        if (end == text)
            return -EINVAL;
        if (*end == '-') {
            text = end + 1;
            last = strtoul(text, &end, 10);
            if (end == text)
                return -EINVAL;
        }
        if (last >= RPC_PORTS || first > last || (*end && *end != ',' && *end != '\n'))
            return -EINVAL;
        for (unsigned long p = first; p <= last; p++)
            port_bits_add(b, (uint16_t)p);
        text = *end == ',' ? end + 1 : end;
    }
    return 0;
}

int reserved_print(const struct port_bits *b, char **ret)
{
    _cleanup_free_ char *text = malloc(TEXT_BYTES * 4);
    size_t len = 0;

    if (!text)
        return -ENOMEM;
    for (unsigned port = 0; port < RPC_PORTS; port++) {
        unsigned last = port;

        if (!port_bits_has(b, (uint16_t)port))
            continue;
        while (last + 1 < RPC_PORTS && port_bits_has(b, (uint16_t)(last + 1)))
            last++;
        int n = snprintf(text + len, TEXT_BYTES * 4 - len, last > port ? "%s%u-%u" : "%s%u",
                         len ? "," : "", port, last);
        len += (size_t)n; /* 65536 ports take less than 12 bytes each */
        port = last;
    }
    text[len++] = '\n';
    text[len] = '\0';
    *ret = TAKE_PTR(text);
    return 0;
}

/* What was there before us: of the file, or if there is none, of the kernel, which then makes it.
 */
static int read_before(const char *state_file, char **ret)
{
    int r = read_file(state_file, ret);

    if (r != -ENOENT)
        return r;
    r = read_file(sysctl, ret);
    return r < 0 ? r : write_file(state_file, O_CREAT | O_EXCL, *ret);
}

int reserved_set(const char *state_file, const struct port_bits *b)
{
    _cleanup_free_ char *before = NULL, *text = NULL;
    struct port_bits all = *b;
    int r = read_before(state_file, &before);

    if (r == 0)
        r = reserved_parse(before, &all);
    if (r == 0)
        r = reserved_print(&all, &text);
    return r < 0 ? r : write_file(sysctl, 0, text);
}

int reserved_restore(const char *state_file)
{
    _cleanup_free_ char *before = NULL;
    int r = read_file(state_file, &before);

    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = write_file(sysctl, 0, *before ? before : "\n");
    if (r == 0 && unlink(state_file) < 0)
        r = -errno;
    return r;
}
