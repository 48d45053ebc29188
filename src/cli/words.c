/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/words.c: joins the words of a command to one text of the policy language. Called by the
 * verbs that take a filter or a packet; carets of errors point into this text. */
#include <errno.h>
#include <string.h>

#include "cli/context.h"
#include "text/text.h"

int cli_join(struct cli *c, const char *verb, char *const *words, int n, struct strbuf *text)
{
    if (verb)
        (void)strbuf_addf(text, "%s ", verb); /* sticky error */
    /* A text that was quoted for the shell as a whole is taken as it is. */
    if (n == 1 && strchr(words[0], ' '))
        (void)strbuf_add(text, words[0]);
    else if (text_join_words(n, words, text) < 0 && !text->error)
        cli_out_of_memory();
    if (text->error == -E2BIG) {
        struct diag d;

        (void)diag_fail(&d, DIAG_LIMIT, "command exceeds %zu bytes", text->max);
        return cli_fail(c, &d);
    }
    if (text->error)
        cli_out_of_memory();
    c->source = (struct cli_source){.text = text->s, .len = text->len};
    return 0;
}
