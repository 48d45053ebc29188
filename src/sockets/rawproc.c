/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets/rawproc.c: raw sockets from /proc/net/raw and raw6, for kernels whose sock_diag does not
 * list them (sockets/sockets.h). Called by read.c. Lines that do not look like the kernel's are no
 * rows. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

static void fclosep(FILE **f)
{
    if (*f)
        (void)fclose(*f); /* only read from */
}

/* Words of 32 bits as the host stores them: "0100007F" is 127.0.0.1 on a little-endian one. */
static bool read_address(const char *hex, size_t words, uint8_t ret[16])
{
    for (size_t i = 0; i < words; i++) {
        unsigned word;

        if (sscanf(hex + i * 8, "%8x", &word) != 1)
            return false;
        memcpy(ret + i * 4, &word, 4);
    }
    return true;
}

bool raw_line_parse(const char *line, uint8_t family, struct socket_row *ret)
{
    size_t words = family == AF_INET ? 1 : 4;
    char local[33], peer[33];
    unsigned proto, uid, inode;

    /* sl local:proto remote:port st tx:rx tr:when retrnsmt uid timeout inode */
    if (sscanf(line, " %*[0-9]: %32[0-9A-F]:%x %32[0-9A-F]:%*x %*x %*x:%*x %*x:%*x %*x %u %*d %u",
               local, &proto, peer, &uid, &inode) != 5 ||
        strlen(local) != words * 8 || strlen(peer) != words * 8 || proto > 255)
        return false;
    *ret = (struct socket_row){
        .family = family, .proto = (uint8_t)proto, .state = SOCKET_RAW, .uid = uid, .inode = inode};
    return read_address(local, words, ret->local) && read_address(peer, words, ret->peer);
}

int raw_from_proc(uint8_t family, struct sockets *s)
{
    _cleanup_(fclosep) FILE *f =
        fopen(family == AF_INET ? "/proc/net/raw" : "/proc/net/raw6", "re");
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    struct socket_row row;
    int r = f || errno == ENOENT ? 0 : -errno;

    while (r == 0 && f && getline(&line, &size, f) > 0) {
        if (!raw_line_parse(line, family, &row))
            continue;
        r = array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v));
        if (r == 0)
            s->v[s->n++] = row;
    }
    return r;
}
