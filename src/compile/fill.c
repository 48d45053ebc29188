/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/fill.c: puts entries into the lines of their hash chain (datapath.md 3.6).
 * Called by compile_image() for every seed it tries. Invariant: an entry is in the first free
 * slot of its chain at the time it was placed and nothing is ever removed, so a walk that stops
 * at an empty slot cannot miss it; one that finds no slot fails the attempt, never the entry. */
#include <string.h>

#include "build.h"

enum {
    LOAD_PERCENT = 40,
    LOAD_PERCENT_LARGE = 25,
    LARGE_TABLE = 500000,         /* entries */
    MIN_TABLE_LINES = IMG_PROBES, /* a chain never meets itself */
    SMALL_TABLE_LINES = 64,       /* room for filters that are added in place */
};

static unsigned slots_per_line(unsigned fam)
{
    return fam == FAM4 ? IMG_LINE_BYTES / sizeof(struct img_slot4)
                       : IMG_LINE_BYTES / sizeof(struct img_slot6);
}

uint32_t fill_table_lines(const struct build *b, unsigned fam)
{
    uint64_t n = b->fam[fam].n_entries;
    uint64_t percent = b->o->force_load_percent ? b->o->force_load_percent
                       : n < LARGE_TABLE        ? LOAD_PERCENT
                                                : LOAD_PERCENT_LARGE;
    uint32_t lines = b->o->force_load_percent ? MIN_TABLE_LINES : SMALL_TABLE_LINES;
    while (lines * slots_per_line(fam) * percent < n * 100)
        lines *= 2;
    return lines;
}

static bool place4(const struct build *b, const struct entry *e, uint32_t line, unsigned slot)
{
    const struct img_family *l = &b->fam[FAM4].layout;
    struct img_slot4 *s = (struct img_slot4 *)line_at(b, l->slots_off + line) + slot;
    if (IMG_META_ACTION(s->hi) != 0)
        return false;
    *s = (struct img_slot4){
        .lo = e->a_lo,
        .hi = e->hi | entry_meta(e),
    };
    struct img_rule4 *rule = (struct img_rule4 *)line_at(b, l->rules_off + line) + slot;
    *rule = (struct img_rule4){
        .counter_id = e->counter_id, .order = e->order, .deadline_ns = e->deadline_ns};
    return true;
}

static bool place6(const struct build *b, const struct entry *e, uint64_t print, uint32_t line,
                   unsigned slot)
{
    const struct img_family *l = &b->fam[FAM6].layout;
    struct img_slot6 *s = (struct img_slot6 *)line_at(b, l->slots_off + line) + slot;
    if (IMG_META_ACTION(s->hi) != 0)
        return false;
    *s = (struct img_slot6){
        .addr_hi = e->a_hi,
        .addr_lo = e->a_lo,
        .hi = e->hi | entry_meta(e),
        .other_fp = print,
    };
    struct img_rule6 *rule = (struct img_rule6 *)line_at(b, l->rules_off + line) + slot;
    *rule = (struct img_rule6){.counter_id = e->counter_id,
                               .order = e->order,
                               .deadline_ns = e->deadline_ns,
                               .other_hi = e->b_hi,
                               .other_lo = e->b_lo};
    return true;
}

uint64_t entry_hash(uint64_t seed, unsigned fam, const struct img_group *masks,
                    const struct entry *e, uint64_t print)
{
    if (fam == FAM4)
        return img_hash4(seed, e->group, e->a_lo & (masks->src_lo | masks->dst_lo << 32), e->hi);
    uint64_t hi = masks->main_dst ? masks->dst_hi : masks->src_hi;
    uint64_t lo = masks->main_dst ? masks->dst_lo : masks->src_lo;
    return img_hash6(seed, e->group, e->a_hi & hi, e->a_lo & lo, e->hi, print);
}

uint64_t entry_print(uint64_t seed, unsigned fam, const struct entry *e)
{
    bool has_other = e->src_len > 0 && e->dst_len > 0;
    return fam == FAM6 && has_other ? img_fp6(seed, e->b_hi, e->b_lo) : 0;
}

void entry_prefetch(const struct build *b, unsigned fam, size_t i)
{
    const struct family_build *f = &b->fam[fam];
    if (i >= f->n_entries)
        return;
    const struct entry *e = &f->entries[i];
    uint64_t print = entry_print(b->seed, fam, e);
    uint64_t hash = entry_hash(b->seed, fam, &f->masks[e->group], e, print);
    uint32_t line = (uint32_t)hash & f->layout.slots_mask;
    __builtin_prefetch(line_at(b, f->layout.slots_off + line), 1);
    __builtin_prefetch(line_at(b, f->layout.rules_off + line), 1);
}

static bool place(struct build *b, unsigned fam, const struct entry *e)
{
    const struct family_build *f = &b->fam[fam];
    uint64_t print = entry_print(b->seed, fam, e);
    uint64_t hash = entry_hash(b->seed, fam, &f->masks[e->group], e, print);
    unsigned probes = b->o->force_probes ? b->o->force_probes : IMG_PROBES;
    for (unsigned k = 0; k < probes; k++) {
        uint32_t line = (uint32_t)(hash + k) & f->layout.slots_mask;
        for (unsigned slot = 0; slot < slots_per_line(fam); slot++) {
            if (fam == FAM4 ? place4(b, e, line, slot) : place6(b, e, print, line, slot)) {
                if (k + 1 > b->stats.longest_chain)
                    b->stats.longest_chain = k + 1;
                return true;
            }
        }
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
            memset(line_at(b, f->layout.rules_off), 0, size);
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
