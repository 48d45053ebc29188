/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The servers that the host is configured with, for the addresses `dns`, `dhcp`, `gateway` and
 * `wins` of filters: from resolver configuration, leases, routes and portward.conf. The parsers
 * are pure; keywords_read() reads files, gateways_read() asks rtnetlink. */
#pragma once
#include "fetch/wire.h"
#include "model/addr.h"

enum { KEYWORD_ADDRESSES_MAX = LIMIT_NAME_ADDRESSES };
struct address_list {
    struct fetch_address v[KEYWORD_ADDRESSES_MAX];
    size_t n;
};
/* What does not fit is left out: the first ones count, as for the resolver. */
void address_list_add(struct address_list *l, enum family f, struct ip ip);

/* resolv.conf(5): "nameserver ADDR". *ret_stub: a loopback address was among them. */
void keywords_parse_resolv_conf(const char *text, size_t len, struct address_list *l,
                                bool *ret_stub);
/* dhclient.leases(5): the server of the last lease. */
void keywords_parse_dhclient(const char *text, size_t len, struct address_list *l);
/* Leases of systemd-networkd: "SERVER_ADDRESS=". */
void keywords_parse_networkd(const char *text, size_t len, struct address_list *l);
/* portward.conf, [filter] wins = ADDR, ADDR. -EINVAL if a part is no address. */
_must_check_ int keywords_parse_list(const char *text, size_t len, struct address_list *l);

/* root: "" = /, else a directory that stands for it. kind: dns or dhcp. A file that is not there
 * names no server; -errno if one cannot be read. */
_must_check_ int keywords_read(enum addr_kind kind, const char *root, struct address_list *ret);
/* Gateways of the default routes of the main table, both families (gateways.c). */
_must_check_ int gateways_read(struct address_list *ret);
