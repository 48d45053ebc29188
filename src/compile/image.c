/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/image.c: compile_image(), from effective filters to the bytes of bpf/image.h.
 * Called by the agent for every generation, by `check`, by tests and benchmarks. Invariant: the
 * bytes are a pure function of the set of filters, settings, host, seed and generation; and an
 * image that is returned was verified entry by entry. */
#include <errno.h>
#include <string.h>

#include "build.h"

/* datapath.md 3.6: seeds per table size, then the table is doubled, at most twice. */
enum { SEEDS_PER_SIZE = 4, MAX_DOUBLINGS = 2 };

void image_done(struct image *img)
{
    free(img->lines);
    *img = (struct image){0};
}

static void build_freep(struct build **pb)
{
    struct build *b = *pb;
    if (!b)
        return;
    for (unsigned fam = 0; fam < N_FAMILIES; fam++) {
        struct family_build *f = &b->fam[fam];
        idmap_done(&f->shapes);
        free(f->groups);
        free(f->group_of_shape);
        free(f->entries);
        free(f->tuples);
        free(b->sport.class_words[fam]);
        free(b->dport.class_words[fam]);
    }
    free(b->order);
    free(b->items);
    free(b->lines);
    free(b);
}

/* --- layout --- */

/* Takes bytes, rounded up to lines, from the end of the image. */
static uint32_t take(uint64_t *n_lines, uint64_t bytes)
{
    uint64_t at = *n_lines;
    *n_lines += (bytes + IMG_LINE_BYTES - 1) / IMG_LINE_BYTES;
    return (uint32_t)at;
}

static void lay_out_addresses(struct build *b, unsigned fam, uint64_t *n_lines)
{
    struct family_build *f = &b->fam[fam];
    struct img_family *l = &f->layout;
    if (prune_uses(f, fam, false)) {
        l->src_bits = (__u16)prune_bits(f);
        l->src_off = take(n_lines, sizeof(__u64) << l->src_bits);
    }
    if (prune_uses(f, fam, true)) {
        l->dst_bits = (__u16)prune_bits(f);
        l->dst_off = take(n_lines, sizeof(__u64) << l->dst_bits);
    }
}

static void lay_out_hosts(struct build *b, unsigned fam, uint64_t *n_lines)
{
    struct family_build *f = &b->fam[fam];
    struct img_family *l = &f->layout;
    l->src_hosts = prune_hosts(f, fam, false);
    if (l->src_hosts) {
        l->src_hosts_bits = prune_hosts_bits(f, l->src_hosts);
        l->src_hosts_off = take(n_lines, (1ULL << l->src_hosts_bits) / 8);
    }
    l->dst_hosts = prune_hosts(f, fam, true);
    if (l->dst_hosts) {
        l->dst_hosts_bits = prune_hosts_bits(f, l->dst_hosts);
        l->dst_hosts_off = take(n_lines, (1ULL << l->dst_hosts_bits) / 8);
    }
}

/* What every packet of the family reads: small, so it lies on the first page. */
static void lay_out_words(struct build *b, unsigned fam, uint64_t *n_lines)
{
    struct family_build *f = &b->fam[fam];
    struct img_family *l = &f->layout;
    *l = (struct img_family){0};
    if (prune_uses_proto(f))
        l->proto_off = take(n_lines, 256 * sizeof(__u64));
    bool sport = false, dport = false;
    for (size_t g = 0; g < f->n_groups; g++) {
        sport = sport || f->groups[g].shape.sport != PORTS_ANY;
        dport = dport || f->groups[g].shape.dport != PORTS_ANY;
    }
    if (sport)
        l->sport_words_off = take(n_lines, b->sport.n_classes * sizeof(__u64));
    if (dport)
        l->dport_words_off = take(n_lines, b->dport.n_classes * sizeof(__u64));
    if (prune_bits(f) == PRUNE_BITS_SMALL)
        lay_out_addresses(b, fam, n_lines);
}

static void lay_out_groups(struct build *b, unsigned fam, uint64_t *n_lines)
{
    struct family_build *f = &b->fam[fam];
    struct img_family *l = &f->layout;
    if (f->n_groups == 0)
        return;
    l->n_groups = (uint32_t)f->n_groups;
    l->groups_off = take(n_lines, f->n_groups * sizeof(struct img_group));
    l->n_tuples = f->n_tuples;
    l->tuples_off = take(n_lines, f->n_tuples * sizeof(__u64));
}

static void lay_out_table(struct build *b, unsigned fam, uint64_t *n_lines)
{
    struct family_build *f = &b->fam[fam];
    struct img_family *l = &f->layout;
    if (f->n_groups == 0)
        return;
    if (prune_bits(f) != PRUNE_BITS_SMALL)
        lay_out_addresses(b, fam, n_lines);
    lay_out_hosts(b, fam, n_lines);
    l->slots_off = take(n_lines, (uint64_t)f->table_lines * IMG_LINE_BYTES);
    l->slots_mask = f->table_lines - 1;
    l->n_used = (uint32_t)f->n_entries;
    l->rules_off = take(n_lines, (uint64_t)f->table_lines * slots_per_line(fam) * rule_bytes(fam));
}

