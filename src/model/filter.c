/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/filter.c: life, equality and validity of filters.
 * Every constructor of filters (parser, importers, directory) ends in filter_validate(). */
#include "model/filter.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"

void filter_init(struct filter *f)
{
    *f = (struct filter){.proto = PROTO_ANY, .icmp_type = -1, .icmp_code = -1};
}

void filter_done(struct filter *f)
{
    addr_done(&f->src);
    addr_done(&f->dst);
    portset_done(&f->sport);
    portset_done(&f->dport);
    free(f->interface);
    free(f->methods);
    free(f->description);
    filter_init(f);
}

struct filter *filter_free(struct filter *f)
{
    if (f)
        filter_done(f);
    free(f);
    return NULL;
}

void filter_freep(struct filter **f)
{
    *f = filter_free(*f);
}

static int copy_string(const char *s, char **ret)
{
    *ret = s ? strdup(s) : NULL;
    return s && !*ret ? -ENOMEM : 0;
}

int filter_copy(const struct filter *f, struct filter *ret)
{
    _cleanup_(filter_done) struct filter copy = *f;
    copy.src = copy.dst = addr_any();
    copy.sport = copy.dport = (struct portset){0};
    copy.interface = copy.methods = copy.description = NULL;
    int r;
    if ((r = addr_copy(&f->src, &copy.src)) < 0 || (r = addr_copy(&f->dst, &copy.dst)) < 0 ||
        (r = portset_copy(&f->sport, &copy.sport)) < 0 ||
        (r = portset_copy(&f->dport, &copy.dport)) < 0 ||
        (r = copy_string(f->interface, &copy.interface)) < 0 ||
        (r = copy_string(f->methods, &copy.methods)) < 0 ||
        (r = copy_string(f->description, &copy.description)) < 0)
        return r;
    *ret = copy;
    filter_init(&copy); /* handed over */
    return 0;
}

static bool string_eq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool filter_eq(const struct filter *a, const struct filter *b)
{
    return a->action == b->action && a->inpass == b->inpass && a->mirrored == b->mirrored &&
           a->override == b->override && a->keep_state == b->keep_state && a->log == b->log &&
           a->proto == b->proto && a->icmp_type == b->icmp_type && a->icmp_code == b->icmp_code &&
           a->profile == b->profile && addr_eq(&a->src, &b->src) && addr_eq(&a->dst, &b->dst) &&
           portset_eq(&a->sport, &b->sport) && portset_eq(&a->dport, &b->dport) &&
           string_eq(a->interface, b->interface) && string_eq(a->methods, b->methods);
}

static int check_action(const struct filter *f, struct diag *d)
{
    if (f->action != ACTION_PERMIT && f->action != ACTION_NEGOTIATE && f->action != ACTION_BLOCK)
        return diag_fail_at(d, DIAG_COMBINATION, f->at, "filter has no action");
    if (f->override && f->action != ACTION_BLOCK) {
        int r = diag_fail_at(d, DIAG_COMBINATION, f->at, "'override' goes with block only");
        diag_hint(d, "a permit wins by naming more exact addresses");
        return r;
    }
    if (f->keep_state && f->action != ACTION_PERMIT) {
        int r = diag_fail_at(d, DIAG_COMBINATION, f->at, "'keep state' goes with permit only");
        diag_hint(d, "remove 'keep state'");
        return r;
    }
    if (f->inpass && f->action != ACTION_PERMIT)
        return diag_fail_at(d, DIAG_COMBINATION, f->at, "'inpass' goes with permit only");
    if (f->methods && f->action != ACTION_NEGOTIATE)
        return diag_fail_at(d, DIAG_COMBINATION, f->at, "methods go with negotiate only");
    if (f->interface && f->profile != PROFILE_NONE)
        return diag_fail_at(d, DIAG_COMBINATION, f->at,
                            "'on %s' and 'profile %s' exclude each other", f->interface,
                            profile_name(f->profile));
    return 0;
}

