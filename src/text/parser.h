/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parsers of src/text share: a token with one more ahead, and the ways to refuse.
 * Every parse_x() returns 0, or a negative errno with *p->d filled, and then sets no output;
 * it leaves the parser at the token it refused. */
#pragma once
#include "lex.h"
#include "model/policy.h"

struct parser {
    struct lexer lexer;
    struct token tok;  /* to be looked at now */
    struct token next; /* the one behind it */
    struct diag *d;
    unsigned possible; /* CTX_* of the words that could still have followed */
    unsigned after;    /* CTX_* of the words that may follow a whole filter here */
};

/* 0, or -E2BIG if the text is longer than a policy text may be. */
_must_check_ int parser_init(struct parser *p, const char *text, size_t len, struct diag *d);
void parser_advance(struct parser *p);
/* Goes on with bytes from .. end of the same text. */
void parser_window(struct parser *p, size_t from, size_t end);
static inline bool parser_at(const struct parser *p, enum word w)
{
    return p->tok.kind == TOKEN_WORD && p->tok.word == w;
}
/* Takes the word if it comes next. */
bool parser_accept(struct parser *p, enum word w);

/* Refuses the token, saying what could have stood there (CTX_*). */
int parser_unexpected(struct parser *p, unsigned contexts);
/* The same, where no word of the language is expected: "expected an address after 'from'". */
int parser_expected(struct parser *p, const char *what);
/* 0 at the end of the text. */
_must_check_ int parser_end(struct parser *p);

/* Takes the word w or refuses. */
_must_check_ int parser_expect(struct parser *p, enum word w, unsigned context);
/* Takes a string (or a word, if words may stand for it) of 1 to max bytes. what: "a name". */
struct string_rule {
    const char *what, *example;
    size_t max_bytes;
    bool word_ok, empty_ok, control_ok;
};
_must_check_ int parser_string(struct parser *p, const struct string_rule *rule, char **ret);
/* Takes a number 0 .. max; what: "an ICMP type". */
_must_check_ int parser_number(struct parser *p, const char *what, uint32_t max, uint32_t *ret);
_must_check_ int parser_duration(struct parser *p, uint32_t *ret_s);

/* s for a message, cut if it is long. */
enum { SHOWN_BYTES = 72 };
const char *shown(const char *s, size_t n, char buf[SHOWN_BYTES]);
/* Decimal digits only; values beyond max become max + 1. False if it is no number. */
bool read_number(const char *s, size_t n, uint32_t max, uint32_t *ret);

/* Parts of the grammar, one file each. */
_must_check_ int parse_addr(struct parser *p, struct addr *ret);
/* A host address, without any, me or names. */
_must_check_ int parse_host(const char *s, size_t n, struct span at, struct diag *d,
                            enum family *ret_family, struct ip *ret);
/* HOST or PREFIX as text of its own (failsafe). */
_must_check_ int parse_host_or_prefix(const char *s, size_t n, struct span at, struct diag *d,
                                      struct addr *ret);
/* "port" and what follows; the parser stands at "port". */
_must_check_ int parse_ports(struct parser *p, struct portset *ret);
/* One number or service name. */
_must_check_ int parse_one_port(const char *s, size_t n, struct span at, struct diag *d,
                                uint16_t *ret);
/* A protocol if one stands there, else *ret is PROTO_ANY and nothing is taken. later: what may
 * stand there otherwise. */
_must_check_ int parse_proto(struct parser *p, unsigned later, int16_t *ret, bool *ret_given);
/* Everything after "negotiate" up to the direction, canonical; NULL if there is nothing. */
_must_check_ int parse_methods(struct parser *p, char **ret);
/* A whole filter; stops at the first token that is no part of it. *ret is initialised in any case:
 * filters are large, so it is not made elsewhere first. */
_must_check_ int parse_filter(struct parser *p, struct filter *ret);
_must_check_ int parse_interface(struct parser *p, char **ret);

/* Is the word "attribute" next? It is no reserved word. */
bool at_attribute(const struct parser *p);
/* All that stand here, behind those in *a; 0 also if there are none. places[] is where each of *a
 * was given. */
_must_check_ int parse_attributes(struct parser *p, struct attributes *a,
                                  struct span places[LIMIT_ATTRIBUTES]);

static inline bool at_action(const struct parser *p)
{
    return p->tok.kind == TOKEN_WORD && word_fits(p->tok.word, CTX_ACTION);
}
