/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/fill.c: puts entries into the lines of their hash chain (datapath.md 3.6).
 * Called by compile_image() for every seed it tries. Invariant: an entry is in the first free
 * slot of its chain at the time it was placed, every line before that one says that the chain goes
 * on, and every slot that has a key in common with another one says so; nothing is ever removed, so
 * a walk that believes these bits cannot miss it. An entry that finds no slot fails the attempt,
 * never the entry. */
#include <string.h>

#include "build.h"

enum {
    /* Entries for 100 lines at most. */
    LOAD4 = 160,
    LOAD6 = 80,
    LOAD4_LARGE = 100,
    LOAD6_LARGE = 50,
    LARGE_TABLE = 500000,   /* entries */
    MIN_TABLE_LINES = 16,   /* a chain never meets itself */
    SMALL_TABLE_LINES = 64, /* room for filters that are added in place */
};
_Static_assert((int)MIN_TABLE_LINES >= (int)IMG_PROBES, "a chain never meets itself");

uint32_t fill_table_lines(const struct build *b, unsigned fam)
{
    uint64_t n = b->fam[fam].n_entries, load = fam == FAM4 ? LOAD4 : LOAD6;
    if (n >= LARGE_TABLE)
        load = fam == FAM4 ? LOAD4_LARGE : LOAD6_LARGE;
    if (b->o->force_load_percent)
        load = slots_per_line(fam) * b->o->force_load_percent;
    uint32_t lines = b->o->force_load_percent ? MIN_TABLE_LINES : SMALL_TABLE_LINES;
    while (lines * load < n * 100)
        lines *= 2;
    return lines;
}

static void put4(const struct build *b, const struct entry *e, uint32_t line, unsigned slot)
{
    const struct img_family *l = &b->fam[FAM4].layout;
    struct img_line4 *x = line_at(b, l->slots_off + line);
    struct img_rule4 *rules = line_at(b, l->rules_off);
    x->lo[slot] = e->a_lo;
    x->hi[slot] = e->hi | entry_meta(e);
    x->counter_id[slot] = e->counter_id;
    rules[line * IMG_SLOTS4 + slot] =
        (struct img_rule4){.order = e->order, .deadline_ns = e->deadline_ns};
}

static void put6(const struct build *b, const struct entry *e, uint32_t print, uint32_t line,
                 unsigned slot)
{
    const struct img_family *l = &b->fam[FAM6].layout;
    struct img_slot6 *x = line_at(b, l->slots_off + line);
    struct img_rule6 *rules = line_at(b, l->rules_off);
    x[slot].addr_hi = e->a_hi;
    x[slot].addr_lo = e->a_lo;
    x[slot].hi = e->hi | entry_meta(e);
    x[slot].tail |= IMG_TAIL6(e->counter_id, print);
    rules[line * IMG_SLOTS6 + slot] = (struct img_rule6){
        .order = e->order, .deadline_ns = e->deadline_ns, .other_hi = e->b_hi, .other_lo = e->b_lo};
}

static uint64_t hi_at(const struct build *b, unsigned fam, uint32_t line, unsigned slot)
{
    const void *x = line_at(b, b->fam[fam].layout.slots_off + line);
    return fam == FAM4 ? ((const struct img_line4 *)x)->hi[slot]
                       : ((const struct img_slot6 *)x)[slot].hi;
}

/* Same bits in the key, as a walk compares them; of a group or of another one. */
static bool has_key(const struct build *b, unsigned fam, const struct entry *e, uint32_t print,
                    uint32_t line, unsigned slot)
{
    const void *x = line_at(b, b->fam[fam].layout.slots_off + line);
    if ((hi_at(b, fam, line, slot) & IMG_HI_KEY) != e->hi)
        return false;
    if (fam == FAM4)
        return ((const struct img_line4 *)x)->lo[slot] == e->a_lo;
    const struct img_slot6 *s = (const struct img_slot6 *)x + slot;
    return s->addr_hi == e->a_hi && s->addr_lo == e->a_lo && IMG_TAIL6_PRINT(s->tail) == print;
}

static void add_more(const struct build *b, unsigned fam, uint32_t line, unsigned bits)
{
    void *x = line_at(b, b->fam[fam].layout.slots_off + line);
    if (fam == FAM4)
        ((struct img_line4 *)x)->more |= bits;
    else
        ((struct img_slot6 *)x)->tail |= (__u64)bits << IMG_MORE6_SHIFT;
}

