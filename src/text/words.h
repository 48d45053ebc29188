/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of the policy language, the places where each may stand, and what to suggest for
 * one that is not known. Used by the lexer, the parsers and the printer of src/text only. */
#pragma once
#include "base/util.h"

enum word {
    WORD_NONE, /* not a word of the language: a number, an address, a name, a typing error */
    WORD_ACK,
    WORD_AH,
    WORD_ALL,
    WORD_ALLOW,
    WORD_ANY,
    WORD_AUTH,
    WORD_BLOCK,
    WORD_CA,
    WORD_CERT,
    WORD_CODE,
    WORD_CONNECTION,
    WORD_DENY,
    WORD_DESCRIPTION,
    WORD_DHCP,
    WORD_DIALUP,
    WORD_DNS,
    WORD_DOMAIN,
    WORD_DROP,
    WORD_EAGER,
    WORD_ESP,
    WORD_FILE,
    WORD_FOR,
    WORD_FROM,
    WORD_GATEWAY,
    WORD_IKE,
    WORD_IKE_LIFE,
    WORD_IKE_PFS,
    WORD_IN,
    WORD_INACTIVE,
    WORD_INPASS,
    WORD_KEEP,
    WORD_LAN,
    WORD_LOCAL_PERMITS,
    WORD_LOG,
    WORD_ME,
    WORD_MIRRORED,
    WORD_NEGOTIATE,
    WORD_NO,
    WORD_ON,
    WORD_OUT,
    WORD_OVERRIDE,
    WORD_PASS,
    WORD_PERMIT,
    WORD_PFS,
    WORD_POLICY,
    WORD_POLL,
    WORD_PORT,
    WORD_PRIVATE,
    WORD_PROFILE,
    WORD_PSK,
    WORD_PUBLIC,
    WORD_REASON,
    WORD_REFUSE,
    WORD_REKEY,
    WORD_RULE,
    WORD_SOFT,
    WORD_STATE,
    WORD_TO,
    WORD_TUNNEL,
    WORD_TYPE,
    WORD_WEAK,
    WORD_WINS,
    WORD_YES,
    _WORD_MAX,
};

/* Places of the grammar; a set of them says what could have stood where something else was. */
enum {
    CTX_FILE = 1 << 0,
    CTX_OPTION = 1 << 1, /* of a policy */
    CTX_RULE = 1 << 2,
    CTX_CONNECTION = 1 << 3,
    CTX_CONNECTION_VALUE = 1 << 4,
    CTX_ACTION = 1 << 5,
    CTX_INPASS = 1 << 6,
    CTX_METHOD = 1 << 7,
    CTX_DIR = 1 << 8,
    CTX_PROTO = 1 << 9,
    CTX_ICMP_TYPE = 1 << 10,
    CTX_ICMP_CODE = 1 << 11,
    CTX_PORT = 1 << 12,
    CTX_FROM = 1 << 13,
    CTX_TO = 1 << 14,
    CTX_ADDR = 1 << 15,
    CTX_QUALIFIER = 1 << 16,
    CTX_PROFILE_VALUE = 1 << 17,
    CTX_STATE = 1 << 18,
    CTX_FOR = 1 << 19,
    CTX_REASON = 1 << 20,
    CTX_ACK = 1 << 21,
    CTX_ON = 1 << 22,
    CTX_YES_NO = 1 << 23,
    CTX_WEAK_VALUE = 1 << 24,
    CTX_AUTH_VALUE = 1 << 25,
    CTX_AUTH_FILE = 1 << 26,
    CTX_AUTH_CA = 1 << 27,
    CTX_SYNONYM = 1 << 28, /* understood and suggested, but not offered in lists */
    CTX_ATTRIBUTE = 1 << 29,
};

enum word word_find(const char *s, size_t n);
/* True if the word may stand in one of the places. */
bool word_fits(enum word w, unsigned contexts);
/* The word of these places that is nearest to s, NULL if none is near enough. */
const char *word_suggest(const char *s, size_t n, unsigned contexts);
/* "a, b, c" of the words of these places into out, as many as fit. */
void word_list(unsigned contexts, char *out, size_t size);
