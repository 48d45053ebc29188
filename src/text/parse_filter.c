/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/parse_filter.c: one filter (policy.md 7). Called by every parser that meets one. The
 * model says what fits together (filter_validate()); this file knows where the words stand and
 * moves the caret of the model's refusals from the beginning of the filter to the words meant.
 * Invariant: what it returns passes filter_validate(). */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "parser.h"

/* IFNAMSIZ of linux/if.h without the terminator: longer names do not exist. */
enum { INTERFACE_BYTES = 15 };

/* Where the words of the filter stand; line 0 = not given. */
struct places {
    struct span dir, proto, type, src, dst, sport, dport;
    struct span mirrored, on, profile, keep, override, log, description, inpass;
    bool out;
};

static bool given(struct span s)
{
    return s.line > 0;
}

/* From the beginning of a to the end of b, both on one line. */
static struct span span_join(struct span a, struct span b)
{
    if (a.line == b.line && b.offset + b.len > a.offset)
        a.len = b.offset + b.len - a.offset;
    return a;
}

static int parse_action(struct parser *p, struct filter *f, struct places *at)
{
    if (!at_action(p))
        return parser_unexpected(p, CTX_ACTION);
    enum word w = p->tok.word;
    parser_advance(p);
    if (w == WORD_NEGOTIATE) {
        f->action = ACTION_NEGOTIATE;
        return parse_methods(p, &f->methods);
    }
    f->action =
        w == WORD_PERMIT || w == WORD_PASS || w == WORD_ALLOW ? ACTION_PERMIT : ACTION_BLOCK;
    at->inpass = p->tok.span;
    f->inpass = parser_accept(p, WORD_INPASS); /* with block the model refuses it */
    return 0;
}

static void parse_direction(struct parser *p, struct places *at)
{
    if (!parser_at(p, WORD_IN) && !parser_at(p, WORD_OUT))
        return;
    at->dir = p->tok.span;
    at->out = p->tok.word == WORD_OUT;
    parser_advance(p);
}

int parse_proto(struct parser *p, unsigned later, int16_t *ret, bool *ret_given)
{
    const struct token *t = &p->tok;
    uint32_t number;
    char buf[SHOWN_BYTES];
    int proto = PROTO_ANY;
    *ret_given = false;
    if (t->kind != TOKEN_WORD)
        return 0; /* the caller says what is missing */
    if (read_number(t->s, t->len, UINT8_MAX, &number)) {
        if (number > UINT8_MAX) {
            int err = diag_fail_at(p->d, DIAG_PROTOCOL, t->span, "protocol '%s' is out of range",
                                   shown(t->s, t->len, buf));
            diag_hint(p->d, "protocols are 0 to 255 or a name such as tcp");
            return err;
        }
        proto = (int)number;
    } else if (t->word != WORD_ANY && t->word != WORD_ALL) {
        proto = proto_from_name(t->s, t->len);
        if (proto < 0)
            return t->word == WORD_NONE ? parser_unexpected(p, later | CTX_PROTO) : 0;
    }
    parser_advance(p);
    *ret = (int16_t)proto;
    *ret_given = true;
    return 0;
}

static int parse_icmp(struct parser *p, struct filter *f, struct places *at)
{
    uint32_t value;
    at->type = p->tok.span;
    if (!parser_accept(p, WORD_TYPE)) {
        at->type = (struct span){0};
        return 0;
    }
    struct span end = p->tok.span;
    int err = parser_number(p, "an ICMP type", UINT8_MAX, &value);
    if (err < 0)
        return err;
    f->icmp_type = (int16_t)value;
    if (parser_accept(p, WORD_CODE)) {
        end = p->tok.span;
        err = parser_number(p, "an ICMP code", UINT8_MAX, &value);
        if (err < 0)
            return err;
        f->icmp_code = (int16_t)value;
    }
    at->type = span_join(at->type, end);
    return 0;
}

