/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layout of a classifier image, shared by the eBPF program (bpf/classify.bpf.c), the compiler
 * (src/compile) and the loader (src/datapath). One image is one generation: everything that
 * depends on a generation is inside it, so that a packet judged with one image pointer can
 * never see half of two policies (datapath.md 3.7, 6).
 *
 * An image is an array of 64-byte lines in host byte order. Line 0 is the header, lines 2-3
 * describe the IPv4 part, 4-5 the IPv6 part; every other part begins at a line number (field
 * *_off; 0 = part absent, the dimension prunes nothing). "Word" is a u64 with bit g for group
 * g of that family.
 *
 * Lookup, per family (datapath.md 3.3):
 *   cand = src[p(src)] & dst[p(dst)] & me[src_me | dst_me << 1] & proto[proto]
 *        & sport_word[class(sport)] & dport_word[class(dport)]
 *   without src_hosts if the bit of the source is not set, without dst_hosts likewise
 *   for g in cand, lowest first: stop if group[g].maxw < best; build the key with the group's
 *   masks, hash it, walk the chain of at most IMG_PROBES lines, img_chain(), until one without
 *   IMG_CHAIN; a slot whose key is equal and whose tuple belongs to g has weight tuple.w | action,
 *   and ends the walk if no other slot has its key; in a merged group the addresses are compared
 *   under the lengths of the slot's tuple (IPv6: that of the main side, the other one has one
 *   length in all of the group); timed permits past their deadline do not match; larger weight
 *   wins, equal weight: smaller rule.order.
 *
 * The bits of me[], sport_word[0..1] and dport_word[0..1] are exact, not only pruning: a group
 * that needs `me` or ports has no bit where there is none. */
#pragma once
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

enum {
    IMG_MAGIC = 0x50574731, /* "PWG1" */
    IMG_LAYOUT = 5,         /* raised with every change in this file */
    IMG_LINE_BYTES = 64,
    IMG_PAGE_LINES = 16384, /* an element of the map that holds the image */
    IMG_PAGE_BYTES = IMG_PAGE_LINES * IMG_LINE_BYTES,
    IMG_PROBES = 11, /* lines of one chain, img_chain() */
    IMG_MAX_GROUPS = 64,
    IMG_MAX_TUPLES = 4095,
    IMG_TUPLE_DELETED = 0xfff,
    IMG_HEADER_LINE = 0,
    IMG_LOG_LINE = 1,
    IMG_FAMILY4_LINE = 2, /* two lines */
    IMG_FAMILY6_LINE = 4, /* two lines */
    IMG_FIRST_FREE_LINE = 6,
    IMG_NO_COUNTER = 0xffffffff,
};

/* img_header.flags */
enum {
    IMG_ARMED = 1,                 /* a block or negotiate filter exists: structural drops on */
    IMG_SOURCE_ROUTE_CLASSIFY = 2, /* else dropped while armed */
    IMG_MASQUERADED_PASS = 4,      /* else judged as me -> any at egress */
    IMG_COUNTERS = 8,
    IMG_KEEP_STATE = 16, /* a filter with IMG_MARK_STATE exists */
};

struct img_header { /* line 0 */
    __u32 magic;
    __u32 layout;
    __u64 generation;
    __u64 state_epoch;
    __u64 seed; /* of all hashes of this image */
    __u32 flags;
    __u32 n_lines;
    __u32 sport_off; /* struct img_port[65536], 16 per line; 0 = no filter gives one */
    __u32 dport_off;
    __u32 tag_secret; /* upper 14 bits of the tag, see IMG_TAG_* ; same in every image of a boot */
    __u32 n_entries;  /* slots in use, both families; 0 = nothing to classify */
    __u32 zones_off;  /* 256 bytes IMG_PLACE(), by zone; 0 = no filter asks for the interface */
    __u32 _pad;
};

/* How often records of the log are written (record.h): one each interval, after a pause so many at
 * once that the next would come tolerance later. */
struct img_rate {
    __u32 interval_us, tolerance_us;
};
struct img_log {              /* line 1 */
    struct img_rate filter;   /* of one filter, or of one reason */
    struct img_rate common;   /* of all */
    struct img_rate reserved; /* of all but reason PW_DROP_FILTER, before `common` */
    __u64 _pad[5];
};

/* What this generation knows about the interface of a zone: its profile (1 domain, 2 private,
 * 3 public) and its connection (1 lan, 2 dial-up). 0: nothing. Such a packet has zone 0 and place
 * 0, under which there are only copies of filters that block: an interface that appears is denied
 * what any interface is denied, until the generation that knows it. */
