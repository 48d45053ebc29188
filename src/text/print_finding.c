/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/print_finding.c: what `policy check` found, in words (cli.md, policy check).
 * Called by the front ends, which add the place and the filters with their weights. */
#include <string.h>

#include "model/finding.h"
#include "text/text.h"

void finding_text_done(struct finding_text *t)
{
    strbuf_done(&t->headline);
    strbuf_done(&t->detail);
    strbuf_done(&t->hint);
}

/* "Office" by the name of its rule, d17 by its handle, else the filter itself. */
static int print_filter_name(const struct effective *e, size_t index, struct strbuf *out)
{
    if (index >= e->n)
        return strbuf_add(out, "an exemption");
    const struct effective_filter *ef = &e->v[index];
    if (ef->rule)
        return text_print_string(ef->rule, out);
    if (ef->filter->handle)
        return strbuf_addf(out, "%c%u", layer_letter(ef->layer), ef->filter->handle);
    (void)strbuf_add_char(out, '\'');
    int r = text_print_filter(ef->filter, out);
    return r < 0 ? r : strbuf_add_char(out, '\'');
}

static int print_name(const struct effective *e, const struct finding *f, unsigned which,
                      struct strbuf *out)
{
    return which < f->n_filters ? print_filter_name(e, f->filter[which].index, out)
                                : strbuf_add(out, "nothing");
}

static void print_decision(const struct effective *e, const struct decision *d, struct strbuf *out)
{
    switch (d->decider) {
    case DECIDED_FILTER:
        (void)print_filter_name(e, d->index, out); /* errors are sticky in out */
        return;
    case DECIDED_FAILSAFE:
        (void)strbuf_add(out, "failsafe");
        return;
    case DECIDED_EXEMPTION:
        (void)strbuf_add(out, "an exemption");
        return;
    case DECIDED_NO_MATCH:
    case DECIDED_STRUCTURE:
    case DECIDED_EARLIER:
        (void)strbuf_add(out, "no filter");
        return;
    }
}

static const char *why(const struct finding *f)
{
    if (f->n_filters < 2)
        return NULL;
    if (f->filter[0].tier != f->filter[1].tier)
        return "override decides before ordinary filters";
    const char *field = weight_decider(f->filter[0].weight, f->filter[1].weight);
    if (!field)
        return NULL;
    if (strcmp(field, "addresses") == 0)
        return "addresses are compared first";
    if (strcmp(field, "action") == 0)
        return f->winner.negotiate ? "negotiate wins over permit between equals"
                                   : "block wins between equals";
    return field;
}

static void print_headline(const struct effective *e, const struct finding *f, struct strbuf *out)
{
    if (f->kind != FINDING_OVERLAP)
        (void)strbuf_addf(out, "%s: ", finding_kind_name(f->kind));
    if (f->kind == FINDING_MIRRORED_HOLE) {
        (void)strbuf_addf(out, "source port %u reaches every local port through %s",
                          f->example.packet.sport, f->filter[0].twin ? "the twin of " : "");
        (void)print_name(e, f, 0, out);
        return;
    }
    if (f->n_filters > 0)
        (void)print_name(e, f, 0, out);
    switch (f->kind) {
    case FINDING_CONFLICT:
        (void)strbuf_add(out, " and ");
        (void)print_name(e, f, 1, out);
        (void)strbuf_add(out, " differ only in their action");
        break;
    case FINDING_SHADOWED:
        (void)strbuf_add(out, f->has_example ? " never decides: others decide all its packets"
                                             : " matches no packet");
        break;
    case FINDING_REDUNDANT:
        (void)strbuf_add(out, " can be removed: no packet changes its verdict");
        break;
    case FINDING_OVERLAP:
        (void)strbuf_add(out, " and ");
        (void)print_name(e, f, 1, out);
        (void)strbuf_add(out, " overlap, differ in action, and neither contains the other");
        break;
    case FINDING_NEVER_WINS:
        (void)strbuf_add(out, " can never win: ");
        (void)print_name(e, f, 1, out);
        (void)strbuf_add(out, " names 'me', it does not");
        break;
    case FINDING_FAMILY_GAP:
        (void)strbuf_addf(out, " blocks IPv%d only, the same packets of IPv%d pass",
                          f->family == FAMILY_4 ? 6 : 4, (int)f->family);
        break;
    case FINDING_NAME_PERMIT:
        (void)strbuf_add(out, " permits by a name, without protocol and port or 'keep state'");
        break;
    case FINDING_LOCK_OUT:
        (void)strbuf_add(out, f->n_filters ? " cuts an established connection"
                                           : "an established connection is cut");
        break;
    case FINDING_FRAGMENTS:
        (void)strbuf_add(out, " loses later fragments: ");
        (void)print_name(e, f, 1, out);
        (void)strbuf_add(out, " blocks them");
        break;
    case FINDING_PMTU:
        (void)strbuf_add(out, " blocks path MTU discovery: large packets may vanish");
        break;
    case FINDING_COST:
        (void)strbuf_addf(out, "%sa packet of IPv%d may need %u probes, the limit is %u",
                          f->n_filters ? " costs most: " : "", (int)f->family, f->probes,
                          f->probes_max);
        break;
    case FINDING_MIRRORED_HOLE:
    case _FINDING_MAX:
        break;
    }
}

