/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/keywords.c: which name and DHCP servers this host uses.
 * Called by resolver.c while filters use `dns` or `dhcp`, by config.c for `wins`. The files are
 * written by root's programs, but with data from the network: everything that is no plain
 * address is passed over. */
#include "keywords.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "files.h"

enum { FILE_BYTES_MAX = 1024 * 1024, FILES_MAX = 64 };

void address_list_add(struct address_list *l, enum family f, struct ip ip)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].family == f && ip_eq(l->v[i].ip, ip))
            return;
    if (l->n < KEYWORD_ADDRESSES_MAX)
        l->v[l->n++] = (struct fetch_address){f, ip};
}

/* A line without its end, and a word in it; both as pieces of the text. */
struct piece {
    const char *s;
    size_t n;
};

static bool next_line(const char *text, size_t len, size_t *at, struct piece *ret)
{
    if (*at >= len)
        return false;
    const char *end = memchr(text + *at, '\n', len - *at);
    *ret = (struct piece){text + *at, end ? (size_t)(end - (text + *at)) : len - *at};
    *at += ret->n + 1;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct piece next_word(struct piece *line)
{
    while (line->n > 0 && is_blank(line->s[0])) {
        line->s++;
        line->n--;
    }
    struct piece word = {line->s, 0};
    while (word.n < line->n && !is_blank(line->s[word.n]))
        word.n++;
    line->s += word.n;
    line->n -= word.n;
    return word;
}

static bool is_word(struct piece p, const char *word)
{
    return p.n == strlen(word) && memcmp(p.s, word, p.n) == 0;
}

/* ADDR, or ADDR%SCOPE as resolv.conf has it for link-local servers. */
static bool parse_address(struct piece p, enum family *ret_f, struct ip *ret_ip)
{
    const char *scope = memchr(p.s, '%', p.n);
    if (scope)
        p.n = (size_t)(scope - p.s);
    return ip_parse(p.s, p.n, ret_f, ret_ip) == 0;
}

static bool is_loopback(enum family f, struct ip ip)
{
    return f == FAMILY_4 ? ip.lo >> 24 == 127 : ip_eq(ip, (struct ip){0, 1}); /* RFC 4291 2.5.3 */
}

void keywords_parse_resolv_conf(const char *text, size_t len, struct address_list *l,
                                bool *ret_stub)
{
    struct piece line;
    for (size_t at = 0; next_line(text, len, &at, &line);) {
        enum family f;
        struct ip ip;
        if (!is_word(next_word(&line), "nameserver") || !parse_address(next_word(&line), &f, &ip))
            continue;
        if (is_loopback(f, ip))
            *ret_stub = true;
        else
            address_list_add(l, f, ip);
    }
}

void keywords_parse_dhclient(const char *text, size_t len, struct address_list *l)
{
    struct piece line;
    struct fetch_address last = {.family = FAMILY_ANY};
    for (size_t at = 0; next_line(text, len, &at, &line);) {
        if (!is_word(next_word(&line), "option") ||
            !is_word(next_word(&line), "dhcp-server-identifier"))
            continue;
        struct piece value = next_word(&line);
        if (value.n > 1 && value.s[value.n - 1] == ';')
            value.n--;
        struct fetch_address a;
        if (parse_address(value, &a.family, &a.ip))
            last = a;
    }
    if (last.family != FAMILY_ANY)
        address_list_add(l, last.family, last.ip);
}

void keywords_parse_networkd(const char *text, size_t len, struct address_list *l)
{
    static const char key[] = "SERVER_ADDRESS=";
    struct piece line;
    for (size_t at = 0; next_line(text, len, &at, &line);) {
        enum family f;
        struct ip ip;
        if (line.n <= strlen(key) || memcmp(line.s, key, strlen(key)) != 0)
            continue;
        line.s += strlen(key);
        line.n -= strlen(key);
        if (parse_address(next_word(&line), &f, &ip))
            address_list_add(l, f, ip);
    }
}

int keywords_parse_list(const char *text, size_t len, struct address_list *l)
{
    struct address_list fresh = {.n = 0};
    for (size_t at = 0; at <= len;) {
        const char *comma = memchr(text + at, ',', len - at);
        struct piece item = {text + at, comma ? (size_t)(comma - (text + at)) : len - at};
        enum family f;
        struct ip ip;
        at += item.n + 1;
        struct piece word = next_word(&item);
        if (ip_parse(word.s, word.n, &f, &ip) < 0 || next_word(&item).n > 0 ||
            fresh.n == KEYWORD_ADDRESSES_MAX)
            return -EINVAL;
        address_list_add(&fresh, f, ip);
    }
    *l = fresh;
    return 0;
}

/* --- files --- */
/* *ret_text NULL if the file is not there. */
static int read_optional(const char *root, const char *path, char **ret_text, size_t *ret_len)
{
    char full[512];
    *ret_text = NULL;
    *ret_len = 0;
    if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
        return -ENAMETOOLONG;
    int err = file_read(full, FILE_BYTES_MAX, ret_text, ret_len);
    return err == -ENOENT || err == -ENOTDIR ? 0 : err;
}

static int read_dns(const char *root, struct address_list *l)
{
    static const char *const files[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};
    bool stub = true;
    int err = 0;
    /* The second holds the real servers of systemd-resolved's stub (systemd-resolved(8)). */
    for (size_t i = 0; err == 0 && stub && i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *text = NULL;
        size_t len;
        stub = false;
        err = read_optional(root, files[i], &text, &len);
        if (err == 0 && text)
            keywords_parse_resolv_conf(text, len, l, &stub);
    }
    return err;
}

typedef void (*parse_fn)(const char *text, size_t len, struct address_list *l);

/* suffix "": every file. */
static int read_leases(const char *root, const char *dir, const char *suffix, parse_fn parse,
                       struct address_list *l)
{
    char full[512];
    if (snprintf(full, sizeof(full), "%s%s", root, dir) >= (int)sizeof(full))
        return -ENAMETOOLONG;
    DIR *d = opendir(full);
    if (!d)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    int err = 0;
    size_t n = 0;
    for (const struct dirent *e; err == 0 && n < FILES_MAX && (e = readdir(d));) {
        size_t name_len = strlen(e->d_name), suffix_len = strlen(suffix);
        char path[512];
        _cleanup_free_ char *text = NULL;
        size_t len;
        if (e->d_name[0] == '.' || name_len < suffix_len ||
            strcmp(e->d_name + name_len - suffix_len, suffix) != 0 ||
            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
            continue;
        err = read_optional(root, path, &text, &len);
        if (err == 0 && text)
            parse(text, len, l);
        n++;
    }
    (void)closedir(d); /* opened for reading */
    return err;
}

int keywords_read(enum addr_kind kind, const char *root, struct address_list *ret)
{
    struct address_list l = {.n = 0};
    int err;
    if (kind == ADDR_KEYWORD_DNS) {
        err = read_dns(root, &l);
    } else {
        err = read_leases(root, "/run/systemd/netif/leases", "", keywords_parse_networkd, &l);
        if (err == 0)
            err = read_leases(root, "/var/lib/dhcp", ".leases", keywords_parse_dhclient, &l);
    }
    if (err < 0)
        return err;
    *ret = l;
    return 0;
}
