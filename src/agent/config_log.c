/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/config_log.c: values of the sections [log] and [scan] of portward.conf, see config_log.h.
 * Called by config.c. Pure. Invariant: a value that does not fit changes nothing. */
#include "config_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "datapath/scan.h"

enum { MAX_KIB_LOW = 64, MAX_KIB_HIGH = 1 << 20, BLOCK_LOW_S = 10, BLOCK_HIGH_S = 86400 };

void log_settings_init(struct log_settings *s)
{
    *s = (struct log_settings){.max_kib = 4096};
}

void scan_settings_init(struct scan_settings *s)
{
    *s = (struct scan_settings){.fast = 15, .slow = 30, .sweep = 15};
}

static int set_number(const char *value, uint32_t low, uint32_t high, struct diag *d, uint32_t *ret)
{
    uint32_t n = 0;
    for (const char *c = value; *c >= '0' && *c <= '9' && n <= high; c++)
        n = n * 10 + (uint32_t)(*c - '0');
    if (!*value || value[strspn(value, "0123456789")] || n < low || n > high) {
        diag_hint(d, "%u to %u", low, high);
        return -EINVAL;
    }
    *ret = n;
    return 0;
}

/* A name that is no absolute path would depend on where the agent was started. */
static int set_file(const char *value, struct diag *d, char file[LOG_FILE_NAME_BYTES])
{
    bool fits = !*value || (*value == '/' && strlen(value) < LOG_FILE_NAME_BYTES - 8);
    for (const char *c = value; *c && fits; c++)
        fits = (unsigned char)*c >= ' ' && *c != 127;
    if (!fits) {
        diag_hint(d, "/var/log/portward/drop.log, at most %d bytes", LOG_FILE_NAME_BYTES - 9);
        return -EINVAL;
    }
    (void)snprintf(file, LOG_FILE_NAME_BYTES, "%s", value); /* fits */
    return 0;
}

int config_log(struct log_settings *s, const char *name, const char *value, struct diag *d)
{
    if (strcmp(name, "json-file") == 0)
        return set_file(value, d, s->json_file);
    if (strcmp(name, "pfirewall-file") == 0)
        return set_file(value, d, s->pfirewall_file);
    if (strcmp(name, "max-size") == 0)
        return set_number(value, MAX_KIB_LOW, MAX_KIB_HIGH, d, &s->max_kib);
    return -ENOENT;
}

/* "192.0.2.0/24" without host bits, or an address. */
static bool parse_prefix(const char *text, size_t n, struct scan_ignore *ret)
{
    const char *slash = memchr(text, '/', n);
    size_t len = slash ? (size_t)(slash - text) : n;
    struct diag unused;
    struct scan_ignore p;
    uint32_t bits;
    if (ip_parse(text, len, &p.family, &p.prefix) < 0)
        return false;
    bits = family_bits(p.family);
    if (slash) {
        char digits[4] = "";
        if (n - len - 1 == 0 || n - len - 1 >= sizeof(digits))
            return false;
        memcpy(digits, slash + 1, n - len - 1);
        if (set_number(digits, 0, bits, &unused, &bits) < 0)
            return false;
    }
    p.len = (uint8_t)bits;
    *ret = p;
    return ip_eq(ip_and(p.prefix, ip_mask(p.family, bits)), p.prefix);
}

static int set_ignore(struct scan_settings *s, const char *value, struct diag *d)
{
    struct scan_settings fresh = *s;
    fresh.n_ignore = 0;
    for (const char *at = value; *at;) {
        at += strspn(at, " \t");
        size_t n = strcspn(at, ", \t");
        if (fresh.n_ignore == SCAN_IGNORE_MAX ||
            !parse_prefix(at, n, &fresh.ignore[fresh.n_ignore])) {
            diag_hint(d, "192.0.2.10, 2001:db8::/32; at most %d", SCAN_IGNORE_MAX);
            return -EINVAL;
        }
        fresh.n_ignore++;
        at += n;
        at += strspn(at, " \t");
        if (*at == ',' && at[1])
            at++;
        else if (*at)
            return diag_hint(d, "192.0.2.10, 2001:db8::/32"), -EINVAL;
    }
    *s = fresh;
    return 0;
}

static int set_block(struct scan_settings *s, const char *value, struct diag *d)
{
    struct diag unused = {0};
    uint32_t seconds = 0;
    bool off = strcmp(value, "off") == 0;
    if (!off && (duration_parse(value, strlen(value), (struct span){0}, &unused, &seconds) < 0 ||
                 seconds < BLOCK_LOW_S || seconds > BLOCK_HIGH_S)) {
        diag_hint(d, "off, or 10s to 24h");
        return -EINVAL;
    }
    s->block_s = seconds;
    return 0;
}

int config_scan(struct scan_settings *s, const char *name, const char *value, struct diag *d)
{
    if (strcmp(name, "fast") == 0)
        return set_number(value, SCAN_LIMIT_MIN, SCAN_LIMIT_MAX, d, &s->fast);
    if (strcmp(name, "slow") == 0)
        return set_number(value, SCAN_LIMIT_MIN, SCAN_LIMIT_MAX, d, &s->slow);
    if (strcmp(name, "sweep") == 0)
        return set_number(value, SCAN_LIMIT_MIN, SCAN_SWEEP_MAX, d, &s->sweep);
    if (strcmp(name, "ignore") == 0)
        return set_ignore(s, value, d);
    return strcmp(name, "block") == 0 ? set_block(s, value, d) : -ENOENT;
}
