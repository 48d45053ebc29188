/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent: the only owner of mutable state (architecture.md 3). It holds the store, the
 * dynamic layer, the settings and the datapath, and turns every change into a new generation:
 *   change -> desired state -> compile -> candidate -> self-test -> flip -> visible -> commit
 *   -> answer.
 * Before the flip every failure leaves the old generation in force, the store rolled back and
 * the caller with the reason.
 *
 * Callers (src/portwardd, src/api) use plain structs. Questions are answered at once. Changes
 * are queued, one is in flight at a time, and each is answered exactly once through its
 * agent_done_fn, always from the event loop, never from inside agent_change(). Everything runs
 * in the one thread of the event loop. */
#pragma once
#include "base/diag.h"
#include "datapath/beside.h"
#include "datapath/datapath.h"
#include "datapath/flows.h"
#include "model/mpp.h"
#include "model/packet.h"
#include "mpp/mpp.h"
#include "store/store.h"

struct sd_event;
struct agent;
struct renamed; /* text/text.h */

struct agent_options {
    const char *config;      /* NULL = /etc/portward/portward.conf and conf.d/ beside it; may be
                                absent: the defaults are the strictest */
    const char *state_dir;   /* NULL = /var/lib/portward */
    const char *runtime_dir; /* NULL = /run/portward */
    const char *pin_root;    /* NULL = /sys/fs/bpf/portward */
    const char *vendor_dir;  /* NULL = /usr/lib/portward */
    bool forget_dynamic;     /* start with an empty dynamic layer: opens what it blocked */
};

/* Life: agent_new -> agent_start (runs the loop until the desired state is in force; expired
 * blocks are gone then) -> api server -> agent_ready (READY=1) -> agent_run (until SIGTERM or
 * SIGINT; its last act is a generation without dynamic permits) -> stop the api server ->
 * agent_free. A failure of agent_new or agent_start has changed nothing in the kernel. */
_must_check_ int agent_new(const struct agent_options *o, struct diag *d, struct agent **ret);
_must_check_ int agent_start(struct agent *a, struct diag *d);
void agent_ready(struct agent *a);
_must_check_ int agent_run(struct agent *a, struct diag *d);
/* Closes everything; what is in force stays in force. Changes still queued are answered with
 * DIAG_AGENT before. NULL is fine. */
struct agent *agent_free(struct agent *a);
void agent_freep(struct agent **a);

struct sd_event *agent_event(struct agent *a); /* borrowed */
const char *agent_runtime_dir(const struct agent *a);
uint64_t agent_generation(const struct agent *a); /* number of the one in force */
/* Reads the configuration and says whether it is valid, without an agent (--check-config). */
_must_check_ int agent_check_config(const struct agent_options *o, struct diag *d);

/* --- changes --- */
enum agent_change_kind {
    AGENT_FILTER_ADD,      /* text: filter, may end with "for DURATION", "reason STRING" */
    AGENT_FILTER_DELETE,   /* items: ids (d17) or filter texts, all or nothing */
    AGENT_FLUSH,           /* all dynamic filters */
    AGENT_POLICY_LOAD,     /* text: policy file; policy: name to store under, or NULL; replace */
    AGENT_POLICY_DELETE,   /* policy */
    AGENT_ASSIGN,          /* policy, persistent */
    AGENT_UNASSIGN,        /* persistent */
    AGENT_RULE_ADD,        /* policy, rule, text: one filter; create, replace */
    AGENT_RULE_DELETE,     /* policy, rule */
    AGENT_POLICY_ROLLBACK, /* policy, revision (0 = the one before) */
    AGENT_COUNTERS_RESET,  /* - */
    AGENT_STATE_DELETE,    /* text: an address on either side, or "all" */
    AGENT_SETTING,         /* key, text: its value, NULL = back to the configuration file */
    AGENT_LIBRARY,         /* text */
    AGENT_SECRET,          /* key: its id, text: its value, NULL = remove */
    AGENT_MPP,             /* text: an edit of model/mpp.h */
    AGENT_BATCH,           /* ops: all of them in one generation, or none */
    _AGENT_CHANGE_KIND_MAX,
};

