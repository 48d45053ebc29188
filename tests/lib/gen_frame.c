/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/gen_frame.c: frames of random packets, some of them odd: tags, extension headers,
 * options, fragments, wrong lengths, flipped bytes, cut ends. The result only has to be the same
 * for both sides, so nothing here keeps checksums right. */
#include <string.h>

#include "eval/eval.h"
#include "gen_internal.h"

enum { ETH_BYTES = 14, IP4_BYTES = 20, IP6_BYTES = 40 };

static void insert_bytes(uint8_t *frame, size_t *len, size_t at, const uint8_t *b, size_t n)
{
    if (*len + n > GEN_FRAME_BYTES)
        return;
    memmove(frame + at + n, frame + at, *len - at);
    memcpy(frame + at, b, n);
    *len += n;
}

static unsigned get16(const uint8_t *b)
{
    return (unsigned)b[0] << 8 | b[1];
}

static void put16(uint8_t *b, unsigned v)
{
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

static void add_tags(struct rng *r, unsigned most, uint8_t *frame, size_t *len)
{
    for (unsigned n = 1 + rng_below(r, most); n; n--) {
        uint8_t tag[4] = {once_in(r, 2) ? 0x81 : 0x88, 0, 0, (uint8_t)rng_below(r, 6)};
        tag[1] = tag[0] == 0x81 ? 0x00 : 0xa8;
        insert_bytes(frame, len, ETH_BYTES - 2, tag, sizeof(tag));
    }
}

/* In front of what the IPv6 header names; each names the header behind it. */
static void add_extensions(struct rng *r, uint8_t *frame, size_t *len)
{
    static const uint8_t types[] = {0, 60, 60, 43, 44, 44, 51, 135, 139, 140};
    uint8_t *ip = frame + ETH_BYTES;
    unsigned count = once_in(r, 3) ? 7 + rng_below(r, 3) : 1 + rng_below(r, 3);
    for (unsigned n = count; n; n--) {
        uint8_t type = types[rng_below(r, ARRAY_SIZE(types))];
        uint8_t ext[16] = {ip[6], once_in(r, 3) ? 1 : 0};
        size_t bytes = type == 51 ? (ext[1] + 2u) * 4 : (ext[1] + 1u) * 8;
        if (type == 43 && once_in(r, 4))
            ext[3] = 1;
        if (type == 44) {
            bytes = 8;
            put16(ext + 2, once_in(r, 3) ? rng_below(r, 32) : rng_below(r, 2));
        }
        if (count > 4 && type == 44)
            type = 60;
        insert_bytes(frame, len, ETH_BYTES + IP6_BYTES, ext, bytes);
        ip[6] = type;
        put16(ip + 4, get16(ip + 4) + (unsigned)bytes);
    }
}

static void add_options(struct rng *r, uint8_t *frame, size_t *len)
{
    static const uint8_t kinds[] = {0, 1, 1, 7, 68, 131, 137, 148, 148};
    uint8_t options[40] = {0}, *ip = frame + ETH_BYTES;
    unsigned words = 1 + rng_below(r, 10);
    for (unsigned at = 0; at < words * 4;) {
        uint8_t kind = kinds[rng_below(r, ARRAY_SIZE(kinds))];
        unsigned size = kind < 2 ? 1 : once_in(r, 16) ? rng_below(r, 40) : 2 + rng_below(r, 6);
        options[at] = kind;
        if (at + 1 < words * 4 && kind > 1)
            options[at + 1] = (uint8_t)size;
        at += size ? size : 2;
    }
    unsigned ihl = (ip[0] & 15u) + words;
    if (ihl > 15)
        return;
    insert_bytes(frame, len, ETH_BYTES + IP4_BYTES, options, words * 4);
    ip[0] = (uint8_t)(0x40 | ihl);
    put16(ip + 2, get16(ip + 2) + words * 4);
}

static void change_length(struct rng *r, uint8_t *ip, bool v4)
{
    uint8_t *at = ip + (v4 ? 2 : 4);
    put16(at, once_in(r, 4) ? rng_below(r, 4) : get16(at) + rng_below(r, 24) - 16);
}

/* At least the fixed IP header stays. */
static void cut_end(struct rng *r, const uint8_t *frame, size_t *len)
{
    size_t keep = ETH_BYTES + (get16(frame + 12) == 0x0800 ? IP4_BYTES : IP6_BYTES);
    if (*len > keep)
        *len = keep + rng_below(r, (uint32_t)(*len - keep));
}

static void flip_bytes(struct rng *r, uint8_t *frame, size_t len)
{
    for (unsigned n = 1 + rng_below(r, 3); n; n--)
        frame[ETH_BYTES + rng_below(r, (uint32_t)len - ETH_BYTES)] = (uint8_t)rng_next(r);
}

size_t gen_dress_frame(struct rng *r, uint8_t frame[GEN_FRAME_BYTES], size_t len)
{
    static const uint8_t types[] = {0, 60, 60, 51, 135};
    uint8_t *ip = frame + ETH_BYTES;
    bool v4 = ip[0] >> 4 == 4;
    unsigned more = v4 ? 1 + rng_below(r, 15 - (ip[0] & 15u)) : 1 + rng_below(r, 4);
    if (once_in(r, 4) && v4) {
        uint8_t nops[40];
        memset(nops, 1, sizeof(nops));
        insert_bytes(frame, &len, ETH_BYTES + IP4_BYTES, nops, (size_t)more * 4);
        ip[0] = (uint8_t)(ip[0] + more);
        put16(ip + 2, get16(ip + 2) + more * 4);
    } else if (once_in(r, 4) && !v4) {
        for (; more; more--) {
            uint8_t ext[8] = {ip[6]}, type = types[rng_below(r, ARRAY_SIZE(types))];
            insert_bytes(frame, &len, ETH_BYTES + IP6_BYTES, ext, sizeof(ext));
            ip[6] = type;
            put16(ip + 4, get16(ip + 4) + (unsigned)sizeof(ext));
        }
    }
    if (once_in(r, 4))
        add_tags(r, 8, frame, &len);
    return len;
}

size_t gen_frame(struct rng *r, const struct packet *p, uint8_t frame[GEN_FRAME_BYTES])
{
    uint8_t built[EVAL_FRAME_BYTES];
    size_t len = eval_build_frame(p, built);
    bool v4 = p->family == FAMILY_4;
    memcpy(frame, built, len);
    if (!once_in(r, 8))
        return len;
    uint8_t *ip = frame + ETH_BYTES;
    uint32_t what = 1 + rng_below(r, 63);
    if (what & 1 && v4 && once_in(r, 2))
        put16(ip + 6, once_in(r, 2) ? 0x2000 : rng_below(r, 4));
    if (what & 2 && v4)
        add_options(r, frame, &len);
    if (what & 2 && !v4)
        add_extensions(r, frame, &len);
    if ((what & 12) == 12)
        change_length(r, ip, v4);
    if ((what & 20) == 20)
        flip_bytes(r, frame, len);
    if ((what & 36) == 36)
        cut_end(r, frame, &len);
    if (once_in(r, 2))
        add_tags(r, 9, frame, &len);
    return len;
}

static bool is_extension(uint8_t type)
{
    static const uint8_t types[] = {0, 43, 44, 51, 60, 135, 139, 140};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (types[i] == type)
            return true;
    return false;
}

static void count_chain(struct gen_stats *s, const uint8_t *ip, size_t len)
{
    uint8_t type = ip[6];
    s->extended += is_extension(type);
    for (size_t at = IP6_BYTES; is_extension(type) && at + 8 <= len;) {
        if (type == 44) {
            s->fragments++;
            return;
        }
        size_t bytes = type == 51 ? (ip[at + 1] + 2u) * 4 : (ip[at + 1] + 1u) * 8;
        type = ip[at];
        at += bytes;
    }
}

void gen_count_frame(struct gen_stats *s, const uint8_t *frame, size_t len)
{
    size_t at = ETH_BYTES - 2;
    for (; at + 4 <= len && (get16(frame + at) == 0x8100 || get16(frame + at) == 0x88a8); at += 4)
        ;
    s->tagged += at > ETH_BYTES - 2;
    const uint8_t *ip = frame + at + 2;
    if (at + 2 + IP4_BYTES <= len && get16(frame + at) == 0x0800) {
        s->extended += (ip[0] & 15) > 5;
        s->fragments += (get16(ip + 6) & 0x3fff) != 0;
    } else if (at + 2 + IP6_BYTES <= len && get16(frame + at) == 0x86dd) {
        count_chain(s, ip, len - at - 2);
    }
}
