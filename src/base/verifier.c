/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/verifier.c: see verifier.h. Called by all loaders of eBPF programs for their diagnostics. */
#include "base/verifier.h"

#include <string.h>

char *verifier_last_words(char *log)
{
    char *end = strncmp(log, "processed ", 10) == 0 ? log : strstr(log, "\nprocessed ");

    if (!end)
        end = log + strlen(log);
    while (end > log && end[-1] == '\n')
        end--;
    *end = '\0';
    char *line = strrchr(log, '\n');
    return line ? line + 1 : log;
}
