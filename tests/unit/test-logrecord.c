/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of src/datapath/logrecord.c: each field from its place, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/datapath/logrecord.h"
#include "record.h"

static struct pw_record sample(void)
{
    struct pw_record r = {
        .time_ns = 0x1122334455667788,
        .generation = 42,
        .counter_id = 7,
        .ifindex = 3,
        .length = 1514,
        .suppressed = 99,
        .version = PW_RECORD_VERSION,
        .family = 4,
        .flags = PW_RECORD_GUARD | PW_RECORD_FRAGMENT,
        .reason = 16,
        .src = {[10] = 0xff, 0xff, 192, 0, 2, 1},
        .dst = {[10] = 0xff, 0xff, 198, 51, 100, 9},
        .sport = 40000,
        .dport = 445,
        .protocol = 6,
        .tcp_flags = 2,
        .icmp_type = 0,
        .icmp_code = 0,
        .weight = 0x40006203,
        .segments = 4,
        .mac = {2, 3, 4, 5, 6, 7},
        .vlan = 12,
        .head = {0x45, [63] = 0xaa},
    };
    return r;
}

static void test_fields(void **state)
{
    (void)state;
    struct pw_record raw = sample();
    struct log_record r;
    assert_int_equal(record_decode(&raw, sizeof(raw), &r), 0);
    assert_true(r.time_ns == 0x1122334455667788);
    assert_int_equal(r.generation, 42);
    assert_int_equal(r.counter_id, 7);
    assert_int_equal(r.ifindex, 3);
    assert_int_equal(r.length, 1514);
    assert_int_equal(r.suppressed, 99);
    assert_int_equal(r.flags, LOG_GUARD | LOG_FRAGMENT);
    assert_int_equal(r.reason, DROP_OVERRIDE);
    assert_int_equal(r.tier, TIER_OVERRIDE);
    assert_int_equal(r.family, FAMILY_4);
    assert_true(r.src.hi == 0 && r.src.lo == 0xc0000201);
    assert_true(r.dst.hi == 0 && r.dst.lo == 0xc6336409);
    assert_int_equal(r.sport, 40000);
    assert_int_equal(r.dport, 445);
    assert_int_equal(r.proto, 6);
    assert_int_equal(r.tcp_flags, 2);
    assert_int_equal(r.weight, 0x40006203);
    assert_int_equal(r.segments, 4);
    assert_memory_equal(r.mac, raw.mac, sizeof(raw.mac));
    assert_int_equal(r.vlan, 12);
    assert_memory_equal(r.head, raw.head, sizeof(raw.head));
    raw.reason = 1;
    raw.family = 6;
    raw.src[0] = 0x20;
    assert_int_equal(record_decode(&raw, sizeof(raw), &r), 0);
    assert_int_equal(r.tier, TIER_ORDINARY);
    assert_true(r.src.hi == 0x20ULL << 56 && r.src.lo == 0xffffc0000201);
}

/* The place of each field is part of the format: another agent may read the ring. */
static void test_bytes(void **state)
{
    (void)state;
    uint8_t raw[PW_RECORD_BYTES] = {[28] = 1, [29] = 6, [31] = 7};
    struct log_record r;
    raw[12] = 5;
    raw[32] = 0xfe;
    raw[48] = 0xfd;
    raw[66] = 53;
    raw[70] = 8;
    raw[159] = 1;
    assert_int_equal(record_decode(raw, sizeof(raw), &r), 0);
    assert_int_equal(r.counter_id, 5);
    assert_int_equal(r.reason, DROP_FRAGMENT);
    assert_true(r.src.hi == 0xfeULL << 56 && r.dst.hi == 0xfdULL << 56);
    assert_int_equal(r.dport, 53);
    assert_int_equal(r.icmp_type, 8);
    assert_int_equal(r.head[63], 1);
}

static void test_refused(void **state)
{
    (void)state;
    struct log_record r;
    struct pw_record raw[9];
    for (size_t i = 0; i < ARRAY_SIZE(raw); i++)
        raw[i] = sample();
    raw[0].version = 2;
    raw[1].version = 0;
    raw[2].family = 5;
    raw[3].reason = _DROP_REASON_MAX;
    raw[4].flags = 128;
    raw[5].zero = 1;
    raw[6].src[10] = 0;
    raw[7].dst[0] = 1;
    raw[8].family = 0; /* with addresses */
    for (size_t i = 0; i < ARRAY_SIZE(raw); i++)
        assert_int_equal(record_decode(&raw[i], sizeof(raw[i]), &r), -EBADMSG);
    raw[0] = sample();
    assert_int_equal(record_decode(&raw[0], sizeof(raw[0]) - 1, &r), -EBADMSG);
    assert_int_equal(record_decode(&raw[0], 0, &r), -EBADMSG);
    memset(raw[8].src, 0, sizeof(raw[8].src));
    memset(raw[8].dst, 0, sizeof(raw[8].dst));
    assert_int_equal(record_decode(&raw[8], sizeof(raw[8]), &r), 0);
    assert_int_equal(r.family, FAMILY_ANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
