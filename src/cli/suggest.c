/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/suggest.c: which known word a mistyped one stood for. Called when a verb or an option is
 * unknown. */
#include "base/suggest.h"
#include "cli/options.h"

const char *cli_suggest(const char *word, const char *const *candidates, size_t n)
{
    unsigned best = suggest_limit(word) + 1;
    const char *near = NULL;

    for (size_t i = 0; i < n && best > 1; i++) {
        unsigned distance = suggest_distance(word, candidates[i], best - 1);

        if (distance < best) {
            best = distance;
            near = candidates[i];
        }
    }
    return near;
}
