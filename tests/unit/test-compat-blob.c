/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-compat-blob.c: the policy blobs of Windows against bytes written down here, every cut of
 * them, and what is written read again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs the four above first */
#include <cmocka.h>

#include "../../src/compat/blob.h"
#include "text/text.h"

#define V1_ONE                                                                                  \
    "b520dc80c82ed111a89e00a0248d3021460000000100000002000000000002000000000002"                \
    "000000000033221100554477668899aabbccddeeff00000000000000000000000000000000ffffffff0000000" \
    "01100000000009a0500000000"

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static void assert_bytes(const struct blob_bytes *b, const char *hex)
{
    uint8_t want[1024];
    size_t n = from_hex(hex, want);
    assert_int_equal(b->n, n);
    assert_memory_equal(b->v, want, n);
}

static void policy_vector(void **state)
{
    (void)state;
    uint8_t data[64];
    size_t n = from_hex("632120224c4fd111863b00a0248d302104000000302a000000", data);
    struct blob_policy p = {0};
    struct blob_bytes out = {0};
    struct diag d = {0};
    assert_int_equal(blob_class_of(data, n), BLOB_POLICY);
    assert_int_equal(blob_policy_read(data, n, &d, &p), 0);
    assert_int_equal(p.poll_s, 10800);
    assert_int_equal(blob_policy_write(&p, &out), 0);
    assert_bytes(&out, "632120224c4fd111863b00a0248d302104000000302a000000");
    blob_bytes_done(&out);
    for (size_t cut = 0; cut < 24; cut++)
        assert_true(blob_policy_read(data, cut, &d, &p) < 0);
}

static void negotiation_vector(void **state)
{
    (void)state;
    struct blob_negotiation none = {0};
    struct blob_bytes out = {0};
    assert_int_equal(blob_negotiation_write(&none, &out), 0);
    assert_bytes(&out, "b920dc80c82ed111a89e00a0248d3021040000000000000000");
    blob_bytes_done(&out);
}

static void negotiation_round(void **state)
{
    (void)state;
    struct blob_offer offers[2] = {{900, 100000, 1, 1, {{3, 2, 2}}}, {0, 0, 0, 0, {{0}}}};
    struct blob_negotiation p = {offers, 2}, back = {0};
    struct blob_bytes out = {0};
    struct diag d = {0};
    assert_int_equal(blob_negotiation_write(&p, &out), 0);
    assert_int_equal(out.n, 25 + 160);
    for (size_t cut = 0; cut < out.n - 1; cut++)
        assert_true(blob_negotiation_read(out.v, cut, &d, &back) < 0);
    assert_int_equal(blob_negotiation_read(out.v, out.n, &d, &back), 0);
    assert_int_equal(back.n_offers, 2);
    assert_memory_equal(back.offers, offers, sizeof(offers));
    blob_negotiation_done(&back);
    out.v[24 + 16] = 4; /* algorithms */
    assert_true(blob_negotiation_read(out.v, out.n, &d, &back) < 0);
    blob_bytes_done(&out);
}

static void isakmp_round(void **state)
{
    (void)state;
    struct blob_main_mode_offer offer = {3, 2, 0x10000001, 1, 0, 28800, 1};
    struct blob_isakmp p = {1, 7, 3600, &offer, 1}, back = {0};
    struct blob_bytes out = {0};
    struct diag d = {0};
    assert_int_equal(blob_isakmp_write(&p, &out), 0);
    assert_int_equal(out.n, 149);
    assert_int_equal(out.v[16], 128);
    for (size_t cut = 0; cut < out.n - 1; cut++)
        assert_true(blob_isakmp_read(out.v, cut, &d, &back) < 0);
    assert_int_equal(blob_isakmp_read(out.v, out.n, &d, &back), 0);
    assert_int_equal(back.master_pfs, 1);
    assert_int_equal(back.qm_limit, 7);
    assert_int_equal(back.mm_life_s, 3600);
    assert_memory_equal(back.offers, &offer, sizeof(offer));
    blob_isakmp_done(&back);
    blob_bytes_done(&out);
}

static void nfa_round(void **state)
{
    (void)state;
    char secret[] = "s\xc3\xa9"
                    "cret",
         name[] = "lan";
    struct blob_auth auth[2] = {{BLOB_AUTH_KERBEROS, NULL}, {BLOB_AUTH_PSK, secret}};
    struct blob_nfa p = {.auth = auth,
                         .n_auth = 2,
                         .interface_type = BLOB_IF_LAN,
                         .interface_name = name,
                         .is_tunnel = true,
                         .is_active = true,
                         .tunnel = {0, 0xc0000201},
                         .has_tunnel6 = true,
                         .tunnel6 = {0x20010db800000000, 1}};
    struct blob_nfa back = {0};
    struct blob_bytes out = {0};
    struct diag d = {0};
    assert_int_equal(blob_nfa_write(&p, &out), 0);
    assert_int_equal(blob_nfa_read(out.v, out.n, &d, &back), 0);
    assert_int_equal(back.n_auth, 2);
    assert_null(back.auth[0].data);
    assert_string_equal(back.auth[1].data, secret);
    assert_int_equal(back.interface_type, BLOB_IF_LAN);
    assert_string_equal(back.interface_name, "lan");
    assert_true(back.is_tunnel && back.is_active && back.has_tunnel6);
    assert_true(ip_eq(back.tunnel, p.tunnel) && ip_eq(back.tunnel6, p.tunnel6));
    blob_nfa_done(&back);
    /* The last 33 bytes are optional as a whole, their half is not. */
    for (size_t cut = 0; cut < out.n; cut++) {
        bool whole = cut >= out.n - 33 && cut < out.n - 16;
        assert_int_equal(blob_nfa_read(out.v, cut, &d, &back) == 0, whole);
        blob_nfa_done(&back);
    }
    blob_bytes_done(&out);
}