static bool asks_place(const struct family_build *f)
{
    for (size_t g = 0; g < f->n_groups; g++) {
        if (f->groups[g].shape.place != PLACE_ANY)
            return true;
    }
    return false;
}

/* Fresh memory that is first read is mapped twice, once for reading and once for writing. */
static void touch(uint8_t *memory, size_t n)
{
    enum { PAGE = 4096 };
    for (size_t at = 0; at < n; at += PAGE)
        *(volatile uint8_t *)&memory[at] = 0;
}

static int lay_out(struct build *b)
{
    uint64_t n_lines = IMG_FIRST_FREE_LINE;
    bool places = asks_place(&b->fam[FAM4]) || asks_place(&b->fam[FAM6]);
    b->zones_off = places ? take(&n_lines, IMG_ZONES) : 0;
    for (unsigned fam = 0; fam < N_FAMILIES; fam++)
        lay_out_words(b, fam, &n_lines);
    for (unsigned fam = 0; fam < N_FAMILIES; fam++)
        lay_out_groups(b, fam, &n_lines);
    b->sport_off = b->sport.used ? take(&n_lines, N_PORTS * sizeof(struct img_port)) : 0;
    b->dport_off = b->dport.used ? take(&n_lines, N_PORTS * sizeof(struct img_port)) : 0;
    for (unsigned fam = 0; fam < N_FAMILIES; fam++)
        lay_out_table(b, fam, &n_lines);
    free(b->lines);
    b->lines = n_lines <= UINT32_MAX ? calloc(n_lines, IMG_LINE_BYTES) : NULL;
    if (!b->lines)
        return -ENOMEM;
    touch(b->lines, n_lines * IMG_LINE_BYTES);
    b->n_lines = (uint32_t)n_lines;
    return 0;
}

/* --- contents besides slots and bitmaps --- */

struct img_group shape_masks(unsigned fam, struct shape s)
{
    struct ip src = ip_mask(family_of(fam), s.src_len), dst = ip_mask(family_of(fam), s.dst_len);
    return (struct img_group){
        .src_hi = src.hi,
        .src_lo = src.lo,
        .dst_hi = dst.hi,
        .dst_lo = dst.lo,
        .sport_exact = s.sport == PORTS_EXACT ? 0xffff : 0,
        .sport_interval = s.sport == PORTS_RANGE ? 0xffff : 0,
        .dport_exact = s.dport == PORTS_EXACT       ? 0xffff
                       : s.dport == PORTS_ICMP_TYPE ? 0xff00
                                                    : 0,
        .dport_interval = s.dport == PORTS_RANGE ? 0xffff : 0,
        .proto = s.proto ? 0xff : 0,
        .zone = s.place == PLACE_ZONE ? 0xff : 0,
        .place = where_mask(s.place),
        .main_dst = fam == FAM6 && shape_main_dst(s),
    };
}

static void write_groups(struct build *b, unsigned fam)
{
    struct family_build *f = &b->fam[fam];
    struct img_group *out = line_at(b, f->layout.groups_off);
    for (size_t g = 0; g < f->n_groups; g++) {
        struct shape s = f->groups[g].shape;
        out[g] = f->masks[g]; /* maxw: groups are sorted by it */
        __u64 bit = 1ULL << g;
        for (unsigned me = 0; me < 4; me++) {
            if ((!s.src_me || (me & 1)) && (!s.dst_me || (me & 2)))
                f->layout.me[me] |= bit;
        }
        if (f->groups[g].icmp_typed)
            f->layout.icmp_typed |= bit;
    }
}

static void copy_words(const struct build *b, uint32_t off, const __u64 *words, uint32_t n)
{
    if (off != 0)
        memcpy(line_at(b, off), words, n * sizeof(*words));
}

static void write_family(struct build *b, unsigned fam)
{
    struct family_build *f = &b->fam[fam];
    if (f->n_groups > 0) {
        write_groups(b, fam);
        copy_words(b, f->layout.tuples_off, f->tuples, f->n_tuples);
        copy_words(b, f->layout.sport_words_off, b->sport.class_words[fam], b->sport.n_classes);
        copy_words(b, f->layout.dport_words_off, b->dport.class_words[fam], b->dport.n_classes);
        prune_fill(b, fam);
    }
    struct img_family *out = line_at(b, fam == FAM4 ? IMG_FAMILY4_LINE : IMG_FAMILY6_LINE);
    *out = f->layout;
}

static void write_ports(const struct build *b, const struct port_dim *p, uint32_t off)
{
    if (off == 0)
        return;
    struct img_port *out = line_at(b, off);
    for (unsigned port = 0; port < N_PORTS; port++)
        out[port] = (struct img_port){.interval = p->interval[port], .class = p->class[port]};
}

