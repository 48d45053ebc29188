/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of the sections [log] (but the rates, which the program keeps) and [scan] of
 * portward.conf. Parsed by config.c through the two functions below. */
#pragma once
#include "base/diag.h"
#include "model/ip.h"

enum { LOG_FILE_NAME_BYTES = 256, SCAN_IGNORE_MAX = 64 };

struct log_settings {
    bool no_journal; /* records of packets are not in the journal */
    char json_file[LOG_FILE_NAME_BYTES], pfirewall_file[LOG_FILE_NAME_BYTES]; /* "" = none */
    uint32_t max_kib; /* a larger file is put aside */
};
void log_settings_init(struct log_settings *s);

struct scan_ignore {
    enum family family;
    struct ip prefix;
    uint8_t len;
};
struct scan_settings {
    bool off;
    uint32_t fast, slow, sweep;
    uint32_t block_s;    /* 0 = nobody is blocked */
    bool block_unproven; /* also sources that may be forged */
    struct scan_ignore ignore[SCAN_IGNORE_MAX];
    unsigned n_ignore;
};
void scan_settings_init(struct scan_settings *s);

/* One key. -EINVAL: the value does not fit, and d->hint says what would; -ENOENT: no key of these.
 */
_must_check_ int config_log(struct log_settings *s, const char *name, const char *value,
                            struct diag *d);
_must_check_ int config_scan(struct scan_settings *s, const char *name, const char *value,
                             struct diag *d);
