/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The classes of `portward audit`: what listens (L), what the policy allows (A), what foreign rules
 * say (F) and what a probe reached (R), put side by side for one port in one family. Pure. */
#pragma once
#include "base/util.h"

enum audit_tri { TRI_UNKNOWN, TRI_NO, TRI_YES };
enum audit_listens { LISTENS_NOT, LISTENS_RESERVED, LISTENS_LOOPBACK, LISTENS_YES };
char audit_listens_letter(enum audit_listens l); /* '-' 'r' 'l' 'L' */
/* What foreign rules do, as far as the class goes. */
enum audit_foreign { AF_UNKNOWN, AF_NONE, AF_PASSES, AF_DROPS, AF_REDIRECTS };

struct audit_facts {
    enum audit_listens listens;
    enum audit_tri allowed; /* by the policy, from where the probe came */
    bool permit;            /* a filter permits this very port */
    enum audit_tri reached;
    enum audit_foreign foreign;
};

enum audit_class {
    AUDIT_OPEN,
    AUDIT_PROTECTED,
    AUDIT_LOCAL,
    AUDIT_RESERVED,
    AUDIT_NOTHING,  /* nobody listens, nothing answers */
    AUDIT_UNPROBED, /* listens, and no probe could say more */
    AUDIT_BREACH,
    AUDIT_REDIRECTED,
    AUDIT_REDIRECTED_ALLOWED,
    AUDIT_BLOCKED_ELSEWHERE,
    AUDIT_MODEL_GAP,
    AUDIT_STALE_PERMIT,
    /* on top of these */
    AUDIT_BESIDE_HOOK,
    AUDIT_FAMILY_MISMATCH,
    AUDIT_NETNS_PUBLISHED,
    AUDIT_MIRRORED_HOLE,
    AUDIT_PRIVILEGED_SERVICE,
    AUDIT_UNPRIVILEGED_BIND,
    AUDIT_DEAD_UNIT,
    _AUDIT_CLASS_MAX,
};
const char *audit_class_name(enum audit_class c); /* "blocked-elsewhere" */
const char *audit_class_means(enum audit_class c);
bool audit_is_finding(enum audit_class c);
/* The smaller the worse: order of findings. */
unsigned audit_severity(enum audit_class c);
enum audit_class audit_classify(const struct audit_facts *f);

/* Data bases and administration, which are not for everybody; NULL = none of them. */
const char *audit_privileged_service(bool udp, uint16_t port);
