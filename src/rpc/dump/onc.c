/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc/dump/onc.c: the table of rpcbind. Called by the command line. The answer is read by libtirpc,
 * which knows no deadline and no bound, in a process of its own: without rights, with a limit of
 * memory, killed after the time that the caller gives. Invariant: only whole records of fixed size
 * come back through the pipe, and their texts end. */
#include <errno.h>
#include <netconfig.h>
#include <netdb.h>
#include <poll.h>
#include <rpc/pmap_clnt.h>
#include <rpc/pmap_prot.h>
#include <rpc/rpc.h>
#include <rpc/rpcb_clnt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "dce.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN
#endif

enum {
    CHILD_MEMORY_BYTES = 256 * 1024 * 1024,
    NOBODY = 65534,
    EXIT_NO_ANSWER = 3, /* of the child */
};

/* --- the child --- */
static void copy_text(char *out, size_t size, const char *in)
{
    if (in)
        clean_text(out, size, (const uint8_t *)in, strlen(in));
}

/* "192.0.2.1.19.137" or "::.0.111": the last two numbers are the port. */
static void take_uaddr(const char *uaddr, struct rpc_endpoint *e)
{
    const char *low = uaddr ? strrchr(uaddr, '.') : NULL, *high = low;
    unsigned hi, lo;
    while (high && high > uaddr && high[-1] != '.')
        high--;
    if (!high || high <= uaddr || sscanf(high, "%u.%u", &hi, &lo) != 2 || hi > 255 || lo > 255)
        return;
    e->port = (uint16_t)(hi << 8 | lo);
    size_t n = (size_t)(high - uaddr) - 1;
    bool any =
        (n == 7 && memcmp(uaddr, "0.0.0.0", n) == 0) || (n == 2 && memcmp(uaddr, "::", n) == 0);
    if (!any)
        clean_text(e->address, n < sizeof(e->address) ? n + 1 : sizeof(e->address),
                   (const uint8_t *)uaddr, n);
}

static enum rpc_transport transport_of(const char *netid)
{
    if (netid && strncmp(netid, "tcp", 3) == 0)
        return RPC_TRANSPORT_TCP;
    if (netid && strncmp(netid, "udp", 3) == 0)
        return RPC_TRANSPORT_UDP;
    return netid && strcmp(netid, "local") == 0 ? RPC_TRANSPORT_LOCAL : RPC_TRANSPORT_OTHER;
}

static void fill(const struct rpcb *m, struct rpc_endpoint *e)
{
    const struct rpcent *known = getrpcbynumber((int)m->r_prog);
    *e = (struct rpc_endpoint){.source = RPC_DUMP_ONC, .transport = transport_of(m->r_netid)};
    (void)format_into(e->interface, sizeof(e->interface), "%lu", (unsigned long)m->r_prog);
    (void)format_into(e->version, sizeof(e->version), "%lu", (unsigned long)m->r_vers);
    copy_text(e->name, sizeof(e->name), known ? known->r_name : NULL);
    copy_text(e->netid, sizeof(e->netid), m->r_netid);
    copy_text(e->owner, sizeof(e->owner), m->r_owner);
    if (e->transport == RPC_TRANSPORT_TCP || e->transport == RPC_TRANSPORT_UDP)
        take_uaddr(m->r_addr, e);
    else
        copy_text(e->path, sizeof(e->path), m->r_addr);
}

static bool put(int fd, const struct rpc_endpoint *e)
{
    return write(fd, e, sizeof(*e)) == (ssize_t)sizeof(*e); /* smaller than PIPE_BUF */
}
_Static_assert(sizeof(struct rpc_endpoint) <= 4096, "written in one piece");

/* Versions 4 and 3; false: they did not answer. */
static bool list_new(int fd, const char *netid, const char *host)
{
    struct netconfig *nc = getnetconfigent(netid);
    const rpcblist *list = nc ? rpcb_getmaps(nc, host) : NULL;
    unsigned n = 0;
    for (const rpcblist *p = list; p && n < RPC_DUMP_ENTRIES; p = p->rpcb_next, n++) {
        struct rpc_endpoint e;
        fill(&p->rpcb_map, &e);
        if (!put(fd, &e))
            break;
    }
    return list != NULL;
}

