/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/arguments.c: how this agent was started, for whoever starts it again where no service
 * manager does.
 * Called by src/portwardd. Invariant: the file never gives up dynamic filters again: what
 * --forget-dynamic said was for that one start. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "files.h"
#include "internal.h"

#define ARGUMENTS_FILE "agent.args"
enum { ARGUMENTS_BYTES_MAX = 1024 * 1024, PATH_BYTES = 4096 };

/* The program itself: argv[0] may be a bare name that another PATH does not find. */
static int add_program(const char *fallback, struct strbuf *b)
{
    char path[PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
    if (n <= 0 || n == (ssize_t)sizeof(path))
        return strbuf_add_n(b, fallback, strlen(fallback) + 1);
    int err = strbuf_add_n(b, path, (size_t)n);
    return err < 0 ? err : strbuf_add_n(b, "", 1);
}

void agent_remember_arguments(struct agent *a, int argc, char *const *argv)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(ARGUMENTS_BYTES_MAX);
    int err = argc > 0 ? add_program(argv[0], &b) : -EINVAL;
    for (int i = 1; err == 0 && i < argc; i++)
        if (strncmp(argv[i], "--forg", 6) != 0) /* getopt_long(3) takes what is unambiguous */
            err = strbuf_add_n(&b, argv[i], strlen(argv[i]) + 1);
    if (err == 0)
        err = file_replace_volatile(a->options.runtime_dir, ARGUMENTS_FILE, b.s, b.len);
    if (err < 0)
        event_log(EV_WORKER_FAILED, "ERROR", strerror(-err), "SOURCE", ARGUMENTS_FILE, NULL);
}
