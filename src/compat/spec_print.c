/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/spec_print.c: filters as specifications of ipsecpol and ipseccmd. Called by the writer of
 * scripts. Invariant: what is printed reads back as the same packets; what the form cannot say is
 * refused with the reason, never written wider or narrower. The action, `override`, `log` and the
 * description have no place in a specification and are the caller's business. */
#include <errno.h>
#include <string.h>

#include "model/proto.h"
#include "spec_internal.h"

static const char *addr_fault(const struct addr *a)
{
    switch (a->kind) {
    case ADDR_ANY:
    case ADDR_ME:
    case ADDR_NAME:
        return NULL;
    case ADDR_HOST:
        if (a->family == FAMILY_4 && a->first.lo == 0)
            return "0.0.0.0 has no form as a host";
        return a->family == FAMILY_4 ? NULL : "IPv6 addresses have no form";
    case ADDR_PREFIX:
        return a->family == FAMILY_4 ? NULL : "IPv6 addresses have no form";
    case ADDR_RANGE:
        return "ranges of addresses have no form";
    case ADDR_KEYWORD_DNS:
    case ADDR_KEYWORD_WINS:
    case ADDR_KEYWORD_DHCP:
    case ADDR_KEYWORD_GATEWAY:
        return "server keywords have no form";
    case _ADDR_KIND_MAX:
        break;
    }
    return "this address has no form";
}

static bool interface_ok(const char *s)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._@";
    size_t n = strlen(s);
    struct guid guid;
    return n > 0 && n <= 15 && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 &&
           strspn(s, good) == n && guid_parse(s, &guid) < 0;
}

static const char *filter_fault(const struct filter *f)
{
    const char *why = addr_fault(&f->src);
    if (!why)
        why = addr_fault(&f->dst);
    if (why)
        return why;
    if (f->src.kind == ADDR_ME && f->dst.kind == ADDR_ME)
        return "this host on both sides has no form";
    if (f->proto == 0)
        return "protocol 0 means all protocols there";
    if (f->icmp_type >= 0)
        return "ICMP types have no form";
    if (f->profile != PROFILE_NONE)
        return "profiles have no form";
    if (f->keep_state)
        return "'keep state' has no form";
    if (f->interface && f->src.kind != ADDR_ME && f->dst.kind != ADDR_ME)
        return "an interface has a form only in the place of this host's address";
    if (f->interface && !interface_ok(f->interface))
        return "the interface's name has no form";
    return NULL;
}

static void print_addr(const struct filter *f, const struct addr *a, struct strbuf *out)
{
    char text[IP_TEXT_BYTES];
    if (a->kind == ADDR_ANY) {
        (void)strbuf_add_char(out, '*'); /* errors are sticky in out */
    } else if (a->kind == ADDR_ME && f->interface) {
        (void)strbuf_addf(out, "{%s}", f->interface);
    } else if (a->kind == ADDR_ME) {
        (void)strbuf_add_char(out, '0');
    } else if (a->kind == ADDR_NAME) {
        (void)strbuf_add(out, a->name);
    } else {
        ip_print(a->family, a->first, text);
        (void)strbuf_add(out, text);
    }
    if (a->kind == ADDR_PREFIX) {
        ip_print(a->family, ip_mask(a->family, a->prefix_len), text);
        (void)strbuf_addf(out, "/%s", text);
    }
}

static void print_ports(const struct portset *ports, struct strbuf *out)
{
    for (uint32_t i = 0; i < ports->n; i++) {
        struct port_range r = ports->range[i];
        /* Port 0 alone would mean all ports. */
        if (r.first == r.last && r.first != 0)
            (void)strbuf_addf(out, "%s%u", i > 0 ? "," : "", r.first);
        else
            (void)strbuf_addf(out, "%s%u-%u", i > 0 ? "," : "", r.first, r.last);
    }
}

static void print_proto(int proto, struct strbuf *out)
{
    switch (proto) {
    case PROTO_TCP:
        (void)strbuf_add(out, "TCP");
        break;
    case PROTO_UDP:
        (void)strbuf_add(out, "UDP");
        break;
    case PROTO_ICMP:
        (void)strbuf_add(out, "ICMP");
        break;
    default:
        (void)strbuf_addf(out, "%d", proto);
        break;
    }
}

static int print_spec(const struct filter *f, struct strbuf *out)
{
    print_addr(f, &f->src, out);
    if (f->sport.n > 0) {
        (void)strbuf_add_char(out, ':');
        print_ports(&f->sport, out);
    }
    (void)strbuf_add_char(out, f->mirrored ? '+' : '=');
    print_addr(f, &f->dst, out);
    if (f->dport.n > 0 || f->proto != PROTO_ANY) {
        (void)strbuf_add_char(out, ':');
        print_ports(&f->dport, out);
        if (f->dport.n == 0 && f->dst.name) /* dead::47 would be an IPv6 address */
            (void)strbuf_add_char(out, '*');
        (void)strbuf_add_char(out, ':');
        print_proto(f->proto, out);
    }
    return out->error;
}

/* A name can be a word of the grammar, or look like an address together with what follows: only
 * reading it back tells. */
static bool reads_back(const struct filter *f)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(SPEC_BYTES);
    _cleanup_(tool_run_done) struct tool_run t;
    _cleanup_(ipsec_spec_done) struct ipsec_spec back = {0};
    struct diag ignored;
    struct filter bare = *f; /* borrows everything */
    tool_run_init(&t, NULL, NULL);
    filter_init(&back.filter);
    if (print_spec(f, &text) < 0 || ipsec_spec_parse(&t, text.s, &ignored, &back) < 0)
        return false;
    bare.action = back.filter.action;
    bare.inpass = bare.override = bare.log = false;
    bare.methods = NULL;
    return filter_eq(&bare, &back.filter);
}

int ipsec_spec_print(const struct filter *f, struct strbuf *out, const char **ret_why)
{
    const char *why = filter_fault(f);
    if (!why && (f->src.name || f->dst.name) && !reads_back(f))
        why = "the name cannot be told from another word there";
    if (why) {
        *ret_why = why;
        return -EOPNOTSUPP;
    }
    return print_spec(f, out);
}
