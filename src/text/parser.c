/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/parser.c: the token window and the refusals that all parsers of src/text share.
 * Invariant: a refusal never moves the parser, so that the caller decides where to go on. */
#include "parser.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/limits.h"
#include "base/utf8.h"

int parser_init(struct parser *p, const char *text, size_t len, struct diag *d)
{
    *p = (struct parser){.d = d};
    if (len > LIMIT_POLICY_TEXT_BYTES) {
        int err = diag_fail(d, DIAG_LIMIT, "text has %zu bytes, at most %d are possible", len,
                            LIMIT_POLICY_TEXT_BYTES);
        diag_hint(d, "split it into several policies");
        return err;
    }
    lex_init(&p->lexer, text, len);
    lex_next(&p->lexer, &p->tok);
    lex_next(&p->lexer, &p->next);
    return 0;
}

void parser_window(struct parser *p, size_t from, size_t end)
{
    const char *text = p->lexer.text;
    lex_init(&p->lexer, text, end);
    for (size_t i = 0; i < from; i++) {
        if (text[i] != '\n')
            continue;
        p->lexer.line++;
        p->lexer.line_start = i + 1;
    }
    p->lexer.pos = from > p->lexer.pos ? from : p->lexer.pos;
    p->lexer.behind = (struct span){.line = p->lexer.line,
                                    .column = (uint32_t)(from - p->lexer.line_start) + 1,
                                    .len = 1,
                                    .offset = (uint32_t)from};
    lex_next(&p->lexer, &p->tok);
    lex_next(&p->lexer, &p->next);
}

void parser_advance(struct parser *p)
{
    p->tok = p->next;
    if (p->tok.kind != TOKEN_END)
        lex_next(&p->lexer, &p->next);
}

bool parser_accept(struct parser *p, enum word w)
{
    if (!parser_at(p, w))
        return false;
    parser_advance(p);
    return true;
}

const char *shown(const char *s, size_t n, char buf[SHOWN_BYTES])
{
    static const char dots[] = "...";
    size_t room = SHOWN_BYTES - sizeof(dots), used = 0;
    while (used < n) {
        uint32_t cp;
        size_t len = utf8_decode(s + used, n - used, &cp);
        len = len > 0 ? len : 1;
        if (used + len > room)
            break;
        used += len;
    }
    memcpy(buf, s, used);
    memcpy(buf + used, dots, sizeof(dots));
    if (used == n)
        buf[used] = '\0';
    return buf;
}

bool read_number(const char *s, size_t n, uint32_t max, uint32_t *ret)
{
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        if (value <= max)
            value = value * 10 + (uint32_t)(s[i] - '0');
    }
    if (n == 0)
        return false;
    *ret = value <= max ? value : max + 1;
    return true;
}

enum { NAME_BYTES = SHOWN_BYTES + 16 };

/* "'prot'", "string 'x'", "'{'", "end of the text". */
static const char *token_name(const struct token *t, char out[NAME_BYTES])
{
    static const char prefix[] = "string '";
    bool string = t->kind == TOKEN_STRING;
    if (t->kind == TOKEN_END)
        return "end of the text";
    size_t from = string ? 0 : sizeof(prefix) - 2; /* the quote alone */
    size_t used = sizeof(prefix) - 1 - from;
    memcpy(out, prefix + from, used);
    (void)shown(t->s + (string ? 1 : 0), t->len - (string ? 2 : 0), out + used);
    used += strlen(out + used);
    memcpy(out + used, "'", 2);
    return out;
}

int parser_unexpected(struct parser *p, unsigned contexts)
{
    char name[NAME_BYTES], list[DIAG_HINT_BYTES - 32];
    const struct token *t = &p->tok;
    if (t->kind == TOKEN_BAD)
        return lex_fail(t, p->d);
    bool attribute = at_attribute(p);
    bool unknown = parser_at(p, WORD_NONE) && !attribute && proto_from_name(t->s, t->len) < 0;
    int err;
    if (unknown)
        err =
            diag_fail_at(p->d, DIAG_UNKNOWN_WORD, t->span, "unknown word %s", token_name(t, name));
    else
        err = diag_fail_at(p->d, DIAG_SYNTAX, t->span, "unexpected %s", token_name(t, name));
    const char *near = unknown ? word_suggest(t->s, t->len, contexts | p->after) : NULL;
    word_list(contexts, list, sizeof(list));
    if (near)
        diag_hint(p->d, "did you mean '%s'?", near);
    else if (attribute)
        diag_hint(p->d, "attributes stand behind the name of a policy or rule: rule \"NAME\" "
                        "attribute KEY \"VALUE\" FILTER");
    else if (list[0] != '\0')
        diag_hint(p->d, "possible here: %s", list);
    return err;
}

