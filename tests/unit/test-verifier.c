/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last words of the kernel's verifier, in logs as it writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/verifier.h"

static void test_last_words(void **state)
{
    static const struct {
        const char *log, *words;
    } rows[] = {
        {"", ""},
        {"\n", ""},
        {"R1 is no pointer", "R1 is no pointer"},
        {"0: (b7) r0 = 0\nR1 is no pointer\n", "R1 is no pointer"},
        {"0: (b7) r0 = 0\nR1 is no pointer\nprocessed 9 insns (limit 1000000)\n",
         "R1 is no pointer"},
        {"R1 is no pointer\nprocessed 9 insns (limit 1000000)\nmark_precise: x\n",
         "R1 is no pointer"},
        {"processed 9 insns (limit 1000000)\n", ""},
        {"not processed here\n", "not processed here"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char log[128];

        snprintf(log, sizeof(log), "%s", rows[i].log);
        assert_string_equal(verifier_last_words(log), rows[i].words);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_last_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
