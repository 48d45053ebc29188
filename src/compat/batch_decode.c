/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/batch_decode.c: bytes of a script as UTF-8 text. Called by cmd_compat.c and the readers of
 * files. Invariant: text that comes out is valid UTF-8 without NUL; nothing is replaced silently.
 */
#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "base/utf8.h"
#include "reading.h"

/* What the first bytes say; *ret_skip bytes are the mark. */
static const char *from_mark(const char *bytes, size_t len, size_t *ret_skip)
{
    static const struct {
        const char *mark;
        size_t len;
        const char *encoding;
    } marks[] = {
        {"\xef\xbb\xbf", 3, "UTF-8"}, {"\xff\xfe", 2, "UTF-16LE"}, {"\xfe\xff", 2, "UTF-16BE"}};
    *ret_skip = 0;
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
        if (len >= marks[i].len && memcmp(bytes, marks[i].mark, marks[i].len) == 0) {
            *ret_skip = marks[i].len;
            return marks[i].encoding;
        }
    return NULL;
}

static int convert(iconv_t how, const char *bytes, size_t len, char **ret, size_t *ret_len)
{
    size_t room = len * 4 + 16, left = room; /* no character of one byte has more than 4 in UTF-8 */
    _cleanup_free_ char *text = malloc(room + 1), *in = malloc(len + 1);
    if (!text || !in)
        return -ENOMEM;
    memcpy(in, bytes, len);
    char *from = in, *to = text;
    if (iconv(how, &from, &len, &to, &left) == (size_t)-1)
        return -errno;
    if (iconv(how, NULL, NULL, &to, &left) == (size_t)-1)
        return -errno;
    *ret_len = room - left;
    text[*ret_len] = '\0';
    *ret = TAKE_PTR(text);
    return 0;
}

static int fail_encoding(struct diag *d, const char *encoding)
{
    int r = diag_fail(d, DIAG_SYNTAX, "the file is not %s", encoding);
    diag_hint(d, "--encoding cp1252, cp932, cp936 ...");
    return r;
}

int batch_decode(const char *bytes, size_t len, const char *encoding, struct diag *d, char **ret,
                 size_t *ret_len)
{
    size_t skip;
    const char *marked = from_mark(bytes, len, &skip);
    const char *from = marked ? marked : encoding ? encoding : "UTF-8";
    iconv_t how = iconv_open("UTF-8", from);
    if (how == (iconv_t)-1) {
        int r = diag_fail(d, DIAG_USAGE, "unknown encoding '%s'", from);
        diag_hint(d, "iconv -l");
        return r;
    }
    int err = convert(how, bytes + skip, len - skip, ret, ret_len);
    (void)iconv_close(how); /* nothing is lost */
    if (err == -ENOMEM)
        return err;
    if (err < 0)
        return fail_encoding(d, from);
    if (memchr(*ret, '\0', *ret_len) || !utf8_valid(*ret, *ret_len)) {
        free(*ret);
        *ret = NULL;
        return fail_encoding(d, from);
    }
    return 0;
}