#define IMG_PLACE(profile, connection) ((profile) | (connection) << 2)
enum { IMG_PLACE_PROFILE = 3, IMG_PLACE_CONNECTION = 12, IMG_ZONES = 256 };

/* Per port value: number of the elementary interval (the port field of range groups) and
 * number of the class (index into the word tables; 0 and 1 are reserved, see below). */
struct img_port {
    __u16 interval; /* 1.. ; intervals are numbered from 1 so that 0 means "any" in a key */
    __u16 class;    /* 2.. */
};
enum { IMG_CLASS_NO_L4 = 0, IMG_CLASS_ICMP = 1, IMG_CLASS_FIRST = 2 };

struct img_family { /* two lines: what every packet needs, and what only candidates need */
    __u32 n_groups;
    __u32 proto_off;       /* 256 words */
    __u32 sport_words_off; /* one word per class; 0 = all ones, but see below */
    __u32 dport_words_off;
    /* One bit for each hash of a whole address: img_host4(), img_host6(); 0 = no group of
     * src_hosts, dst_hosts. */
    __u32 src_hosts_off, dst_hosts_off;
    __u16 src_hosts_bits, dst_hosts_bits;
    __u32 _pad0;
    __u64 me[4]; /* index src_me | dst_me << 1 */
    /* second line */
    __u64 src_hosts, dst_hosts; /* groups that give a whole address */
    __u64 icmp_typed;           /* groups whose filters give an ICMP type */
    __u32 src_off, dst_off;     /* words, 2^bits entries, bits 12 or 16 */
    __u16 src_bits, dst_bits;
    __u32 groups_off;            /* struct img_group, one per line */
    __u32 n_tuples, tuples_off;  /* u64, 8 per line */
    __u32 slots_off, slots_mask; /* number of lines - 1, a power of two minus one */
    __u32 rules_off;             /* one entry per slot, same index */
    __u32 n_used; /* slots that are not empty, deleted ones too: not read by packets */
};
/* sport_words_off / dport_words_off of a family are 0 exactly if no group of the family uses
 * that port field; if any does, sport_off / dport_off of the header is set too. */

struct img_group {        /* one line */
    __u64 src_hi, src_lo; /* address masks; IPv4 in the low 32 bits of *_lo */
    __u64 dst_hi, dst_lo;
    __u64 maxw; /* largest weight, action bits included, of this and all later
                   groups */
    __u16 sport_exact, sport_interval; /* 0 or 0xffff, at most one of the two */
    __u16 dport_exact, dport_interval; /* exact also 0xff00: ICMP type alone */
    __u8 proto;                        /* mask 0 or 0xff */
    __u8 zone;                         /* mask 0 or 0xff */
    __u8 place;    /* mask of IMG_PLACE_*, only if zone is 0: both share a field of the key */
    __u8 main_dst; /* IPv6: slot.addr holds the destination, .other_fp the source */
    __u8 final;    /* no later group can beat a match here (reserved, 0) */
    __u8
        merged; /* several lengths of prefixes, those of the tuple; the masks are of the shortest */
    __u8 _pad[2];
    __u64 _pad2;
};

/* Tuple word: bits 0-33 weight with tier above it (IMG_W), action bits 0; bits 40-45 group;
 * bits 46-53 and 54-61 prefix length of source and destination; bit 63 timed. */
#define IMG_TUPLE(w, group, timed) ((__u64)(w) | (__u64)(group) << 40 | (__u64)(timed) << 63)
#define IMG_TUPLE_LENS(src, dst)   ((__u64)(src) << 46 | (__u64)(dst) << 54)
#define IMG_TUPLE_SRC(t)           (((t) >> 46) & 0xff)
#define IMG_TUPLE_DST(t)           (((t) >> 54) & 0xff)
#define IMG_TUPLE_W(t)             ((t)&0x3ffffffffULL)
#define IMG_TUPLE_GROUP(t)         (((t) >> 40) & 63)
#define IMG_TUPLE_TIMED(t)         ((t) >> 63)
#define IMG_W(tier, weight)        ((__u64)(tier) << 32 | (weight))

/* `hi` of a slot, one word. meta = tuple << 4 | log << 3 | state << 2 | action.
 * Action 0 = empty slot; tuple IMG_TUPLE_DELETED = a slot that only its own key gets again. */
