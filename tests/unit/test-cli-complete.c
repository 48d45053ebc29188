/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What completion offers at which place, read from the table of commands. The call for live
 * names with an agent is tested in tests/netns/test-completion.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/complete.h"

static enum cli_word_kind kind(const char *name, int index)
{
    for (size_t i = 0; i < cli_n_commands; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return cli_word_kind(&cli_commands[i], index);
    fail_msg("no command '%s'", name);
    return WORD_NOTHING;
}

static void test_places(void **state)
{
    (void)state;
    assert_int_equal(kind("status", 0), WORD_NOTHING);
    assert_int_equal(kind("list", 0), WORD_NOTHING); /* options only */
    assert_int_equal(kind("delete", 0), WORD_IDS);
    assert_int_equal(kind("delete", 5), WORD_IDS);
    assert_int_equal(kind("block", 0), WORD_GRAMMAR);
    assert_int_equal(kind("block", 7), WORD_GRAMMAR);
    assert_int_equal(kind("explain", 3), WORD_GRAMMAR);
    assert_int_equal(kind("policy load", 0), WORD_FILE);
    assert_int_equal(kind("policy load", 1), WORD_NOTHING);
    assert_int_equal(kind("policy show", 0), WORD_POLICY);
    assert_int_equal(kind("policy assign", 1), WORD_NOTHING);
    assert_int_equal(kind("policy save", 0), WORD_POLICY);
    assert_int_equal(kind("policy save", 1), WORD_FILE);
    assert_int_equal(kind("policy check", 0), WORD_FILE_OR_POLICY);
    assert_int_equal(kind("policy diff", 1), WORD_FILE_OR_POLICY);
    assert_int_equal(kind("policy diff", 2), WORD_NOTHING);
    assert_int_equal(kind("policy history", 0), WORD_POLICY);
    assert_int_equal(kind("policy rollback", 0), WORD_POLICY);
    assert_int_equal(kind("rule add", 0), WORD_POLICY);
    assert_int_equal(kind("rule add", 1), WORD_RULE);
    assert_int_equal(kind("rule add", 9), WORD_GRAMMAR);
    assert_int_equal(kind("rule delete", 1), WORD_RULE);
    assert_int_equal(kind("import", 0), WORD_VALUES);
    assert_int_equal(kind("import", 1), WORD_FILE);
    assert_int_equal(kind("export", 1), WORD_POLICY);
}

/* A new verb whose words nobody thought of shows up here: each place of a command that takes
 * words has to be of some kind. */
static void test_every_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_n_commands; i++)
        for (int k = 0; k < cli_commands[i].max_words; k++)
            if (cli_word_kind(&cli_commands[i], k) == WORD_NOTHING)
                fail_msg("nothing is offered for word %d of '%s'", k, cli_commands[i].name);
}

static void test_values(void **state)
{
    (void)state;
    assert_int_equal(cli_value_kind(cli_option(OPT_JSON)), WORD_NOTHING);
    assert_int_equal(cli_value_kind(cli_option(OPT_RUNTIME_DIR)), WORD_DIRECTORY);
    assert_int_equal(cli_value_kind(cli_option(OPT_COLOR)), WORD_VALUES);
    assert_int_equal(cli_value_kind(cli_option(OPT_POLICY)), WORD_POLICY);
    assert_int_equal(cli_value_kind(cli_option(OPT_ALL)), WORD_NOTHING);
    assert_int_equal(cli_value_kind(cli_option(OPT_NAME)), WORD_NOTHING);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_every_command),
        cmocka_unit_test(test_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
