/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/parse_attribute.c: `attribute KEY STRING` of policies and rules.
 * Called by parse_policy.c. "attribute" is a word where one may stand and nowhere else: it came
 * late to the language, and filters that were stored before may have it as a name. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "parser.h"

bool at_attribute(const struct parser *p)
{
    static const char word[] = "attribute";
    return p->tok.kind == TOKEN_WORD && p->tok.len == sizeof(word) - 1 &&
           memcmp(p->tok.s, word, sizeof(word) - 1) == 0;
}

static int fail_key(struct parser *p)
{
    int err = parser_expected(p, "the key of an attribute");
    if (p->tok.kind != TOKEN_BAD)
        diag_hint(p->d,
                  "a word of 1 to %d small letters, digits and hyphens, for example: "
                  "attribute filterlist \"web\"",
                  LIMIT_ATTRIBUTE_KEY_BYTES);
    return err;
}

static int fail_twice(struct parser *p, const char *key, struct span at, struct span first)
{
    int err = diag_fail_at(p->d, DIAG_DUPLICATE, at, "attribute '%s' given twice", key);
    diag_add_span(p->d, first);
    diag_hint(p->d, "remove one of them");
    return err;
}

static int fail_too_many(struct parser *p, struct span at)
{
    int err = diag_fail_at(p->d, DIAG_LIMIT, at, "more than %d attributes", LIMIT_ATTRIBUTES);
    diag_hint(p->d, "a policy or rule has at most %d", LIMIT_ATTRIBUTES);
    return err;
}

/* Key and value; places[] are those of the keys before it. */
static int parse_one(struct parser *p, struct attributes *a, struct span places[LIMIT_ATTRIBUTES])
{
    static const struct string_rule rule = {"the value of an attribute",
                                            "attribute filterlist \"web\"",
                                            LIMIT_TEXT_STRING_BYTES,
                                            false,
                                            true,
                                            true};
    char key[LIMIT_ATTRIBUTE_KEY_BYTES + 1];
    const struct token t = p->tok;
    if (t.kind != TOKEN_WORD || attribute_key_length(t.s, t.len) != t.len)
        return fail_key(p);
    memcpy(key, t.s, t.len);
    key[t.len] = '\0';
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i].key, key) == 0)
            return fail_twice(p, key, t.span, places[i]);
    if (a->n == LIMIT_ATTRIBUTES)
        return fail_too_many(p, t.span);
    parser_advance(p);
    _cleanup_free_ char *value = NULL;
    int err = parser_string(p, &rule, &value);
    if (err < 0)
        return err;
    places[a->n] = t.span;
    return attributes_set(a, key, value);
}

int parse_attributes(struct parser *p, struct attributes *a, struct span places[LIMIT_ATTRIBUTES])
{
    while (at_attribute(p)) {
        parser_advance(p);
        int err = parse_one(p, a, places);
        if (err < 0)
            return err;
    }
    return 0;
}