#define IMG_HI(sport, dport, proto, zone) \
    ((__u64)(sport) | (__u64)(dport) << 16 | (__u64)(proto) << 32 | (__u64)(zone) << 40)
#define IMG_HI_KEY 0x0000ffffffffffffULL
#define IMG_META(tuple, log, state, action) \
    ((__u64)((tuple) << 4 | (log) << 3 | (state) << 2 | (action)) << 48)
/* What else a filter is: bits of the meta. */
enum { IMG_MARK_STATE = 4, IMG_MARK_LOG = 8 };
#define IMG_META_MARKS(hi)  (((hi) >> 48) & (IMG_MARK_STATE | IMG_MARK_LOG))
#define IMG_META_ACTION(hi) (((hi) >> 48) & 3)
#define IMG_META_TUPLE(hi)  ((hi) >> 52)

/* The slots of a line. All that nearly every packet needs of a filter is in the one line that its
 * hash gives: each further line would be one more wait for memory. `more`: bit k = another slot of
 * the chain may have the key of slot k; IMG_CHAIN = a chain goes on after this line. Bits of
 * `more` are only ever added. */
enum { IMG_SLOTS4 = 3, IMG_SLOTS6 = 2 };
#define IMG_CHAIN(slots) (1U << (slots))
struct img_line4 {
    __u64 lo[IMG_SLOTS4]; /* src | dst << 32, masked */
    __u64 hi[IMG_SLOTS4];
    __u32 counter_id[IMG_SLOTS4];
    __u32 more;
};
struct img_slot6 {
    __u64 addr_hi, addr_lo; /* masked address of the main side */
    __u64 hi;
    __u64 tail; /* counter id, print of the other side, and in the first slot `more` of the line */
};
#define IMG_TAIL6(counter_id, print) ((__u64)(counter_id) | (__u64)(print) << 32)
#define IMG_TAIL6_ID(tail)           ((__u32)(tail))
#define IMG_TAIL6_PRINT(tail)        ((__u32)((tail) >> 32) & IMG_PRINT_MASK)
#define IMG_TAIL6_MORE(tail)         ((__u32)((tail) >> IMG_MORE6_SHIFT))
enum { IMG_PRINT_MASK = 0x1fffffff, IMG_MORE6_SHIFT = 61 };

/* What few packets need of a filter, number = line * slots + slot. Both families begin alike. */
struct img_rule4 { /* four per line */
    __u32 order;   /* rank by layer, then GUID: decides between equal weights */
    __u32 _pad;
    __u64 deadline_ns;
};
struct img_rule6 { /* two per line */
    __u32 order;
    __u32 _pad;
    __u64 deadline_ns;
    __u64 other_hi, other_lo; /* full masked address of the other side: confirms the print */
};

/* Tag in skb->tc_index (datapath.md 2.2): 14 secret bits above two bits. */
enum { IMG_TAG_ME = 1, IMG_TAG_FORWARDED = 2, IMG_TAG_SECRET_MASK = 0xfffc };

/* Role of an interface, value of the map `ifrole`, key ifindex. No entry: zone 0, normal, not
 * forwarding (fail closed). */
struct pw_ifrole {
    __u8 role;  /* enum iface_role */
    __u8 flags; /* PW_IF_* */
    __u8 zone;
    __u8 _pad[5];
};
enum {
    PW_IF_STACKED = 1,
    PW_IF_FORWARDING4 = 2,
    PW_IF_FORWARDING6 = 4,
    PW_IF_ACCEPT_LOCAL = 8,
    PW_IF_ETHERNET = 16, /* what it sends begins with an Ethernet header */
    PW_IF_GUARDED = 32,  /* the guard judges what it hands to this host */
};

/* Maps `local4` and `local6`: LPM tries over network-order addresses, value enum local_kind. */
struct pw_lpm4 {
    __u32 prefix_len;
    __u8 addr[4];
};
struct pw_lpm6 {
    __u32 prefix_len;
    __u8 addr[16];
};

/* Map `ifrole_low`: the same, but an array, for the interfaces with low numbers; role 0: no entry.
 */
enum { PW_IFROLES_LOW = 4096 };

/* Map `local_hint`: element 0 for IPv4, 1 for IPv6, one bit per hash of an address. Where the bit
 * is not set no prefix of `local4` or `local6` covers the address. Loopback addresses of IPv4 have
 * no bit: they are always looked up. */
enum { PW_HINT_BITS = 65536, PW_HINT_WORDS = PW_HINT_BITS / 64 };

