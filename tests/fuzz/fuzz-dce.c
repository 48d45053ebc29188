/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-dce.c: any bytes as what an endpoint mapper sends: a stream of PDUs, each of them an answer
 * to the bind or to a lookup, and any bytes as a tower. Nothing that comes out is beyond the
 * limits, and every text ends and is printable. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/rpc/dump/dce.h"
#include "fuzz.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_text(const char *s, size_t size)
{
    const char *end = memchr(s, '\0', size);
    require(end != NULL);
    for (; s < end; s++)
        require(*s >= 0x20 && *s < 0x7f);
}

static void check_entry(const struct rpc_endpoint *e)
{
    require(e->transport <= RPC_TRANSPORT_OTHER);
    check_text(e->address, sizeof(e->address));
    check_text(e->interface, sizeof(e->interface));
    check_text(e->version, sizeof(e->version));
    check_text(e->name, sizeof(e->name));
    check_text(e->object, sizeof(e->object));
    check_text(e->path, sizeof(e->path));
    check_text(e->host, sizeof(e->host));
}

/* One answer out of the stream; false: the rest is none. */
static bool take_answer(const uint8_t **data, size_t *size, struct dce_answer *a)
{
    for (int done = 0; done == 0;) {
        struct dce_header h;
        if (*size < DCE_HEADER_BYTES || dce_header_read(*data, &h) < 0 || h.frag_len > *size)
            return false;
        size_t n = h.frag_len - (size_t)DCE_HEADER_BYTES;
        uint8_t *body = malloc(n + 1); /* exact but for one: ASan sees a read behind it */
        require(body != NULL);
        memcpy(body, *data + DCE_HEADER_BYTES, n);
        if (!a->started)
            a->call = h.call;
        done = dce_answer_take(a, &h, body, n);
        free(body);
        *data += h.frag_len;
        *size -= h.frag_len;
        require(a->len <= RPC_DUMP_STUB_BYTES);
        if (done < 0)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_endpoints l = {0};
    struct rpc_endpoint one = {.port = 0};
    uint8_t handle[DCE_HANDLE_BYTES] = {0};
    if (dce_read_tower(data, size, &one) == 0)
        check_entry(&one);
    for (;;) {
        struct dce_answer a = {.call = 0};
        size_t before = l.n;
        bool whole = take_answer(&data, &size, &a);
        if (whole) {
            (void)!dce_read_bind_ack(&a);
            int done = dce_read_lookup(&a, handle, &l);
            require(done >= 0 || done == -EREMOTEIO || l.n == before);
        }
        dce_answer_done(&a);
        if (!whole)
            break;
    }
    require(l.n <= RPC_DUMP_ENTRIES);
    for (size_t i = 0; i < l.n; i++)
        check_entry(&l.v[i]);
    rpc_endpoints_done(&l);
    return 0;
}