struct agent_change {
    enum agent_change_kind kind;
    const char *policy, *rule, *text;
    bool text_given; /* text is allocated, and the agent's once agent_change() has taken the change
                      */
    const char *const *items;
    size_t n_items;
    bool replace;
    bool create; /* AGENT_RULE_ADD: make the policy if it does not exist */
    bool persistent;
    uint32_t revision;
    const char *key;
    const char *title;        /* AGENT_POLICY_LOAD: line for history, NULL = "load" */
    const char *renamed_from; /* AGENT_POLICY_LOAD: the stored policy that this one continues */
    const struct renamed *renamed_rules;
    size_t n_renamed_rules;
    bool unassign;                  /* AGENT_POLICY_DELETE: also if it is assigned */
    const struct agent_change *ops; /* AGENT_BATCH; of each the members above count, no batches */
    size_t n_ops;
    uint64_t if_state; /* refuse (DIAG_STALE) if agent_state() is another one; 0 = do not ask */
    bool keep_holders; /* of settings rpc.*: servers may keep ports that leave the set */
    bool dry_run;      /* everything but the change: the answer says what would be */
    uint64_t if_generation; /* refuse (DIAG_CONFLICT) if another one is in force; 0 = do not ask */
    struct author author;   /* author.reason: "reason" of the request; a reason in the text of the
                               filter wins over it */
};

/* A filter as list, answers and explain show it. Strings are owned; NULL = unknown or none. */
enum agent_ends { AGENT_ENDS_NEVER, AGENT_ENDS_EXPIRY, AGENT_ENDS_REBOOT, AGENT_ENDS_AGENT_STOP };
const char *agent_ends_name(enum agent_ends e); /* "never" "expiry" "reboot" "agent-stop" */
struct agent_filter {
    char id[16];  /* "d17"; "-" for derived entries */
    bool derived; /* failsafe or exemption: layer "derived", no counters */
    enum layer layer;
    enum tier tier;
    uint32_t weight; /* the highest of its expansions */
    uint32_t n_expanded;
    bool named; /* has a DNS name or server keyword: n_addresses says what stands behind it now */
    uint32_t n_addresses; /* address filters that it stands for, with port lists counted once */
    enum action action;
    bool override;
    char *text;
    char *policy, *rule;
    char *reason;
    char *set; /* exceptions only: the packets it lets through, one term a line */
    struct guid guid;
    uint64_t packets, bytes;
    int64_t expires_in_s; /* -1 = no deadline; 0 = past it */
    enum agent_ends ends;
};
void agent_filter_done(struct agent_filter *f);
struct agent_filters {
    struct agent_filter *v;
    size_t n, cap;
};
void agent_filters_done(struct agent_filters *l);

/* Something that is right but that people should know: code is lower case with hyphens. The
 * code "forwarded-not-covered" is a note, the others are warnings. */
struct agent_warning {
    const char *code; /* static text */
    char *message;    /* owned */
    char *hint;       /* owned, NULL = none */
};
struct agent_warnings {
    struct agent_warning *v;
    size_t n, cap;
};
void agent_warnings_done(struct agent_warnings *w);

/* Packets that a change that was only tried would block or permit. */
struct agent_packets {
    bool blocked;   /* else permitted */
    bool negotiate; /* after the change: denied unless negotiated */
    char *set;      /* in the notation of previews, one term a line; owned */
    char *example;  /* one of them; owned */
    char id[16];    /* filter that would decide them, "" = none */
    char *rule;     /* of that filter, NULL = none; owned */
};
struct agent_preview {
    bool made;     /* false: the change was not only tried */
    bool equal;    /* no packet changes its verdict */
    bool complete; /* false: not everything was looked at, there may be more */
    bool arms;     /* first block: packets that no filter is asked about are dropped, too */
    bool disarms;
    int64_t connections;     /* established TCP connections that would stall; -1 = not known */
    struct agent_packets *v; /* blocked ones first */
    size_t n, cap;
};
void agent_preview_done(struct agent_preview *p);

