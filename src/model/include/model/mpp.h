/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the administrator sets of memory pressure protection: plain data, one text for each stored
 * setting, and the edits that the verbs make. Pure: the agent keeps it, the front ends read it,
 * src/mpp makes rules for the kernel of it. Invariant: struct mpp_settings is always valid. */
#pragma once
#include "base/diag.h"

struct strbuf;

enum mpp_switch { MPP_SWITCH_DEFAULT, MPP_SWITCH_ON, MPP_SWITCH_OFF, _MPP_SWITCH_MAX };
const char *mpp_switch_name(enum mpp_switch s); /* "default" "enabled" "disabled" */

enum {
    MPP_FAMILIES = 2, /* index 0 IPv4, 1 IPv6, in all arrays here */
    MPP_RANGES_MAX = 1024,
    MPP_INTERFACES_MAX = 256,
    MPP_RATE_MAX = 1000000,
    MPP_GATE_MAX = 4, /* highest level there is */
    MPP_GATE_DEFAULT = 3,
    MPP_NAME_BYTES = 16, /* of an interface */
};
const char *mpp_family_name(unsigned family); /* "IPv4" "IPv6" */

struct mpp_range {
    uint16_t first, last; /* both exempt */
};
/* In the order in which they were added; may overlap if the registry said so. */
struct mpp_ranges {
    struct mpp_range v[MPP_RANGES_MAX];
    unsigned n;
};
/* An interface about which something is said; all others: on, no limit. */
struct mpp_interface {
    char name[MPP_NAME_BYTES];
    bool off[MPP_FAMILIES];
    uint32_t rate; /* new connections a second, 0 = no limit */
};
struct mpp_settings {
    bool client;      /* role of portward.conf: off unless somebody enables it */
    uint8_t gate_max; /* of portward.conf */
    bool by_diag;     /* pruner of portward.conf: connections are ended by sock_diag */
    enum mpp_switch on[MPP_FAMILIES], profiles;
    struct mpp_ranges exempt[MPP_FAMILIES];
    struct mpp_interface interfaces[MPP_INTERFACES_MAX];
    unsigned n_interfaces;
};
/* The defaults of a server. */
void mpp_settings_init(struct mpp_settings *s);
bool mpp_is_on(const struct mpp_settings *s, unsigned family);
bool mpp_has_profiles(const struct mpp_settings *s);
bool mpp_settings_eq(const struct mpp_settings *a, const struct mpp_settings *b);
/* Of this interface, NULL = nothing is said. */
const struct mpp_interface *mpp_interface_find(const struct mpp_settings *s, const char *name);
/* What is said of an interface from now on; x->name does not count. DIAG_USAGE, DIAG_LIMIT. */
_must_check_ int mpp_interface_put(struct mpp_settings *s, const char *name,
                                   const struct mpp_interface *x, struct diag *d);
/* Number of different ports of a list. */
unsigned mpp_count_ports(const struct mpp_ranges *l);

/* --- as stored settings --- */
/* Key number i, NULL behind the last: "mpp.ipv4.enabled". */
const char *mpp_key(unsigned i);
/* Reads the value of one key into *s, which is unchanged on failure. value NULL: the default. */
_must_check_ int mpp_settings_put(struct mpp_settings *s, const char *key, const char *value,
                                  struct diag *d);
/* The value to store for the key; nothing is added where the default holds. */
_must_check_ int mpp_settings_print(const struct mpp_settings *s, const char *key,
                                    struct strbuf *out);

/* The limits of interfaces as people read them: "eth0 200/s, eth1 50/s". */
_must_check_ int mpp_rates_describe(const struct mpp_settings *s, struct strbuf *out);

/* --- edits --- */
enum mpp_edit_kind {
    MPP_EDIT_ON,
    MPP_EDIT_PROFILES,
    MPP_EDIT_EXEMPT_ADD,
    MPP_EDIT_EXEMPT_DELETE,
    MPP_EDIT_RATE,
    MPP_EDIT_RESET,
};
struct mpp_edit {
    enum mpp_edit_kind kind;
    enum mpp_switch value;          /* ON, PROFILES */
    bool family[MPP_FAMILIES];      /* ON, EXEMPT */
    char interface[MPP_NAME_BYTES]; /* ON ("" = the whole host), RATE */
    struct mpp_range range;
    uint32_t rate;        /* 0 = none */
    bool keep_rates, all; /* RESET */
    bool to_existing;     /* living connections, too */
};
/* "5000-5009", or one port. DIAG_USAGE. */
_must_check_ int mpp_range_parse(const char *text, struct mpp_range *ret, struct diag *d);
/* The words of an edit, as behind `portward mpp`:
 *   enable|disable|default [interface IF] [family 4|6]     profiles on|off|default
 *   exempt add|delete PORTS [family 4|6]                    rate IF N|none
 *   reset [keep-rate-limits] [all]                          each: [apply-to-existing]
 * DIAG_USAGE. */
_must_check_ int mpp_edit_parse(const char *text, struct mpp_edit *ret, struct diag *d);
/* Makes the edit, or refuses and leaves *s as it is: DIAG_CONFLICT if a new range overlaps one,
 * DIAG_UNKNOWN_OBJECT if there is no such entry, DIAG_LIMIT. */
_must_check_ int mpp_settings_edit(struct mpp_settings *s, const struct mpp_edit *e,
                                   struct diag *d);
/* The entry of the list that overlaps the range, NULL if none does; of several the first. An
 * equal one counts only with `equal`. */
const struct mpp_range *mpp_ranges_overlap(const struct mpp_ranges *l, struct mpp_range r,
                                           bool equal);
bool mpp_ranges_have(const struct mpp_ranges *l, struct mpp_range r);