uint64_t entry_hash(uint64_t seed, unsigned fam, const struct img_group *masks,
                    const struct entry *e, uint32_t print)
{
    if (fam == FAM4)
        return img_hash4(seed, e->group, e->a_lo & (masks->src_lo | masks->dst_lo << 32), e->hi);
    uint64_t hi = masks->main_dst ? masks->dst_hi : masks->src_hi;
    uint64_t lo = masks->main_dst ? masks->dst_lo : masks->src_lo;
    return img_hash6(seed, e->group, e->a_hi & hi, e->a_lo & lo, e->hi, print);
}

uint32_t entry_print(uint64_t seed, unsigned fam, const struct entry *e)
{
    bool has_other = e->src_len > 0 && e->dst_len > 0;
    return fam == FAM6 && has_other ? img_fp6(seed, e->b_hi, e->b_lo) : 0;
}

static void prefetch_host(const struct build *b, unsigned fam, const struct entry *e,
                          bool destination)
{
    const struct family_build *f = &b->fam[fam];
    const struct img_family *l = &f->layout;
    if (!((destination ? l->dst_hosts : l->src_hosts) >> e->group & 1))
        return;
    uint32_t bit = prune_host(b->seed, fam, entry_side(f, fam, e, destination),
                              destination ? l->dst_hosts_bits : l->src_hosts_bits);
    const __u64 *words = line_at(b, destination ? l->dst_hosts_off : l->src_hosts_off);
    __builtin_prefetch(words + bit / 64, 1);
}

void entry_prefetch(const struct build *b, unsigned fam, size_t i)
{
    const struct family_build *f = &b->fam[fam];
    if (i >= f->n_entries)
        return;
    const struct entry *e = &f->entries[i];
    uint32_t print = entry_print(b->seed, fam, e);
    uint64_t hash = entry_hash(b->seed, fam, &f->masks[e->group], e, print);
    uint32_t line = (uint32_t)hash & f->layout.slots_mask;
    __builtin_prefetch(line_at(b, f->layout.slots_off + line), 1);
    const uint8_t *rules = line_at(b, f->layout.rules_off);
    size_t first = (size_t)line * slots_per_line(fam) * rule_bytes(fam);
    __builtin_prefetch(rules + first, 1);
    __builtin_prefetch(rules + first + (slots_per_line(fam) - 1) * rule_bytes(fam), 1);
    prefetch_host(b, fam, e, false);
    prefetch_host(b, fam, e, true);
}

static bool place(struct build *b, unsigned fam, const struct entry *e)
{
    const struct family_build *f = &b->fam[fam];
    uint32_t print = entry_print(b->seed, fam, e);
    uint64_t hash = entry_hash(b->seed, fam, &f->masks[e->group], e, print);
    unsigned probes = b->o->force_probes ? b->o->force_probes : IMG_PROBES;
    bool shared = f->masks[e->group].merged;
    for (unsigned k = 0; k < probes; k++) {
        uint32_t line = img_chain(hash, k) & f->layout.slots_mask;
        for (unsigned slot = 0; slot < slots_per_line(fam); slot++) {
            if (IMG_META_ACTION(hi_at(b, fam, line, slot)) != 0) {
                if (has_key(b, fam, e, print, line, slot)) {
                    add_more(b, fam, line, 1U << slot);
                    shared = true;
                }
                continue;
            }
            if (fam == FAM4)
                put4(b, e, line, slot);
            else
                put6(b, e, print, line, slot);
            if (shared)
                add_more(b, fam, line, 1U << slot);
            if (k + 1 > b->stats.longest_chain)
                b->stats.longest_chain = k + 1;
            return true;
        }
        add_more(b, fam, line, IMG_CHAIN(slots_per_line(fam)));
    }
    return false;
}

bool fill_slots(struct build *b, unsigned *ret_full)
{
    b->stats.longest_chain = 0;
    for (unsigned fam = 0; fam < N_FAMILIES; fam++) {
        const struct family_build *f = &b->fam[fam];
        if (f->n_entries == 0)
            continue;
        size_t size = (size_t)f->table_lines * IMG_LINE_BYTES;
        if (b->stats.seed_tries > 1) { /* the first attempt finds new memory */
            memset(line_at(b, f->layout.slots_off), 0, size);
        }
        for (size_t i = 0; i < f->n_entries; i++) {
            entry_prefetch(b, fam, i + ENTRIES_AHEAD);
            if (!place(b, fam, &f->entries[i])) {
                *ret_full = fam;
                return false;
            }
        }
    }
    return true;
}
