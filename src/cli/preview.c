/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/preview.c: how a change that was only tried, and the difference of two policies, look
 * (cli.md 7): a label of fixed width, then packets in the notation of previews, a term a line.
 * Called by the verbs that change something and by `policy diff`. */
#include <stdio.h>
#include <string.h>

#include "cli/context.h"

enum { LABEL_WIDTH = 15, LINES_SHOWN = 50 };

void cli_put_label(struct cli *c, const char *label)
{
    (void)fprintf(c->env->out, "%-*s%s", LABEL_WIDTH, label,
                  strlen(label) < LABEL_WIDTH ? "" : "  ");
}

void cli_put_would(struct cli *c, const char *verb)
{
    char label[32];

    (void)snprintf(label, sizeof(label), "would %s", verb); /* verbs are ours and short */
    cli_put_label(c, label);
}

/* One term of a set, up to the end of its line. */
static size_t put_term(struct cli *c, enum cli_style style, const char *set)
{
    size_t n = strcspn(set, "\n");
    _cleanup_free_ char *term = strndup(set, n);

    if (!term)
        cli_out_of_memory();
    cli_put_styled(c, style, term);
    return set[n] ? n + 1 : n;
}

void cli_put_terms(struct cli *c, const struct cli_terms *t)
{
    size_t lines = 0;

    for (const char *p = t->set; *p; lines++) {
        if (lines == LINES_SHOWN) {
            cli_put_label(c, t->label);
            (void)fputs("and more: --json lists all\n", c->env->out);
            return;
        }
        cli_put_label(c, t->label);
        p += put_term(c, t->style, p);
        if (t->after)
            t->after(c, t->arg);
        (void)fputc('\n', c->env->out);
    }
}

/* "  (then matches "Block SSH")": not for a filter that the line before has just named. */
static void put_decider(struct cli *c, const json_t *change)
{
    const char *rule = cli_str(change, "rule");

    if (!*rule)
        return;
    (void)fputs("  (then matches ", c->env->out);
    cli_put_quoted(c, rule);
    (void)fputc(')', c->env->out);
}

static const char *label_of(const char *verdict)
{
    if (strcmp(verdict, "negotiate") == 0)
        return "must negotiate"; /* denied in the clear, whatever it was before */
    return strcmp(verdict, "block") == 0 ? "newly blocked" : "newly permitted";
}

void cli_put_changes(struct cli *c, const json_t *changes)
{
    const json_t *change;
    size_t i;

    json_array_foreach(changes, i, change)
    {
        const char *verdict = cli_str(change, "verdict");
        struct cli_terms t = {.label = label_of(verdict),
                              .style = cli_action_style(verdict),
                              .set = cli_str(change, "set"),
                              .after = put_decider,
                              .arg = change};

        if (i == LINES_SHOWN) {
            (void)fprintf(c->env->out, "and %zu more: --json lists all\n",
                          json_array_size(changes) - i);
            break;
        }
        cli_put_terms(c, &t);
    }
}

static void put_after_failsafe(struct cli *c, const json_t *exception)
{
    (void)exception;
    (void)fputs(": failsafe", c->env->out);
}

static void put_after_permit(struct cli *c, const json_t *exception)
{
    const char *rule = cli_str(exception, "rule");

    (void)fputs(": ", c->env->out);
    cli_put_styled(c, STYLE_ID, cli_str(exception, "id"));
    if (*rule) {
        (void)fputc(' ', c->env->out);
        cli_put_quoted(c, rule);
    }
    (void)fputs(" is more specific", c->env->out);
}

void cli_put_still_allowed(struct cli *c, const json_t *exceptions)
{
    const json_t *e;
    size_t i;

    json_array_foreach(exceptions, i, e)
    {
        bool failsafe = strcmp(cli_str(e, "id"), "-") == 0;
        struct cli_terms t = {.label = "still allowed",
                              .style = STYLE_PERMIT,
                              .set = cli_str(e, "set"),
                              .after = failsafe ? put_after_failsafe : put_after_permit,
                              .arg = e};

        if (i == LINES_SHOWN) {
            (void)fprintf(c->env->out, "still allowed  %zu more: portward list\n",
                          json_array_size(exceptions) - i);
            break;
        }
        cli_put_terms(c, &t);
    }
}

static void put_connections(struct cli *c, const json_t *preview)
{
    int64_t n = cli_int(preview, "connections", -1);

    if (n == 0)
        return;
    cli_put_label(c, "connections");
    if (n < 0)
        (void)fputs("not known: the kernel does not list its sockets\n", c->env->out);
    else
        (void)fprintf(c->env->out, "%lld established would stall at once; %s\n", (long long)n,
                      n == 1 ? "its socket stays" : "their sockets stay");
}

void cli_put_preview(struct cli *c, const json_t *doc)
{
    const json_t *preview = json_object_get(cli_data(doc), "preview");

    if (json_is_true(json_object_get(preview, "equal")))
        (void)fputs("no packet changes its verdict\n", c->env->out);
    cli_put_changes(c, json_object_get(preview, "changes"));
    if (!json_is_true(json_object_get(preview, "complete")))
        (void)fputs("not enumerated completely: these are examples\n", c->env->out);
    if (json_is_true(json_object_get(preview, "arms")))
        (void)fputs("first block: malformed and source-routed packets are dropped, too\n",
                    c->env->out);
    if (json_is_true(json_object_get(preview, "disarms")))
        (void)fputs("last block: malformed and source-routed packets pass again\n", c->env->out);
    cli_put_still_allowed(c, json_object_get(cli_data(doc), "exceptions"));
    put_connections(c, preview);
    (void)fputs("nothing changed\n", c->env->out);
}
