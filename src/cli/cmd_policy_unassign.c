/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_unassign.c: `portward policy unassign`: takes the assigned policy out of force.
 * Called from the table of commands. It opens what the policy blocked, so it asks on a
 * terminal; a question is never asked without one (cli.md 1). */
#include <string.h>
#include <strings.h>

#include "cli/context.h"

/* Name of the assigned policy, "" if none. */
static int ask_name(struct cli *c, json_t **doc, const char **ret_name)
{
    bool json = c->json;
    int code;

    c->json = false; /* this question is ours, its answer is not the command's */
    code = cli_ask(c, "GET", "/v1/status", NULL, doc);
    c->json = json;
    if (code == 0)
        *ret_name = cli_str(json_object_get(cli_data(*doc), "policy"),
                            c->args.given[OPT_PERSISTENT] ? "persistent" : "local");
    return code;
}

/* 0: yes. */
static int question(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    const char *name = "";
    char answer[16] = "";
    int code;

    if (!c->env->in_tty || !c->env->err_tty || c->json)
        return cli_fail_usage(c, "portward policy unassign -y",
                              "'policy unassign' asks first, and there is no terminal");
    code = ask_name(c, &doc, &name);
    if (code || !*name)
        return code;
    (void)fputs("this opens the host to everything the policy blocks\n", c->env->err);
    {
        _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4096);

        if (strbuf_add_escaped(&b, name, strlen(name)) < 0)
            cli_out_of_memory();
        (void)fprintf(c->env->err, "unassign \"%s\"? [y/N] ", b.s);
    }
    (void)fflush(c->env->err);
    if (!fgets(answer, sizeof(answer), c->env->in))
        answer[0] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0)
        return 0;
    (void)fputs("nothing changed\n", c->env->err);
    return 1;
}

int cmd_policy_unassign(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    const char *name;
    json_t *body;
    int code = c->args.given[OPT_YES] || c->dry_run ? 0 : question(c);

    if (code)
        return code;
    body = cli_change_body(c);
    cli_set_flag(body, "persistent", c->args.given[OPT_PERSISTENT]);
    code = cli_ask(c, "POST", "/v1/unassign", body, &doc);
    if (code || c->json)
        return code;
    name = cli_str(cli_data(doc), "name");
    if (!c->quiet && !*name) {
        (void)fprintf(c->env->out, "no change: no %s policy is assigned\n",
                      c->args.given[OPT_PERSISTENT] ? "persistent" : "local");
    } else if (!c->quiet) {
        if (c->dry_run)
            cli_put_would(c, "unassign");
        else
            (void)fputs("unassigned ", c->env->out);
        cli_put_quoted(c, name);
        if (!c->dry_run)
            (void)fprintf(c->env->out, "; generation %lld", (long long)c->generation);
        (void)fputc('\n', c->env->out);
    }
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    cli_report_warnings(c, doc);
    return 0;
}
