/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/socketpolicy.c: see cli/socketpolicy.h. Called by `portward sockets` and `portward audit`. */
#include "cli/socketpolicy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/hash.h"
#include "cli/context.h"

enum { PLACES_MAX = 4096, ANSWER_TEXT_MAX = 64 * 1024 };

/* An address with the ports that are asked for there. */
struct place_key {
    uint8_t proto, family; /* 4 or 6 */
    uint8_t any, pad;
    uint32_t ifindex;
    uint8_t address[16];
};
struct place {
    struct place_key key;
    struct place_key *owned_key; /* what the table points to */
    char *item;                  /* the question, "tcp *4 22,80" */
    size_t len, cap;
    int last_port; /* the last one in it, -1 = none */
    const json_t **ranges;
    size_t n_ranges, cap_ranges;
};

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool has_question(const struct socket_row *r)
{
    return (r->state == SOCKET_LISTEN || r->state == SOCKET_BOUND) && !socket_is_loopback(r);
}

/* The place of a row in one family; false: packets of the family do not get there. */
static bool key_of(const struct socket_row *r, unsigned family, struct place_key *ret)
{
    bool is_mapped = r->family == AF_INET6 && memcmp(r->local, mapped, sizeof(mapped)) == 0;
    bool any = socket_is_any_address(r);

    *ret = (struct place_key){.proto = r->proto, .family = (uint8_t)family, .ifindex = r->ifindex};
    if (any)
        ret->any = 1;
    if (family == 4 && r->family == AF_INET6) {
        if (is_mapped)
            memcpy(ret->address, r->local + sizeof(mapped), 4);
        return is_mapped || (any && !r->six_only);
    }
    if (family == 6 && (r->family != AF_INET6 || is_mapped))
        return false;
    memcpy(ret->address, r->local, r->family == AF_INET ? 4 : 16);
    return true;
}

static void append(struct place *p, const char *text, size_t n)
{
    if (array_reserve(&p->item, &p->cap, p->len + n + 1, 1) < 0)
        cli_out_of_memory();
    memcpy(p->item + p->len, text, n + 1);
    p->len += n;
}

static void begin_item(struct place *p)
{
    char address[INET6_ADDRSTRLEN] = "*4", device[16] = "", text[128];
    int family = p->key.family == 4 ? AF_INET : AF_INET6;

    if (p->key.any)
        (void)format_into(address, sizeof(address), "*%u", p->key.family);
    else if (!inet_ntop(family, p->key.address, address, sizeof(address)))
        address[0] = '\0'; /* not possible for these families */
    if (p->key.ifindex)
        (void)format_into(device, sizeof(device), "%%%u", p->key.ifindex);
    const char *proto = p->key.proto == IPPROTO_TCP    ? "tcp"
                        : p->key.proto == IPPROTO_UDP  ? "udp"
                        : p->key.proto == IPPROTO_SCTP ? "sctp"
                                                       : "udplite";
    append(p, text, format_into(text, sizeof(text), "%s %s%s ", proto, address, device));
    p->last_port = -1;
}

static struct place *find_place(const struct cli_socket_policy *p, const struct place_key *key)
{
    void *found = p->places ? hash_table_get(p->places, key, sizeof(*key)) : NULL;

    return found ? &p->v[(uintptr_t)found - 1] : NULL;
}

/* Keys move with the array: the table is given its own copies. */
static struct place *add_place(struct cli_socket_policy *p, const struct place_key *key)
{
    struct place_key *copy = malloc(sizeof(*copy));

    if (!copy || array_reserve(&p->v, &p->cap, p->n + 1, sizeof(*p->v)) < 0)
        cli_out_of_memory();
    *copy = *key;
    p->v[p->n] = (struct place){.key = *key};
    if (hash_table_put(p->places, copy, sizeof(*copy), (void *)(uintptr_t)(p->n + 1)) < 0)
        cli_out_of_memory();
    p->v[p->n].owned_key = copy;
    begin_item(&p->v[p->n]);
    return &p->v[p->n++];
}

/* Rows come by port, so that ports ascend. */
static void add_row(struct cli_socket_policy *p, const struct socket_row *r, unsigned family)
{
    struct place_key key;
    char text[16];

    if (!key_of(r, family, &key))
        return;
    struct place *at = find_place(p, &key);
    if (!at && p->n < PLACES_MAX)
        at = add_place(p, &key);
    if (!at)
        p->complete = false;
    if (!at || at->last_port == r->port)
        return;
    size_t n = format_into(text, sizeof(text), at->last_port < 0 ? "%u" : ",%u", r->port);
    append(at, text, n);
    at->last_port = r->port;
}

static json_t *questions(const struct cli_socket_policy *p)
{
    json_t *items = json_array();

    for (size_t i = 0; items && i < p->n; i++)
        if (json_array_append_new(items, json_string(p->v[i].item)))
            cli_out_of_memory();
    return json_pack("{s:o}", "items", items);
}

