/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binary objects of Windows IPsec policies ([MS-GPIPSEC] 2.2.1), as they stand in the registry
 * value ipsecData and in the directory: bytes to plain structs and back. Pure. Readers go by the
 * counts, never by the length fields; reserved bytes are ignored on reading and zero on writing;
 * every length is bounded. Callers: reg_policy*.c, tests, fuzz-blob. */
#pragma once
#include "base/diag.h"
#include "base/strbuf.h"
#include "model/filter.h"

struct blob_bytes {
    uint8_t *v; /* owned */
    size_t n, cap;
};
void blob_bytes_done(struct blob_bytes *b);

enum blob_class {
    BLOB_POLICY,      /* ipsecPolicy */
    BLOB_ISAKMP,      /* ipsecISAKMPPolicy */
    BLOB_NFA,         /* ipsecNFA: a rule */
    BLOB_NEGOTIATION, /* ipsecNegotiationPolicy: a filter action */
    BLOB_FILTER,      /* ipsecFilter: a filter list, V1 with or without V2 behind it */
    _BLOB_CLASS_MAX,
};
/* By the GUID that begins the blob; -1 if it is none of ours. */
int blob_class_of(const uint8_t *data, size_t n);
/* GUID bytes as these blobs hold them: the first three fields little-endian. */
struct guid blob_guid_read(const uint8_t bytes[16]);
void blob_guid_write(const struct guid *g, uint8_t bytes[16]);

struct blob_policy {
    uint32_t poll_s; /* 0 = 10800 */
};

struct blob_algorithm {
    uint32_t algorithm, integrity, operation; /* operation 1 = AH, 2 = ESP */
};
struct blob_offer {
    uint32_t seconds, kilobytes, pfs; /* pfs as it stands there */
    uint32_t n_algorithms;            /* 0..3 */
    struct blob_algorithm algorithm[3];
};
struct blob_negotiation {
    struct blob_offer *offers; /* owned */
    size_t n_offers;
};

enum { BLOB_AUTH_PSK = 1, BLOB_AUTH_CERT = 3, BLOB_AUTH_KERBEROS = 5 };
struct blob_auth {
    uint32_t method;
    char *data; /* UTF-8, owned, NULL = none */
};
enum { BLOB_IF_ALL = 0xfffffffd, BLOB_IF_LAN = 0xfffffffe, BLOB_IF_DIALUP = 0xffffffff };
struct blob_nfa {
    struct blob_auth *auth; /* owned */
    size_t n_auth;
    uint32_t interface_type; /* BLOB_IF_* */
    char *interface_name;    /* NULL = none */
    bool is_tunnel, is_active;
    struct ip tunnel; /* IPv4 end point, 0 = none */
    bool has_tunnel6;
    struct ip tunnel6;
};

struct blob_main_mode_offer {
    uint32_t encryption, hash, group, qm_limit, kilobytes, seconds, pfs;
};
struct blob_isakmp {
    uint32_t master_pfs, qm_limit, mm_life_s; /* mm_life_s 0 = 28800 */
    struct blob_main_mode_offer *offers;      /* owned */
    size_t n_offers;
};

/* One side of a filter as Windows writes it. */
struct blob_filter {
    struct guid guid;
    char *description;    /* NULL = none */
    struct filter filter; /* as block: addresses, names, keywords, protocol, ports, mirrored */
    bool is_tunnel;
};
struct blob_filters {
    struct blob_filter *v; /* owned */
    size_t n, cap;
};

void blob_negotiation_done(struct blob_negotiation *b);
void blob_nfa_done(struct blob_nfa *b);
void blob_isakmp_done(struct blob_isakmp *b);
void blob_filters_done(struct blob_filters *b);

/* 0, -ENOMEM, or negative with *d (what is wrong and at which byte offset); *ret only on success.
 * What a filter asks for and our model cannot say fails as well, it is never widened. */
_must_check_ int blob_policy_read(const uint8_t *data, size_t n, struct diag *d,
                                  struct blob_policy *ret);
_must_check_ int blob_negotiation_read(const uint8_t *data, size_t n, struct diag *d,
                                       struct blob_negotiation *ret);
_must_check_ int blob_nfa_read(const uint8_t *data, size_t n, struct diag *d, struct blob_nfa *ret);
_must_check_ int blob_isakmp_read(const uint8_t *data, size_t n, struct diag *d,
                                  struct blob_isakmp *ret);
_must_check_ int blob_filters_read(const uint8_t *data, size_t n, struct diag *d,
                                   struct blob_filters *ret);

/* Append to *out; 0, -ENOMEM, -E2BIG. filters: V1, and V2 behind it if V1 cannot say all of them
 * (IPv6, ranges of addresses or ports); port lists must have been split before. -EOPNOTSUPP: the
 * filter cannot be said at all (blob_filter_can()). */
_must_check_ int blob_policy_write(const struct blob_policy *p, struct blob_bytes *out);
_must_check_ int blob_negotiation_write(const struct blob_negotiation *p, struct blob_bytes *out);
_must_check_ int blob_nfa_write(const struct blob_nfa *p, struct blob_bytes *out);
_must_check_ int blob_isakmp_write(const struct blob_isakmp *p, struct blob_bytes *out);
_must_check_ int blob_filters_write(const struct blob_filters *p, struct blob_bytes *out);
/* A text of so many bytes fits in any script. */
enum { BLOB_TEXT_BYTES = 32 * 1024 - 1 };
/* NULL if the form can say the filter, else what it cannot ("ICMP types", "keep state"). */
const char *blob_filter_can(const struct filter *f);
