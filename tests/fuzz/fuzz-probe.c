/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-probe.c: any bytes as an answer to the scanner: TCP and ICMP of both families, datagrams of
 * UDP services, and the lines of a cooperative scan. The first byte chooses. What is believed has
 * the cookie of its port; no text that comes out has a control character. */
#include <stdlib.h>
#include <string.h>

#include "../../src/exposure/probe/answer.h"
#include "../../src/exposure/probe/services.h"
#include "base/strbuf.h"
#include "exposureprobe/wire.h"
#include "fuzz.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const struct answer_context v4 = {.family = FAMILY_4,
                                         .target = {192, 0, 2, 10},
                                         .source_ports = {40000, 40001},
                                         .n_source_ports = 2,
                                         .key = {1, 2}};
static const struct answer_context v6 = {
    .family = FAMILY_6, .source_ports = {40000}, .n_source_ports = 1, .key = {1, 2}};

static void check_answer(const struct answer_context *c, bool found, const struct answer *a)
{
    if (!found)
        return;
    require(a->round < c->n_source_ports);
    require(a->state > PROBE_NOT_SCANNED && a->state < _PROBE_STATE_MAX);
    require(a->why < _PROBE_WHY_MAX);
}

static void check_text(const char *s, size_t size)
{
    const char *end = memchr(s, '\0', size);
    require(end != NULL);
    for (; s < end; s++)
        require(*s >= 0x20 && *s < 0x7f);
}

static void check_line(const char *s, size_t len)
{
    static struct wire_line l;
    struct probe_ports again;
    if (wire_parse(s, len, &l) < 0)
        return;
    check_text(l.text, sizeof(l.text));
    check_text(l.decision.id, sizeof(l.decision.id));
    check_text(l.decision.text, sizeof(l.decision.text));
    check_text(l.decision.verdict, sizeof(l.decision.verdict));
    require(l.decision.first <= l.decision.last);
    /* Printing a set and reading it gives the same set. */
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(WIRE_LINE_BYTES);
    require(probe_print_ports(&l.ports, &b) == 0);
    if (b.len == 0)
        return;
    require(probe_parse_ports(b.s, b.len, NULL, &again) == 0);
    require(memcmp(&again, &l.ports, sizeof(again)) == 0);
}

static void check_service(const uint8_t *data, size_t size)
{
    if (size < 2)
        return;
    uint16_t port = (uint16_t)(data[0] << 8 | data[1]);
    uint8_t service = service_answer(port, data + 2, size - 2);
    require(service == 0 || probe_service_name(service) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer a = {.port = 0};
    if (size == 0)
        return 0;
    uint8_t *copy = malloc(size); /* exact: ASan sees a read behind it */
    require(copy != NULL);
    size_t n = size - 1;
    memcpy(copy, data + 1, n);
    switch (data[0] % 6) {
    case 0:
        check_answer(&v4, answer_tcp4(&v4, copy, n, &a), &a);
        break;
    case 1:
        check_answer(&v6, answer_tcp6(&v6, v6.target, copy, n, &a), &a);
        break;
    case 2:
        check_answer(&v4, answer_icmp4(&v4, copy, n, &a), &a);
        break;
    case 3:
        check_answer(&v6, answer_icmp6(&v6, copy, n, &a), &a);
        break;
    case 4:
        check_service(copy, n);
        break;
    default:
        check_line((const char *)copy, n);
        break;
    }
    free(copy);
    return 0;
}