/* burst: so many at once after a pause. */
static struct img_rate rate_of(uint32_t per_second, uint32_t burst)
{
    if (per_second == 0 || burst == 0)
        return (struct img_rate){0};
    uint32_t interval = 1000000 / per_second;
    return (struct img_rate){.interval_us = interval, .tolerance_us = interval * (burst - 1)};
}

/* datapath.md 8: a fifth of the total is not for plain blocks by filters. */
static void write_log_rates(const struct build *b)
{
    const struct filter_settings *s = b->e->settings;
    uint32_t reserved = s->log_total_rate / 5, common = s->log_total_rate - reserved;
    struct img_log *l = line_at(b, IMG_LOG_LINE);
    *l = (struct img_log){
        .filter = rate_of(s->log_rate, 2 * s->log_rate),
        .common = rate_of(common, common / 10 + 1),
        .reserved = rate_of(reserved, reserved / 10 + 1),
    };
}

static void write_header(const struct build *b)
{
    write_log_rates(b);
    if (b->zones_off != 0)
        where_fill(b->e->host, line_at(b, b->zones_off));
    const struct filter_settings *set = b->e->settings;
    struct img_header *h = line_at(b, IMG_HEADER_LINE);
    *h = (struct img_header){
        .magic = IMG_MAGIC,
        .layout = IMG_LAYOUT,
        .generation = b->o->generation,
        .state_epoch = b->o->state_epoch,
        .seed = b->seed,
        .flags = (effective_is_armed(b->e) ? IMG_ARMED : 0u) |
                 (set->source_route_classify ? IMG_SOURCE_ROUTE_CLASSIFY : 0u) |
                 (set->masqueraded_pass ? IMG_MASQUERADED_PASS : 0u) |
                 (set->counters_off ? 0u : IMG_COUNTERS) | (b->keeps_state ? IMG_KEEP_STATE : 0u),
        .n_lines = b->n_lines,
        .sport_off = b->sport_off,
        .dport_off = b->dport_off,
        .zones_off = b->zones_off,
        .tag_secret = b->o->tag_secret,
        .n_entries = b->stats.n_entries[FAM4] + b->stats.n_entries[FAM6],
    };
}

/* --- the steps --- */

/* Finds a seed and a table size with which every entry has a slot. */
static int fit(struct build *b)
{
    unsigned full = FAM4;
    b->seed = b->o->seed;
    for (unsigned fam = 0; fam < N_FAMILIES; fam++)
        b->fam[fam].table_lines = fill_table_lines(b, fam);
    for (;;) {
        int r = lay_out(b);
        if (r < 0)
            return r;
        for (unsigned i = 0; i < SEEDS_PER_SIZE; i++) {
            b->stats.seed_tries++;
            if (fill_slots(b, &full))
                return 0;
            b->seed = img_mix(b->seed, b->stats.seed_tries);
        }
        if (b->stats.table_doublings == MAX_DOUBLINGS)
            return refuse_fit(b, full);
        b->fam[full].table_lines *= 2;
        b->stats.table_doublings++;
    }
}

static int make_entries(struct build *b)
{
    int r = expand_all(b);
    if (r == 0)
        r = intervals_build(b);
    if (r == 0)
        r = intervals_count_copies(b);
    for (unsigned fam = 0; fam < N_FAMILIES && r == 0; fam++)
        r = groups_build(b, fam);
    for (unsigned fam = 0; fam < N_FAMILIES && r == 0; fam++) {
        r = entries_build(b, fam);
        if (r == 0)
            r = tuples_build(b, fam);
    }
    free(TAKE_PTR(b->items)); /* as large as the entries, and no longer needed */
    return r < 0 ? r : port_classes_build(b);
}

static int build_image(struct build *b, struct image *ret)
{
    int r = make_entries(b);
    if (r == 0)
        r = fit(b);
    if (r < 0)
        return r;
    write_ports(b, &b->sport, b->sport_off);
    write_ports(b, &b->dport, b->dport_off);
    for (unsigned fam = 0; fam < N_FAMILIES; fam++)
        write_family(b, fam);
    write_header(b);
    struct image img = {.lines = b->lines, .n_lines = b->n_lines, .generation = b->o->generation};
    r = image_verify(b, &img);
    if (r < 0)
        return r;
    b->lines = NULL;
    b->stats.size_bytes = (uint64_t)img.n_lines * IMG_LINE_BYTES;
    *ret = img;
    return 0;
}

int compile_image(const struct effective *e, const struct compile_options *o, struct diag *d,
                  struct image *ret, struct compile_stats *stats)
{
    _cleanup_(build_freep) struct build *b = calloc(1, sizeof(*b));
    if (!b)
        return diag_errno(d, ENOMEM, "compiling %zu filters", e->n);
    b->e = e;
    b->o = o;
    b->d = d;
    b->stats.n_filters = (uint32_t)e->n;
    int r = build_image(b, ret);
    if (r == -ENOMEM)
        return diag_errno(d, ENOMEM, "compiling %zu filters", e->n);
    if (r == 0 && stats)
        *stats = b->stats;
    return r;
}