/* Version 2 knows IPv4 only. */
static bool list_old(int fd, const char *host)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;
    struct sockaddr_in a;
    if (getaddrinfo(host, "111", &hints, &list) != 0)
        return false;
    memcpy(&a, list->ai_addr, sizeof(a));
    freeaddrinfo(list);
    const struct pmaplist *maps = pmap_getmaps(&a);
    unsigned n = 0;
    for (const struct pmaplist *p = maps; p && n < RPC_DUMP_ENTRIES; p = p->pml_next, n++) {
        char netid[] = "tcp", uaddr[48];
        struct rpcb m = {.r_prog = (rpcprog_t)p->pml_map.pm_prog,
                         .r_vers = (rpcvers_t)p->pml_map.pm_vers,
                         .r_netid = netid,
                         .r_addr = uaddr};
        struct rpc_endpoint e;
        if (p->pml_map.pm_prot == IPPROTO_UDP)
            memcpy(netid, "udp", sizeof(netid));
        (void)snprintf(uaddr, sizeof(uaddr), "0.0.0.0.%lu.%lu", p->pml_map.pm_port >> 8 & 255,
                       p->pml_map.pm_port & 255); /* fits */
        fill(&m, &e);
        if (!put(fd, &e))
            break;
    }
    return maps != NULL;
}

/* Nothing that a stranger's answer could use: no rights, no new ones, little memory. */
static void drop_rights(void)
{
    struct rlimit memory = {CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef WITH_ASAN /* whose shadow alone is larger */
    (void)setrlimit(RLIMIT_AS, &memory);
#else
    (void)memory;
#endif
    if (geteuid() == 0 &&
        (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
        _exit(1);
}

static _Noreturn void child(int fd, const char *host)
{
    drop_rights();
    if (!host && (list_new(fd, "local", "localhost") || list_new(fd, "tcp", "127.0.0.1")))
        _exit(0);
    if (host &&
        (list_new(fd, "tcp", host) || list_new(fd, "tcp6", host) || list_new(fd, "udp", host)))
        _exit(0);
    _exit(list_old(fd, host ? host : "127.0.0.1") ? 0 : EXIT_NO_ANSWER);
}

/* --- the parent --- */
/* The child fills whole records, but it read what strangers wrote. */
static int accept_record(struct rpc_endpoints *l, const struct rpc_endpoint *in)
{
    struct rpc_endpoint *e = endpoints_add(l);
    if (!e)
        return -E2BIG;
    *e = *in;
    e->source = RPC_DUMP_ONC;
    if (e->transport > RPC_TRANSPORT_OTHER)
        e->transport = RPC_TRANSPORT_OTHER;
    char *const texts[] = {e->address, e->interface, e->version, e->name,
                           e->netid,   e->owner,     e->path};
    const size_t sizes[] = {sizeof(e->address), sizeof(e->interface), sizeof(e->version),
                            sizeof(e->name),    sizeof(e->netid),     sizeof(e->owner),
                            sizeof(e->path)};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        texts[i][sizes[i] - 1] = '\0';
    e->object[0] = e->host[0] = '\0';
    return 0;
}

/* 0 at the end of the pipe. */
static int read_records(int fd, uint64_t end_ms, struct rpc_endpoints *l)
{
    struct rpc_endpoint e;
    size_t have = 0;
    for (;;) {
        struct pollfd f = {.fd = fd, .events = POLLIN};
        uint64_t now = dump_now_ms();
        int n = now < end_ms ? poll(&f, 1, (int)(end_ms - now)) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ETIMEDOUT;
        ssize_t r = read(fd, (char *)&e + have, sizeof(e) - have);
        if (r <= 0)
            return r < 0 ? -errno : 0;
        have += (size_t)r;
        if (have < sizeof(e))
            continue;
        have = 0;
        int err = accept_record(l, &e);
        if (err < 0)
            return err;
    }
}

static int wait_child(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECONNREFUSED;
}

int rpc_dump_onc(const char *host, unsigned limit_ms, struct diag *d, struct rpc_endpoints *l)
{
    const char *shown = host ? host : "localhost";
    int fds[2];
    if (pipe(fds) < 0)
        return diag_errno(d, errno, "cannot ask rpcbind");
    pid_t pid = fork();
    if (pid < 0) {
        int err = -errno;
        close_p(&fds[0]);
        close_p(&fds[1]);
        return diag_errno(d, err, "cannot ask rpcbind");
    }
    if (pid == 0) {
        (void)close(fds[0]);
        child(fds[1], host);
    }
    close_p(&fds[1]);
    int err = read_records(fds[0], dump_now_ms() + limit_ms, l);
    close_p(&fds[0]);
    if (err < 0)
        (void)kill(pid, SIGKILL);
    int end = wait_child(pid);
    l->calls++;
    if (err == -ETIMEDOUT)
        return diag_errno(d, err, "rpcbind of '%.200s'", shown);
    if (err < 0)
        return diag_fail(d, DIAG_SYSTEM, "the table of rpcbind of '%.200s' does not end", shown);
    return end < 0 ? diag_errno(d, end, "rpcbind of '%.200s' does not answer", shown) : 0;
}
