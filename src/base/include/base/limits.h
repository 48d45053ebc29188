/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every limit of the product, in one place (policy.md 9). Each one has a message that states
 * the number and a test that hits it from outside. */
#pragma once

enum {
    LIMIT_NAME_BYTES = 255,              /* policy, rule, interface and DNS names */
    LIMIT_TEXT_STRING_BYTES = 64 * 1024, /* a quoted string: description, reason is smaller */
    LIMIT_REASON_BYTES = 1024,
    LIMIT_POLICY_TEXT_BYTES = 64 * 1024 * 1024,
    LIMIT_RULES_PER_POLICY = 4096,
    LIMIT_POLICIES = 1024,
    LIMIT_PORT_ITEMS = 64, /* items of one port list */
    LIMIT_EFFECTIVE_FILTERS = 1000000,
    LIMIT_GROUPS = 64,   /* distinct mask shapes per family */
    LIMIT_TUPLES = 4095, /* per family */
    LIMIT_PORT_INTERVALS = 65535,
    LIMIT_RANGE_COPIES_MIN = 65536, /* or 4 x filters, whichever is more */
    LIMIT_EXT_HEADERS = 8,          /* IPv6 extension headers in one packet */
    LIMIT_VLAN_TAGS = 8,
    LIMIT_FAILSAFE = 64,
    LIMIT_DIAGS = 10, /* errors shown for one file, then a count */
    LIMIT_INTERFACE_ZONES = 254,
    LIMIT_LOG_RATE = 1000,        /* records per second of one filter */
    LIMIT_LOG_TOTAL_RATE = 10000, /* of all filters */
    LIMIT_PROFILE_PATTERNS = 64,  /* entries of section [profiles] */
    LIMIT_API_BODY_BYTES = 96 * 1024 * 1024,
    LIMIT_API_ANSWER_BYTES = 1024 * 1024 * 1024, /* a list of LIMIT_EFFECTIVE_FILTERS */
    LIMIT_API_CONNECTIONS = 64,
    LIMIT_API_SOCKETS = 20000, /* rows of GET /v1/sockets */
    LIMIT_DYNAMIC_FILTERS = 65536,
    LIMIT_NAMES = 1000,        /* distinct DNS names in force */
    LIMIT_NAME_ADDRESSES = 64, /* per DNS name or server keyword */
};