static int parse_port_part(struct parser *p, struct portset *ports, struct span *at)
{
    if (!parser_at(p, WORD_PORT))
        return 0;
    struct span word = p->tok.span, list = p->next.span;
    if (given(*at)) {
        int err = diag_fail_at(p->d, DIAG_SYNTAX, word, "destination port given twice");
        diag_add_span(p->d, *at);
        diag_hint(p->d, "'port' after the protocol is the destination port already");
        return err;
    }
    int err = parse_ports(p, ports);
    if (err < 0)
        return err;
    *at = span_join(word, list);
    return 0;
}

static int parse_side(struct parser *p, struct addr *addr, struct span *at)
{
    parser_advance(p); /* "from" or "to" */
    struct span here = p->tok.span;
    int err = parse_addr(p, addr);
    if (err == 0)
        *at = here;
    return err;
}

/* Protocol, ports and both sides. */
static int parse_match(struct parser *p, struct filter *f, struct places *at)
{
    bool has_proto;
    unsigned later = CTX_PORT | CTX_FROM | CTX_TO | CTX_QUALIFIER;
    if (!given(at->dir))
        later |= CTX_DIR | (f->action == ACTION_NEGOTIATE ? CTX_METHOD : 0);
    at->proto = p->tok.span;
    int err = parse_proto(p, later, &f->proto, &has_proto);
    if (!has_proto)
        at->proto = (struct span){0};
    if (err == 0)
        err = parse_icmp(p, f, at);
    if (err == 0)
        err = parse_port_part(p, &f->dport, &at->dport);
    if (err == 0 && parser_at(p, WORD_FROM)) {
        err = parse_side(p, &f->src, &at->src);
        if (err == 0)
            err = parse_port_part(p, &f->sport, &at->sport);
    }
    if (err == 0 && parser_at(p, WORD_TO)) {
        err = parse_side(p, &f->dst, &at->dst);
        if (err == 0)
            err = parse_port_part(p, &f->dport, &at->dport);
    }
    if (err < 0)
        return err;
    p->possible = CTX_QUALIFIER | (given(at->dst) ? 0 : CTX_TO) |
                  (given(at->src) || given(at->dst) ? 0 : CTX_FROM) |
                  (given(at->dport) && given(at->sport) ? 0 : CTX_PORT);
    return 0;
}

int parse_interface(struct parser *p, char **ret)
{
    static const struct string_rule rule = {
        "an interface name", "on eth0", INTERFACE_BYTES, true, false, false};
    struct span at = p->tok.span;
    _cleanup_free_ char *name = NULL;
    int err = parser_string(p, &rule, &name);
    if (err < 0)
        return err;
    /* The kernel's own rule, dev_valid_name() in net/core/dev.c. */
    if (strpbrk(name, "/: ") || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        err = diag_fail_at(p->d, DIAG_SYNTAX, at, "'%s' cannot be an interface name", name);
        diag_hint(p->d, "names are those that 'ip link' shows");
        return err;
    }
    *ret = TAKE_PTR(name);
    return 0;
}

static int parse_profile(struct parser *p, enum profile *ret)
{
    if (p->tok.kind != TOKEN_WORD || !word_fits(p->tok.word, CTX_PROFILE_VALUE))
        return parser_unexpected(p, CTX_PROFILE_VALUE);
    *ret = parser_at(p, WORD_DOMAIN)    ? PROFILE_DOMAIN
           : parser_at(p, WORD_PRIVATE) ? PROFILE_PRIVATE
                                        : PROFILE_PUBLIC;
    parser_advance(p);
    return 0;
}

/* The place of the qualifier w, NULL if it is none. */
static struct span *qualifier_place(struct places *at, enum word w)
{
    if (!word_fits(w, CTX_QUALIFIER))
        return NULL;
    return w == WORD_MIRRORED   ? &at->mirrored
           : w == WORD_ON       ? &at->on
           : w == WORD_PROFILE  ? &at->profile
           : w == WORD_KEEP     ? &at->keep
           : w == WORD_OVERRIDE ? &at->override
           : w == WORD_LOG      ? &at->log
                                : &at->description;
}

