/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-fetch.c: any bytes from a fetcher that was taken over: through the line buffer in pieces,
 * the parser and the table of names, as the agent reads them. What is accepted prints as the same
 * line again, stays within the limits, and never makes an address special; what the table prints
 * for its file it reads again. */
#include <stdlib.h>
#include <string.h>

#include "../../src/agent/names.h"
#include "fuzz.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const struct host host;

static void check_line(struct names *t, const char *line, size_t len)
{
    struct fetch_answer a, again;
    struct strbuf b = STRBUF_INIT(FETCH_LINE_BYTES);
    struct name_entry *e;
    enum name_effect effect;
    if (fetch_answer_parse(line, len, &a) < 0)
        return;
    require(a.n <= LIMIT_NAME_ADDRESSES && fetch_name_valid(a.name, strlen(a.name)));
    require((a.outcome == FETCH_FOUND) == (a.n > 0 && a.ttl_s > 0));
    require(fetch_answer_print(&a, &b) == 0);
    require(fetch_answer_parse(b.s, b.len - 1, &again) == 0);
    require(again.n == a.n && again.ttl_s == a.ttl_s && strcmp(again.name, a.name) == 0);
    require(names_answer(t, &a, &host, 1, &effect, &e) == 0);
    require((e != NULL) == (strcmp(a.name, "a") == 0));
    for (size_t i = 0; e && i < e->now.n; i++)
        require(!address_fault(&e->now.v[i], &host, false));
    strbuf_done(&b);
}

static void check_file(struct names *t)
{
    struct names *again;
    char *text;
    require(names_print(t, &text) == 0);
    require(names_new(&again) == 0);
    require(names_parse(again, text, strlen(text)) == 0);
    names_free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct names *t, *file;
    struct name_entry *e;
    struct fetch_buffer b = {0};
    char line[FETCH_LINE_BYTES];
    size_t len;
    int r = 0;
    require(names_new(&t) == 0 && names_add(t, "a", &e) == 0);
    for (size_t at = 0; at < size && r >= 0;) {
        size_t n = 1 + data[at] % 64; /* pieces of any size, as a stream has them */
        n = n < size - at ? n : size - at;
        n = n < sizeof(b.data) - b.n ? n : sizeof(b.data) - b.n;
        memcpy(b.data + b.n, data + at, n);
        b.n += n;
        at += n;
        while ((r = fetch_buffer_line(&b, line, &len)) == 1) {
            require(len < sizeof(line) && line[len] == '\0');
            check_line(t, line, len);
        }
        require(r < 0 || b.n < sizeof(b.data));
    }
    check_file(t);
    require(names_new(&file) == 0);
    char *copy = malloc(size > 0 ? size : 1); /* exact: ASan sees a read behind it */
    require(copy != NULL);
    memcpy(copy, data, size);
    if (names_parse(file, copy, size) == 0)
        check_file(file);
    free(copy);
    names_free(file);
    names_free(t);
    return 0;
}
