/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/textfile.c: policy files: reading one (or stdin), writing one in one step.
 * Called by the policy verbs. Invariant: a file that is written is either the old one or the whole
 * new one, whatever happens in between. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/context.h"
#include "cli/textfile.h"

void cli_text_done(struct cli_text *t)
{
    free(t->s);
    *t = (struct cli_text){0};
}

/* Everything up to the end of f; one byte more than the limit is read to see that it is too
 * long. */
static int read_all(FILE *f, const char *name, struct cli_text *t, struct diag *d)
{
    for (;;) {
        size_t n;

        if (array_reserve(&t->s, &t->cap, t->len + 64 * 1024, 1) < 0)
            cli_out_of_memory();
        n = fread(t->s + t->len, 1, t->cap - t->len - 1, f);
        t->len += n;
        if (t->len > LIMIT_POLICY_TEXT_BYTES)
            return diag_fail(d, DIAG_LIMIT, "'%s' exceeds %d bytes", name, LIMIT_POLICY_TEXT_BYTES);
        if (n == 0)
            break;
    }
    if (ferror(f))
        return diag_errno(d, errno, "cannot read '%s'", name);
    t->s[t->len] = '\0';
    return 0;
}

int cli_text_read(struct cli *c, const char *name, struct cli_text *t)
{
    struct diag d;
    FILE *f = strcmp(name, "-") == 0 ? c->env->in : fopen(name, "re");
    int r;

    if (!f) {
        (void)diag_errno(&d, errno, "cannot open '%s'", name);
        return cli_fail(c, &d);
    }
    r = read_all(f, name, t, &d);
    if (f != c->env->in)
        (void)fclose(f); /* was only read */
    return r < 0 ? cli_fail(c, &d) : 0;
}

static int write_all(int fd, const char *s, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, s, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        s += written;
        n -= (size_t)written;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* The name becomes durable with its directory. Some file systems cannot do it for directories. */
static void sync_directory_of(const char *name)
{
    char copy[4096];
    int n = snprintf(copy, sizeof(copy), "%s", name);

    if (n < 0 || (size_t)n >= sizeof(copy))
        return;
    _cleanup_(close_p) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd);
}

static int write_beside(const char *fresh, const char *name, const struct cli_text *t)
{
    /* The umask decides, as for any file that somebody saves. */
    _cleanup_(close_p) int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int r;

    if (fd < 0)
        return -errno;
    r = write_all(fd, t->s, t->len);
    if (r == 0 && rename(fresh, name) < 0)
        r = -errno;
    if (r < 0)
        (void)unlink(fresh); /* the error that matters is in r */
    return r;
}

int cli_text_write(struct cli *c, const char *name, const struct cli_text *t)
{
    char fresh[4096];
    struct stat st;
    struct diag d;
    int n = snprintf(fresh, sizeof(fresh), "%s.%ld.new", name, (long)getpid());
    int r;

    if (n < 0 || (size_t)n >= sizeof(fresh))
        return cli_fail_usage(c, NULL, "name of the file is too long");
    if (stat(name, &st) == 0 && !S_ISREG(st.st_mode)) {
        (void)diag_fail(&d, DIAG_SYSTEM, "cannot save to '%s': not a regular file", name);
        diag_hint(&d, "portward %s NAME -", c->command->name);
        return cli_fail(c, &d);
    }
    r = write_beside(fresh, name, t);
    if (r < 0) {
        (void)diag_errno(&d, r, "cannot save to '%s'", name);
        return cli_fail(c, &d);
    }
    sync_directory_of(name);
    return 0;
}