static int check_protocol(const struct filter *f, struct diag *d)
{
    bool is_icmp = f->proto == PROTO_ICMP || f->proto == PROTO_ICMPV6;
    if (f->proto < PROTO_ANY || f->proto > 255)
        return diag_fail_at(d, DIAG_PROTOCOL, f->at, "protocol '%d' is out of range", f->proto);
    if (!proto_has_ports(f->proto) && (f->sport.n > 0 || f->dport.n > 0)) {
        int r = diag_fail_at(d, DIAG_COMBINATION, f->at, "ports need a protocol that has ports");
        diag_hint(d, "write tcp, udp, udplite, sctp or dccp before 'port'");
        return r;
    }
    if (f->icmp_type >= 0 && !is_icmp)
        return diag_fail_at(d, DIAG_COMBINATION, f->at, "'type' goes with icmp and icmpv6 only");
    if (f->icmp_code >= 0 && f->icmp_type < 0)
        return diag_fail_at(d, DIAG_COMBINATION, f->at, "'code' needs a 'type' before it");
    if (f->icmp_type > 255 || f->icmp_code > 255)
        return diag_fail_at(d, DIAG_PROTOCOL, f->at, "ICMP %s '%d' is out of range",
                            f->icmp_type > 255 ? "type" : "code",
                            f->icmp_type > 255 ? f->icmp_type : f->icmp_code);
    return 0;
}

static int check_families(const struct filter *f, struct diag *d)
{
    if (f->src.family != FAMILY_ANY && f->dst.family != FAMILY_ANY &&
        f->src.family != f->dst.family) {
        int r = diag_fail_at(d, DIAG_FAMILY, f->at, "source is IPv%d and destination is IPv%d",
                             (int)f->src.family, (int)f->dst.family);
        diag_hint(d, "write one filter for each family");
        return r;
    }
    enum family family = filter_family(f);
    if (f->proto == PROTO_ICMP && family == FAMILY_6) {
        int r = diag_fail_at(d, DIAG_FAMILY, f->at, "icmp is IPv4, the addresses are IPv6");
        diag_hint(d, "write icmpv6");
        return r;
    }
    if (f->proto == PROTO_ICMPV6 && family == FAMILY_4) {
        int r = diag_fail_at(d, DIAG_FAMILY, f->at, "icmpv6 is IPv6, the addresses are IPv4");
        diag_hint(d, "write icmp");
        return r;
    }
    return 0;
}

/* Who resolves a name may forge it: what it permits must be narrow (policy.md 1). */
static int check_names(const struct filter *f, struct diag *d)
{
    if (f->action != ACTION_PERMIT || f->keep_state)
        return 0;
    if (!filter_is_resolved(f))
        return 0;
    if (f->proto != PROTO_ANY && (f->sport.n > 0 || f->dport.n > 0))
        return 0;
    int r = diag_fail_at(d, DIAG_NAME_PERMIT, f->at,
                         "permit with a name needs protocol and port, or 'keep state'");
    diag_hint(d, "add 'keep state', or a protocol and 'port N'");
    return r;
}

static int check_lengths(const struct filter *f, struct diag *d)
{
    if (f->sport.n > LIMIT_PORT_ITEMS || f->dport.n > LIMIT_PORT_ITEMS)
        return diag_fail_at(d, DIAG_LIMIT, f->at, "more than %d ports in one list",
                            LIMIT_PORT_ITEMS);
    if (f->interface && (f->interface[0] == '\0' || strlen(f->interface) > LIMIT_NAME_BYTES))
        return diag_fail_at(d, DIAG_LIMIT, f->at, "interface name must have 1 to %d bytes",
                            LIMIT_NAME_BYTES);
    if ((f->src.name && strlen(f->src.name) > LIMIT_NAME_BYTES) ||
        (f->dst.name && strlen(f->dst.name) > LIMIT_NAME_BYTES))
        return diag_fail_at(d, DIAG_LIMIT, f->at, "name is longer than %d bytes", LIMIT_NAME_BYTES);
    if (f->description && strlen(f->description) > LIMIT_TEXT_STRING_BYTES)
        return diag_fail_at(d, DIAG_LIMIT, f->at, "description is longer than %d bytes",
                            LIMIT_TEXT_STRING_BYTES);
    return 0;
}

int filter_validate(const struct filter *f, struct diag *d)
{
    int r;
    if ((r = check_action(f, d)) < 0 || (r = check_protocol(f, d)) < 0 ||
        (r = check_families(f, d)) < 0 || (r = check_names(f, d)) < 0)
        return r;
    return check_lengths(f, d);
}
