/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/ip.c: addresses of both families as numbers, and their text.
 * Used by every module that touches an address. Invariant: ip_parse(ip_print(x)) == x, and
 * ip_print() writes the one form of RFC 5952, so equal addresses are equal text. */
#include "model/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static uint64_t get_be(const uint8_t *b, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | b[i];
    return v;
}

static void put_be(uint8_t *b, unsigned n, uint64_t v)
{
    for (unsigned i = n; i-- > 0; v >>= 8)
        b[i] = (uint8_t)v;
}

struct ip ip_from_bytes(enum family f, const uint8_t *bytes)
{
    if (f == FAMILY_4)
        return (struct ip){.lo = get_be(bytes, 4)};
    return (struct ip){get_be(bytes, 8), get_be(bytes + 8, 8)};
}

void ip_to_bytes(enum family f, struct ip a, uint8_t *bytes)
{
    if (f == FAMILY_4) {
        put_be(bytes, 4, a.lo);
        return;
    }
    put_be(bytes, 8, a.hi);
    put_be(bytes + 8, 8, a.lo);
}

/* Four octets without leading zeros, which inet_pton(3) does not take either. */
static bool parse_dotted(const char *s, size_t n, uint32_t *ret)
{
    uint32_t address = 0;
    size_t i = 0;
    for (unsigned octet = 0; octet < 4; octet++) {
        if (octet > 0 && (i == n || s[i++] != '.'))
            return false;
        unsigned value = 0;
        size_t first = i;
        for (; i < n && i - first < 3 && s[i] >= '0' && s[i] <= '9'; i++)
            value = value * 10 + (unsigned)(s[i] - '0');
        if (i == first || value > 255 || (s[first] == '0' && i - first > 1))
            return false;
        address = address << 8 | value;
    }
    *ret = address;
    return i == n;
}

int ip_parse(const char *s, size_t n, enum family *ret_family, struct ip *ret_ip)
{
    uint32_t address;
    if (parse_dotted(s, n, &address)) {
        *ret_family = FAMILY_4;
        *ret_ip = (struct ip){.lo = address};
        return 0;
    }
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (n >= sizeof(text) || !memchr(s, ':', n) || memchr(s, '\0', n))
        return -EINVAL;
    memcpy(text, s, n);
    text[n] = '\0';
    /* glibc's inet_pton takes neither leading zeros nor a zone. */
    if (inet_pton(AF_INET6, text, bytes) != 1)
        return -EINVAL;
    *ret_family = FAMILY_6;
    *ret_ip = ip_from_bytes(FAMILY_6, bytes);
    return 0;
}

/* Every filter has some: without a format, which would take half of the time of a text. */
static void print_dotted(uint32_t a, char *out)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned octet = a >> (24 - 8 * i) & 0xff;
        if (octet >= 100)
            *out++ = (char)('0' + octet / 100);
        if (octet >= 10)
            *out++ = (char)('0' + octet / 10 % 10);
        *out++ = (char)('0' + octet % 10);
        *out++ = i < 3 ? '.' : '\0';
    }
}

/* RFC 5952, 4.2: the longest run of at least two zero groups, the first of equals. */
static void longest_zero_run(const unsigned group[8], unsigned *ret_first, unsigned *ret_len)
{
    unsigned best = 8, best_len = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned len = 0;
        while (i + len < 8 && group[i + len] == 0)
            len++;
        if (len > best_len && len >= 2)
            best = i, best_len = len;
        if (len > 0)
            i += len - 1;
    }
    *ret_first = best;
    *ret_len = best_len;
}

/* Without leading zeros. */
static char *print_group(unsigned group, char *out)
{
    for (int shift = 12; shift >= 0; shift -= 4)
        if (group >> shift || shift == 0)
            *out++ = "0123456789abcdef"[group >> shift & 0xf];
    return out;
}

void ip_print(enum family f, struct ip a, char out[IP_TEXT_BYTES])
{
    if (f == FAMILY_4) {
        print_dotted((uint32_t)a.lo, out);
        return;
    }
    if (a.hi == 0 && a.lo >> 32 == 0xffff) { /* RFC 5952, 5: the IPv4-mapped prefix */
        memcpy(out, "::ffff:", 7);
        print_dotted((uint32_t)a.lo, out + 7);
        return;
    }
    unsigned group[8], first, len;
    for (unsigned i = 0; i < 8; i++)
        group[i] = (unsigned)((i < 4 ? a.hi : a.lo) >> (48 - 16 * (i % 4)) & 0xffff);
    longest_zero_run(group, &first, &len);
    for (unsigned i = 0; i < 8; i++) {
        if (i == first) {
            i += len - 1;
            if (first == 0)
                *out++ = ':';
        } else {
            out = print_group(group[i], out);
        }
        if (i < 7 || (len > 0 && first + len == 8))
            *out++ = ':';
    }
    *out = '\0';
}