/* What one policy looks like after a change. */
struct agent_policy_change {
    char name[256];
    const char *change; /* "added" "replaced" "none" */
    uint32_t revision, n_rules, n_filters;
    bool assigned; /* to any slot: the change is in force */
};

/* Settings of memory pressure protection that a change made others. NULL = the default. */
struct agent_mpp_change {
    const char *key;
    char *before, *now; /* owned */
};
struct agent_mpp_changes {
    struct agent_mpp_change *v;
    size_t n;
};
void agent_mpp_changes_done(struct agent_mpp_changes *l);

/* What one OP of a batch did: the members of struct agent_result of the same names. */
struct agent_op_result {
    enum agent_change_kind kind;
    const char *change;
    struct agent_filters filters, exceptions;
    struct agent_policy_change *policies;
    size_t n_policies;
    char *name, *before; /* NULL = none */
    struct agent_mpp_changes mpp;
};

/* Where the time of a change of policies goes. */
enum agent_phase {
    AGENT_PHASE_PARSE,
    AGENT_PHASE_STORE, /* and waiting for the disk */
    AGENT_PHASE_BUILD, /* effective filters and their counters */
    AGENT_PHASE_COMPILE,
    AGENT_PHASE_LOAD, /* image into a map, until a test run sees it */
    AGENT_PHASE_SELF_TEST,
    AGENT_PHASE_FLIP, /* and waiting for it and the candidate's grace period */
    _AGENT_PHASE_MAX,
};
const char *agent_phase_name(enum agent_phase p); /* "self_test" */

/* Answer to a change. Everything is borrowed: valid during the call of agent_done_fn only. */
struct agent_result {
    int err;                 /* 0 or -errno */
    struct diag diag;        /* if err < 0 */
    struct diag_list errors; /* if err < 0: all errors of a text (diag is the first); n_errors 0
                                if the failure was none of a text */
    uint64_t generation;     /* in force now */
    bool flipped;            /* this change made a new generation */
    uint32_t elapsed_ms;     /* from the start of the change to now */
    uint64_t phase_ns[_AGENT_PHASE_MAX]; /* parts of it */
    unsigned n_interfaces;               /* attached */
    const char *change;                  /* "added" "extended" "replaced" "deleted" "none" */
    struct agent_filters filters;    /* added, extended or deleted filters; of a rule change: the
                                        rule's filters */
    struct agent_filters exceptions; /* of an added block: what stays permitted, with its set */
    struct agent_preview preview;    /* of a change that was only tried */
    struct agent_policy_change *policies;
    size_t n_policies; /* 1 for rule changes, AGENT_POLICY_DELETE and AGENT_POLICY_ROLLBACK */
    uint32_t restored; /* AGENT_POLICY_ROLLBACK: the revision that came back */
    char name[256];    /* (un)assigned policy; AGENT_FLUSH: assigned local policy; "" = none */
    char before[256];  /* AGENT_ASSIGN: the one assigned before, "" = none */
    size_t n_reset;    /* AGENT_COUNTERS_RESET; AGENT_STATE_DELETE: deleted */
    bool has_op;       /* if err < 0: op number `op` of a batch is why */
    size_t op;
    struct agent_mpp_changes mpp; /* AGENT_MPP */
    bool mpp_restamped;           /* AGENT_MPP: living connections got the new settings, too: */
    int64_t mpp_existing;         /* how many; else how many keep theirs, -1 = not known */
    struct agent_op_result *ops;  /* AGENT_BATCH: one for each of its ops */
    size_t n_ops;
    struct agent_warnings warnings;
};
typedef void (*agent_done_fn)(void *ctx, const struct agent_result *r);

/* Queues *c, whose strings are copied, but for a text that is given. 0: done is called once, later.
 * Negative (-ENOMEM, or -EBUSY with DIAG_AGENT while the agent stops or AGENT_QUEUE_MAX changes
 * wait): done is not called. *ret_id (may be NULL) is for agent_forget(). */