/* Map `local_exact`: single local addresses of IPv4, each in a place that its hash gives, kind <<
 * 32 | address; 0 = the place is free. Where another address has the place, `local4` is asked. */
enum { PW_EXACT_WORDS = 4096 };

/* Counters: `counters` is an ARRAY_OF_MAPS of arrays ("chunks") of equal size, so that they grow
 * without loading a program again: id >> PW_CHUNK_SHIFT is the outer index. Each CPU has its own
 * part of a chunk, see pw_counter_index(). A per-CPU array would do the same, but is allocated
 * value by value: 60 ms for 100,000. */
enum { PW_CHUNK_SHIFT = 12, PW_CHUNK_IDS = 1 << PW_CHUNK_SHIFT, PW_CHUNKS = 512 };
struct pw_counter {
    __u64 packets;
    __u64 bytes;
};
static inline __attribute__((always_inline)) __u32 pw_counter_index(__u32 cpu, __u32 id)
{
    return cpu * PW_CHUNK_IDS + (id & (PW_CHUNK_IDS - 1));
}
/* Map `stats`: per-CPU array, index direction * PW_STAT_MAX + PW_STAT_PASSED or drop reason. */
enum { PW_STAT_PASSED = 0, PW_STAT_STATE_REFUSED = 30, PW_STAT_EXEMPT_ND = 31, PW_STAT_MAX = 32 };

/* Numbers that the program shares with model/packet.h, model/host.h and model/weight.h; the
 * loader asserts that they are equal. */
enum {
    PW_DROP_FILTER = 1,
    PW_DROP_NO_SA = 2,
    PW_DROP_BAD_HEADER = 3,
    PW_DROP_EXT_HEADERS = 4,
    PW_DROP_TRUNCATED_L4 = 5,
    PW_DROP_TINY_FRAGMENT = 6,
    PW_DROP_FRAGMENT = 7,
    PW_DROP_STATE_EXPIRED = 8,
    PW_DROP_TIMED_BLOCK = 9,
    PW_DROP_INTERNAL = 10,
    PW_DROP_MPP_GATE = 11,
    PW_DROP_MARTIAN = 13,
    PW_DROP_SOURCE_ROUTE = 14,
    PW_DROP_VLAN_DEPTH = 15,
    PW_DROP_OVERRIDE = 16,
};
enum { PW_ROLE_NORMAL = 1, PW_ROLE_PORT = 2 };
enum { PW_LOCAL_UNICAST = 1, PW_LOCAL_BROADCAST = 2, PW_LOCAL_ANYCAST = 3 };
enum { PW_ACTION_PERMIT = 1, PW_ACTION_NEGOTIATE = 2 };
enum { PW_TIER_OVERRIDE = 1 };

/* Slots of the map `roots`. */
enum { PW_ROOT_ACTIVE = 0, PW_ROOT_CANDIDATE = 1, PW_ROOT_PREVIOUS = 2, PW_ROOTS = 3 };

/* Test entry (pw_test): the same classifier, no map is written. Parameters go in through skb->cb,
 * results come back in cb and in the return value. */
enum { PW_TEST_TO_HOST = 1, PW_TEST_ACCEPT_LOCAL = 2, PW_TEST_JUDGED = 4, PW_TEST_EGRESS = 8 };
struct pw_test_in { /* cb[0..4] going in */
    __u32 root;     /* PW_ROOT_* */
    __u32 flags;    /* PW_TEST_* */
    __u32 zone;
    __u32 _pad[2];
};
struct pw_test_out {  /* cb[0..4] coming back */
    __u32 generation; /* low 32 bits of the image that decided */
    __u32 counter_id;
    __u32 weight;
    __u32 tier;
    __u32 probes; /* groups looked up */
};
/* Return value of the test entry: decided by filter << 16 | block << 8 | reason. */
#define PW_TEST_RET(filter, block, reason) ((filter) << 16 | (block) << 8 | (reason))

