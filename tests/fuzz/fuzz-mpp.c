/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-mpp.c: lines of any bytes as settings of memory pressure protection and as edits of them.
 * "key=value" is a stored setting, everything else an edit. What is refused has a message and
 * changes nothing; what results is printed and read back as the same. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "fuzz.h"
#include "model/mpp.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_same(const struct mpp_settings *s)
{
    struct mpp_settings again;
    const char *key;
    mpp_settings_init(&again);
    for (unsigned i = 0; (key = mpp_key(i)); i++) {
        struct strbuf out = STRBUF_INIT(64 * 1024);
        struct diag d;
        require(mpp_settings_print(s, key, &out) == 0);
        require(mpp_settings_put(&again, key, out.len > 0 ? out.s : NULL, &d) == 0);
        strbuf_done(&out);
    }
    require(mpp_settings_eq(s, &again));
    for (unsigned f = 0; f < MPP_FAMILIES; f++)
        require(s->exempt[f].n <= MPP_RANGES_MAX && mpp_count_ports(&s->exempt[f]) <= 65536);
}

static void run_line(struct mpp_settings *s, char *line)
{
    const struct mpp_settings before = *s;
    char *equals = strchr(line, '=');
    struct diag d = {0};
    struct mpp_edit e;
    int err;
    if (strncmp(line, "mpp.", 4) == 0 && equals) {
        *equals = '\0';
        err = mpp_settings_put(s, line, equals + 1, &d);
    } else {
        err = mpp_edit_parse(line, &e, &d);
        if (err == 0)
            err = mpp_settings_edit(s, &e, &d);
    }
    if (err < 0)
        require(d.code != DIAG_NONE && d.message[0] != '\0' && mpp_settings_eq(s, &before));
    check_same(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mpp_settings s;
    mpp_settings_init(&s);
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t n = end ? (size_t)(end - data) - at : size - at;
        char *line = malloc(n + 1); /* exact: ASan sees a read behind it */
        require(line != NULL);
        memcpy(line, data + at, n);
        line[n] = '\0';
        run_line(&s, line);
        free(line);
        at += n + 1;
    }
    return 0;
}
