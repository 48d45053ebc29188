/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of ipsecpol and ipseccmd share: the switches, the arguments sorted by switch, and
 * the action they name. Only ipsec*.c and convert_ipseccmd*.c include it. */
#pragma once
#include "compat/spec.h"

enum ipsec_switch_id {
    SW_STORE,     /* -w */
    SW_POLICY,    /* -p */
    SW_RULE,      /* -r */
    SW_FILTER,    /* -f */
    SW_ACTION,    /* -n */
    SW_ASSIGN,    /* -x */
    SW_UNASSIGN,  /* -y */
    SW_DELETE,    /* -o */
    SW_FLUSH,     /* -u */
    SW_TUNNEL,    /* -t */
    SW_AUTH,      /* -a */
    SW_MM_METHOD, /* -1s */
    SW_MM_REKEY,  /* -1k */
    SW_MM_PFS,    /* -1p */
    SW_MM_FILTER, /* -1f */
    SW_SOFT_SA,   /* -1e */
    SW_SOFT,
    SW_LAN,
    SW_DIALUP,
    SW_CONFIRM,
    SW_FILE,
    SW_HELP,
    _SW_MAX,
};

enum ipsec_takes { TAKES_NONE, TAKES_ONE, TAKES_LIST };
enum { IN_STATIC = 1, IN_DYNAMIC = 2, IN_BOTH = 3, ALONE = 0 };

struct ipsec_switch {
    const char *name; /* with its dash */
    enum ipsec_takes takes;
    unsigned where;      /* IN_* */
    bool again, late;    /* may be repeated; unknown to the tool of Windows 2000 */
    const char *value;   /* what it takes: "a policy name" */
    const char *example; /* of the whole switch */
};
extern const struct ipsec_switch ipsec_switches[_SW_MAX];
/* Index of the switch of exactly this name, any case; -1 if there is none. */
int ipsec_switch_find(const char *word);
/* If the word ends in a switch that lacks the blank before it ("BLOCK-x"): the length in front of
 * it, else 0. */
size_t ipsec_glued(const char *word);
/* The nearest switch, NULL if none is near. */
const char *ipsec_switch_near(const char *word);

/* Borrowed words. */
struct ipsec_words {
    const char **v;
    size_t n, cap;
};

struct ipsec_args {
    const char *given[_SW_MAX]; /* the switch as typed, NULL = not given */
    struct ipsec_words values[_SW_MAX];
    struct ipsec_words show; /* topics; not empty = show */
};
void ipsec_args_done(struct ipsec_args *a);
/* Sorts the arguments. What stands together is checked by ipsec_args_check(). */
_must_check_ int ipsec_args_parse(struct tool_run *t, int argc, char *const *argv, struct diag *d,
                                  struct ipsec_args *a);
_must_check_ int ipsec_args_check(struct tool_run *t, const struct ipsec_args *a, struct diag *d);
static inline bool ipsec_given(const struct ipsec_args *a, unsigned id /* SW_* */)
{
    return a->given[id] != NULL;
}
/* The only value of a switch, NULL if it is not given. */
static inline const char *ipsec_value(const struct ipsec_args *a, enum ipsec_switch_id id)
{
    return a->values[id].n > 0 ? a->values[id].v[0] : NULL;
}
/* Refuses a whole word with exit 2. */
#define ipsec_fail(t, d, word, ...) \
    tool_fail_at(t, d, word, 0, strlen(word), DIAG_USAGE, __VA_ARGS__)
/* A computer that is not this one: exit 1. 0 if it is this one. */
_must_check_ int ipsec_check_computer(struct tool_run *t, const char *word, const char *name,
                                      struct diag *d);

/* What -n names. All strings owned. */
struct ipsec_action {
    bool given;
    enum action action;
    bool inpass;
    char *methods;    /* native words after negotiate, canonical */
    char *qm_methods; /* attribute: ESP[3DES,SHA1]:5000k/3600s ... */
    char pfs[8];      /* attribute: "yes", "1", "2"; "" = no */
};
void ipsec_action_done(struct ipsec_action *a);
/* Reads -n with what belongs to its methods (-1s, -1k, -1p, -t, -soft, -1e). */
_must_check_ int ipsec_action_parse(struct tool_run *t, const struct ipsec_args *a, struct diag *d,
                                    struct ipsec_action *ret);
/* Native words after negotiate as words of -n with the switches that belong to them, one string,
 * and as the attribute qm-methods that these words make; -EOPNOTSUPP if there is no form. */
_must_check_ int ipsec_methods_print(const char *methods, struct strbuf *out,
                                     struct strbuf *attribute);

/* Main mode (ipsec_mainmode.c). */
struct ipsec_main_mode {
    char *methods;                 /* 3DES-SHA1-2 3DES-MD5-2, NULL = not given */
    char *suites;                  /* 3des-sha1-modp1024,..., NULL = not given */
    uint32_t quick_modes, seconds; /* 0 = not given */
    bool pfs, soft;
    uint32_t soft_sa; /* seconds, 0 = not given */
};
void ipsec_main_mode_done(struct ipsec_main_mode *m);
_must_check_ int ipsec_main_mode_parse(struct tool_run *t, const struct ipsec_args *a,
                                       struct diag *d, struct ipsec_main_mode *ret);
/* -a as attribute; keys go to the secrets. *ret NULL if not given. */
_must_check_ int ipsec_auth_parse(struct tool_run *t, const struct ipsec_args *a, struct diag *d,
                                  char **ret);
/* The same without keeping anything. */
_must_check_ int ipsec_auth_check(struct tool_run *t, const struct ipsec_args *a, struct diag *d);
/* -t: an address or a name. */
_must_check_ int ipsec_check_tunnel(struct tool_run *t, const char *word, struct diag *d,
                                    bool *ret_is_address);

/* All filters of -f with action and methods; *ret is an array of *ret_n, owned. */
struct ipsec_filter {
    const char *word; /* as typed */
    struct ipsec_spec spec;
};
struct ipsec_filters {
    struct ipsec_filter *v;
    size_t n, cap;
    bool has_default; /* DEFAULT stood among them */
};
void ipsec_filters_done(struct ipsec_filters *f);
_must_check_ int ipsec_filters_parse(struct tool_run *t, const struct ipsec_args *a,
                                     enum ipsec_switch_id from, struct diag *d,
                                     struct ipsec_filters *ret);
/* Gives f its action and checks the whole; the word is for the place of a refusal. */
_must_check_ int ipsec_filter_finish(struct tool_run *t, const char *word,
                                     const struct ipsec_action *a, struct diag *d,
                                     struct filter *f);

_must_check_ int ipsec_run_static(struct tool_run *t, const struct ipsec_args *a, struct diag *d);
_must_check_ int ipsec_run_dynamic(struct tool_run *t, const struct ipsec_args *a, struct diag *d);
_must_check_ int ipsec_run_show(struct tool_run *t, const struct ipsec_args *a, struct diag *d);
/* Runs the lines of -file F. */
_must_check_ int ipsec_run_file(struct tool_run *t, const char *name, struct diag *d);
/* One command, without -file. */
_must_check_ int ipsec_run_command(struct tool_run *t, int argc, char *const *argv, struct diag *d);
/* The tool's name for history and messages. */
const char *ipsec_tool_name(const struct tool_run *t);
