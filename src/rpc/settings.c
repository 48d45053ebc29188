/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc/settings.c: the settings "rpc.*" as data, and the truth table of who gets a port of the set.
 * Called by the agent with texts of its files and of its database, by the engine for the answer.
 * Pure. Invariant: what a text says is taken as a whole or not at all; settings that are wrong are
 * `invalid`, which the engine answers by giving no port to anybody who is confined. */
#include "rpc/settings.h"

#include <errno.h>
#include <string.h>

#include "base/strbuf.h"

static const char blanks[] = ", \t\r\n";

/* --- sets of ports --- */
static int bad_ports(struct diag *d, enum diag_code code, const char *item, size_t n,
                     const char *why)
{
    int err = diag_fail(d, code, "'%.*s' %s", (int)(n < 64 ? n : 64), item, why);
    diag_hint(d, "5001-5021, or a list: 5001-5021,6000");
    return err;
}

/* Digits only; more than 65535 stops there. */
static bool take_number(const char **s, const char *end, uint32_t *ret)
{
    const char *p = *s;
    *ret = 0;
    while (p < end && *p >= '0' && *p <= '9') {
        if (*ret <= UINT16_MAX)
            *ret = *ret * 10 + (uint32_t)(*p - '0');
        p++;
    }
    bool any = p > *s;
    *s = p;
    return any;
}

static int take_range(const char *item, size_t n, struct diag *d, struct rpc_port_range *ret)
{
    const char *at = item, *end = item + n;
    uint32_t first, last;
    if (!take_number(&at, end, &first))
        return bad_ports(d, DIAG_SYNTAX, item, n, "is no port and no range of ports");
    last = first;
    if (at < end && *at == '-') {
        at++;
        if (!take_number(&at, end, &last))
            return bad_ports(d, DIAG_SYNTAX, item, n, "is no range of ports");
    }
    if (at < end)
        return bad_ports(d, DIAG_SYNTAX, item, n, "is no port and no range of ports");
    if (first > UINT16_MAX || last > UINT16_MAX)
        return bad_ports(d, DIAG_PORT_RANGE, item, n, "is out of range: ports are 0 to 65535");
    if (last < first)
        return bad_ports(d, DIAG_PORT_RANGE, item, n, "ends before it begins");
    if (first < RPC_PORT_MIN)
        return bad_ports(d, DIAG_PORT_RANGE, item, n,
                         "has ports below 1024, which servers without rights must not get");
    *ret = (struct rpc_port_range){(uint16_t)first, (uint16_t)last};
    return 0;
}

/* Puts r where it belongs and joins it with its neighbours. */
static int insert_range(struct rpc_ports *p, struct rpc_port_range r)
{
    size_t at = 0;
    while (at < p->n && p->v[at].last < r.first)
        at++;
    if (at < p->n && p->v[at].first <= r.last)
        return -EEXIST;
    bool left = at > 0 && p->v[at - 1].last + 1 == r.first;
    bool right = at < p->n && r.last + 1 == p->v[at].first;
    if (left && right) {
        p->v[at - 1].last = p->v[at].last;
        memmove(&p->v[at], &p->v[at + 1], (p->n - at - 1) * sizeof(p->v[0]));
        p->n--;
    } else if (left) {
        p->v[at - 1].last = r.last;
    } else if (right) {
        p->v[at].first = r.first;
    } else {
        if (p->n == RPC_RANGES_MAX)
            return -E2BIG;
        memmove(&p->v[at + 1], &p->v[at], (p->n - at) * sizeof(p->v[0]));
        p->v[at] = r;
        p->n++;
    }
    p->n_ports += (uint32_t)(r.last - r.first) + 1;
    return 0;
}

