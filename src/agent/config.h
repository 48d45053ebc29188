/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of the agent: portward.conf, an INI file. The parser is pure (text in, struct out),
 * so that it can be fuzzed; config_files.c finds and reads the files. */
#pragma once
#include "agent/agent.h"
#include "base/limits.h"
#include "config_log.h"
#include "keywords.h"
#include "model/mpp.h"
#include "model/settings.h"

enum { CONFIG_KEYS = 44, CONFIG_RPC_KEYS = 11, CONFIG_RPC_BYTES = 1024 };
/* Where the value of a key was read, and its text. */
struct config_origin {
    char file[256];
    unsigned line;   /* 0 = it was not */
    char value[512]; /* a longer one is cut */
};

/* Where an entry of [profiles] was read. */
struct profile_origin {
    char file[256];
    unsigned line;
};

struct agent_config {
    struct filter_settings filter;
    struct mpp_settings mpp;
    struct profile_patterns profiles;
    struct profile_origin profile_origin[LIMIT_PROFILE_PATTERNS];
    enum hook_mode hook;
    bool guard;
    bool lost_on_stop;
    struct log_settings log;
    struct scan_settings scan;
    struct address_list wins; /* what the address `wins` stands for */
    /* [rpc], as it is written: confine.c makes one configuration of it, which may be invalid. */
    char rpc[CONFIG_RPC_KEYS][CONFIG_RPC_BYTES];
    bool rpc_is_set[CONFIG_RPC_KEYS];
    struct config_origin origin[CONFIG_KEYS];
};
void agent_config_init(struct agent_config *c);

/* Reads one file's text over *c. file is its name for messages. On failure *c is unchanged and
 * the message begins with "file:line: ". A key given here replaces the value of earlier files. */
_must_check_ int agent_config_parse(const char *file, const char *text, size_t len,
                                    struct agent_config *c, struct diag *d);

/* One key, "filter.exempt", as if a file said so. */
_must_check_ int agent_config_set(struct agent_config *c, const char *key, const char *value,
                                  struct diag *d);
/* Text of a key of [rpc], "ports"; NULL = no file says anything. */
const char *agent_config_rpc(const struct agent_config *c, const char *key);
/* Index of value in a list of words separated by '|', -1 if it is none of them. */
int agent_config_word(const char *value, const char *words);
/* Key number i and its value, false behind the last. */
struct config_value {
    char key[64]; /* "filter.exempt" */
    char value[512];
    char file[256];
    unsigned line;  /* 0 = default */
    bool supported; /* by this version */
};
bool agent_config_value(const struct agent_config *c, size_t i, struct config_value *ret);

/* Vendor defaults, the administrator's file, conf.d/ (in the order of their names). */
_must_check_ int agent_config_load(const struct agent_options *o, struct diag *d,
                                   struct agent_config *ret);
