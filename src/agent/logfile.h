/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of the packet log ([log] json-file, pfirewall-file). Part of struct agent. Opened for
 * appending with mode 0640, owner root, group portward where there is one. A file that would get
 * larger than max-size becomes FILE.old, whose contents are gone then. */
#pragma once
#include "base/strbuf.h"
#include "config_log.h"
#include "text/logline.h"

enum log_file_kind { LOG_FILE_JSON, LOG_FILE_PFIREWALL, _LOG_FILE_MAX };
enum { LOG_FILE_BUFFER = 1024 * 1024 };

struct log_file {
    char name[LOG_FILE_NAME_BYTES]; /* "" = not wanted */
    int fd;                         /* -1 = not open */
    uint64_t size, max;
    struct strbuf buffer;
    bool failed; /* told, until it works again */
    uint64_t retry_ns;
};
struct log_files {
    struct log_file v[_LOG_FILE_MAX];
    bool ready; /* log_files_apply() was called */
};

/* Opens what the settings name, anew also if it is open: a program that rotates has renamed it. */
void log_files_apply(struct log_files *f, const struct log_settings *s);
void log_files_add(struct log_files *f, const struct log_entry *e);
/* Writes what was added. */
void log_files_flush(struct log_files *f);
void log_files_done(struct log_files *f);
