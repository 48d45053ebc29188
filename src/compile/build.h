/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the steps of one compilation hand to each other. Private to src/compile.
 *
 *   expand.c     effective filters, failsafe, exemptions  -> items (one prefix pair, one port item)
 *   portclass.c  port ranges of all items                 -> elementary intervals
 *   shape.c      items of a family                        -> groups, in precedence order
 *   merge.c      groups of one kind                       -> fewer groups
 *   entry.c      items                                    -> entries (keys), tuples
 *   portclass.c  entries                                  -> port classes and their group words
 *   image.c      sizes                                    -> layout, header
 *   fill.c       entries                                  -> slots and rules
 *   prune.c      entries                                  -> bitmaps by address and protocol
 *   verify.c     the finished bytes                       -> every entry is found
 *
 * Image memory is only touched through the types of bpf/image.h (__u64 and uint64_t are
 * different types for the compiler's alias rules). */
#pragma once
#include "base/limits.h"
#include "compile/compile.h"
#include "idmap.h"
#include "image.h"
#include "model/effective.h"

enum { FAM4, FAM6, N_FAMILIES };
enum { N_PORTS = 65536 };
/* Orders that stay free between two filters, and between two layers, for those added in place: 2^20
 * filters and the gaps fill 31 bits, four layers the others; UINT32_MAX is the order of derived
 * entries. */
enum { ORDER_GAP_BITS = 11, ORDER_LAYER_BITS = 29 };
enum { ORIGIN_DERIVED = 0xffffffff }; /* item.origin of failsafe and exemption entries */

enum port_kind {
    PORTS_ANY,
    PORTS_EXACT,     /* also ICMP type with code */
    PORTS_RANGE,     /* by elementary interval */
    PORTS_ICMP_TYPE, /* upper byte of the destination port field */
};

/* What of a packet's interface a group asks for; the numbers order shapes. */
enum place {
    PLACE_ANY,
    PLACE_ZONE, /* the interface itself */
    PLACE_PROFILE,
    PLACE_CONNECTION,
    PLACE_PROFILE_CONNECTION,
};

/* The masks of a group (datapath.md 3.1). `me` masks nothing, but a group that needs it is
 * another group than the one of `any`. */
struct shape {
    uint8_t src_len, dst_len;
    bool src_me, dst_me;
    bool proto;
    uint8_t place;        /* enum place */
    uint8_t sport, dport; /* enum port_kind */
};
/* Injective; ordered by source length, destination length, ... */
static inline uint64_t shape_code(struct shape s)
{
    return (uint64_t)s.src_len << 40 | (uint64_t)s.dst_len << 32 | (uint64_t)s.src_me << 24 |
           (uint64_t)s.dst_me << 16 | (uint64_t)s.proto << 11 | (uint64_t)s.place << 8 |
           (uint64_t)s.dport << 4 | s.sport;
}

/* One expansion of a filter in one family: one prefix and one port item per side. */
struct item {
    struct ip src, dst; /* masked */
    uint64_t deadline_ns;
    uint32_t weight; /* with action */
    uint32_t order, counter_id;
    uint32_t origin;                /* index of the effective filter or ORIGIN_DERIVED */
    struct port_range sport, dport; /* ICMP: dport.first = type << 8 | code */
    struct shape shape;
    uint8_t family; /* FAM4, FAM6 */
    uint8_t tier, proto;
    uint8_t marks; /* IMG_MARK_* */
    uint8_t where; /* field of the key: zone, or IMG_PLACE() under the mask of the group */
};

/* One slot of the table with its rule. IPv4: a_lo = src | dst << 32, the others 0. IPv6: a is
 * the main side, b the other one. */
struct entry {
    uint64_t a_hi, a_lo, b_hi, b_lo;
    uint64_t hi; /* IMG_HI */
    uint64_t deadline_ns;
    uint32_t weight, order, counter_id;
    uint16_t tuple;
    uint8_t group, tier;
    uint8_t src_len, dst_len;
    uint8_t marks; /* IMG_MARK_* */
};

struct group {
    struct shape shape;
    uint64_t maxw;          /* IMG_W with action bits */
    uint32_t n_filters;     /* that use this shape */
    uint32_t origin, order; /* one of them, the first by layer and GUID */
    uint32_t last_origin;   /* while counting n_filters */
    uint32_t shape_id;      /* number in the order of discovery, later before sorting */
    bool icmp_typed;        /* has entries with an ICMPv6 type */
    bool merged;            /* of several shapes, this is the coarsest */
};

/* Source or destination ports, both families. */
struct port_dim {
    bool used, ranges;
    uint32_t n_intervals, n_classes;
    uint16_t interval[N_PORTS];     /* from 1 */
    uint16_t first[N_PORTS];        /* first port of interval i + 1 */
    uint16_t class[N_PORTS];        /* from IMG_CLASS_FIRST */
    __u64 *class_words[N_FAMILIES]; /* n_classes words, owned */
};

struct family_build {
    struct idmap shapes; /* shape code -> number in the order of discovery */
    struct group *groups;
    size_t n_groups, cap_groups;
    uint32_t *group_of_shape; /* number in the order of discovery -> group */
    size_t n_items;
    uint64_t n_copies; /* entries that the items make */
    struct img_group masks[IMG_MAX_GROUPS];
    struct entry *entries;
    size_t n_entries;
    __u64 *tuples; /* IMG_TUPLE words */
    uint32_t n_tuples;
    uint32_t table_lines;
    struct img_family layout;
};

/* Prefixes of one side of a filter: 2 * 127 for the worst range of IPv6 addresses. */
enum { SIDE_PREFIXES = 254 };
struct side {
    bool me;
    unsigned n;
    struct {
        struct ip ip;
        uint8_t len;
    } prefix[SIDE_PREFIXES];
};

struct build {
    const struct effective *e;
    const struct compile_options *o;
    struct diag *d;
    uint32_t *order; /* of every effective filter: rank by layer, GUID, with gaps */
    struct item *items;
    size_t n_items, cap_items;
    uint64_t n_expanded;  /* filters with every port item counted */
    bool keeps_state;     /* a filter does */
    uint64_t copies;      /* made of address ranges, later also of port ranges */
    struct side src, dst; /* scratch of expand.c, too large for a stack frame */
    struct port_dim sport, dport;
    struct family_build fam[N_FAMILIES];
    uint64_t seed;  /* of the attempt */
    uint8_t *lines; /* the image, owned until it is finished */
    uint32_t n_lines, sport_off, dport_off, zones_off;
    struct compile_stats stats;
};

static inline enum family family_of(unsigned fam)
{
    return fam == FAM4 ? FAMILY_4 : FAMILY_6;
}
static inline void *line_at(const struct build *b, uint32_t line)
{
    return b->lines + (size_t)line * IMG_LINE_BYTES;
}
static inline unsigned slots_per_line(unsigned fam)
{
    return fam == FAM4 ? IMG_SLOTS4 : IMG_SLOTS6;
}
static inline unsigned rule_bytes(unsigned fam)
{
    return fam == FAM4 ? sizeof(struct img_rule4) : sizeof(struct img_rule6);
}
/* IPv6: the longer concrete side is stored in the slot, the other one as a print. */
static inline bool shape_main_dst(struct shape s)
{
    return s.dst_len > s.src_len;
}

/* expand.c */
_must_check_ int expand_all(struct build *b);
/* The items of one effective filter. */
_must_check_ int expand_filter(struct build *b, const struct effective_filter *ef, uint32_t order,
                               uint32_t origin);
/* where.c: calls back with each value of the key that stands for the filter's interfaces. */
typedef int where_fn(void *arg, uint8_t place, uint8_t where);
_must_check_ int where_each(const struct host *h, const struct effective_filter *ef, where_fn *f,
                            void *arg);
uint8_t where_place(const struct effective_filter *ef); /* enum place */
uint8_t where_mask(uint8_t place);                      /* of IMG_PLACE() */
void where_fill(const struct host *h, __u8 places[IMG_ZONES]);
/* range.c: the fewest prefixes that make up a range of addresses, or the one prefix of any
 * other kind of address. */
void side_set(struct side *s, const struct addr *a, enum family family);
/* portclass.c */
_must_check_ int intervals_build(struct build *b);
_must_check_ int intervals_count_copies(struct build *b);
_must_check_ int port_classes_build(struct build *b);
/* shape.c */
_must_check_ int groups_build(struct build *b, unsigned fam);
uint32_t group_find(const struct family_build *f, struct shape s);
/* merge.c */
_must_check_ int merge_groups(struct build *b, unsigned fam);
/* entry.c */
_must_check_ int entries_build(struct build *b, unsigned fam);
_must_check_ int tuples_build(struct build *b, unsigned fam);
/* sport, dport: values of the port fields of the key. */
struct entry entry_make(const struct item *it, uint8_t group, uint32_t sport, uint32_t dport);
/* Group, tier, weight without action, timed: what a tuple word says. */
__u64 entry_tuple(const struct entry *e);
/* The part of IMG_HI that is no key, of an entry with a tuple. */
static inline uint64_t entry_meta(const struct entry *e)
{
    unsigned marks = e->marks;
    return IMG_META((unsigned)e->tuple, marks / IMG_MARK_LOG, marks / IMG_MARK_STATE & 1U,
                    e->weight & 3);
}
/* fill.c: fill_slots() is false when an entry found no room, with the family that is too full. */
/* IPv6: the print of an entry's other side, 0 if there is none. */
uint32_t entry_print(uint64_t seed, unsigned fam, const struct entry *e);
/* Where the chain of an entry begins. */
uint64_t entry_hash(uint64_t seed, unsigned fam, const struct img_group *masks,
                    const struct entry *e, uint32_t print);
/* Brings the line of entry i closer, if there is one. Tables are larger than caches, and an entry
 * has its line anywhere: steps over all entries look some ahead. */
enum { ENTRIES_AHEAD = 12 };
void entry_prefetch(const struct build *b, unsigned fam, size_t i);
uint32_t fill_table_lines(const struct build *b, unsigned fam);
bool fill_slots(struct build *b, unsigned *ret_full);
struct ip entry_side(const struct family_build *f, unsigned fam, const struct entry *e,
                     bool destination);
/* prune.c */
enum { PRUNE_BITS_SMALL = 12 };
uint32_t prune_bits(const struct family_build *f);
bool prune_uses(const struct family_build *f, unsigned fam, bool destination);
bool prune_uses_proto(const struct family_build *f);
/* Groups that give a whole address, and how many bits of its hash are an index for them. */
__u64 prune_hosts(const struct family_build *f, unsigned fam, bool destination);
uint16_t prune_hosts_bits(const struct family_build *f, __u64 groups);
/* The bit of an address. */
uint32_t prune_host(uint64_t seed, unsigned fam, struct ip a, unsigned bits);
void prune_fill(struct build *b, unsigned fam);
/* Does the group give enough of the address to be left out for others? */
bool prune_selective(struct shape s, unsigned fam, bool destination);
/* image.c: the masks of a group, maxw 0. */
struct img_group shape_masks(unsigned fam, struct shape s);
/* verify.c */
/* The smallest or the largest address of a prefix. */
struct ip corner_ip(unsigned fam, struct ip first, uint8_t len, bool high);
_must_check_ int image_verify(const struct build *b, const struct image *img);
/* lookup.c */
bool image_has_entry(const struct image *img, const struct packet *low, const struct packet *high,
                     unsigned me, const struct entry *e);
/* refuse.c: the messages of limits, all return negative. */
int refuse_filters(const struct build *b, uint64_t n);
int refuse_groups(const struct build *b, const struct family_build *f);
int refuse_tuples(const struct build *b, size_t n);
int refuse_intervals(const struct build *b, uint32_t n);
int refuse_copies(const struct build *b);
int refuse_fit(const struct build *b, unsigned fam);
int refuse_entry(const struct build *b, const struct entry *e);
uint64_t copies_limit(const struct build *b);
