/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-probe-bpf.c: the eBPF program of a cooperative scan, frame by frame through
 * BPF_PROG_TEST_RUN: only a tagged probe marks a port, and no packet is ever let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "probe.h"
#include "probe.skel.h"

enum { FRAME_BYTES = 100, K0 = 11, K1 = 22 };

struct frame {
    uint8_t b[FRAME_BYTES];
    size_t len;
};

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* Network header of `six` or IPv4; returns where the transport header begins. */
static uint8_t *begin(struct frame *f, bool six, uint8_t proto)
{
    memset(f, 0, sizeof(*f));
    put16(f->b + 12, six ? 0x86dd : 0x0800);
    uint8_t *ip = f->b + 14;
    if (six) {
        ip[0] = 0x60;
        ip[6] = proto;
        ip[23] = 1;
        ip[39] = 2;
        return ip + 40;
    }
    ip[0] = 0x45;
    ip[9] = proto;
    memcpy(ip + 12, "\xc0\x00\x02\x01\xc0\x00\x02\x0a", 8);
    return ip + 20;
}

static void udp(struct frame *f, bool six, unsigned port, uint64_t tag)
{
    uint8_t *u = begin(f, six, IPPROTO_UDP);
    put16(u, 40000);
    put16(u + 2, port);
    memcpy(u + 8, &tag, sizeof(tag));
    f->len = (size_t)(u + 16 - f->b);
}

static void tcp(struct frame *f, unsigned port, uint32_t sequence, uint8_t flags)
{
    uint8_t *t = begin(f, false, IPPROTO_TCP);
    put16(t, 40000);
    put16(t + 2, port);
    put16(t + 4, sequence >> 16);
    put16(t + 6, sequence & 0xffff);
    t[12] = 5 << 4;
    t[13] = flags;
    f->len = (size_t)(t + 20 - f->b);
}

static struct probe_skel *load(uint8_t family, uint8_t proto)
{
    if (geteuid() != 0)
        skip(); /* loading a program takes root */
    struct probe_skel *s = probe_skel__open();
    if (!s)
        exit(1);
    s->rodata->probe_k0 = K0;
    s->rodata->probe_k1 = K1;
    s->rodata->probe_family = family;
    s->rodata->probe_proto = proto;
    assert_int_equal(probe_skel__load(s), 0);
    return s;
}

/* How many ports are marked; *ret_port: one of them. */
static unsigned marked(const struct bpf_map *m, unsigned *ret_port)
{
    static struct probe_seen seen;
    uint32_t zero = 0;
    unsigned n = 0;
    assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(m), &zero, &seen), 0);
    for (unsigned i = 0; i < PROBE_SEEN_PORTS; i++)
        if (seen.port[i]) {
            *ret_port = i;
            n++;
        }
    return n;
}

static void run(const struct bpf_program *p, const struct frame *f)
{
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (uint32_t)f->len);
    assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(p), &o), 0);
    assert_int_equal(o.retval, 0); /* nothing for user space */
}

static void check_marks(struct probe_skel *s, const struct frame *f, bool expected, unsigned port)
{
    unsigned at = 0;
    run(s->progs.pw_probe_arrived, f);
    assert_int_equal(marked(s->maps.probe_arrived, &at), expected);
    assert_int_equal(marked(s->maps.probe_delivered, &at), 0);
    run(s->progs.pw_probe_delivered, f);
    assert_int_equal(marked(s->maps.probe_delivered, &at), expected);
    if (expected)
        assert_int_equal(at, port);
}

static void test_udp(void **state)
{
    uint64_t right = probe_tag(K0, K1, probe_word(IPPROTO_UDP, 1434));
    struct probe_skel *s = load(4, IPPROTO_UDP);
    struct probe_sight sight;
    struct frame f;
    uint32_t zero = 0;
    (void)state;
    udp(&f, false, 1434, right ^ 1);
    check_marks(s, &f, false, 0);
    udp(&f, false, 1435, right); /* the tag of another port */
    check_marks(s, &f, false, 0);
    udp(&f, true, 1434, right); /* another family */
    check_marks(s, &f, false, 0);
    udp(&f, false, 1434, right);
    f.len -= 1; /* cut */
    check_marks(s, &f, false, 0);
    udp(&f, false, 1434, right);
    f.b[14 + 7] = 1; /* a later fragment */
    check_marks(s, &f, false, 0);
    udp(&f, false, 1434, right);
    f.b[14] = 0x44; /* a header that is too short */
    check_marks(s, &f, false, 0);
    udp(&f, false, 1434, right);
    check_marks(s, &f, true, 1434);
    assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(s->maps.probe_sights), &zero, &sight), 0);
    assert_int_equal(sight.family, 4);
    assert_int_equal(sight.source_port, 40000);
    assert_memory_equal(sight.source, "\xc0\x00\x02\x01", 4);
    probe_skel__destroy(s);
}

static void test_udp6(void **state)
{
    uint64_t right = probe_tag(K0, K1, probe_word(IPPROTO_UDP, 65535));
    struct probe_skel *s = load(6, IPPROTO_UDP);
    struct frame f;
    (void)state;
    udp(&f, false, 65535, right);
    check_marks(s, &f, false, 0);
    udp(&f, true, 65535, right);
    f.b[14 + 6] = IPPROTO_TCP;
    check_marks(s, &f, false, 0);
    udp(&f, true, 65535, right);
    check_marks(s, &f, true, 65535);
    probe_skel__destroy(s);
}

static void test_tcp(void **state)
{
    static const uint8_t flags[] = {0x00, 0x01, 0x04, 0x10, 0x12, 0x14, 0x03};
    uint32_t right = (uint32_t)probe_tag(K0, K1, probe_word(IPPROTO_TCP, 0));
    struct probe_skel *s = load(4, IPPROTO_TCP);
    struct frame f;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        tcp(&f, 0, right, flags[i]);
        check_marks(s, &f, false, 0);
    }
    tcp(&f, 0, right + 1, 2);
    check_marks(s, &f, false, 0);
    tcp(&f, 0, right, 2);
    check_marks(s, &f, true, 0);
    probe_skel__destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_udp6),
        cmocka_unit_test(test_tcp),
    };
    (void)libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