static int parse_qualifier(struct parser *p, enum word w, struct filter *f)
{
    static const struct string_rule description = {
        "a description", "description \"until Monday\"", LIMIT_TEXT_STRING_BYTES, true, true, true};
    if (w == WORD_ON)
        return parse_interface(p, &f->interface);
    if (w == WORD_PROFILE)
        return parse_profile(p, &f->profile);
    if (w == WORD_DESCRIPTION)
        return parser_string(p, &description, &f->description);
    f->mirrored |= w == WORD_MIRRORED;
    f->override |= w == WORD_OVERRIDE;
    f->log |= w == WORD_LOG;
    f->keep_state |= w == WORD_KEEP;
    return w == WORD_KEEP ? parser_expect(p, WORD_STATE, CTX_STATE) : 0;
}

static int parse_qualifiers(struct parser *p, struct filter *f, struct places *at)
{
    for (;;) {
        enum word w = p->tok.kind == TOKEN_WORD ? p->tok.word : WORD_NONE;
        struct span *place = qualifier_place(at, w), word = p->tok.span;
        if (!place)
            return 0;
        if (given(*place)) {
            char buf[SHOWN_BYTES];
            int err = diag_fail_at(p->d, DIAG_SYNTAX, word, "'%s' given twice",
                                   shown(p->tok.s, p->tok.len, buf));
            diag_add_span(p->d, *place);
            diag_hint(p->d, "remove one of them");
            return err;
        }
        p->possible = CTX_QUALIFIER;
        *place = word;
        parser_advance(p);
        struct span value = p->tok.span;
        int err = parse_qualifier(p, w, f);
        if (err < 0)
            return err;
        if (w == WORD_KEEP || w == WORD_ON || w == WORD_PROFILE)
            *place = span_join(word, value);
    }
}

/* What cannot follow a filter is refused before the filter itself is judged: a typing error in
 * "from" must not be reported as a missing source. */
static int check_behind(struct parser *p)
{
    bool unknown = p->tok.kind == TOKEN_WORD && p->tok.word == WORD_NONE;
    if (unknown || p->tok.kind == TOKEN_STRING || p->tok.kind == TOKEN_OPEN ||
        p->tok.kind == TOKEN_BAD)
        return parser_unexpected(p, p->possible | p->after);
    return 0;
}

/* A word of a filter that stands where it cannot: says where it belongs. */
static int check_order(struct parser *p, const struct places *at)
{
    static const struct {
        enum word word;
        const char *message, *hint;
    } orders[] = {
        {WORD_FROM, "'from' must stand before 'to' and the qualifiers",
         "block in tcp from 10.0.0.0/8 to me port 445 log"},
        {WORD_TO, "'to' must stand before the qualifiers",
         "block out tcp to 192.0.2.1 port 25 log"},
        {WORD_PORT, "'port' must follow the protocol or an address",
         "block in tcp from any port 53 to me port 445"},
        {WORD_IN, "'in' must stand before the protocol", "block in tcp port 445"},
        {WORD_OUT, "'out' must stand before the protocol", "block out tcp port 445"},
        {WORD_TYPE, "'type' must follow the protocol", "block in icmp type 8 code 0"},
        {WORD_INPASS, "'inpass' must follow 'permit'", "permit inpass in tcp port 445"},
    };
    enum word w = p->tok.kind == TOKEN_WORD ? p->tok.word : WORD_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        if (orders[i].word != w)
            continue;
        const struct span *before = w == WORD_FROM ? &at->src : w == WORD_TO ? &at->dst : NULL;
        char buf[SHOWN_BYTES];
        int err;
        if ((before && given(*before)) || (given(at->dir) && word_fits(w, CTX_DIR))) {
            err = diag_fail_at(p->d, DIAG_SYNTAX, p->tok.span, "'%s' given twice",
                               shown(p->tok.s, p->tok.len, buf));
            if (!before && (w == WORD_OUT) != at->out)
                err = diag_fail_at(p->d, DIAG_SYNTAX, p->tok.span, "'in' and 'out' together");
            diag_add_span(p->d, before ? *before : at->dir);
            diag_hint(p->d, "remove one of them");
            return err;
        }
        err = diag_fail_at(p->d, DIAG_SYNTAX, p->tok.span, "%s", orders[i].message);
        diag_hint(p->d, "for example: %s", orders[i].hint);
        return err;
    }
    return 0;
}

