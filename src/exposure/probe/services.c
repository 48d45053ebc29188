/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/services.c: see services.h. Called by udp.c. An answer is proven by what the
 * protocol must repeat of the question, or by a fixed mark; whatever else comes shows only that the
 * port is open. Questions have no effect on the service that they ask. */
#include "services.h"

#include <string.h>

#include "exposureprobe/probe.h"

/* Name servers of the root (RFC 1035), identification 'pw'; recursion is not asked for. */
static const uint8_t dns[] = {'p', 'w', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1};
/* All services of the link, as a one-shot question (RFC 6762, 6.7; RFC 6763, 9). */
static const uint8_t mdns[] = "pw\0\0\0\1\0\0\0\0\0\0\x09_services\x07_dns-sd\x04_udp\x05local"
                              "\0\0\x0c\0\1";
/* Version 4, client (RFC 5905); the transmit timestamp comes back as the origin. */
static const uint8_t ntp[48] = {0x23, [40] = 'p', 'o', 'r', 't', 'w', 'a', 'r', 'd'};
/* GetRequest of sysDescr.0, version 1, community "public", request 0x7077 (RFC 1157). */
static const uint8_t snmp[] = {0x30, 0x27, 0x02, 0x01, 0x00, 0x04, 0x06, 'p',  'u',  'b',  'l',
                               'i',  'c',  0xa0, 0x1a, 0x02, 0x02, 'p',  'w',  0x02, 0x01, 0x00,
                               0x02, 0x01, 0x00, 0x30, 0x0e, 0x30, 0x0c, 0x06, 0x08, 0x2b, 0x06,
                               0x01, 0x02, 0x01, 0x01, 0x01, 0x00, 0x05, 0x00};
/* NULL procedure of program 100000 version 2 (RFC 5531). */
static const uint8_t rpcbind[] = {'p',  'w',  's', 'c', 0, 0, 0, 0, 0, 0, 0, 2, 0, 1,
                                  0x86, 0xa0, 0,   0,   0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
                                  0,    0,    0,   0,   0, 0, 0, 0, 0, 0, 0, 0};
/* Node status of "*" (RFC 1002, 4.2.17). */
static const uint8_t netbios[] = "pw\0\0\0\1\0\0\0\0\0\0\x20"
                                 "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0\0\x21\0\1";
/* Header and an empty SA payload of IKEv2 (RFC 7296, 3.1): refused with the same cookie. */
static const uint8_t ike[] = {'p', 'o',  'r', 't',  'w', 'a', 'r', 'd', 0, 0, 0, 0,  0, 0, 0, 0,
                              33,  0x20, 34,  0x08, 0,   0,   0,   0,   0, 0, 0, 32, 0, 0, 0, 4};
static const uint8_t sip[] = "OPTIONS sip:scan@portward.invalid SIP/2.0\r\n"
                             "Via: SIP/2.0/UDP portward.invalid;branch=z9hG4bKportward;rport\r\n"
                             "From: <sip:scan@portward.invalid>;tag=pw\r\n"
                             "To: <sip:scan@portward.invalid>\r\n"
                             "Call-ID: portward\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 0\r\n"
                             "Content-Length: 0\r\n\r\n";

static bool begins(const uint8_t *data, size_t len, const void *with, size_t n)
{
    return len >= n && memcmp(data, with, n) == 0;
}

/* A response with our identification; multicast DNS may answer with 0. */
static bool is_dns(const uint8_t *data, size_t len)
{
    return len >= 12 && begins(data, len, "pw", 2) && data[2] & 0x80;
}

static bool is_mdns(const uint8_t *data, size_t len)
{
    return len >= 12 && data[2] & 0x80 &&
           (begins(data, len, "pw", 2) || begins(data, len, "\0\0", 2));
}

static bool is_ntp(const uint8_t *data, size_t len)
{
    return len >= 48 && (data[0] & 7) == 4 && memcmp(data + 24, "portward", 8) == 0;
}

/* A sequence that holds a GetResponse of our request; lengths below 128 only are looked into. */
static bool is_snmp(const uint8_t *data, size_t len)
{
    static const uint8_t id[] = {0x02, 0x02, 'p', 'w'};
    if (len < 20 || data[0] != 0x30)
        return false;
    for (size_t i = 1; i + sizeof(id) <= len && i < 64; i++)
        if (memcmp(data + i, id, sizeof(id)) == 0)
            return true;
    return false;
}

static bool is_rpcbind(const uint8_t *data, size_t len)
{
    return len >= 12 && begins(data, len, "pwsc\0\0\0\1", 8);
}

static bool is_ike(const uint8_t *data, size_t len)
{
    return len >= 28 && begins(data, len, "portward", 8);
}

static bool is_sip(const uint8_t *data, size_t len)
{
    return begins(data, len, "SIP/2.0 ", 8);
}

static const struct {
    uint16_t port;
    const char *name;
    const uint8_t *question;
    size_t len; /* text constants without their last NUL */
    bool (*proves)(const uint8_t *data, size_t len);
} services[] = {
    {53, "dns", dns, sizeof(dns), is_dns},
    {111, "rpcbind", rpcbind, sizeof(rpcbind), is_rpcbind},
    {123, "ntp", ntp, sizeof(ntp), is_ntp},
    {137, "netbios-ns", netbios, sizeof(netbios) - 1, is_dns},
    {161, "snmp", snmp, sizeof(snmp), is_snmp},
    {500, "isakmp", ike, sizeof(ike), is_ike},
    {5060, "sip", sip, sizeof(sip) - 1, is_sip},
    {5353, "mdns", mdns, sizeof(mdns) - 1, is_mdns},
};

const uint8_t *service_question(uint16_t port, size_t *ret_len)
{
    for (size_t i = 0; i < ARRAY_SIZE(services); i++)
        if (services[i].port == port) {
            *ret_len = services[i].len;
            return services[i].question;
        }
    *ret_len = 0;
    return (const uint8_t *)"";
}

uint8_t service_answer(uint16_t port, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(services); i++)
        if (services[i].port == port)
            return services[i].proves(data, len) ? (uint8_t)(i + 1) : 0;
    return 0;
}

const char *probe_service_name(uint8_t service)
{
    return service > 0 && service <= ARRAY_SIZE(services) ? services[service - 1].name : NULL;
}