/* Ranges come by question and ascend. */
static void take_ranges(struct cli_socket_policy *p)
{
    const json_t *range;
    size_t i;

    json_array_foreach(json_object_get(cli_data(p->doc), "reach"), i, range)
    {
        int64_t item = cli_int(range, "item", -1);

        if (item < 0 || (size_t)item >= p->n)
            continue;
        struct place *at = &p->v[item];
        if (array_reserve(&at->ranges, &at->cap_ranges, at->n_ranges + 1, sizeof(*at->ranges)) < 0)
            cli_out_of_memory();
        at->ranges[at->n_ranges++] = range;
    }
    p->complete &= json_is_true(json_object_get(cli_data(p->doc), "complete"));
    p->known = true;
}

static void ask(struct cli *c, struct cli_socket_policy *p)
{
    _cleanup_json_ json_t *body = questions(p);
    _cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    struct diag d = {0};

    if (!text)
        cli_out_of_memory();
    struct api_request r = {.method = "POST",
                            .target = "/v1/reach",
                            .body = text,
                            .body_len = strlen(text),
                            .timeout_ms = c->timeout_ms};
    if (api_client_call(c->socket_path, &r, &d, &answer) < 0) {
        (void)format_into(p->why, sizeof(p->why), "%s", d.message);
        return;
    }
    p->doc = json_loadb(answer.body, answer.body_len, JSON_REJECT_DUPLICATES, NULL);
    p->generation = cli_int(p->doc, "generation", 0);
    if (json_is_true(json_object_get(p->doc, "ok")))
        take_ranges(p);
    else
        (void)format_into(p->why, sizeof(p->why), "%s",
                          cli_str(json_object_get(p->doc, "error"), "message"));
}

void cli_socket_policy_load(struct cli *c, const struct sockets *s, struct cli_socket_policy *p)
{
    static const struct hash_seed seed = {1, 2}; /* keys are this host's own addresses */

    *p = (struct cli_socket_policy){.complete = true};
    if (hash_table_new(seed, &p->places) < 0)
        cli_out_of_memory();
    for (size_t i = 0; i < s->n; i++)
        if (has_question(&s->v[i])) {
            add_row(p, &s->v[i], 4);
            add_row(p, &s->v[i], 6);
        }
    if (p->n)
        ask(c, p);
    else
        p->known = true;
}

void cli_socket_policy_done(struct cli_socket_policy *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->v[i].item);
        free(p->v[i].ranges);
        free(p->v[i].owned_key);
    }
    free(p->v);
    free(p->text);
    hash_table_free(p->places);
    json_decref(p->doc);
    *p = (struct cli_socket_policy){0};
}

/* "22" or "1024-65535". */
static void read_ports(const json_t *range, unsigned *first, unsigned *last)
{
    const char *s = cli_str(range, "ports"), *dash = strchr(s, '-');

    *first = (unsigned)strtoul(s, NULL, 10);
    *last = dash ? (unsigned)strtoul(dash + 1, NULL, 10) : *first;
}

const json_t *cli_socket_policy_find(const struct cli_socket_policy *p,
                                     const struct socket_row *row, unsigned family)
{
    struct place_key key;
    const struct place *at =
        has_question(row) && key_of(row, family, &key) ? find_place(p, &key) : NULL;
    size_t low = 0, high = at ? at->n_ranges : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        unsigned first, last;

        read_ports(at->ranges[middle], &first, &last);
        if (row->port < first)
            high = middle;
        else if (row->port > last)
            low = middle + 1;
        else
            return at->ranges[middle];
    }
    return NULL;
}

static bool says_something(const json_t *range)
{
    const char *s = cli_str(range, "text");

    return *s && strncmp(s, "no IP", 5) != 0;
}

const char *cli_socket_policy_text(struct cli_socket_policy *p, const struct socket_row *row)
{
    const json_t *four = cli_socket_policy_find(p, row, 4),
                 *six = cli_socket_policy_find(p, row, 6);
    const char *a = cli_str(four, "text"), *b = cli_str(six, "text");

    if (row->state == SOCKET_RESERVED)
        return "not listening";
    if (row->state == SOCKET_SNIFF || row->state == SOCKET_XSK)
        return "sees packets before the filters";
    if (row->state == SOCKET_LISTEN || row->state == SOCKET_BOUND)
        if (socket_is_loopback(row))
            return "loopback only";
    if (!says_something(four) || !says_something(six) || strcmp(a, b) == 0)
        return says_something(four) ? a : *b ? b : *a ? a : NULL;
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(ANSWER_TEXT_MAX);
    if (strbuf_addf(&text, "IPv4 %s; IPv6 %s", a, b) < 0)
        cli_out_of_memory();
    free(p->text);
    p->text = strbuf_take(&text);
    return p->text;
}