enum { AGENT_QUEUE_MAX = 256 };
_must_check_ int agent_change(struct agent *a, const struct agent_change *c, agent_done_fn done,
                              void *ctx, struct diag *d, uint64_t *ret_id);
/* Ends the agent in the orderly way, as SIGTERM does. */
_must_check_ int agent_stop(struct agent *a);
/* Writes how it was started to <runtime-dir>/agent.args (NUL after each argument): who starts it
 * again takes the same options. A failure is an event only. */
void agent_remember_arguments(struct agent *a, int argc, char *const *argv);
/* The asker went away: done will not be called. The change itself goes on. */
void agent_forget(struct agent *a, uint64_t id);

/* --- questions --- */
struct agent_list_query {
    int layer;          /* enum layer, -1 = all */
    const char *policy; /* NULL = all; -ENOENT if it is not assigned */
    bool all;           /* also derived entries: failsafe, exemptions */
};
/* How many there are of all layers, without derived ones. */
size_t agent_n_filters(const struct agent *a);
/* Filters in force with their counters: override first, then most specific first. */
_must_check_ int agent_list(struct agent *a, const struct agent_list_query *q, struct diag *d,
                            struct agent_filters *ret);

/* What `keep state` remembers: the first 10,000 flows. */
struct agent_flow {
    struct flow flow;
    struct agent_filter filter; /* that permitted it, text NULL if it is no more in force */
};
struct agent_flows {
    struct agent_flow *v;
    size_t n, cap, total;
};
void agent_flows_done(struct agent_flows *l);
_must_check_ int agent_flows(struct agent *a, struct diag *d, struct agent_flows *ret);

struct agent_policy_info {
    struct policy_info info;
    enum layer layer;  /* LAYER_PERSISTENT if assigned there only, else LAYER_LOCAL */
    const char *state; /* "assigned" "stored" */
};
/* Owned array (free()). */
_must_check_ int agent_policies(struct agent *a, struct diag *d, struct agent_policy_info **ret,
                                size_t *ret_n);
/* Canonical text, or as it was loaded (source), or of an old revision (also of a deleted policy);
 * owned. ret_name in its stored spelling. */
struct agent_text_query {
    const char *name;
    bool source;
    uint32_t revision; /* 0 = the current one */
};
_must_check_ int agent_policy_text(struct agent *a, const struct agent_text_query *q,
                                   struct diag *d, char **ret_text, char ret_name[256],
                                   uint32_t *ret_revision);
/* The policy with its identities, of an old revision those that it had; owned. */
_must_check_ int agent_policy_get(struct agent *a, const struct agent_text_query *q, struct diag *d,
                                  struct policy **ret);
/* Another number after every change of anything stored or dynamic, never 0. */
_must_check_ int agent_state(struct agent *a, struct diag *d, uint64_t *ret);
_must_check_ int agent_library(struct agent *a, struct diag *d, char **ret); /* owned */
/* Settings with their values and where these come from; key NULL = all. DIAG_UNKNOWN_OBJECT. */
struct agent_setting {
    char *key;
    char *value;  /* NULL = none is set */
    char *source; /* "FILE:LINE", "database", "default" */
};
struct agent_settings {
    struct agent_setting *v; /* sorted by key */
    size_t n, cap;
};
void agent_settings_done(struct agent_settings *l);
_must_check_ int agent_settings(struct agent *a, const char *key, struct diag *d,
                                struct agent_settings *ret);
/* Confined ports of RPC servers: who holds what, and the settings in force; both owned. */
struct rpc_status;   /* rpc/rpc.h */
struct rpc_settings; /* rpc/settings.h */
_must_check_ int agent_rpc(struct agent *a, struct diag *d, struct rpc_status *ret,
                           struct rpc_settings *ret_settings);
/* Local unicast addresses without loopback as text, IPv4 first, ascending; owned array of owned
 * strings. */
