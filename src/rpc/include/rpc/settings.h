/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the administrator wants of the confinement of RPC servers: the set of ports, for whom it is,
 * who is confined. Pure: text in, data out; nothing here looks at a kernel or a file.
 *
 * The settings are the keys "rpc.*" of portward.conf and of the database. They are one
 * configuration: a value that is wrong, or one of the three words of the set that is missing while
 * another is there, makes the whole invalid (`invalid`, `why`), and then no server that is confined
 * gets a port (fail closed). A verb never stores such a value; a file may hold one.
 *
 * Called by the agent (settings, at start and with every change) and read by the engine (rpc.h). */
#pragma once
#include "base/diag.h"
#include "base/util.h"

enum {
    RPC_PORTS_MAX = 16384,      /* ports of the set */
    RPC_RANGES_MAX = 256,       /* after neighbours are joined */
    RPC_CONFINED_MAX = 1024,    /* units and directories */
    RPC_PORT_MIN = 1024,        /* below are ports that need a right */
    RPC_RESERVE_BY_ITSELF = -1, /* reserve = auto */
};

struct rpc_port_range {
    uint16_t first, last; /* inclusive */
};
/* Sorted, disjoint, not adjacent: equal sets are equal bytes up to n. */
struct rpc_ports {
    struct rpc_port_range v[RPC_RANGES_MAX];
    size_t n;
    uint32_t n_ports; /* 5001-5021 has 21 */
};
/* "5001-5021", "5001-5021, 6000": separated by commas or blanks. Refused with the reason: an empty
 * text, numbers outside of 0 to 65535, below RPC_PORT_MIN, reversed ranges, a port named twice,
 * too many. */
_must_check_ int rpc_ports_parse(const char *text, struct diag *d, struct rpc_ports *ret);
bool rpc_ports_has(const struct rpc_ports *p, uint16_t port);
/* The canonical text, "5001-5021,6000"; cut if it does not fit. */
enum { RPC_PORTS_TEXT_BYTES = RPC_RANGES_MAX * 12 };
void rpc_ports_print(const struct rpc_ports *p, char *out, size_t size);

/* What a server asks for: whom its port is for. */
enum rpc_asks {
    RPC_ASKS_INTERNET, /* rpc confine UNIT */
    RPC_ASKS_LOOSE,    /* the same, and a port of the kernel's choice if the set is used up */
    RPC_ASKS_LOCAL,
    RPC_ASKS_DEFAULT, /* does not choose: use-internet-ports decides */
    _RPC_ASKS_MAX,
};
const char *rpc_asks_name(enum rpc_asks a); /* "internet" "loose" "local" "default" */

struct rpc_confined {
    char name[256]; /* unit, or a directory of cgroup v2 that begins with '/' */
    enum rpc_asks asks;
};

struct rpc_settings {
    bool is_set; /* there is a set of ports; else nobody is rewritten */
    struct rpc_ports ports;
    bool ports_internet_available, use_internet_ports; /* both yes if nothing else is said */
    struct rpc_confined *confined;                     /* owned, sorted by name */
    size_t n_confined;
    bool guard;        /* others are refused inside the set; else only counted */
    int32_t reserve;   /* RPC_RESERVE_BY_ITSELF, or numbers kept for listeners */
    bool keep_holders; /* of this change only, no setting */
    bool invalid;      /* fail closed: confined servers get no port */
    char why[DIAG_MESSAGE_BYTES];
};
void rpc_settings_init(struct rpc_settings *s);
void rpc_settings_done(struct rpc_settings *s);
_must_check_ int rpc_settings_copy(const struct rpc_settings *s, struct rpc_settings *ret);
bool rpc_settings_equal(const struct rpc_settings *a, const struct rpc_settings *b);

/* The table of 12 rows: whether a server that asks so gets its port from the set (true), or from
 * everything but the set. Of settings that are set and valid. */
bool rpc_settings_inside(const struct rpc_settings *s, enum rpc_asks asks);

/* Keys without "rpc.", in the order of `config show`; NULL behind the last. */
const char *rpc_settings_key(size_t i);
/* Whether value may be stored for key ("ports"). DIAG_UNKNOWN_WORD, DIAG_SYNTAX, DIAG_PORT_RANGE,
 * DIAG_LIMIT, DIAG_DUPLICATE. */
_must_check_ int rpc_settings_check(const char *key, const char *value, struct diag *d);

/* All of them together. value(ctx, key) is the text in force or NULL. Never fails on what the texts
 * say: *ret is then invalid and says why. -ENOMEM. */
typedef const char *rpc_setting_fn(void *ctx, const char *key);
_must_check_ int rpc_settings_read(rpc_setting_fn *value, void *ctx, struct rpc_settings *ret);