static int print_detail(const struct effective *e, const struct finding *f, struct strbuf *out)
{
    if (!f->has_example)
        return 0;
    (void)strbuf_add(out, "for ");
    int r = text_print_example(&f->example, out);
    if (r < 0)
        return r;
    (void)strbuf_add_char(out, ' ');
    print_decision(e, &f->winner, out);
    (void)strbuf_add(out, f->winner.decider == DECIDED_NO_MATCH ? " matches: it passes" : " wins");
    const char *reason = f->kind == FINDING_OVERLAP || f->kind == FINDING_CONFLICT ? why(f) : NULL;
    if (reason)
        (void)strbuf_addf(out, ": %s", reason);
    if (f->kind != FINDING_REDUNDANT)
        return out->error;
    if (f->n_filters < 2)
        return strbuf_add(out, ", without it the packet has the same verdict");
    (void)strbuf_add(out, ", without it ");
    (void)print_name(e, f, 1, out);
    return strbuf_add(out, " decides alike");
}

/* The permit as it should have been. */
static int print_better_permit(const struct finding *f, const struct filter *filter,
                               struct strbuf *out)
{
    struct filter better = *filter; /* borrows names and ports */
    if (f->kind == FINDING_MIRRORED_HOLE) {
        better.mirrored = false;
        better.keep_state = true;
        better.description = NULL;
        if (!f->filter[0].twin) { /* the question that the answers belong to */
            better.src = filter->dst;
            better.dst = filter->src;
            better.sport = filter->dport;
            better.dport = filter->sport;
        }
        return text_print_filter(&better, out);
    }
    (void)strbuf_addf(out, "write: %s me", f->side == SIDE_SOURCE ? "from" : "to");
    const struct portset *ports = f->side == SIDE_SOURCE ? &filter->sport : &filter->dport;
    for (uint32_t i = 0; i < ports->n; i++) {
        (void)strbuf_addf(out, "%s%u", i ? "," : " port ", ports->range[i].first);
        if (ports->range[i].last != ports->range[i].first)
            (void)strbuf_addf(out, "-%u", ports->range[i].last);
    }
    return out->error;
}

/* The line of portward.conf that no filter can beat, or for what this host has opened the permit
 * to the service, which has the lower port of the two. */
static int print_way_out(const struct packet *p, struct strbuf *out)
{
    bool in = p->meta.dir == DIR_IN;
    unsigned local = in ? p->dport : p->sport, remote = in ? p->sport : p->dport;
    const char *proto = proto_name(p->proto);
    char peer[IP_TEXT_BYTES];
    ip_print(p->family, in ? p->src : p->dst, peer);
    if (!proto || !proto_has_ports(p->proto))
        return 0;
    if (remote < local)
        return strbuf_addf(out, "permit out %s from me to %s port %u", proto, peer, remote);
    if (p->proto != PROTO_TCP && p->proto != PROTO_UDP) /* failsafe has these only */
        return strbuf_addf(out, "permit in %s from %s to me port %u", proto, peer, local);
    return strbuf_addf(out, "[safety] failsafe = %s/%u from %s", proto, local, peer);
}

static int print_hint(const struct effective *e, const struct finding *f, struct strbuf *out)
{
    const struct filter *filter =
        f->n_filters > 0 && f->filter[0].index < e->n ? e->v[f->filter[0].index].filter : NULL;
    switch (f->kind) {
    case FINDING_NEVER_WINS:
    case FINDING_MIRRORED_HOLE:
        return filter ? print_better_permit(f, filter, out) : 0;
    case FINDING_FAMILY_GAP:
        return strbuf_add(out, "write 'any' instead of 0.0.0.0/0 or ::/0 to block both families");
    case FINDING_NAME_PERMIT:
        return strbuf_add(out, "add 'keep state', or a protocol and 'port N'");
    case FINDING_FRAGMENTS:
        return strbuf_add(out, "add 'keep state'");
    case FINDING_PMTU:
        return strbuf_add(out, f->example.packet.family == FAMILY_4
                                   ? "add: permit in icmp type 3 code 4"
                                   : "add: permit in icmpv6 type 2");
    case FINDING_LOCK_OUT:
        return print_way_out(&f->example.packet, out);
    case FINDING_COST:
        return strbuf_add(out, "write prefixes instead of ranges");
    case FINDING_REDUNDANT:
        return strbuf_add(out, "remove one filter at a time and check again");
    case FINDING_CONFLICT:
    case FINDING_SHADOWED:
    case FINDING_OVERLAP:
    case _FINDING_MAX:
        break;
    }
    return 0;
}

int text_print_finding(const struct effective *e, const struct finding *f, struct finding_text *out)
{
    print_headline(e, f, &out->headline);
    int r = print_detail(e, f, &out->detail);
    if (r == 0)
        r = print_hint(e, f, &out->hint);
    return r == 0 ? out->headline.error : r;
}
