/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may stand where in a command, read from the table of commands: shared by the generator
 * of the completion files and by the hidden call that gives live names. */
#pragma once
#include "cli/command.h"

/* What can be offered for a word. */
enum cli_word_kind {
    WORD_NOTHING,   /* a new name, a number, a text */
    WORD_FILE,      /* the shell's business */
    WORD_DIRECTORY, /* likewise */
    WORD_FILE_OR_POLICY,
    WORD_VALUES,  /* one of those in the table: "auto|always|never" */
    WORD_POLICY,  /* names of stored policies */
    WORD_RULE,    /* names of the rules of the policy before it */
    WORD_IDS,     /* ids of dynamic filters */
    WORD_SETTING, /* keys of settings */
    WORD_HOST,    /* the shell's business */
    WORD_INTERFACE,
    WORD_PORTS,   /* exemptions, to be deleted */
    WORD_GRAMMAR, /* filter or packet: interfaces behind "on" */
};
/* The word at place `index` behind the command's name. */
enum cli_word_kind cli_word_kind(const struct cli_command *cmd, int index);
/* What the synopsis says of it; *ret_len bytes, 0 = nothing. */
const char *cli_word_token(const struct cli_command *cmd, int index, size_t *ret_len);
/* The value of an option that takes one. */
enum cli_word_kind cli_value_kind(const struct cli_option *o);

/* `portward __complete [--quoted] WORD...`: names that could stand in the place of the last
 * word, one a line. Changes nothing, says nothing about failures, ends within 50 ms. --quoted:
 * the words are as typed, with the quotes of a shell. */
int cli_complete(const struct cli_env *env, int n, char *const *words);
