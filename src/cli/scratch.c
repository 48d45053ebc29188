/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/scratch.c: see cli/scratch.h. Called by `portward audit`. Links and addresses are made by
 * ip(8), which gets its lines on stdin. Addresses are of the range for benchmarks (RFC 2544) and of
 * a unique local prefix. */
#include "cli/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strbuf.h"

enum { BATCH_MAX = 4096 };
#define HERE_4  "198.18.255.1"
#define THERE_4 "198.18.255.2"
#define HERE_6  "fd70:6f72:7477:1::1"
#define THERE_6 "fd70:6f72:7477:1::2"

/* In the child: ip reads its lines from `in`, its complaints go nowhere. */
_Noreturn static void exec_ip(int in, int netns)
{
    int nowhere = open("/dev/null", O_RDWR);

    if (nowhere < 0 || (netns >= 0 && setns(netns, CLONE_NEWNET) < 0) || dup2(in, 0) < 0 ||
        dup2(nowhere, 1) < 0 || dup2(nowhere, 2) < 0)
        _exit(126);
    (void)execlp("ip", "ip", "-batch", "-", (char *)NULL);
    _exit(127);
}

/* netns -1 = here. */
static int run_ip(int netns, const char *lines, struct diag *d)
{
    _cleanup_(close_p) int in = -1, out = -1;
    int ends[2], status = 0;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return diag_errno(d, errno, "cannot run ip(8)");
    in = ends[0];
    out = ends[1];
    pid_t pid = fork();
    if (pid < 0)
        return diag_errno(d, errno, "cannot run ip(8)");
    if (pid == 0)
        exec_ip(in, netns);
    ssize_t n = write(out, lines, strlen(lines)); /* less than a pipe holds */
    close_p(&out);
    out = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (n < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        (void)diag_fail(d, DIAG_SYSTEM, "cannot make the scratch namespace: ip(8) failed");
        diag_hint(d, "portward audit --no-probe");
        return -EIO;
    }
    return 0;
}

static int open_self(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int make_netns(struct scratch *s, struct diag *d)
{
    s->home = open_self();
    if (s->home < 0)
        return diag_errno(d, errno, "cannot open the own network namespace");
    if (unshare(CLONE_NEWNET) < 0) {
        int e = diag_errno(d, errno, "cannot make a network namespace to probe from");
        diag_hint(d, "portward audit --no-probe");
        return e;
    }
    s->netns = open_self();
    int e = s->netns < 0 ? -errno : 0;
    if (setns(s->home, CLONE_NEWNET) < 0)
        e = -errno;
    return e < 0 ? diag_errno(d, e, "cannot go back to the own network namespace") : 0;
}

static void set_source(enum family f, const char *text, struct ip *ret)
{
    enum family found;

    if (ip_parse(text, strlen(text), &found, ret) < 0 || found != f)
        *ret = (struct ip){0, 0}; /* not with the texts above */
}

void scratch_sources(struct scratch *s)
{
    set_source(FAMILY_4, THERE_4, &s->source[0]);
    set_source(FAMILY_6, THERE_6, &s->source[1]);
    set_source(FAMILY_6, HERE_6, &s->here6);
}

int scratch_open(struct diag *d, struct scratch *ret)
{
    struct scratch s = {.home = -1, .netns = -1};
    char lines[BATCH_MAX];
    uint32_t number = 0;

    int e = make_netns(&s, d);
    if (e == 0 && getrandom(&number, sizeof(number), 0) != sizeof(number))
        e = diag_errno(d, errno, "cannot name the scratch namespace");
    if (e == 0) {
        (void)format_into(s.link, sizeof(s.link), "pwprobe-%05x", number & 0xfffff);
        (void)format_into(lines, sizeof(lines),
                          "link add %s type veth peer name pw0 netns /proc/%d/fd/%d\n"
                          "addr add " HERE_4 "/30 dev %s\n",
                          s.link, (int)getpid(), s.netns, s.link);
        e = run_ip(-1, lines, d);
    }
    scratch_sources(&s);
    s.ifindex = e == 0 ? if_nametoindex(s.link) : 0;
    if (e < 0) {
        scratch_close(&s);
        return e;
    }
    *ret = s;
    return 0;
}

/* IPv6 may be off on either side: IPv4 is probed all the same. */
int scratch_up(struct scratch *s, struct diag *d)
{
    char lines[BATCH_MAX];
    struct diag ignored;

    (void)format_into(lines, sizeof(lines), "link set %s up\n", s->link);
    int e = run_ip(-1, lines, d);
    if (e == 0)
        e = run_ip(s->netns,
                   "link set lo up\n"
                   "addr add " THERE_4 "/30 dev pw0\n"
                   "link set pw0 up\n"
                   "route add default via " HERE_4 " dev pw0\n",
                   d);
    if (e < 0)
        return e;
    (void)format_into(lines, sizeof(lines), "addr add " HERE_6 "/126 dev %s nodad\n", s->link);
    if (run_ip(-1, lines, &ignored) < 0 || run_ip(s->netns,
                                                  "addr add " THERE_6 "/126 dev pw0 nodad\n"
                                                  "route add default via " HERE_6 " dev pw0\n",
                                                  &ignored) < 0)
        s->source[1] = (struct ip){0, 0};
    return 0;
}

static int enter(int netns, struct diag *d)
{
    if (setns(netns, CLONE_NEWNET) < 0)
        return diag_errno(d, errno, "cannot change the network namespace");
    return 0;
}

int scratch_enter(const struct scratch *s, struct diag *d)
{
    return enter(s->netns, d);
}

int scratch_leave(const struct scratch *s, struct diag *d)
{
    return enter(s->home, d);
}

void scratch_close(struct scratch *s)
{
    char lines[64];
    struct diag ignored;

    /* The pair goes with the namespace; at once if it is deleted first. */
    if (s->link[0] && if_nametoindex(s->link)) {
        (void)format_into(lines, sizeof(lines), "link del %s\n", s->link);
        if (run_ip(-1, lines, &ignored) < 0)
            s->link[0] = '\0'; /* the kernel removes it with the namespace */
    }
    close_p(&s->netns);
    close_p(&s->home);
    s->netns = s->home = -1;
    s->link[0] = '\0';
}
