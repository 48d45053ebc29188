/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See samba.h. */
#include "samba.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "run.h"

enum { CONF_BYTES_MAX = 1024 * 1024, PATH_BYTES = 512, TESTPARM_MS = 5000, RANGE_BYTES = 16 };

static const char parameter[] = "rpc server dynamic port range";

/* --- files --- */

static int read_text(const char *path, char **ret, mode_t *ret_mode)
{
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size > CONF_BYTES_MAX)
        return -EFBIG;
    _cleanup_free_ char *text = calloc(1, (size_t)st.st_size + 1);
    if (!text)
        return -ENOMEM;
    ssize_t n = read(fd, text, (size_t)st.st_size);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    *ret_mode = st.st_mode & 07777;
    *ret = TAKE_PTR(text);
    return 0;
}

static int write_text(const char *path, const char *text, mode_t mode)
{
    _cleanup_(close_p) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    size_t n = strlen(text);

    if (fd < 0)
        return -errno;
    ssize_t put = write(fd, text, n);
    if (put < 0 || (size_t)put != n)
        return put < 0 ? -errno : -ENOSPC;
    return fchmod(fd, mode) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* "<conf><suffix>" */
static int beside(const char *conf, const char *suffix, char out[PATH_BYTES])
{
    int n = snprintf(out, PATH_BYTES, "%s%s", conf, suffix);

    return n < 0 || n >= PATH_BYTES ? -ENAMETOOLONG : 0;
}

static int include_path(const char *conf, char out[PATH_BYTES])
{
    const char *slash = strrchr(conf, '/');
    int n = snprintf(out, PATH_BYTES, "%.*s/portward.conf", slash ? (int)(slash - conf) : 1,
                     slash ? conf : ".");

    return n < 0 || n >= PATH_BYTES ? -ENAMETOOLONG : 0;
}

/* --- text of smb.conf --- */

static bool is_section(const char *line, const char *name)
{
    size_t n = strlen(name);

    line += strspn(line, " \t");
    return *line == '[' && (!n || (strncasecmp(line + 1, name, n) == 0 && line[1 + n] == ']'));
}

static bool is_our_line(const char *line, size_t len, const char *include)
{
    char want[PATH_BYTES + 16];
    int n = snprintf(want, sizeof(want), "\tinclude = %s", include);

    return n > 0 && (size_t)n == len && memcmp(line, want, len) == 0;
}

/* Copies the lines but ours; in front of the section behind [global], and at the end if there is
 * none, stands the new one. */
static int edit(const char *text, const char *include, bool with, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(2 * CONF_BYTES_MAX);
    bool in_global = false, done = !with;
    int r = 0;

    for (const char *at = text; r == 0 && *at;) {
        size_t len = strcspn(at, "\n"), whole = len + (at[len] == '\n');

        if (is_section(at, "")) {
            if (in_global && !done) {
                r = strbuf_addf(&b, "\tinclude = %s\n", include);
                done = true;
            }
            in_global = is_section(at, "global");
        }
        if (r == 0 && !is_our_line(at, len, include))
            r = strbuf_addf(&b, "%.*s", (int)whole, at);
        at += whole;
    }
    if (r == 0 && !done)
        r = strbuf_addf(&b, "%s%s\tinclude = %s\n", b.len && b.s[b.len - 1] != '\n' ? "\n" : "",
                        in_global ? "" : "[global]\n", include);
    if (r < 0)
        return r;
    *ret = strbuf_take(&b);
    return *ret ? 0 : -ENOMEM;
}

int samba_with_line(const char *text, const char *include, char **ret)
{
    return edit(text, include, /* with= */ true, ret);
}

int samba_without_line(const char *text, const char *include, char **ret)
{
    return edit(text, include, /* with= */ false, ret);
}

/* --- testparm --- */

/* What Samba would read from the file. */
static int ask_testparm(const char *conf, char *out, size_t size, struct diag *d)
{
    const char *const argv[] = {"testparm", "-s", "--parameter-name", parameter, conf, NULL};
    int r = run_program(argv, TESTPARM_MS, out, size);

    if (r == -ENOENT) {
        (void)diag_fail(d, DIAG_SYSTEM, "testparm is not installed, '%s' is left alone", conf);
        diag_hint(d, "apt-get install samba-common-bin");
        return -ENOENT;
    }
    if (r != 0) {
        (void)diag_fail(d, DIAG_SYSTEM, "testparm does not accept '%s', it is left alone", conf);
        diag_hint(d, "testparm -s %s", conf);
        return r < 0 ? r : -EINVAL;
    }
    out[strcspn(out, "\n")] = '\0';
    return 0;
}

static int check_reads(const char *conf, const char *range, struct diag *d)
{
    char value[256];
    int r = ask_testparm(conf, value, sizeof(value), d);

    if (r == 0 && strcmp(value, range) != 0)
        return diag_fail(d, DIAG_CONFLICT, "'%s' sets '%s' to '%.64s' itself", conf, parameter,
                         value);
    return r;
}

/* --- both together --- */

/* Samba takes one range: the widest of the set. */
static bool widest(const struct port_bits *set, char out[RANGE_BYTES])
{
    unsigned best = 0, best_n = 0, n = 0;

    for (unsigned port = 0; port < RPC_PORTS; port++) {
        n = port_bits_has(set, (uint16_t)port) ? n + 1 : 0;
        if (n > best_n) {
            best_n = n;
            best = port;
        }
    }
    if (best_n)
        (void)snprintf(out, RANGE_BYTES, "%u-%u", best + 1 - best_n, best);
    return best_n > 0;
}

static int keep_backup(const char *conf, const char *text, mode_t mode)
{
    char path[PATH_BYTES];
    int r = beside(conf, ".portward-backup", path);

    if (r < 0 || access(path, F_OK) == 0)
        return r;
    return write_text(path, text, mode);
}

/* Puts text in place of conf if testparm reads range from it; range NULL: if it accepts it. */
static int replace(const char *conf, const char *text, mode_t mode, const char *range,
                   struct diag *d)
{
    char fresh[PATH_BYTES], value[256];
    int r = beside(conf, ".portward-new", fresh);

    if (r == 0)
        r = write_text(fresh, text, mode);
    if (r < 0)
        return diag_errno(d, r, "cannot write beside '%s'", conf);
    r = range ? check_reads(fresh, range, d) : ask_testparm(fresh, value, sizeof(value), d);
    if (r == 0 && rename(fresh, conf) < 0)
        r = diag_errno(d, errno, "cannot replace '%s'", conf);
    if (r < 0)
        (void)unlink(fresh); /* of our making */
    return r;
}

struct paths {
    char include[PATH_BYTES];
    char wanted[128]; /* text of the include */
    char range[RANGE_BYTES];
};

/* 1 if it was changed. The include is there before a line names it. */
static int write_include(const struct paths *p, char **ret_old)
{
    mode_t mode;
    int r = read_text(p->include, ret_old, &mode);

    if (r < 0 && r != -ENOENT)
        return r;
    if (r == 0 && strcmp(*ret_old, p->wanted) == 0)
        return 0;
    r = write_text(p->include, p->wanted, 0644);
    return r < 0 ? r : 1;
}

static void put_include_back(const struct paths *p, const char *old)
{
    if (old)
        (void)write_text(p->include, old, 0644); /* the reason of the failure is told already */
    else
        (void)unlink(p->include);
}

static bool is_in_place(const struct paths *p, const char *text)
{
    _cleanup_free_ char *include = NULL, *with = NULL;
    mode_t mode;

    return read_text(p->include, &include, &mode) == 0 && strcmp(include, p->wanted) == 0 &&
           samba_with_line(text, p->include, &with) == 0 && strcmp(with, text) == 0;
}

static int confine(const char *conf, const struct paths *p, const char *text, mode_t mode,
                   struct diag *d)
{
    _cleanup_free_ char *old = NULL, *fresh = NULL;
    int changed = write_include(p, &old), r;

    if (changed < 0)
        return diag_errno(d, changed, "cannot write '%s'", p->include);
    r = samba_with_line(text, p->include, &fresh);
    if (r == 0 && strcmp(fresh, text) == 0) {
        r = changed ? check_reads(conf, p->range, d) : 0;
    } else if (r == 0) {
        changed = 1;
        r = keep_backup(conf, text, mode);
        r = r < 0 ? diag_errno(d, r, "cannot keep a backup of '%s'", conf)
                  : replace(conf, fresh, mode, p->range, d);
    }
    if (r < 0 && changed)
        put_include_back(p, old);
    return r < 0 ? r : changed;
}

int samba_confine(const char *conf, const struct port_bits *set, struct diag *d)
{
    _cleanup_free_ char *text = NULL;
    char value[256];
    struct paths p;
    mode_t mode;
    int r = include_path(conf, p.include);

    if (r == 0)
        r = read_text(conf, &text, &mode);
    if (r < 0)
        return diag_errno(d, r, "cannot read '%s'", conf);
    if (!widest(set, p.range))
        return diag_fail(d, DIAG_COMBINATION, "there is no range of ports for Samba");
    (void)snprintf(p.wanted, sizeof(p.wanted),
                   "# Written by portward (rpc confine); changes are lost.\n[global]\n\t%s = %s\n",
                   parameter, p.range); /* fits */
    if (is_in_place(&p, text))
        return 0;
    r = ask_testparm(conf, value, sizeof(value), d);
    return r < 0 ? r : confine(conf, &p, text, mode, d);
}

int samba_release(const char *conf, struct diag *d)
{
    _cleanup_free_ char *text = NULL, *fresh = NULL;
    char include[PATH_BYTES];
    mode_t mode;
    int r = include_path(conf, include);

    if (r < 0 || access(include, F_OK) < 0)
        return 0; /* never written */
    r = read_text(conf, &text, &mode);
    if (r == 0)
        r = samba_without_line(text, include, &fresh);
    if (r < 0)
        return diag_errno(d, r, "cannot read '%s'", conf);
    if (strcmp(text, fresh) != 0)
        r = replace(conf, fresh, mode, NULL, d);
    if (r == 0 && unlink(include) < 0)
        r = diag_errno(d, errno, "cannot remove '%s'", include);
    return r;
}
