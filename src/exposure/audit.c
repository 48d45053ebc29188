/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/audit.c: the table of classes (exposure/audit.h, exposure.md 4.3). Called by `portward
 * audit` and by tests. */
#include "exposure/audit.h"

static const struct {
    const char *name, *means;
    unsigned severity; /* 0 = no finding */
} classes[_AUDIT_CLASS_MAX] = {
    [AUDIT_OPEN] = {"open", "as intended", 0},
    [AUDIT_PROTECTED] = {"protected", "listens, blocked", 0},
    [AUDIT_LOCAL] = {"local", "loopback only", 0},
    [AUDIT_RESERVED] = {"reserved", "bound, does not listen", 0},
    [AUDIT_NOTHING] = {"nothing", "nobody listens", 0},
    [AUDIT_UNPROBED] = {"not-probed", "by the policy alone, no probe could tell", 0},
    [AUDIT_BREACH] = {"breach", "answers although policy blocks it", 1},
    [AUDIT_BESIDE_HOOK] = {"beside-hook", "a path that our hooks do not see", 2},
    [AUDIT_REDIRECTED] = {"redirected", "answers, nobody listens", 3},
    [AUDIT_REDIRECTED_ALLOWED] = {"redirected-allowed", "answers, nobody listens, allowed", 3},
    [AUDIT_NETNS_PUBLISHED] = {"netns-published", "leads to another network namespace", 3},
    [AUDIT_FAMILY_MISMATCH] = {"family-mismatch", "one family is open, the other is not", 4},
    [AUDIT_BLOCKED_ELSEWHERE] = {"blocked-elsewhere", "allowed, and yet not reached", 5},
    [AUDIT_MODEL_GAP] = {"model-gap", "probe and model of foreign rules disagree", 6},
    [AUDIT_STALE_PERMIT] = {"stale-permit", "allowed, nobody listens", 7},
    [AUDIT_MIRRORED_HOLE] = {"mirrored-hole", "a permit opens it to one source port", 8},
    [AUDIT_PRIVILEGED_SERVICE] = {"privileged-service-any", "reachable from anywhere", 8},
    [AUDIT_UNPRIVILEGED_BIND] = {"unprivileged-bind", "an ordinary user serves it", 8},
    [AUDIT_DEAD_UNIT] = {"dead-unit", "its unit has ended, the socket was inherited", 8},
};

const char *audit_class_name(enum audit_class c)
{
    return classes[c].name;
}

const char *audit_class_means(enum audit_class c)
{
    return classes[c].means;
}

bool audit_is_finding(enum audit_class c)
{
    return classes[c].severity != 0;
}

unsigned audit_severity(enum audit_class c)
{
    return classes[c].severity ? classes[c].severity : 100;
}

char audit_listens_letter(enum audit_listens l)
{
    static const char letters[] = {[LISTENS_NOT] = '-',
                                   [LISTENS_RESERVED] = 'r',
                                   [LISTENS_LOOPBACK] = 'l',
                                   [LISTENS_YES] = 'L'};

    return letters[l];
}

static enum audit_class nobody_listens(const struct audit_facts *f)
{
    if (f->reached == TRI_YES)
        return f->allowed == TRI_YES ? AUDIT_REDIRECTED_ALLOWED : AUDIT_REDIRECTED;
    if (f->permit)
        return AUDIT_STALE_PERMIT;
    return f->listens == LISTENS_RESERVED   ? AUDIT_RESERVED
           : f->listens == LISTENS_LOOPBACK ? AUDIT_LOCAL
                                            : AUDIT_NOTHING;
}

/* Listens, and the policy lets the probe in. */
static enum audit_class allowed(const struct audit_facts *f)
{
    if (f->reached == TRI_YES)
        return f->foreign == AF_DROPS ? AUDIT_MODEL_GAP : AUDIT_OPEN;
    return f->foreign == AF_PASSES ? AUDIT_MODEL_GAP : AUDIT_BLOCKED_ELSEWHERE;
}

enum audit_class audit_classify(const struct audit_facts *f)
{
    if (f->listens == LISTENS_LOOPBACK && f->reached != TRI_YES)
        return AUDIT_LOCAL; /* a permit of it has no effect */
    if (f->listens != LISTENS_YES)
        return nobody_listens(f);
    if (f->reached == TRI_UNKNOWN || f->allowed == TRI_UNKNOWN)
        return f->foreign == AF_DROPS && f->allowed == TRI_YES ? AUDIT_BLOCKED_ELSEWHERE
               : f->allowed == TRI_NO                          ? AUDIT_PROTECTED
                                                               : AUDIT_UNPROBED;
    if (f->allowed == TRI_YES)
        return allowed(f);
    return f->reached == TRI_YES ? AUDIT_BREACH : AUDIT_PROTECTED;
}

const char *audit_privileged_service(bool udp, uint16_t port)
{
    static const struct {
        uint16_t port;
        bool udp;
        const char *name;
    } services[] = {
        {23, false, "telnet"},
        {111, false, "rpcbind"},
        {135, false, "RPC mapper"},
        {139, false, "NetBIOS"},
        {445, false, "SMB"},
        {512, false, "rexec"},
        {513, false, "rlogin"},
        {514, false, "rsh"},
        {873, false, "rsync"},
        {1433, false, "SQL Server"},
        {1434, true, "SQL Server"},
        {1521, false, "Oracle"},
        {2049, false, "NFS"},
        {2375, false, "Docker"},
        {2379, false, "etcd"},
        {3306, false, "MySQL"},
        {3389, false, "remote desktop"},
        {5432, false, "PostgreSQL"},
        {5900, false, "VNC"},
        {5984, false, "CouchDB"},
        {6379, false, "Redis"},
        {9200, false, "Elasticsearch"},
        {11211, false, "memcached"},
        {27017, false, "MongoDB"},
        {161, true, "SNMP"},
        {111, true, "rpcbind"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(services); i++)
        if (services[i].port == port && services[i].udp == udp)
            return services[i].name;
    return NULL;
}
