/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/config_files.c: finds and reads the files of the configuration.
 * Called by agent.c at start and reload and by agent_check_config(). Order: vendor defaults,
 * /etc/portward/portward.conf, /etc/portward/conf.d by name. A file named on the command line
 * stands for the administrator's files, conf.d included: a directory beside an arbitrary file
 * may belong to anybody. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "files.h"

#define CONFIG_FILE "/etc/portward/portward.conf"
#define CONFIG_DIR  "/etc/portward/conf.d"
#define VENDOR_DIR  "/usr/lib/portward"
enum { CONFIG_BYTES_MAX = 1 << 20 };

/* optional: a missing file is no error. */
static int read_one(const char *path, bool optional, struct agent_config *c, struct diag *d)
{
    _cleanup_free_ char *text = NULL;
    size_t len;
    int err = file_read(path, CONFIG_BYTES_MAX, &text, &len);
    if (err == -ENOENT && optional)
        return 0;
    if (err < 0) {
        err = diag_errno(d, err, "cannot read configuration '%s'", path);
        diag_hint(d, "portwardd --check-config --config %s", path);
        return err;
    }
    return agent_config_parse(path, text, len, c, d);
}

static int is_conf(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && e->d_name[0] != '.' && strcmp(e->d_name + n - 5, ".conf") == 0;
}

/* By bytes, not by locale: the same order everywhere. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_directory(const char *path, struct agent_config *c, struct diag *d)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, is_conf, by_name), err = 0;
    if (n < 0)
        return errno == ENOENT ? 0 : diag_errno(d, errno, "cannot read directory '%s'", path);
    for (int i = 0; i < n; i++) {
        char file[512];
        if (err == 0 &&
            snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name) < (int)sizeof(file))
            err = read_one(file, false, c, d);
        free(names[i]);
    }
    free(names);
    return err;
}

int agent_config_load(const struct agent_options *o, struct diag *d, struct agent_config *ret)
{
    struct agent_config c;
    char vendor[512];
    agent_config_init(&c);
    if (snprintf(vendor, sizeof(vendor), "%s/portward.conf",
                 o->vendor_dir ? o->vendor_dir : VENDOR_DIR) >= (int)sizeof(vendor))
        return diag_fail(d, DIAG_USAGE, "name of the vendor directory is too long");
    int err = read_one(vendor, true, &c, d);
    if (err == 0)
        err = read_one(o->config ? o->config : CONFIG_FILE, true, &c, d);
    if (err == 0 && !o->config)
        err = read_directory(CONFIG_DIR, &c, d);
    if (err < 0)
        return err;
    *ret = c;
    return 0;
}

int agent_check_config(const struct agent_options *o, struct diag *d)
{
    struct agent_config c;
    agent_config_init(&c);
    if (o->config) {
        int err = read_one(o->config, false, &c, d);
        if (err < 0)
            return err;
    }
    return agent_config_load(o, d, &c);
}
