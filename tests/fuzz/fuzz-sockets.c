/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-sockets.c: any bytes as an answer of sock_diag (the first byte chooses what was asked for)
 * and as a line of /proc/net/raw. Rows are within their types, sorted, and each one's holders are
 * its own. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../../src/sockets/internal.h"
#include "fuzz.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_line(const uint8_t *data, size_t size)
{
    char *line = strndup((const char *)data, size);
    struct socket_row r;

    require(line != NULL);
    if (raw_line_parse(line, AF_INET6, &r) || raw_line_parse(line, AF_INET, &r))
        require(r.state == SOCKET_RAW);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t families[] = {AF_INET, AF_INET6, AF_UNSPEC, AF_PACKET, AF_XDP};
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_RAW};
    _cleanup_(sockets_done) struct sockets s = {0};
    struct socket_answer a;
    char text[SOCKET_TEXT_BYTES];

    if (size < 1)
        return 0;
    try_line(data, size);
    uint8_t *copy = malloc(size); /* exact: ASan sees a read behind it; aligned as recv()'s is */
    require(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    int r = sockets_parse(copy, size - 1, families[data[0] % 5], protos[data[0] / 5 % 3], &s, &a);
    free(copy);
    require(r == 0 || r == -EBADMSG);
    require(a.error <= 0);
    for (size_t i = 0; i < s.n; i++)
        require(holders_add(&s, s.v[i].inode & 3, (uint32_t)i) == 0);
    require(sockets_settle(&s) == 0);
    for (size_t i = 0; i < s.n; i++) {
        require(s.v[i].state < _SOCKET_STATE_MAX && socket_proto_name(&s.v[i]) != NULL);
        socket_print(&s.v[i], false, "eth0", text);
        require(strlen(text) < sizeof(text));
        require(s.v[i].n_holders == 0 ||
                (s.v[i].inode && s.holders[s.v[i].holder].inode == s.v[i].inode));
    }
    return 0;
}
