/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of the agent: portward.conf, an INI file. The parser is pure (text in, struct out),
 * so that it can be fuzzed; config_files.c finds and reads the files. */
#pragma once
#include "agent/agent.h"
#include "keywords.h"
#include "model/settings.h"

struct agent_config {
    struct filter_settings filter;
    enum hook_mode hook;
    bool lost_on_stop;
    struct address_list wins; /* what the address `wins` stands for */
};
void agent_config_init(struct agent_config *c);

/* Reads one file's text over *c. file is its name for messages. On failure *c is unchanged and
 * the message begins with "file:line: ". A key given here replaces the value of earlier files. */
_must_check_ int agent_config_parse(const char *file, const char *text, size_t len,
                                    struct agent_config *c, struct diag *d);

/* Vendor defaults, the administrator's file, conf.d/ (in the order of their names). */
_must_check_ int agent_config_load(const struct agent_options *o, struct diag *d,
                                   struct agent_config *ret);