int rpc_ports_parse(const char *text, struct diag *d, struct rpc_ports *ret)
{
    struct rpc_ports p = {.n = 0};
    for (const char *at = text + strspn(text, blanks); *at; at += strspn(at, blanks)) {
        size_t n = strcspn(at, blanks);
        struct rpc_port_range r = {0, 0};
        int err = take_range(at, n, d, &r);
        if (err == 0)
            err = insert_range(&p, r);
        if (err == -EEXIST)
            return bad_ports(d, DIAG_DUPLICATE, at, n, "has ports that were named before");
        if (err == -E2BIG)
            return diag_fail(d, DIAG_LIMIT, "more than %d ranges of ports", RPC_RANGES_MAX);
        if (err < 0)
            return err;
        if (p.n_ports > RPC_PORTS_MAX)
            return diag_fail(d, DIAG_LIMIT, "more than %d ports in the set", RPC_PORTS_MAX);
        at += n;
    }
    if (p.n == 0)
        return bad_ports(d, DIAG_SYNTAX, text, strlen(text), "names no port");
    *ret = p;
    return 0;
}

bool rpc_ports_has(const struct rpc_ports *p, uint16_t port)
{
    for (size_t i = 0; i < p->n; i++)
        if (port >= p->v[i].first && port <= p->v[i].last)
            return true;
    return false;
}

void rpc_ports_print(const struct rpc_ports *p, char *out, size_t size)
{
    size_t len = 0;
    if (size)
        out[0] = '\0';
    for (size_t i = 0; i < p->n && len + 1 < size; i++) {
        const struct rpc_port_range *r = &p->v[i];
        len += format_into(out + len, size - len, r->first == r->last ? "%s%u" : "%s%u-%u",
                           i ? "," : "", r->first, r->last);
    }
}

/* --- settings as a whole --- */
enum key {
    KEY_PORTS,
    KEY_AVAILABLE,
    KEY_USE,
    KEY_CONFINE,
    KEY_LOOSE,
    KEY_LOCAL,
    KEY_DEFAULT,
    KEY_GUARD,
    KEY_RESERVE,
    KEY_BIND,
    _KEY_MAX,
};
static const char *const keys[_KEY_MAX] = {
    [KEY_PORTS] = "ports",
    [KEY_AVAILABLE] = "ports-internet-available",
    [KEY_USE] = "use-internet-ports",
    [KEY_CONFINE] = "confine",
    [KEY_LOOSE] = "loose",
    [KEY_LOCAL] = "local",
    [KEY_DEFAULT] = "default",
    [KEY_GUARD] = "guard",
    [KEY_RESERVE] = "reserve",
    [KEY_BIND] = "bind",
};
static const char *const asks_names[_RPC_ASKS_MAX] = {
    [RPC_ASKS_INTERNET] = "internet",
    [RPC_ASKS_LOOSE] = "loose",
    [RPC_ASKS_LOCAL] = "local",
    [RPC_ASKS_DEFAULT] = "default",
};
static const struct {
    enum key key;
    enum rpc_asks asks;
} lists[] = {
    {KEY_CONFINE, RPC_ASKS_INTERNET},
    {KEY_LOOSE, RPC_ASKS_LOOSE},
    {KEY_LOCAL, RPC_ASKS_LOCAL},
    {KEY_DEFAULT, RPC_ASKS_DEFAULT},
};

const char *rpc_settings_key(size_t i)
{
    return i < _KEY_MAX ? keys[i] : NULL;
}

const char *rpc_asks_name(enum rpc_asks a)
{
    return asks_names[a];
}

void rpc_settings_init(struct rpc_settings *s)
{
    *s = (struct rpc_settings){.ports_internet_available = true,
                               .use_internet_ports = true,
                               .guard = true,
                               .reserve = RPC_RESERVE_BY_ITSELF};
}

void rpc_settings_done(struct rpc_settings *s)
{
    free(s->confined);
    *s = (struct rpc_settings){.n_confined = 0};
}

int rpc_settings_copy(const struct rpc_settings *s, struct rpc_settings *ret)
{
    struct rpc_settings copy = *s;
    copy.confined = NULL;
    if (s->n_confined) {
        copy.confined = calloc(s->n_confined, sizeof(*copy.confined));
        if (!copy.confined)
            return -ENOMEM;
        memcpy(copy.confined, s->confined, s->n_confined * sizeof(*copy.confined));
    }
    *ret = copy;
    return 0;
}

static bool same_ports(const struct rpc_ports *a, const struct rpc_ports *b)
{
    return a->n == b->n && memcmp(a->v, b->v, a->n * sizeof(a->v[0])) == 0;
}

