/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One record of the log: what bpf/log.h puts into the ring and src/datapath/logrecord.c reads. The
 * layout is fixed (datapath.md 8): an agent may read what the programs of another version wrote,
 * and `version` says which layout that was. Host byte order, addresses in network order. */
#pragma once
#include <linux/types.h>

enum { PW_RECORD_BYTES = 160, PW_RECORD_VERSION = 1, PW_RECORD_HEAD = 64 };

/* pw_record.flags */
enum {
    PW_RECORD_EGRESS = 1,
    PW_RECORD_GUARD = 2,     /* judged by the guard, not at the interface */
    PW_RECORD_FORWARDED = 4, /* neither from nor to this host, as far as the verdict knows */
    PW_RECORD_FRAGMENT = 8,
    PW_RECORD_WOULD_BLOCK = 16, /* audit: the packet passed */
    PW_RECORD_MASQUERADED = 32, /* forwarded, leaves with an address of this host */
    PW_RECORD_DECAPSULATED = 64,
};

struct pw_record {
    __u64 time_ns; /* boot-time clock */
    __u32 generation;
    __u32 counter_id; /* of the deciding filter, IMG_NO_COUNTER = none */
    __u32 ifindex;
    __u32 length;
    __u32 suppressed; /* records of this bucket that were not written since the last one */
    __u8 version;
    __u8 family; /* 4, 6; 0 = could not be read */
    __u8 flags;
    __u8 reason;           /* PW_DROP_*, 0 = passed */
    __u8 src[16], dst[16]; /* IPv4 as ::ffff:a.b.c.d */
    __u16 sport, dport;
    __u8 protocol;
    __u8 tcp_flags;
    __u8 icmp_type, icmp_code;
    __u32 weight; /* of the deciding filter; its tier is 1 if the reason is 16 */
    __u32 segments;
    __u8 mac[6]; /* source, zero if there is none */
    __u16 vlan;  /* id of the tag that the device took off */
    __u64 zero;
    __u8 head[PW_RECORD_HEAD]; /* from the IP header on, zeros behind the packet's end */
};

#define PW_RECORD_AT(field, offset) \
    _Static_assert(__builtin_offsetof(struct pw_record, field) == (offset), #field)
PW_RECORD_AT(time_ns, 0);
PW_RECORD_AT(generation, 8);
PW_RECORD_AT(counter_id, 12);
PW_RECORD_AT(ifindex, 16);
PW_RECORD_AT(length, 20);
PW_RECORD_AT(suppressed, 24);
PW_RECORD_AT(version, 28);
PW_RECORD_AT(family, 29);
PW_RECORD_AT(flags, 30);
PW_RECORD_AT(reason, 31);
PW_RECORD_AT(src, 32);
PW_RECORD_AT(dst, 48);
PW_RECORD_AT(sport, 64);
PW_RECORD_AT(dport, 66);
PW_RECORD_AT(protocol, 68);
PW_RECORD_AT(tcp_flags, 69);
PW_RECORD_AT(icmp_type, 70);
PW_RECORD_AT(icmp_code, 71);
PW_RECORD_AT(weight, 72);
PW_RECORD_AT(segments, 76);
PW_RECORD_AT(mac, 80);
PW_RECORD_AT(vlan, 86);
PW_RECORD_AT(zero, 88);
PW_RECORD_AT(head, 96);
_Static_assert(sizeof(struct pw_record) == PW_RECORD_BYTES, "size of a record");

/* Map `log_ring`: of structs pw_record. The reader comes by, nobody wakes it. */
enum { PW_LOG_RING_BYTES = 1 << 20 };

/* Map `log_buckets`: the two of all records, one for each reason of drops that no filter decided,
 * one for each counter id. Filters whose ids differ by PW_BUCKETS_OF_FILTERS share one. */
enum {
    PW_BUCKET_COMMON = 0,
    PW_BUCKET_RESERVED = 1,
    PW_BUCKET_REASONS = 2,
    PW_BUCKET_FILTERS = 34,
    PW_BUCKETS_OF_FILTERS = 16384,
    PW_BUCKETS = PW_BUCKET_FILTERS + PW_BUCKETS_OF_FILTERS,
};
struct pw_bucket {
    __u64 next_ns;    /* coarse clock: when all tokens that were taken will have come back */
    __u64 suppressed; /* records not written, ever */
    __u64 reported;   /* of these, what the last record knew */
    __u64 refused;    /* timer tick in which the bucket was last found empty */
};

/* Map `log_stats`, per CPU. */
enum { PW_LOG_WRITTEN, PW_LOG_LOST, PW_LOG_STATS };
