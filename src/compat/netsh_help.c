/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_help.c: help of netsh, made of the table of commands.
 * Called for "?" behind any part of a command, and by refusals that show how a command is written.
 * Invariant: no command and no tag is named here, so the help cannot differ from the parser. */
#include <string.h>
#include <strings.h>

#include "netsh.h"

const char tool_netsh_help[] =
    "netsh ipsec static|dynamic COMMAND [tag=]VALUE ...\n"
    "netsh interface tcp set|show security, reset\n"
    "netsh -f FILE | exec FILE\n"
    "\n"
    "Changes IP security policies with the commands of Windows Server 2003, and\n"
    "memory pressure protection with those of KB974288.\n"
    "\n"
    "  -c CONTEXT   runs the command in a context: -c \"ipsec static\"\n"
    "  -f FILE      runs the lines of a script as one change\n"
    "  -r COMPUTER  only this computer\n"
    "\n"
    "Commands, verbs and tags may be shortened. Values with blanks are quoted.\n"
    "  netsh ipsec static ?              lists the commands of a context\n"
    "  netsh ipsec static add filter ?   shows one command with its tags\n";

void netsh_print_usage(const struct netsh_command *c, struct strbuf *out)
{
    (void)strbuf_addf(out, "%s%s%s", c->verb, c->object ? " " : "", c->object ? c->object : "");
    for (size_t i = 0; i < c->n_tags; i++) {
        const struct netsh_tag_use *u = &c->tags[i];
        const char *name = netsh_tag_name((enum netsh_tag)u->tag);
        const char *separator = u->flags & TAG_OR && i > 0 ? "|" : " ";
        bool optional = !(u->flags & (TAG_REQUIRED | TAG_OR));
        (void)strbuf_addf(out, "%s%s%s%s%s", separator, optional ? "[" : "", name,
                          u->flags & TAG_FLAG ? "" : "=", optional ? "]" : "");
    }
}

void netsh_help_command(struct netsh *n, const struct netsh_command *c)
{
    struct strbuf *out = &n->t->out;
    (void)strbuf_addf(out, "%s ", netsh_context_name(c->context)); /* errors are sticky in out */
    netsh_print_usage(c, out);
    (void)strbuf_addf(out, "\n  %s\n", c->summary);
    if (c->n_tags > 0)
        (void)strbuf_add(out, "\n");
    for (size_t i = 0; i < c->n_tags; i++) {
        const struct netsh_tag_use *u = &c->tags[i];
        enum netsh_tag tag = (enum netsh_tag)u->tag;
        if (u->flags & TAG_FLAG)
            (void)strbuf_addf(out, "  %-20s\n", netsh_tag_name(tag));
        else
            (void)strbuf_addf(out, "  %-20s %s%s%s\n", netsh_tag_name(tag), netsh_tag_values(tag),
                              u->flags & TAG_REQUIRED ? " (required)" : "",
                              u->flags & TAG_MANY ? " (may be repeated)" : "");
    }
}

static void help_root(struct strbuf *out)
{
    (void)strbuf_add(out, tool_netsh_help);
}

static void help_ipsec(struct strbuf *out)
{
    (void)strbuf_addf(out, "%s\n%s\n", netsh_context_name(CONTEXT_STATIC),
                      netsh_context_name(CONTEXT_DYNAMIC));
}

void netsh_help_context(struct netsh *n, enum netsh_context context, const char *verb)
{
    struct strbuf *out = &n->t->out;
    if (context == CONTEXT_ROOT) {
        help_root(out);
        return;
    }
    if (context == CONTEXT_IPSEC)
        help_ipsec(out);
    if (context == CONTEXT_INTERFACE)
        (void)strbuf_addf(out, "%s\n", netsh_context_name(CONTEXT_TCP));
    for (size_t i = 0; i < netsh_n_commands; i++) {
        const struct netsh_command *c = &netsh_commands[i];
        char name[64];
        if (c->context != context || (verb && !netsh_has_prefix(verb, c->verb)))
            continue;
        (void)format_into(name, sizeof(name), "%s%s%s", c->verb, c->object ? " " : "",
                          c->object ? c->object : "");
        (void)strbuf_addf(out, "  %-24s %s\n", name, c->summary);
    }
}
