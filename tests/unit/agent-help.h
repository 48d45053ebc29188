/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An agent over the stand-in for the kernel, with directories of its own: what the tests of the
 * agent's state machine share. Included once, before agent-ask.h. Invariant: what a test leaves of
 * the agent, of its files and of the kernel is gone with agent_teardown(). */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake-datapath.h"

static char dir[64], state_dir[80], run_dir[80], config[80];
static struct agent *agent;

static int agent_setup(void **state _unused_)
{
    snprintf(dir, sizeof(dir), "/tmp/pw-agent-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
    snprintf(config, sizeof(config), "%s/own.conf", dir);
    fake_reset();
    return 0;
}

static int agent_teardown(void **state _unused_)
{
    char command[128];
    agent = agent_free(agent);
    fake_reset();
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

static int try_start(bool forget, struct diag *d)
{
    struct agent_options o = {.config = config,
                              .state_dir = state_dir,
                              .runtime_dir = run_dir,
                              .vendor_dir = dir,
                              .forget_dynamic = forget};
    assert_null(agent);
    int err = agent_new(&o, d, &agent);
    fake.agent = agent;
    if (err == 0)
        err = agent_start(agent, d);
    if (err < 0)
        agent = agent_free(agent);
    return err;
}

static void start(void)
{
    struct diag d = {0};
    if (try_start(false, &d) < 0)
        fail_msg("%s", d.message);
}

/* The process is gone, the kernel and the files stay. */
static void _unused_ kill_agent(void)
{
    agent = agent_free(agent);
}

/* Ids in force, "d1 s3 ...", in the order of list. */
static void _unused_ list_is(const char *want)
{
    char got[512] = "";
    struct agent_filters l = {0};
    struct diag d = {0};
    assert_int_equal(agent_list(agent, &(struct agent_list_query){.layer = -1}, &d, &l), 0);
    for (size_t i = 0; i < l.n; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "", l.v[i].id);
    assert_string_equal(got, want);
    agent_filters_done(&l);
}
