/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reg_encode.c: UTF-8 text as a file of regedit, UTF-16LE with byte order mark and CRLF. Called by
 * the export of registry files. */
#include <errno.h>

#include "base/utf8.h"
#include "reg_tree.h"
#include "utf16.h"

int reg_encode(const char *text, size_t len, char **ret, size_t *ret_len)
{
    /* No character needs more than 4 bytes, which is what a line end becomes. */
    _cleanup_free_ uint8_t *out = malloc(4 * len + 6);
    uint32_t cp;
    if (!out)
        return -ENOMEM;
    size_t at = utf16_encode(0xfeff, out);
    for (size_t i = 0; i < len;) {
        size_t n = utf8_decode(text + i, len - i, &cp);
        if (n == 0)
            return -EILSEQ;
        i += n;
        if (cp == '\n')
            at += utf16_encode('\r', out + at);
        at += utf16_encode(cp, out + at);
    }
    out[at] = 0;
    *ret = (char *)TAKE_PTR(out);
    *ret_len = at;
    return 0;
}