static void filter_vector(void **state)
{
    (void)state;
    uint8_t data[128];
    size_t n = from_hex(V1_ONE, data);
    struct blob_filters b = {0}, ignored = {0};
    struct blob_bytes out = {0};
    struct diag d = {0};
    char id[GUID_TEXT_BYTES];
    assert_int_equal(n, 94);
    assert_int_equal(blob_filters_read(data, n, &d, &b), 0);
    assert_int_equal(b.n, 1);
    guid_print(&b.v[0].guid, id);
    assert_string_equal(id, "00112233-4455-6677-8899-aabbccddeeff");
    const struct filter *f = &b.v[0].filter;
    assert_int_equal(f->src.kind, ADDR_ANY);
    assert_int_equal(f->dst.kind, ADDR_ME);
    assert_int_equal(f->proto, PROTO_UDP);
    assert_int_equal(f->dport.range[0].first, 1434);
    assert_false(f->mirrored);
    assert_int_equal(blob_filters_write(&b, &out), 0);
    assert_bytes(&out, V1_ONE);
    for (size_t cut = 0; cut < n; cut++)
        assert_true(blob_filters_read(data, cut, &d, &ignored) < 0);
    blob_bytes_done(&out);
    blob_filters_done(&b);
}

/* A mask with gaps, an unknown server, a protocol above 255, an unknown version: refused. */
static void filter_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {{69, 0x0f}, {91, 5}, {91, 0x80}, {83, 1}, {24, 3}, {20, 2}, {62, 1}};
    struct blob_filters b = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t data[128];
        size_t n = from_hex(V1_ONE, data);
        struct diag d = {0};
        data[cases[i].at] = cases[i].value;
        if (cases[i].at == 69)
            data[72] = 1;
        if (blob_filters_read(data, n, &d, &b) == 0)
            fail_msg("byte %zu = %u is accepted", cases[i].at, cases[i].value);
        assert_true(d.message[0] != '\0');
    }
}

static void filter_rounds(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "block from any to any mirrored",
        "block tcp from 10.0.0.0/8 to me port 135",
        "block udp from me to 192.0.2.1 port 53 mirrored",
        "block from www.example.com to me",
        "block from me to dns",
        "block from gateway to dhcp",
        "block tcp from me port 1024-65535 to any port 80",
        "block from 2001:db8::/32 to me",
        "block from 10.0.0.1-10.0.0.9 to me mirrored",
        "block from 0.0.0.0/0 to me",
        "block from ::/0 to any",
        "block tcp from any to me port 1-1023",
        "block udp from 2001:db8::1-2001:db8::9 to 2001:db8:1::/64 port 9",
        "block gre from any to me",
        "block from any to ::/0",
        "block tcp from www.example.com to me port 1-9",
    };
    enum { N = sizeof(texts) / sizeof(*texts) };
    for (size_t i = 0; i <= N; i++) {
        struct blob_filters b = {0}, back = {0};
        struct blob_bytes out = {0};
        struct diag d = {0};
        size_t first = i < N ? i : 0, end = i < N ? i + 1 : N;
        b.v = calloc(N, sizeof(*b.v));
        assert_non_null(b.v);
        for (size_t j = first; j < end; j++) {
            struct blob_filter *f = &b.v[b.n++];
            filter_init(&f->filter);
            f->guid.b[0] = (uint8_t)(j + 1);
            f->description = strdup("a filter");
            if (text_parse_filter(texts[j], strlen(texts[j]), &d, &f->filter) < 0)
                fail_msg("%s: %s", texts[j], d.message);
            assert_null(blob_filter_can(&f->filter));
        }
        assert_int_equal(blob_filters_write(&b, &out), 0);
        if (blob_filters_read(out.v, out.n, &d, &back) < 0)
            fail_msg("%s: %s", texts[first], d.message);
        assert_int_equal(back.n, b.n);
        for (size_t j = 0; j < b.n; j++) {
            size_t k = 0;
            while (k < back.n && guid_cmp(&back.v[k].guid, &b.v[j].guid) != 0)
                k++;
            assert_true(k < back.n);
            if (!filter_eq(&back.v[k].filter, &b.v[j].filter))
                fail_msg("%s: another filter comes back", texts[first + j]);
            assert_string_equal(back.v[k].description, "a filter");
        }
        /* No cut is read beyond its end; what is accepted has fewer filters. */
        for (size_t cut = 0; cut < out.n; cut++) {
            uint8_t *part = malloc(cut + 1);
            struct blob_filters less = {0};
            assert_non_null(part);
            memcpy(part, out.v, cut);
            if (blob_filters_read(part, cut, &d, &less) == 0)
                assert_true(less.n < b.n);
            blob_filters_done(&less);
            free(part);
        }
        blob_bytes_done(&out);
        blob_filters_done(&back);
        blob_filters_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_vector),     cmocka_unit_test(negotiation_vector),
        cmocka_unit_test(negotiation_round), cmocka_unit_test(isakmp_round),
        cmocka_unit_test(nfa_round),         cmocka_unit_test(filter_vector),
        cmocka_unit_test(filter_refused),    cmocka_unit_test(filter_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
