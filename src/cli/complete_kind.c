/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/complete_kind.c: what kind of word stands at which place, read from the synopsis in the
 * table of commands. Called by complete.c and by the generator of the completion files, so that
 * a new verb is completed without a further line. */
#include <string.h>

#include "cli/complete.h"

/* The next word of a synopsis, brackets of options passed over; "" at the end. */
static const char *next_token(const char *p, size_t *ret_len)
{
    while (*p) {
        size_t len = strcspn(p, " ");

        if (*p == '[' && p[1] == '-') /* "[--name NAME]" up to its bracket */
            len = strcspn(p, "]") + 1;
        else if (*p && *p != '|' && *p != ' ') {
            *ret_len = len;
            return p;
        }
        p += len;
        p += strspn(p, " |");
    }
    *ret_len = 0;
    return p;
}

static bool is(const char *token, size_t len, const char *word)
{
    if (len > 0 && *token == '[') { /* "[NAME]" */
        token++;
        len--;
    }
    if (len < strlen(word) || strncmp(token, word, strlen(word)) != 0)
        return false;
    return len == strlen(word) || token[strlen(word)] < 'A' || token[strlen(word)] > 'Z';
}

static bool offers_a_name(const char *token, size_t len)
{
    const char *name = memmem(token, len, "|NAME", strlen("|NAME"));

    return name || is(token, len, "NAME|FILE");
}

const char *cli_word_token(const struct cli_command *cmd, int index, size_t *ret_len)
{
    const char *p = next_token(cmd->synopsis, ret_len);

    for (int i = 0; i<index && * ret_len> 0; i++) {
        if (is(p, *ret_len, "ID...") || is(p, *ret_len, "FILTER") || is(p, *ret_len, "PACKET"))
            break; /* these go on to the end */
        p = next_token(p + *ret_len, ret_len);
    }
    return p;
}

/* "text|reg": the words themselves. */
static bool is_choice(const char *token, size_t len)
{
    return len > 0 && token[0] >= 'a' && token[0] <= 'z' && memchr(token, '|', len);
}

enum cli_word_kind cli_word_kind(const struct cli_command *cmd, int index)
{
    bool of_policy =
        strncmp(cmd->name, "policy ", strlen("policy ")) == 0 || strcmp(cmd->name, "export") == 0;
    size_t len;
    const char *p = cli_word_token(cmd, index, &len);

    if (is_choice(p, len))
        return WORD_VALUES;
    if (is(p, len, "FILE") || is(p, len, "NAME|FILE"))
        return offers_a_name(p, len) ? WORD_FILE_OR_POLICY : WORD_FILE;
    if (is(p, len, "ID..."))
        return WORD_IDS;
    if (is(p, len, "IF"))
        return WORD_INTERFACE;
    if (is(p, len, "PORTS"))
        return WORD_PORTS;
    if (is(p, len, "KEY"))
        return WORD_SETTING;
    if (is(p, len, "HOST"))
        return WORD_HOST;
    if (is(p, len, "A") || is(p, len, "B")) /* of policy diff */
        return WORD_FILE_OR_POLICY;
    if (is(p, len, "POLICY"))
        return WORD_POLICY;
    if (is(p, len, "NAME"))
        return of_policy ? WORD_POLICY : WORD_RULE;
    return is(p, len, "FILTER") || is(p, len, "PACKET") ? WORD_GRAMMAR : WORD_NOTHING;
}

enum cli_word_kind cli_value_kind(const struct cli_option *o)
{
    if (!o->argument)
        return WORD_NOTHING;
    if (strcmp(o->argument, "DIR") == 0)
        return WORD_DIRECTORY;
    if (strcmp(o->argument, "FILE") == 0)
        return WORD_FILE;
    if (strcmp(o->argument, "IF") == 0)
        return WORD_INTERFACE;
    if (strcmp(o->name, "policy") == 0)
        return WORD_POLICY;
    return strchr(o->argument, '|') ? WORD_VALUES : WORD_NOTHING;
}
