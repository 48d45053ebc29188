/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/duration.c: durations as people type and read them (cli.md 6).
 * Called by the parser, the command line and every place that shows a remaining time.
 * Invariant: duration_parse(duration_print(s)) == s for every s the parser accepts. */
#include "base/duration.h"

#include "base/strbuf.h"

/* Ten years of 365 days. */
enum { DURATION_MAX_S = 10 * 365 * 86400 };

static const struct unit {
    char letter;
    const char *human;
    uint32_t s;
} units[] = {{'d', "d", 86400}, {'h', "h", 3600}, {'m', "min", 60}, {'s', "s", 1}};

static int fail(struct diag *d, struct span at, const char *s, size_t n, const char *why)
{
    int r = diag_fail_at(d, DIAG_SYNTAX, at, "duration '%.*s' %s", (int)(n < 64 ? n : 64), s, why);
    diag_hint(d, "durations are written like 90s, 15m, 2h or 1d12h");
    return r;
}

int duration_parse(const char *s, size_t n, struct span at, struct diag *d, uint32_t *ret_s)
{
    uint64_t total = 0;
    size_t i = 0, next_unit = 0;
    if (n == 0)
        return fail(d, at, s, n, "is empty");
    while (i < n) {
        uint64_t number = 0;
        size_t digits = 0;
        for (; i < n && s[i] >= '0' && s[i] <= '9'; i++, digits++) {
            number = number * 10 + (uint64_t)(s[i] - '0');
            if (number > DURATION_MAX_S)
                return fail(d, at, s, n, "is longer than 10 years");
        }
        if (digits == 0)
            return fail(d, at, s, n, "is not a number with a unit");
        if (i == n)
            return fail(d, at, s, n, "has no unit");
        size_t u = next_unit;
        while (u < ARRAY_SIZE(units) && units[u].letter != s[i])
            u++;
        if (u == ARRAY_SIZE(units))
            return fail(d, at, s, n, "does not name its units in the order d, h, m, s");
        total += number * units[u].s;
        if (total > DURATION_MAX_S)
            return fail(d, at, s, n, "is longer than 10 years");
        next_unit = u + 1;
        i++;
    }
    if (total == 0)
        return fail(d, at, s, n, "is shorter than one second");
    *ret_s = (uint32_t)total;
    return 0;
}

void duration_print(uint32_t s, char out[DURATION_TEXT_BYTES])
{
    size_t len = 0;
    for (size_t u = 0; u < ARRAY_SIZE(units); u++) {
        uint32_t number = s / units[u].s;
        s %= units[u].s;
        if (number > 0 || (u + 1 == ARRAY_SIZE(units) && len == 0))
            len +=
                format_into(out + len, DURATION_TEXT_BYTES - len, "%u%c", number, units[u].letter);
    }
}

void duration_print_human(uint64_t s, char out[DURATION_TEXT_BYTES])
{
    size_t u = 0;
    while (u + 1 < ARRAY_SIZE(units) && s < units[u].s)
        u++;
    unsigned long long first = s / units[u].s, second = 0;
    if (u + 1 < ARRAY_SIZE(units))
        second = s % units[u].s / units[u + 1].s;
    if (second > 0)
        (void)format_into(out, DURATION_TEXT_BYTES, "%llu %s %llu %s", first, units[u].human,
                          second, units[u + 1].human);
    else
        (void)format_into(out, DURATION_TEXT_BYTES, "%llu %s", first, units[u].human);
}
