/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-mpp-signals.c: any text as a file of /proc, any bytes as a record of an ended connection.
 * What is accepted is within its limits. */
#include <stdlib.h>
#include <string.h>

#include "../../src/mpp/engine.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mpp_signals s = {.now_ns = 1};
    struct mpp_record r = {.family = 0};
    struct mpp_conn c;
    char *text = malloc(size + 1); /* exact: ASan sees a read behind it */

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    (void)!mpp_parse_sockstat(text, &s); /* refusals are as good as acceptance */
    (void)!mpp_parse_netstat(text, &s);
    if (mpp_parse_tcp_mem(text, &s) == 0 &&
        (s.limits[2] < s.limits[1] || mpp_hi(&s) == 0 || mpp_hi(&s) > s.limits[2]))
        abort();
    free(text);
    memcpy(&r, data, size < sizeof(r) ? size : sizeof(r));
    mpp_decode(&r, &c);
    if (c.reason >= _MPP_REASON_MAX || (c.family != FAMILY_4 && c.family != FAMILY_6) ||
        (c.family == FAMILY_4 && (c.peer.hi || c.peer.lo > UINT32_MAX)))
        abort();
    return 0;
}