bool rpc_settings_equal(const struct rpc_settings *a, const struct rpc_settings *b)
{
    if (a->is_set != b->is_set || !same_ports(&a->ports, &b->ports) ||
        a->ports_internet_available != b->ports_internet_available ||
        a->use_internet_ports != b->use_internet_ports || a->guard != b->guard ||
        a->reserve != b->reserve || a->invalid != b->invalid || strcmp(a->why, b->why) != 0 ||
        a->n_confined != b->n_confined)
        return false;
    for (size_t i = 0; i < a->n_confined; i++)
        if (a->confined[i].asks != b->confined[i].asks ||
            strcmp(a->confined[i].name, b->confined[i].name) != 0)
            return false;
    return true;
}

bool rpc_settings_inside(const struct rpc_settings *s, enum rpc_asks asks)
{
    bool internet = asks == RPC_ASKS_INTERNET || asks == RPC_ASKS_LOOSE ||
                    (asks == RPC_ASKS_DEFAULT && s->use_internet_ports);
    return internet == s->ports_internet_available;
}

/* --- single values --- */
static int bad_word(struct diag *d, const char *key, const char *value, const char *values)
{
    int err = diag_fail(d, DIAG_SYNTAX, "value '%.64s' does not fit 'rpc.%s'", value, key);
    diag_hint(d, "%s = %s", key, values);
    return err;
}

static int take_yes(const char *key, const char *value, struct diag *d, bool *ret)
{
    bool yes = strcmp(value, "yes") == 0;
    if (!yes && strcmp(value, "no") != 0)
        return bad_word(d, key, value, "yes|no");
    *ret = yes;
    return 0;
}

static int take_reserve(const char *value, struct diag *d, int32_t *ret)
{
    uint32_t n;
    const char *at = value, *end = value + strlen(value);
    *ret = RPC_RESERVE_BY_ITSELF;
    if (strcmp(value, "auto") == 0)
        return 0;
    if (!take_number(&at, end, &n) || at < end || n > RPC_PORTS_MAX)
        return bad_word(d, keys[KEY_RESERVE], value, "auto, or a number of ports");
    *ret = (int32_t)n;
    return 0;
}

static bool is_unit_name(const char *s, size_t n)
{
    const char *dot = memchr(s, '.', n);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f || s[i] == '/' || s[i] == '"')
            return false;
    return s[0] != '.' && dot && dot + 1 < s + n;
}

/* A directory of cgroup v2: no way out of it, nothing that a line of a file cannot hold. */
static bool is_directory_name(const char *s, size_t n)
{
    if (n < 2 || s[n - 1] == '/')
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f || s[i] == '"' ||
            (s[i] == '/' && i + 1 < n && s[i + 1] == '/') ||
            (s[i] == '/' && i + 2 < n && s[i + 1] == '.' && s[i + 2] == '.'))
            return false;
    return true;
}

