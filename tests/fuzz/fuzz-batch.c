/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-batch.c: any bytes as a batch file and as pasted lines. Whatever is understood prints as a
 * line that is read again as the same command, without a repair. */
#include <stdlib.h>
#include <string.h>

#include "../../src/compat/reading.h"
#include "base/limits.h"
#include "fuzz.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The words of a pasted command, printed as the tool's own line and not for a shell. */
static int print_plain(const struct run_command *c, struct strbuf *out)
{
    (void)strbuf_add(out, c->tool->name); /* errors are sticky */
    for (int i = 0; i < c->argc; i++)
        (void)strbuf_addf(out, " \"%s\"", c->argv[i]);
    return strbuf_add_char(out, '\n');
}

static bool same(const struct run_command *a, const struct run_command *b)
{
    if (a->tool != b->tool || a->argc != b->argc)
        return false;
    for (int i = 0; i < a->argc; i++)
        if (strcmp(a->argv[i], b->argv[i]) != 0)
            return false;
    return true;
}

/* In a batch file every word can stand in quotes: unless it holds one, or what cmd.exe takes for
 * something else. */
static bool is_plain(const struct run_command *c)
{
    for (int i = 0; i < c->argc; i++)
        if (strpbrk(c->argv[i], "\"%\\^\r\n"))
            return false;
    return true;
}

static void check_batch(const char *text, size_t len)
{
    struct reading r = {0};
    require(batch_read("x.cmd", text, len, &r) == 0);
    for (size_t i = 0; i < r.commands.n; i++) {
        struct strbuf line = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
        struct reading again = {0};
        require(r.commands.v[i].tool && r.commands.v[i].argc >= 0);
        require(paste_print(&r.commands.v[i], &line) == 0);
        strbuf_done(&line);
        if (!is_plain(&r.commands.v[i]))
            continue;
        require(print_plain(&r.commands.v[i], &line) == 0);
        require(batch_read("x.cmd", line.s, line.len, &again) == 0);
        require(again.commands.n == 1 && same(&again.commands.v[0], &r.commands.v[i]));
        strbuf_done(&line);
        reading_done(&again);
    }
    reading_done(&r);
}

static void check_paste(const char *text, size_t len)
{
    struct reading r = {0};
    require(paste_read(text, len, &r) == 0);
    for (size_t i = 0; i < r.n_remarks; i++)
        require(r.remarks[i].text[0] != '\0');
    for (size_t i = 0; i < r.commands.n; i++) {
        struct strbuf line = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
        require(paste_print(&r.commands.v[i], &line) == 0);
        strbuf_done(&line);
    }
    reading_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag d = {0};
    char *text = NULL;
    size_t len = 0;
    if (batch_decode((const char *)data, size, NULL, &d, &text, &len) < 0) {
        require(d.message[0] != '\0' && !text);
        return 0;
    }
    check_batch(text, len);
    check_paste(text, len);
    free(text);
    return 0;
}
