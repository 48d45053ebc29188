/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One invocation of a dialect tool: what the parsers get and what they leave behind. A tool reads
 * its arguments, changes t->catalog, writes what the Windows tool prints to t->out, and repairs,
 * remarks and warnings with tool_note(). It performs no I/O; questions about the running system go
 * through t->host. The front (run.c) commits the catalog, then prints, then does t->after. */
#pragma once
#include "compat/catalog.h"

struct cli_rpc_table; /* cli/rpctable.h */
struct sockets;       /* sockets/sockets.h */

enum persona { PERSONA_2000, PERSONA_XP, PERSONA_2003, PERSONA_2008, _PERSONA_MAX };

/* What has to be done once the catalog is committed. */
enum tool_after {
    AFTER_NOTHING,
    AFTER_STOP_AGENT,  /* net stop policyagent */
    AFTER_SHOW_RPC,    /* rpccfg: who has to be restarted */
    AFTER_START_AGENT, /* net start policyagent: before anything else, the catalog is empty */
};

/* Questions about the running agent and host; run.c answers them over the API. Tests have their
 * own. All 0 or negative with *d; -ENOTCONN: the agent does not run. */
struct tool_filter { /* a filter in force */
    char id[16];
    char *text, *policy, *rule; /* owned; policy and rule NULL for dynamic filters */
    char layer[16];             /* "local", "dynamic", "persistent", "domain" */
    uint32_t weight;
    struct guid guid;
    uint64_t packets, bytes;
};
void tool_filters_free(struct tool_filter *v, size_t n); /* the array, too */
/* An interface whose packets the kernel filters although no agent runs. */
struct tool_pin {
    char name[16]; /* "" = it has no name any more */
    bool in, out;
};
/* TCP ports of a host, for spp. */
struct tool_scan {
    const char *host;
    uint16_t first, last;
    void *ctx;
    void (*on_open)(void *ctx, const char *address, uint16_t port); /* as the answers come */
    unsigned n_unknown; /* filled in: ports without an answer */
};
struct tool_host {
    void *ctx;
    int (*filters)(void *ctx, struct diag *d, struct tool_filter **ret, size_t *ret_n);
    /* Local unicast addresses without loopback, IPv4 first, ascending; array owned. */
    int (*addresses)(void *ctx, struct diag *d, struct addr **ret, size_t *ret_n);
    /* What the kernel enforces when no agent can be asked; array owned. NULL = not known. */
    int (*pins)(void *ctx, struct diag *d, struct tool_pin **ret, size_t *ret_n);
    /* GET of any other question, for show and stats; new json_t reference as void *. */
    int (*ask)(void *ctx, const char *target, struct diag *d, void **ret_json);
    /* RPC endpoints of a host, NULL = this one; to be freed with cli_rpc_table_done(). */
    int (*endpoints)(void *ctx, const char *host, struct diag *d, struct cli_rpc_table *ret);
    /* Sockets of this host, connected ones too, with holders; sockets_done(). */
    int (*sockets)(void *ctx, struct diag *d, struct sockets *ret);
    /* NULL = not here. */
    int (*scan)(void *ctx, struct tool_scan *s, struct diag *d);
    /* Prints what a tool that changes nothing has said so far, and empties it; NULL = at the end.
     */
    void (*show)(void *ctx, struct strbuf *out);
    /* State of this user kept by the agent for an hour (netsh set store, set batch). value NULL
     * removes. *ret NULL = not set. */
    int (*session_get)(void *ctx, const char *key, struct diag *d, char **ret);
    int (*session_set)(void *ctx, const char *key, const char *value, struct diag *d);
    /* Contents of a file named by the user (netsh -f, importpolicy), and writing one
     * (exportpolicy); at most max bytes. *ret owned, NUL-terminated. */
    int (*read_file)(void *ctx, const char *name, size_t max, struct diag *d, char **ret,
                     size_t *ret_len);
    int (*write_file)(void *ctx, const char *name, const char *text, size_t len, struct diag *d);
    /* Whether name stands for this host: ".", localhost, own name or address, 127.x. */
    bool (*is_local)(void *ctx, const char *name);
    /* The terminal user is asked; false if there is no terminal (-confirm). *ret_yes. */
    bool (*confirm)(void *ctx, const char *question, bool *ret_yes);
};

/* NOTE_FORETOLD: a warning that the agent gives, too, when the change reaches it; shown only where
 * it does not. */
