/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-foreign.c: any text as the output of `nft -j list ruleset`, asked about a few packets.
 * Verdicts are of the three values; a drop names its rule. */
#include <stdlib.h>

#include "exposure/foreign.h"
#include "fuzz.h"
#include "model/proto.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t ports[] = {22, 80, 7777};
    _cleanup_(foreign_freep) struct foreign *f = NULL;
    _cleanup_free_ uint16_t *redirected = NULL;
    struct local_route own = {FAMILY_4, {0, 0xc0a80101}, 32, LOCAL_UNICAST};
    struct host h = {.local = &own, .n_local = 1};
    size_t n = 0;
    struct diag d;

    if (foreign_parse((const char *)data, size, &d, &f) < 0)
        return 0;
    for (unsigned i = 0; i < 6; i++) {
        struct foreign_packet p = {.family = i & 1 ? FAMILY_6 : FAMILY_4,
                                   .src = {0, 0x0a010101},
                                   .dst = {0, 0xc0a80101},
                                   .proto = i < 4 ? PROTO_TCP : PROTO_UDP,
                                   .sport = 49152,
                                   .dport = ports[i / 2],
                                   .iif = "eth0"};
        struct foreign_answer a;

        foreign_judge(f, &h, &p, &a);
        require(a.verdict < _FOREIGN_MAX);
        require(a.verdict != FOREIGN_DROP || a.rule[0]);
        require(!a.redirected || a.redirect[0]);
    }
    require(foreign_redirected_ports(f, PROTO_TCP, &redirected, &n) == 0);
    return 0;
}