static int add_confined(struct rpc_settings *s, const char *name, size_t n, enum rpc_asks asks)
{
    size_t at = 0;
    struct rpc_confined item = {.asks = asks};
    memcpy(item.name, name, n);
    while (at < s->n_confined && strcmp(s->confined[at].name, item.name) < 0)
        at++;
    if (at < s->n_confined && strcmp(s->confined[at].name, item.name) == 0)
        return -EEXIST;
    if (s->n_confined == RPC_CONFINED_MAX)
        return -E2BIG;
    struct rpc_confined *grown = realloc(s->confined, (s->n_confined + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    memmove(&grown[at + 1], &grown[at], (s->n_confined - at) * sizeof(*grown));
    grown[at] = item;
    s->confined = grown;
    s->n_confined++;
    return 0;
}

static int take_list(const char *value, enum rpc_asks asks, struct diag *d, struct rpc_settings *s)
{
    for (const char *at = value + strspn(value, blanks); *at; at += strspn(at, blanks)) {
        size_t n = strcspn(at, blanks), limit = sizeof(s->confined[0].name) - 1;
        bool good = n <= limit && (*at == '/' ? is_directory_name(at, n) : is_unit_name(at, n));
        if (!good) {
            int err = diag_fail(d, DIAG_SYNTAX, "'%.*s' is no unit and no cgroup directory",
                                (int)(n < 64 ? n : 64), at);
            diag_hint(d, "rpcbind.service, or /sys/fs/cgroup/app");
            return err;
        }
        int err = add_confined(s, at, n, asks);
        if (err == -EEXIST)
            return diag_fail(d, DIAG_DUPLICATE, "'%.*s' is confined twice", (int)n, at);
        if (err == -E2BIG)
            return diag_fail(d, DIAG_LIMIT, "more than %d units are confined", RPC_CONFINED_MAX);
        if (err < 0)
            return err;
        at += n;
    }
    return 0;
}

/* Interfaces of the filters that `rpc range --policy` writes; the engine does not look at them. */
static int check_interfaces(const char *value, struct diag *d)
{
    for (const char *at = value + strspn(value, blanks); *at; at += strspn(at, blanks)) {
        size_t n = strcspn(at, blanks);
        if (n > 15 || memchr(at, '/', n) || memchr(at, '"', n))
            return bad_word(d, keys[KEY_BIND], value, "names of interfaces: eth0 eth1");
        at += n;
    }
    return 0;
}

static int take_value(enum key k, const char *value, struct diag *d, struct rpc_settings *s)
{
    switch (k) {
    case KEY_PORTS:
        return rpc_ports_parse(value, d, &s->ports);
    case KEY_AVAILABLE:
        return take_yes(keys[k], value, d, &s->ports_internet_available);
    case KEY_USE:
        return take_yes(keys[k], value, d, &s->use_internet_ports);
    case KEY_GUARD:
        return take_yes(keys[k], value, d, &s->guard);
    case KEY_RESERVE:
        return take_reserve(value, d, &s->reserve);
    case KEY_BIND:
        return check_interfaces(value, d);
    case KEY_CONFINE:
    case KEY_LOOSE:
    case KEY_LOCAL:
    case KEY_DEFAULT:
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
            if (lists[i].key == k)
                return take_list(value, lists[i].asks, d, s);
        return 0;
    case _KEY_MAX:
        return 0;
    }
    return 0;
}

int rpc_settings_check(const char *key, const char *value, struct diag *d)
{
    struct rpc_settings s;
    size_t i = 0;
    while (i < _KEY_MAX && strcmp(keys[i], key) != 0)
        i++;
    if (i == _KEY_MAX)
        return diag_fail(d, DIAG_UNKNOWN_WORD, "unknown key 'rpc.%.64s'", key);
    rpc_settings_init(&s);
    int err = take_value((enum key)i, value, d, &s);
    rpc_settings_done(&s);
    return err;
}

/* Half a set is none: a server that must not be reached would get any port. */
static int check_whole(const char *const texts[_KEY_MAX], struct diag *d)
{
    static const enum key set[] = {KEY_PORTS, KEY_AVAILABLE, KEY_USE};
    const char *there = NULL, *missing = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(set); i++) {
        if (texts[set[i]])
            there = keys[set[i]];
        else
            missing = keys[set[i]];
    }
    if (!there || !missing)
        return 0;
    int err = diag_fail(d, DIAG_SYNTAX, "'rpc.%s' is set and 'rpc.%s' is not", there, missing);
    diag_hint(d, "portward rpc range 5001-5021");
    return err;
}

int rpc_settings_read(rpc_setting_fn *value, void *ctx, struct rpc_settings *ret)
{
    const char *texts[_KEY_MAX];
    struct rpc_settings s;
    struct diag d = {0};
    int err = 0;
    rpc_settings_init(&s);
    for (size_t i = 0; i < _KEY_MAX; i++)
        texts[i] = value(ctx, keys[i]);
    for (size_t i = 0; i < _KEY_MAX; i++) {
        struct diag why = {0};
        int e = texts[i] ? take_value((enum key)i, texts[i], &why, &s) : 0;
        if (e == -ENOMEM) {
            rpc_settings_done(&s);
            return e;
        }
        if (e < 0 && err == 0)
            d = why;
        err = err ? err : e;
    }
    s.is_set = texts[KEY_PORTS] != NULL;
    if (err == 0)
        err = check_whole(texts, &d);
    s.invalid = err < 0;
    if (s.invalid)
        (void)format_into(s.why, sizeof(s.why), "%s", d.message);
    *ret = s;
    return 0;
}
