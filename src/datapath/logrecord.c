/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datapath/logrecord.c: record_decode(). Called for each record that the ring gives out. Invariant:
 * what is returned is within the bounds that its types promise; the bytes may be anything. */
#include "logrecord.h"

#include <errno.h>
#include <string.h>

#include "record.h"

_Static_assert((int)LOG_EGRESS == (int)PW_RECORD_EGRESS && (int)LOG_GUARD == (int)PW_RECORD_GUARD &&
                   (int)LOG_FORWARDED == (int)PW_RECORD_FORWARDED &&
                   (int)LOG_FRAGMENT == (int)PW_RECORD_FRAGMENT &&
                   (int)LOG_WOULD_BLOCK == (int)PW_RECORD_WOULD_BLOCK &&
                   (int)LOG_MASQUERADED == (int)PW_RECORD_MASQUERADED &&
                   (int)LOG_DECAPSULATED == (int)PW_RECORD_DECAPSULATED,
               "flags of records");
_Static_assert((int)LOG_HEAD_BYTES == (int)PW_RECORD_HEAD, "head of records");
enum { FLAGS = 127 };

static bool is_zero(const uint8_t *bytes, size_t n)
{
    while (n > 0 && bytes[n - 1] == 0)
        n--;
    return n == 0;
}

/* IPv4 addresses are written as ::ffff:a.b.c.d. */
static bool take_address(uint8_t family, const uint8_t bytes[16], struct ip *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (family == 0)
        return is_zero(bytes, 16);
    if (family == 4 && memcmp(bytes, mapped, sizeof(mapped)) != 0)
        return false;
    *ret = family == 4 ? ip_from_bytes(FAMILY_4, bytes + sizeof(mapped))
                       : ip_from_bytes(FAMILY_6, bytes);
    return true;
}

int record_decode(const void *data, size_t len, struct log_record *ret)
{
    struct pw_record r;
    if (len != sizeof(r))
        return -EBADMSG;
    memcpy(&r, data, sizeof(r));
    if (r.version != PW_RECORD_VERSION || (r.family != 0 && r.family != 4 && r.family != 6) ||
        r.reason >= _DROP_REASON_MAX || r.flags > FLAGS || r.zero != 0)
        return -EBADMSG;
    struct log_record out = {
        .time_ns = r.time_ns,
        .generation = r.generation,
        .counter_id = r.counter_id,
        .ifindex = r.ifindex,
        .length = r.length,
        .suppressed = r.suppressed,
        .segments = r.segments,
        .weight = r.weight,
        .tier = r.reason == DROP_OVERRIDE ? TIER_OVERRIDE : TIER_ORDINARY,
        .flags = r.flags,
        .reason = (enum drop_reason)r.reason,
        .family = r.family == 0   ? FAMILY_ANY
                  : r.family == 4 ? FAMILY_4
                                  : FAMILY_6,
        .proto = r.protocol,
        .sport = r.sport,
        .dport = r.dport,
        .tcp_flags = r.tcp_flags,
        .icmp_type = r.icmp_type,
        .icmp_code = r.icmp_code,
        .vlan = r.vlan,
    };
    if (!take_address(r.family, r.src, &out.src) || !take_address(r.family, r.dst, &out.dst))
        return -EBADMSG;
    memcpy(out.mac, r.mac, sizeof(out.mac));
    memcpy(out.head, r.head, sizeof(out.head));
    *ret = out;
    return 0;
}