int parser_expected(struct parser *p, const char *what)
{
    char name[NAME_BYTES];
    if (p->tok.kind == TOKEN_BAD)
        return lex_fail(&p->tok, p->d);
    return diag_fail_at(p->d, DIAG_SYNTAX, p->tok.span, "expected %s, found %s", what,
                        token_name(&p->tok, name));
}

int parser_end(struct parser *p)
{
    if (p->tok.kind == TOKEN_END)
        return 0;
    return parser_unexpected(p, p->possible);
}

int parser_expect(struct parser *p, enum word w, unsigned context)
{
    if (parser_accept(p, w))
        return 0;
    return parser_unexpected(p, context);
}

int parser_string(struct parser *p, const struct string_rule *rule, char **ret)
{
    bool word = p->tok.kind == TOKEN_WORD;
    if (p->tok.kind != TOKEN_STRING && !(word && rule->word_ok)) {
        char buf[SHOWN_BYTES];
        int err = parser_expected(p, rule->what);
        const char *s = p->tok.s;
        size_t n = p->tok.len;
        if (n > 2 && s[0] == '\'' && s[n - 1] == '\'')
            s++, n -= 2; /* quotes of another language */
        if (word)
            diag_hint(p->d, "write it in double quotes: \"%s\"", shown(s, n, buf));
        else if (p->tok.kind != TOKEN_BAD)
            diag_hint(p->d, "for example: %s", rule->example);
        return err;
    }
    _cleanup_free_ char *s = NULL;
    if (lex_decode(&p->tok, &s) < 0)
        return -ENOMEM;
    size_t n = strlen(s);
    if (n > rule->max_bytes) {
        int err = diag_fail_at(p->d, DIAG_LIMIT, p->tok.span, "%s has at most %zu bytes, not %zu",
                               rule->what, rule->max_bytes, n);
        diag_hint(p->d, "shorten it");
        return err;
    }
    bool control = !rule->control_ok && utf8_has_control(s, strlen(s));
    if ((n == 0 && !rule->empty_ok) || control) {
        int err = diag_fail_at(p->d, DIAG_SYNTAX, p->tok.span, "%s cannot %s", rule->what,
                               control ? "hold control characters" : "be empty");
        diag_hint(p->d, control ? "letters, digits, blanks and signs are possible"
                                : "write something between the quotes");
        return err;
    }
    parser_advance(p);
    *ret = TAKE_PTR(s);
    return 0;
}

int parser_number(struct parser *p, const char *what, uint32_t max, uint32_t *ret)
{
    uint32_t value;
    char buf[SHOWN_BYTES];
    if (p->tok.kind != TOKEN_WORD || !read_number(p->tok.s, p->tok.len, max, &value)) {
        int err = parser_expected(p, what);
        if (p->tok.kind != TOKEN_BAD)
            diag_hint(p->d, "a number from 0 to %u", max);
        return err;
    }
    if (value > max) {
        int err = diag_fail_at(p->d, DIAG_PROTOCOL, p->tok.span, "%s cannot be '%s'", what,
                               shown(p->tok.s, p->tok.len, buf));
        diag_hint(p->d, "a number from 0 to %u", max);
        return err;
    }
    parser_advance(p);
    *ret = value;
    return 0;
}

int parser_duration(struct parser *p, uint32_t *ret_s)
{
    if (p->tok.kind != TOKEN_WORD || p->tok.word != WORD_NONE) {
        int err = parser_expected(p, "a duration");
        if (p->tok.kind != TOKEN_BAD)
            diag_hint(p->d, "for example 90s, 15m, 2h, 1d12h");
        return err;
    }
    int err = duration_parse(p->tok.s, p->tok.len, p->tok.span, p->d, ret_s);
    if (err < 0)
        return err;
    parser_advance(p);
    return 0;
}