_must_check_ int agent_host_addresses(struct agent *a, char ***ret, size_t *ret_n);
/* Revisions of a policy, or with NULL the trail of all changes; see store_history(). */
_must_check_ int agent_history(struct agent *a, const char *policy, uint32_t limit, struct diag *d,
                               struct history *ret);

/* --- memory pressure protection --- */
struct agent_mpp {
    struct mpp_settings settings; /* in force */
    uint32_t generation;
    struct iface_status *interfaces; /* with their categories; owned */
    size_t n_interfaces;
    bool running;
    int engine_error;         /* if it does not run */
    struct mpp_status engine; /* if it does */
};
void agent_mpp_done(struct agent_mpp *x);
_must_check_ int agent_mpp(struct agent *a, struct diag *d, struct agent_mpp *ret);
/* The connections that hold most, as pruning would rank them now: mpp_ranking_done(). */
_must_check_ int agent_mpp_rank(struct agent *a, size_t max, struct diag *d,
                                struct mpp_ranking *ret);
/* Records of ended connections, the newest last; owned array. */
_must_check_ int agent_mpp_records(struct agent *a, size_t max, struct diag *d,
                                   struct mpp_conn **ret, size_t *ret_n);

struct agent_status {
    char host[256];
    const char *version;
    uint64_t netns_cookie;
    uint32_t pid;
    uint64_t uptime_s, memory_bytes;
    bool armed;
    uint64_t generation, since_s;
    enum hook_mode hook;
    struct guard_status guard;
    struct iface_status *interfaces; /* owned */
    size_t n_interfaces;
    struct beside *beside; /* paths beside the hook, owned */
    size_t n_beside;
    char policy_local[256], policy_persistent[256]; /* "" = none */
    size_t n_dynamic;
    int64_t next_expiry_s; /* -1 = none */
    uint32_t image_entries, image_groups;
    uint64_t image_bytes;
    uint64_t passed[2], dropped[2][_DROP_REASON_MAX]; /* by enum direction */
    struct log_stats log;
    struct flow_counts flows;       /* at the last sweep */
    struct agent_warnings warnings; /* not empty: exit 6 */
};
void agent_status_done(struct agent_status *s);
_must_check_ int agent_status(struct agent *a, struct diag *d, struct agent_status *ret);

/* A matching expansion; best first. */
struct agent_candidate {
    struct agent_filter filter; /* derived: text is the entry */
    enum tier tier;
    uint32_t weight; /* of the expansion that matched */
    struct weight_fields fields;
    bool block, twin, expired;
};
struct agent_explanation {
    char *packet; /* canonical text with `me` and the source port filled in; owned */
    bool block;
    enum decider decider;
    enum drop_reason reason;
    const char *exemption;     /* static, NULL = none */
    struct agent_candidate *v; /* owned; v[0] is the winner if has_winner */
    size_t n;
    bool has_winner;
    const char *lost_in; /* field in which v[1] lost to v[0], NULL if there is no runner-up */
    struct {
        bool asked, agrees, block;
        enum drop_reason reason;
        uint64_t generation;
        char id[16]; /* "" = not decided by a filter */
        uint32_t weight;
        uint32_t probes;
    } kernel;
    struct {
        char interface[16]; /* "" = unknown */
        enum iface_role role;
        bool attached;
        enum hook_mode hook;
        enum guard_state guard;
        struct beside *beside; /* what bypasses the hook there, owned */
        size_t n_beside;
    } path;
    struct {
        bool kept;   /* what a keep-state permit remembers concerns this packet */
        bool exists; /* there is such a flow, else this packet would open it */
        bool answer; /* the packet comes from the other side */
        bool passes; /* for that alone, against the filters */
        struct flow flow;
        char id[16]; /* of the permit, "" = no more in force */
    } state;
};
void agent_explanation_done(struct agent_explanation *x);
/* live: also ask the loaded program. */
_must_check_ int agent_explain(struct agent *a, const char *packet, bool live, struct diag *d,
                               struct agent_explanation *ret);
