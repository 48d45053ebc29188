/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blob_nfa.c: ipsecNFA, a rule: authentication, interface type, tunnel ([MS-GPIPSEC] 2.2.1.3).
 * Callers: reg_policy*.c. */
#include <errno.h>
#include <string.h>

#include "blob_cursor.h"

enum { AUTH_BYTES = 8 };
enum { PART_AUTH = 1, PART_AUTH_FLAGS = 2, PART_TUNNEL6 = 3 };

void blob_nfa_done(struct blob_nfa *b)
{
    for (size_t i = 0; i < b->n_auth; i++)
        free(b->auth[i].data);
    free(b->auth);
    free(b->interface_name);
    *b = (struct blob_nfa){0};
}

/* The GUIDs of the optional parts differ in their last byte. */
static bool take_part(struct blob_reader *r, uint8_t part)
{
    uint8_t guid[16];
    memset(guid, 1, sizeof(guid));
    guid[15] = part;
    return blob_take_guid(r, guid);
}

static int read_auth(struct blob_reader *r, struct blob_nfa *b)
{
    size_t count = blob_count(r, AUTH_BYTES);
    b->auth = calloc(count + 1, sizeof(*b->auth));
    if (!b->auth)
        r->err = -ENOMEM;
    for (; b->n_auth < count && r->err == 0; b->n_auth++) {
        b->auth[b->n_auth].method = blob_u32(r);
        b->auth[b->n_auth].data = blob_string(r);
    }
    return r->err;
}

/* Later systems repeat the methods here; ours are the first ones unless there are none. */
static void read_parts(struct blob_reader *r, struct blob_nfa *b)
{
    size_t count = 0;
    if (take_part(r, PART_AUTH)) {
        _cleanup_(blob_nfa_done) struct blob_nfa more = {0};
        if (read_auth(r, &more) < 0)
            return;
        count = more.n_auth;
        if (b->n_auth == 0) {
            free(b->auth);
            b->auth = TAKE_PTR(more.auth);
            b->n_auth = count;
            more.n_auth = 0;
        }
    }
    if (take_part(r, PART_AUTH_FLAGS))
        (void)blob_take(r, 4 + 4 * count);
    if (take_part(r, PART_TUNNEL6)) {
        const uint8_t *p = blob_take(r, 16);
        b->has_tunnel6 = p != NULL;
        if (p)
            b->tunnel6 = ip_from_bytes(FAMILY_6, p);
    }
}

int blob_nfa_read(const uint8_t *data, size_t n, struct diag *d, struct blob_nfa *ret)
{
    _cleanup_(blob_nfa_done) struct blob_nfa b = {0};
    struct blob_reader r = blob_reader_start(data, n, BLOB_NFA, d);
    (void)blob_u32(&r);
    if (read_auth(&r, &b) < 0)
        return r.err;
    b.interface_type = blob_u32(&r);
    if (r.err == 0 && b.interface_type < BLOB_IF_ALL)
        (void)blob_reader_fail(&r, "unknown type of interface", b.interface_type);
    b.interface_name = blob_string(&r);
    const uint8_t *tunnel = blob_take(&r, 4);
    if (tunnel)
        b.tunnel = ip_from_bytes(FAMILY_4, tunnel);
    b.is_tunnel = blob_u32(&r) != 0;
    b.is_active = blob_u32(&r) != 0;
    free(blob_string(&r));
    read_parts(&r, &b);
    if (r.err < 0)
        return r.err;
    *ret = b;
    b = (struct blob_nfa){0};
    return 0;
}

int blob_nfa_write(const struct blob_nfa *p, struct blob_bytes *out)
{
    int err = p->n_auth > BLOB_ITEMS ? -E2BIG : 0;
    uint8_t bytes[16];
    size_t place = blob_begin(out, blob_guids[BLOB_NFA], &err);
    blob_put_u32(out, (uint32_t)p->n_auth, &err);
    for (size_t i = 0; err == 0 && i < p->n_auth; i++) {
        blob_put_u32(out, p->auth[i].method, &err);
        blob_put_string(out, p->auth[i].data, &err);
    }
    blob_put_u32(out, p->interface_type, &err);
    blob_put_string(out, p->interface_name, &err);
    ip_to_bytes(FAMILY_4, p->tunnel, bytes);
    blob_put(out, bytes, 4, &err);
    blob_put_u32(out, p->is_tunnel, &err);
    blob_put_u32(out, p->is_active, &err);
    blob_put_string(out, NULL, &err);
    blob_end(out, place, 0, err);
    blob_put_zero(out, 1, &err);
    if (p->has_tunnel6) {
        memset(bytes, 1, sizeof(bytes));
        bytes[15] = PART_TUNNEL6;
        blob_put(out, bytes, 16, &err);
        ip_to_bytes(FAMILY_6, p->tunnel6, bytes);
        blob_put(out, bytes, 16, &err);
    }
    return err;
}
