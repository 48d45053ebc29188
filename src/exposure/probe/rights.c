/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/rights.c: see rights.h. Called by child.c between opening the sockets and the
 * first packet. */
#include "rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exposureprobe/probe.h"

enum { NOBODY = 65534 };

bool probe_may_send_raw(void)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct c[2];
    memset(c, 0, sizeof(c));
    if (syscall(SYS_capget, &h, c) < 0)
        return false;
    return c[0].effective & (1U << CAP_NET_RAW);
}

int rights_drop(void)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof(none));
    if (geteuid() == 0) {
        /* In a user namespace without these ids root stays, but without capabilities. */
        (void)setgroups(0, NULL);
        if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
            if (errno != EINVAL)
                return -errno;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &h, none) < 0)
        return -errno;
    /* Set here, because a change of the user clears it: without a parent nobody reads the result.
     */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    return probe_may_send_raw() ? -EPERM : 0;
}
