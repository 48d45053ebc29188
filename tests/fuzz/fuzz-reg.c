/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-reg.c: any bytes as a registry export. What is accepted prints as an export that reads
 * back with the same keys and values; what is refused has a message. */
#include <string.h>

#include "../../src/compat/reg_tree.h"
#include "fuzz.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(reg_tree_done) struct reg_tree t = {0}, back = {0};
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(64 * 1024 * 1024);
    _cleanup_free_ char *file = NULL;
    struct diag d = {0};
    size_t n;
    if (reg_read((const char *)data, size, &d, &t) < 0) {
        require(d.message[0] != '\0');
        return 0;
    }
    (void)strbuf_add(&text, "Windows Registry Editor Version 5.00\n\n");
    require(reg_print(&t, &text) == 0);
    require(reg_encode(text.s, text.len, &file, &n) == 0);
    require(reg_read(file, n, &d, &back) == 0 && t.n == back.n);
    for (size_t i = 0; i < t.n; i++) {
        const struct reg_key *k = reg_find(&back, t.v[i].path);
        require(k && k->removed == t.v[i].removed);
        require(k->removed || k->n == t.v[i].n);
        for (size_t j = 0; j < k->n; j++) {
            const struct reg_value *a = reg_value_find(&t.v[i], k->v[j].name), *b = &k->v[j];
            require(a && a->type == b->type && a->removed == b->removed);
            require(a->n_bytes == b->n_bytes && a->number == b->number);
            require(a->n_strings == b->n_strings && (a->text != NULL) == (b->text != NULL));
            require(!a->text || strcmp(a->text, b->text) == 0);
        }
    }
    return 0;
}