/* "in" means to me, "out" from me, where that side is not given; another one is an error. */
static int settle_direction(struct parser *p, struct filter *f, const struct places *at)
{
    struct addr *mine = at->out ? &f->src : &f->dst;
    struct span side = at->out ? at->src : at->dst;
    if (!given(at->dir) || (given(side) && mine->kind == ADDR_ME))
        return 0;
    if (!given(side)) {
        *mine = addr_me();
        return 0;
    }
    const char *dir = at->out ? "out" : "in", *word = at->out ? "from" : "to";
    int err = diag_fail_at(p->d, DIAG_DIRECTION, side, "'%s' is always %s me", dir, word);
    diag_add_span(p->d, at->dir);
    diag_hint(p->d, "leave out '%s', or write: %s me", dir, word);
    return err;
}

/* The words that do not go together; *ret_second stays as it is if one place says it all. */
static struct span combination_place(const struct filter *f, const struct places *at,
                                     struct span *ret_second)
{
    if (f->override && f->action != ACTION_BLOCK)
        return at->override;
    if (f->keep_state && f->action != ACTION_PERMIT)
        return at->keep;
    if (f->inpass && f->action != ACTION_PERMIT)
        return at->inpass;
    if (f->interface && f->profile != PROFILE_NONE) {
        *ret_second = at->profile;
        return at->on;
    }
    if (f->sport.n > 0 || f->dport.n > 0)
        return f->dport.n > 0 ? at->dport : at->sport;
    return at->type;
}

/* Points a refusal of the model at the words that made it. */
static void aim(struct diag *d, const struct filter *f, const struct places *at)
{
    struct span spans[DIAG_SPANS] = {{0}}; /* places that are not given are not added */
    if (d->code == DIAG_FAMILY) {
        bool mixed = f->src.family != FAMILY_ANY && f->dst.family != FAMILY_ANY &&
                     f->src.family != f->dst.family;
        spans[0] = mixed ? (struct span){0} : at->proto;
        if (f->src.family != FAMILY_ANY)
            spans[1] = at->src;
        if (f->dst.family != FAMILY_ANY)
            spans[2] = at->dst;
    } else if (d->code == DIAG_NAME_PERMIT) {
        spans[0] = addr_is_resolved(&f->src) ? at->src : at->dst;
    } else if (d->code == DIAG_COMBINATION) {
        spans[0] = combination_place(f, at, &spans[1]);
    } else {
        return;
    }
    d->n_spans = 0;
    for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
        diag_add_span(d, spans[i]);
    if (d->n_spans == 0)
        diag_add_span(d, f->at);
}

static int parse_into(struct parser *p, struct filter *f)
{
    struct places at = {0};
    f->at = p->tok.span;
    int err = parse_action(p, f, &at);
    if (err < 0)
        return err;
    parse_direction(p, &at);
    err = parse_match(p, f, &at);
    if (err == 0)
        err = parse_qualifiers(p, f, &at);
    if (err == 0)
        err = check_behind(p);
    if (err == 0)
        err = check_order(p, &at);
    if (err == 0)
        err = settle_direction(p, f, &at);
    if (err < 0)
        return err;
    err = filter_validate(f, p->d);
    if (err < 0)
        aim(p->d, f, &at);
    return err;
}

int parse_filter(struct parser *p, struct filter *ret)
{
    filter_init(ret);
    int err = parse_into(p, ret);
    if (err < 0)
        filter_done(ret);
    return err;
}
