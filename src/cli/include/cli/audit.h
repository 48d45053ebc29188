/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `portward audit`: what the files of it share. audit.c collects (sockets, filters, foreign rules,
 * probe) and classifies, auditfind.c adds what a class alone does not say, cmd_audit.c prints. */
#pragma once
#include <jansson.h>

#include "cli/context.h"
#include "cli/scratch.h"
#include "cli/socketpolicy.h"
#include "exposure/audit.h"
#include "exposure/foreign.h"
#include "exposure/rows.h"

enum { AUDIT_FAMILIES = 2 }; /* 0: IPv4, 1: IPv6 */

/* One port in one family. */
struct audit_side {
    bool there;  /* the host has an address that the probe was for, or a socket of the family */
    bool probed; /* a probe went to it */
    struct ip target;
    struct audit_facts facts;
    struct foreign_answer foreign;
    bool has_foreign;
    char text[512];              /* what the filters say of all sources */
    char filter[16], rule[256];  /* that decides for the probe, "" = none */
    char hole[64];               /* source port that a permit opens it to, "" = none */
    bool any, conditional;       /* every source, some sources may reach it */
    char example[IP_TEXT_BYTES]; /* a source that is treated otherwise than the probe */
    enum audit_class class;
};
struct audit_row {
    bool udp;
    uint16_t port;
    size_t n_sockets;
    const struct socket_row *socket; /* the first one, NULL = none; borrowed */
    bool is_control;                 /* a random port: shown only if it is a finding */
    struct audit_side side[AUDIT_FAMILIES];
    enum audit_class class;   /* the worst of both */
    enum audit_class more[8]; /* further findings */
    size_t n_more;
    char permit[600]; /* command that deletes the permit for it, "" = there is none */
    bool changed;     /* the sockets changed during the audit */
};
struct audit_note { /* what is of no port */
    enum audit_class class;
    char what[192], text[512];
};
struct audit {
    struct cli *c;
    struct exposure_rows sockets;
    struct audit_row *v;
    size_t n, cap;
    uint32_t *places;
    struct audit_note *notes;
    size_t n_notes, cap_notes;
    struct foreign *foreign; /* NULL = not read */
    struct host host;        /* addresses only */
    bool probed;             /* a scratch namespace was made */
    char why_not[512];       /* else why not */
    char foreign_why[256];   /* why foreign rules are not known, "" = they are */
    uint32_t elapsed_ms;
    int64_t generation;
    struct scratch scratch;
};
/* Everything up to the classes. Exit code; failures were shown. */
_must_check_ int audit_run(struct audit *a);
void audit_done(struct audit *a);
enum family audit_family(unsigned f);
/* Where a probe goes: the address that is listened at, for a wildcard one of the host's. */
struct ip audit_target(const struct audit *a, const struct audit_side *side, unsigned f);
/* --- auditprobe.c --- */
/* Makes the namespace, or says why not. */
_must_check_ int audit_scratch(struct audit *a);
void audit_read_foreign(struct audit *a);
_must_check_ int audit_probe(struct audit *a);
/* --- cmd_audit.c --- */
struct audit_sums {
    size_t findings, as_intended, disagree, probed;
};
struct audit_sums audit_sum(const struct audit *a);
/* "reachable", "blocked", "conditional", "loopback only", "bound only" ... */
const char *audit_verdict(const struct audit_row *r);
/* Unit, or process; nothing if neither is known. */
void audit_owner(const struct audit *a, const struct audit_row *r, struct strbuf *out);
/* --- auditfind.c --- */
void audit_find_more(struct audit *a);
bool audit_row_is_finding(const struct audit_row *r);
size_t audit_count_findings(const struct audit *a);
/* What to do about it, a command where there is one. */
void audit_advice(const struct audit *a, const struct audit_row *r, enum audit_class class,
                  struct strbuf *out);
/* --- audithtml.c --- */
_must_check_ int audit_write_html(struct audit *a, const char *file);
