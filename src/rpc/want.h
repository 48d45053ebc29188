/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings as the engine and its programs need them. Made by want.c, used by engine.c and units.c.
 */
#pragma once
#include "rpc.h"
#include "rpc/rpc.h"
#include "tables.h"

struct rpc_settings;

struct want_unit {
    char name[RPC_UNIT_NAME_BYTES];
    enum rpc_class class;
    enum rpc_how how;
};
struct want {
    struct port_bits set; /* left alone if invalid */
    enum rpc_mode mode[RPC_CLASSES];
    bool guard;
    bool keep_holders;
    bool invalid;
    char why[256]; /* invalid because of */
    uint32_t reserve;
    struct want_unit *units; /* owned */
    size_t n_units;
};
void want_done(struct want *w);
_must_check_ int want_from(const struct rpc_settings *s, struct want *ret);
