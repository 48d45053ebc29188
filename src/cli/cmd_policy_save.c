/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_save.c: `portward policy save`: a stored policy into a file that `policy load`
 * takes. Called from the table of commands. The text is parsed before it is written, so that what
 * lies in the file can be loaded. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/context.h"
#include "cli/textfile.h"
#include "text/text.h"

struct saved {
    const char *name; /* borrowed from the answer */
    const char *file;
    int64_t revision, rules;
};

static int count_rules(struct cli *c, const char *text, int64_t *ret)
{
    struct diag_list dl = {0};
    struct policy_list l = {0};
    struct diag d;
    int r = text_parse_policies(text, strlen(text), &dl, &l);

    if (r == -ENOMEM)
        cli_out_of_memory();
    if (r < 0 || l.n != 1) {
        policy_list_done(&l);
        (void)diag_fail(&d, DIAG_AGENT, "text of the policy is not understood: %s",
                        dl.n ? dl.d[0].message : "not one policy");
        return cli_fail(c, &d);
    }
    *ret = (int64_t)l.v[0]->n_rules;
    policy_list_done(&l);
    return 0;
}

/* Nothing of the agent is changed, so it cannot refuse for us. */
static int check_generation(struct cli *c)
{
    struct diag d;

    if (c->if_generation == 0 || c->if_generation == c->generation)
        return 0;
    (void)diag_fail(&d, DIAG_CONFLICT, "generation %lld is in force, not %lld",
                    (long long)c->generation, (long long)c->if_generation);
    diag_hint(&d, "portward list");
    return cli_fail(c, &d);
}

static int save(struct cli *c, const json_t *data, const struct saved *s)
{
    const char *stored = cli_str(data, "text");
    _cleanup_(cli_text_done) struct cli_text t = {.len = strlen(stored), .s = strdup(stored)};

    if (!t.s)
        cli_out_of_memory();
    if (strcmp(s->file, "-") != 0)
        return cli_text_write(c, s->file, &t);
    (void)fputs(t.s, c->env->out); /* stream errors are looked at once, at the end */
    return 0;
}

static void show(struct cli *c, const struct saved *s)
{
    bool to_stdout = strcmp(s->file, "-") == 0;
    /* With "-" stdout is the text itself. */
    FILE *out = to_stdout ? c->env->err : c->env->out;
    _cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT(4096), file = STRBUF_INIT(64 * 1024);

    if (strbuf_add_escaped(&name, s->name, strlen(s->name)) < 0 ||
        strbuf_add_escaped(&file, s->file, strlen(s->file)) < 0)
        cli_out_of_memory();
    (void)fflush(c->env->out);
    (void)fprintf(out, "saved \"%s\" revision %lld to %s (%lld rule%s)\n", name.s,
                  (long long)s->revision, to_stdout ? "stdout" : file.s, (long long)s->rules,
                  s->rules == 1 ? "" : "s");
}

static json_t *saved_json(const struct saved *s)
{
    return json_pack("{s:o, s:I, s:I, s:o}", "name", api_text_json(s->name), "revision",
                     (json_int_t)s->revision, "rules", (json_int_t)s->rules, "file",
                     api_text_json(s->file));
}

int cmd_policy_save(struct cli *c)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_json_ json_t *doc = NULL;
    struct saved s = {.file = c->words[1]};
    int code = cli_policy_target(c, c->words[0], "", &target);

    if (code == 0 && c->json && strcmp(s.file, "-") == 0)
        return cli_fail_usage(c, "portward policy show NAME --json",
                              "the policy and --json cannot both go to stdout");
    if (code == 0)
        code = cli_fetch(c, "GET", target.s, &doc);
    if (code == 0)
        code = check_generation(c);
    if (code)
        return code;
    s.name = cli_str(cli_data(doc), "name");
    s.revision = cli_int(cli_data(doc), "revision", 0);
    code = count_rules(c, cli_str(cli_data(doc), "text"), &s.rules);
    if (code == 0)
        code = save(c, cli_data(doc), &s);
    if (code)
        return code;
    if (c->json)
        cli_put_document(c, "policy-save", saved_json(&s));
    else if (!c->quiet)
        show(c, &s);
    return 0;
}
