/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/diff/kernel_ns.c: random hosts in the kernel, through `ip -batch`: addresses (some with a
 * lifetime, which makes their interface a DHCP client), broadcast addresses, prefixes routed as
 * local, forwarding on and off (subnet-router anycast addresses come and go with it). */
#include "kernel_ns.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

enum { INTERFACES = 2 };

/* Everything in it fails together or not at all. */
static int run_batch(const char *lines)
{
    FILE *ip = popen("ip -batch -", "we");
    if (!ip)
        return -errno;
    int written = fputs(lines, ip);
    int status = pclose(ip);
    return written < 0 || status != 0 ? -EIO : 0;
}

/* A BPF file system of our own: pins in it die with this process, however that ends. */
static int mount_bpffs(void)
{
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("bpf", "/sys/fs/bpf", "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") < 0)
        return -errno;
    return 0;
}

int kernel_ns_enter(void)
{
    if (geteuid() != 0)
        return -EPERM;
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
        return -errno;
    int err = mount_bpffs();
    if (err < 0)
        return err;
    return run_batch("link set lo up\nlink add pwd0 type veth peer pwp0\n"
                     "link add pwd1 type veth peer pwp1\n"
                     "link add ppp0 type veth peer ppp1\n");
}

static int set_forwarding(bool on)
{
    FILE *f = fopen("/proc/sys/net/ipv6/conf/all/forwarding", "we");
    if (!f)
        return -errno;
    int written = fputs(on ? "1\n" : "0\n", f);
    return fclose(f) != 0 || written < 0 ? -EIO : 0;
}

static void add_interface(struct rng *r, unsigned n, FILE *out)
{
    const char *leased = rng_below(r, 3) == 0 ? "valid_lft 3600 preferred_lft 1800" : "";
    unsigned net = rng_below(r, 256), host = 1 + rng_below(r, 200);
    const char *len6 = rng_below(r, 2) ? "64" : "128";
    fprintf(out, "link add pwd%u type veth peer pwp%u\n", n, n);
    for (const char *end = "dp"; *end; end++) /* no addresses that come later by themselves */
        fprintf(out, "link set pw%c%u addrgenmode none\nlink set pw%c%u up\n", *end, n, *end, n);
    fprintf(out, "addr add 198.18.%u.%u/24 broadcast + dev pwd%u %s\n", net, host, n, leased);
    fprintf(out, "addr add 2001:db8:c612:%x::%x/%s dev pwd%u nodad %s\n", net, host, len6, n,
            leased);
    fprintf(out, "addr add fe80::%x/64 dev pwd%u nodad\n", host, n);
    if (rng_below(r, 2))
        fprintf(out, "route add local 198.19.%u.0/%u dev pwd%u\n", net, 24 + 4 * rng_below(r, 3),
                n);
    if (rng_below(r, 2))
        fprintf(out, "route add local 2001:db8:5:%x00::/56 dev pwd%u\n", net, n);
}

int kernel_ns_shuffle(struct rng *r)
{
    _cleanup_free_ char *lines = NULL;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    if (!out)
        return -ENOMEM;
    for (unsigned n = 0; n < INTERFACES; n++)
        fprintf(out, "link del pwd%u\n", n);
    for (unsigned n = 0; n < INTERFACES; n++)
        add_interface(r, n, out);
    if (fclose(out) != 0)
        return -ENOMEM;
    int err = set_forwarding(rng_below(r, 2));
    return err < 0 ? err : run_batch(lines);
}