static inline __attribute__((always_inline)) __u64 img_mix(__u64 a, __u64 b)
{
    a *= 0xff51afd7ed558ccdULL;
    a ^= a >> 32;
    a += b;
    a *= 0xc4ceb9fe1a85ec53ULL;
    a ^= a >> 29;
    return a;
}
/* hi without meta. The low bits select the line. */
static inline __attribute__((always_inline)) __u64 img_hash4(__u64 seed, __u32 group, __u64 lo,
                                                             __u64 hi)
{
    return img_mix(lo ^ seed, hi ^ (__u64)group << 56);
}
static inline __attribute__((always_inline)) __u64 img_hash6(__u64 seed, __u32 group, __u64 addr_hi,
                                                             __u64 addr_lo, __u64 hi, __u32 fp)
{
    return img_mix(img_mix(addr_hi ^ seed, addr_lo), img_mix(hi ^ (__u64)group << 56, fp ^ seed));
}
/* Line `k` of a chain, below IMG_PROBES: each step is one longer than the one before, so that
 * chains that meet part again and a full stretch of the table is left soon. 16 lines and more: none
 * twice.
 */
static inline __attribute__((always_inline)) __u32 img_chain(__u64 hash, __u32 k)
{
    return (__u32)hash + k * (k + 1) / 2;
}
/* The mask of img_line4.lo under a tuple. */
static inline __attribute__((always_inline)) __u64 img_mask4(__u64 tuple)
{
    __u64 ones = 0xffffffff00000000ULL;
    return ((ones >> (IMG_TUPLE_SRC(tuple) & 63)) & 0xffffffff) |
           (ones >> (IMG_TUPLE_DST(tuple) & 63)) << 32;
}
/* Upper and lower half of the mask of an IPv6 prefix. */
static inline __attribute__((always_inline)) __u64 img_mask6_hi(__u32 len)
{
    return len >= 64 ? ~0ULL : ~(~0ULL >> len);
}
static inline __attribute__((always_inline)) __u64 img_mask6_lo(__u32 len)
{
    return len >= 128 ? ~0ULL : len <= 64 ? 0 : ~(~0ULL >> (len - 64));
}
/* Keyed print of the side that is not stored in the slot; never 0. */
static inline __attribute__((always_inline)) __u32 img_fp6(__u64 seed, __u64 hi, __u64 lo)
{
    __u32 f = (__u32)img_mix(img_mix(hi + seed, lo), ~seed) & IMG_PRINT_MASK;
    return f ? f : 1;
}
/* Bit of local_hint: of an IPv4 address, or of the upper half of an IPv6 address. */
static inline __attribute__((always_inline)) __u32 img_hint(__u64 addr)
{
    return (__u32)((addr * 0x9e3779b97f4a7c15ULL) >> 48);
}
/* Place in local_exact. */
static inline __attribute__((always_inline)) __u32 img_exact(__u32 addr)
{
    return img_hint(addr) / (PW_HINT_BITS / PW_EXACT_WORDS);
}
/* Index into the pruning arrays. */
static inline __attribute__((always_inline)) __u32 img_prune4(__u32 addr, __u32 bits)
{
    return addr >> (32 - bits);
}
static inline __attribute__((always_inline)) __u32 img_prune6(__u64 seed, __u64 addr_hi, __u32 bits)
{
    return (__u32)(img_mix((addr_hi >> 32) ^ seed, seed >> 32) >> 40) & ((1U << bits) - 1);
}

/* Bits of the tables of whole addresses. */
static inline __attribute__((always_inline)) __u32 img_host4(__u64 seed, __u32 addr, __u32 bits)
{
    return (__u32)((addr * ((seed ^ 0x9e3779b97f4a7c15ULL) | 1)) >> (64 - bits));
}
static inline __attribute__((always_inline)) __u32 img_host6(__u64 seed, __u64 hi, __u64 lo,
                                                             __u32 bits)
{
    return (__u32)(img_mix(hi ^ seed, lo) * 0x9e3779b97f4a7c15ULL >> (64 - bits));
}

_Static_assert(sizeof(struct img_header) == IMG_LINE_BYTES, "header is one line");
_Static_assert(sizeof(struct img_log) == IMG_LINE_BYTES, "rates are one line");
_Static_assert(sizeof(struct img_family) == 2 * IMG_LINE_BYTES, "family is two lines");
_Static_assert(sizeof(struct img_group) == IMG_LINE_BYTES, "group is one line");
_Static_assert(sizeof(struct img_line4) == IMG_LINE_BYTES &&
                   sizeof(struct img_slot6) * IMG_SLOTS6 == IMG_LINE_BYTES,
               "slots per line");
_Static_assert(sizeof(struct img_rule4) == 16 && sizeof(struct img_rule6) == 32, "rules per line");
_Static_assert(sizeof(struct pw_ifrole) == 8 && sizeof(struct pw_counter) == 16, "map values");
_Static_assert(sizeof(struct pw_test_in) == 20 && sizeof(struct pw_test_out) == 20, "skb->cb");
