/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-reach.c: any text as a question of POST /v1/reach. What is accepted has ports in ascending
 * order and a protocol that has ports. */
#include <stdlib.h>
#include <string.h>

#include "exposure/item.h"
#include "fuzz.h"
#include "model/proto.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(reach_item_done) struct reach_item i = {0};
    char *text = strndup((const char *)data, size);
    struct diag d = {0};

    require(text != NULL);
    int r = reach_item_parse(text, &d, &i);
    free(text);
    if (r < 0) {
        require(d.message[0] != '\0');
        return 0;
    }
    require(i.n_ports > 0 && proto_has_ports(i.q.proto));
    require(i.q.family == FAMILY_4 || i.q.family == FAMILY_6);
    for (size_t k = 0; k < i.n_ports; k++) {
        require(i.ports[k].first <= i.ports[k].last);
        require(k == 0 || i.ports[k - 1].last < i.ports[k].first);
    }
    return 0;
}
