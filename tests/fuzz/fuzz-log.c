/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-log.c: any JSON as an entry of the packet log. What is accepted is printed as one line in
 * every form, can be matched, and is written as a packet that is not longer than it says. */
#include <stdlib.h>
#include <string.h>

#include "cli/logentry.h"
#include "fuzz.h"

static void one_line(const struct strbuf *b)
{
    if (b->error || b->len == 0 || memchr(b->s, '\n', b->len) != b->s + b->len - 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf text = STRBUF_INIT(1 << 20), w3c = STRBUF_INIT(1 << 20);
    json_t *j = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    struct log_entry e;
    struct filter f;
    char *packets = NULL;
    size_t n = 0;

    if (j && log_entry_from_json(j, &e) == 0) {
        FILE *out = open_memstream(&packets, &n);

        if (!out)
            abort();
        (void)log_print_text(&e, "02:41:12.103", &text); /* seen in one_line() */
        (void)log_print_pfirewall(&e, "2026-11-22 02:41:12", &w3c);
        one_line(&text);
        one_line(&w3c);
        filter_init(&f);
        (void)log_entry_matches(&e, &f); /* either answer is good */
        pcap_put_entry(out, &e);
        if (fclose(out) != 0 || n > 16 + LOG_ENTRY_HEAD)
            abort();
        filter_done(&f);
    }
    free(packets);
    strbuf_done(&text);
    strbuf_done(&w3c);
    json_decref(j);
    return 0;
}