enum tool_note_kind { NOTE, NOTE_REPAIR, NOTE_WARNING, NOTE_FORETOLD };
struct tool_remark {
    enum tool_note_kind kind;
    char *text;
};

struct tool_run {
    const struct tool_entry *tool;
    struct catalog *catalog;      /* borrowed */
    const struct tool_host *host; /* borrowed; NULL = offline (import -o, tests) */
    enum persona persona;
    bool strict;       /* misprints are errors */
    bool explain;      /* nothing will be committed */
    bool from_file;    /* from a script or batch: mistakes are still exit 2 */
    struct strbuf out; /* stdout, in the Windows tool's words */
    struct tool_remark *remarks;
    size_t n_remarks, cap_remarks;
    enum tool_after after;
    bool changes;    /* a change was asked for: if nothing is different then, a note says so */
    bool partly;     /* done, but with findings: exit 6 */
    bool overridden; /* stored, but the domain policy is in force: exit 9 */
    int exit;        /* exit code of a tool that decides it itself (netdiag without agent: 3);
                        only looked at if run() returned 0 */
    bool print_out;  /* out is printed although the tool failed (netsh: "ERR ...") */
    const char *session_clear; /* key to be removed once the change is made (set batch); static */
    const char *word;          /* argument that the last diagnostic's span points into; borrowed */
    char *line; /* owned: what word points to if it is no argument (a line of a script) */
};
void tool_run_init(struct tool_run *t, struct catalog *c, const struct tool_host *host);
void tool_run_done(struct tool_run *t);

/* "portward: note: ...", for repairs and warnings. A repair under t->strict fails:
 * -EINVAL with *d. Everything else returns 0 or -ENOMEM. */
_must_check_ int tool_remark(struct tool_run *t, enum tool_note_kind kind, struct diag *d,
                             const char *fmt, ...) _printf_(4, 5);
/* The agent has answered: forgets what was foretold. */
void tool_remarks_answered(struct tool_run *t);
/* diag_fail_at() for a place in one argument: t->word = word, the span is offset (bytes) and len.
 */
int tool_fail_at(struct tool_run *t, struct diag *d, const char *word, size_t offset, size_t len,
                 enum diag_code code, const char *fmt, ...) _printf_(7, 8);

/* argv[0] is the first argument behind the tool's name. 0 or negative with *d; a failed tool may
 * leave a half-changed catalog, which is thrown away. */
struct tool_entry {
    const char *name; /* lower case, without .exe */
    enum persona persona;
    int (*run)(struct tool_run *t, int argc, char *const *argv, struct diag *d);
    bool shadows;     /* linked on request only: net, netstat */
    const char *help; /* text of -?, /? */
};
/* ipsecpol, ipseccmd, netdiag, netsh, net, secedit, gpupdate, reg, rpccfg, rpcdump, netstat, spp */
extern const struct tool_entry tool_entries[];
extern const size_t tool_n_entries;
/* Any case, with or without .exe; word may be a path. NULL if it names no tool. */
const struct tool_entry *tool_find(const char *word);

/* The tools, one file (or a few) each. */
int tool_ipsec(struct tool_run *t, int argc, char *const *argv, struct diag *d); /* pol and cmd */
int tool_netdiag(struct tool_run *t, int argc, char *const *argv, struct diag *d);
int tool_netsh(struct tool_run *t, int argc, char *const *argv, struct diag *d);
int tool_net(struct tool_run *t, int argc, char *const *argv, struct diag *d);
int tool_secedit(struct tool_run *t, int argc, char *const *argv, struct diag *d);
int tool_gpupdate(struct tool_run *t, int argc, char *const *argv, struct diag *d);
int tool_reg(struct tool_run *t, int argc, char *const *argv, struct diag *d);
int tool_rpccfg(struct tool_run *t, int argc, char *const *argv, struct diag *d);
int tool_rpcdump(struct tool_run *t, int argc, char *const *argv, struct diag *d);
int tool_netstat(struct tool_run *t, int argc, char *const *argv, struct diag *d);
int tool_spp(struct tool_run *t, int argc, char *const *argv, struct diag *d);
extern const char tool_ipsec_help[], tool_netdiag_help[], tool_netsh_help[], tool_net_help[],
    tool_secedit_help[], tool_gpupdate_help[], tool_reg_help[], tool_rpccfg_help[],
    tool_rpcdump_help[], tool_netstat_help[], tool_spp_help[];
