/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netsh ipsec (windows.md 4-6): what the files of this dialect share. Only netsh*.c and
 * convert_netsh.c include it.
 *
 * One table of commands with their tags in positional order (netsh_table.c) serves the parser,
 * the help, the errors and the exporter. A command line, from the shell or from a script, becomes
 * words, the words become arguments by tag, and the command changes the catalog. */
#pragma once
#include "compat/tool.h"

enum netsh_tag {
    T_NAME,
    T_GUID,
    T_ID,
    T_ALL,
    T_DEFAULT,
    T_NEWNAME,
    T_DESCRIPTION,
    T_POLICY,
    T_FILTERLIST,
    T_FILTERACTION,
    T_RULE,
    T_SRCADDR,
    T_DSTADDR,
    T_SRCMASK,
    T_DSTMASK,
    T_PROTOCOL,
    T_SRCPORT,
    T_DSTPORT,
    T_MIRRORED,
    T_MMPFS,
    T_QMPERMM,
    T_MMLIFETIME,
    T_ACTIVATEDEFAULTRULE,
    T_POLLINGINTERVAL,
    T_ASSIGN,
    T_GPONAME,
    T_MMSECMETHODS,
    T_QMPFS,
    T_INPASS,
    T_SOFT,
    T_ACTION,
    T_QMSECMETHODS,
    T_TUNNEL,
    T_CONNTYPE,
    T_ACTIVATE,
    T_KERBEROS,
    T_PSK,
    T_ROOTCA,
    T_LOCATION,
    T_DOMAIN,
    T_MODE,
    T_FILE,
    T_LEVEL,
    T_FORMAT,
    T_WIDE,
    T_RESOLVEDNS,
    T_TYPE,
    T_MMPOLICY,
    T_QMPOLICY,
    T_ACTIONINBOUND,
    T_ACTIONOUTBOUND,
    T_TUNNELDSTADDRESS,
    T_SOFTSAEXPIRATIONTIME,
    T_PFSGROUP,
    T_PROPERTY,
    T_VALUE,
    T_MPP,
    T_PROFILES,
    T_STARTPORT,
    T_NUMBEROFPORTS,
    _TAG_MAX,
};
const char *netsh_tag_name(enum netsh_tag tag);

/* How a command takes a tag. */
enum {
    TAG_REQUIRED = 1,
    TAG_OR = 2,     /* alternative to the tag before it: a bare value does not fill it */
    TAG_MANY = 4,   /* may be given again */
    TAG_FLAG = 8,   /* the bare word itself, without a value */
    TAG_NAMED = 16, /* as tag=value only: a bare value does not fill it */
};
struct netsh_tag_use {
    uint8_t tag, flags;
};
enum { NETSH_TAGS = 18 };

enum netsh_context {
    CONTEXT_ROOT,
    CONTEXT_IPSEC,
    CONTEXT_STATIC,
    CONTEXT_DYNAMIC,
    CONTEXT_INTERFACE,
    CONTEXT_TCP,
    CONTEXT_FOREIGN, /* of another part of netsh, while a script is imported: lines are skipped */
    _CONTEXT_MAX,
};
const char *netsh_context_name(enum netsh_context c); /* "ipsec static", root "" */
/* The one that it stands in: "ipsec". */
enum netsh_context netsh_context_parent(enum netsh_context c);

struct netsh;
struct netsh_args;
struct netsh_command {
    enum netsh_context context;
    const char *verb, *object; /* object NULL: the verb alone is the command */
    bool reads;                /* changes nothing */
    const char *summary;
    int (*run)(struct netsh *n, const struct netsh_args *a, struct diag *d);
    uint8_t n_tags;
    struct netsh_tag_use tags[NETSH_TAGS];
};
extern const struct netsh_command netsh_commands[];
extern const size_t netsh_n_commands;
/* What values a tag takes, for help: "yes|no". */
const char *netsh_tag_values(enum netsh_tag tag);

/* A word of a line: without its quotes, with its place. */
struct netsh_word {
    char *s;
    size_t at, len; /* in the line of a script */
    bool exact;     /* s stands at `at` unchanged: places inside it are known */
    bool quoted;    /* began with a quote: never tag=value */
    bool ends_quoted;
};
/* text NULL: the words are arguments of the shell, each a text of its own. */
struct netsh_line {
    const char *text; /* not ended by NUL */
    size_t len;
    struct netsh_word *v;
    size_t n, cap;
};
void netsh_line_done(struct netsh_line *l);

struct netsh_given {
    enum netsh_tag tag;
    const char *value;
    size_t word;   /* of the line, where the value stands */
    size_t offset; /* of the value in this word */
};
struct netsh_args {
    const struct netsh_command *command;
    struct netsh_given *v; /* in the order of the line */
    size_t n, cap;
    const char *value[_TAG_MAX]; /* NULL = not given; of several the last */
    size_t index[_TAG_MAX];      /* into v */
};
void netsh_args_done(struct netsh_args *a);

/* Own numbers of errors, and the documented ones of Windows. They never change. */
enum netsh_error {
    NETSH_OK,
    NETSH_SYNTAX,
    NETSH_UNKNOWN_CONTEXT,
    NETSH_UNKNOWN_COMMAND,
    NETSH_UNKNOWN_TAG,
    NETSH_TAG_TWICE,
    NETSH_LEFT_OVER,
    NETSH_MISSING_TAG,
    NETSH_VALUE,
    NETSH_METHODS,
    NETSH_NO_POLICIES,   /* 05072 */
    NETSH_LIST_EXISTS,   /* 05010 */
    NETSH_ACTION_EXISTS, /* 05014 */
    NETSH_POLICY_EXISTS,
    NETSH_RULE_EXISTS,
    NETSH_MMPOLICY_EXISTS,
    NETSH_QMPOLICY_EXISTS,
    NETSH_NOT_FOUND,
    NETSH_IN_USE,
    NETSH_WHICH_POLICY,
    NETSH_DOMAIN,
    NETSH_REMOTE,
    NETSH_FILE,
    NETSH_REFUSED, /* by the validation of the model */
    NETSH_STORE,
    NETSH_OTHER,
    NETSH_TCP, /* of interface tcp, which prints no numbers */
    _NETSH_ERROR_MAX,
};

struct netsh {
    struct tool_run *t;
    struct netsh_line line; /* the one being run */
    const char *file;       /* of a script, NULL = the shell's arguments */
    size_t number;          /* of its line */
    enum netsh_context context;
    enum netsh_context stack[16];
    size_t depth;
    enum netsh_error error;
    enum catalog_slot slot; /* set store */
    bool domain;            /* set store location=domain */
    bool has_store;
    struct strbuf pending;                /* lines kept by set batch */
    bool kept;                            /* some of them are new */
    bool batch;                           /* set batch mode=enable is in force */
    bool has_batch;                       /* both were asked for */
    unsigned nested;                      /* scripts that run scripts */
    bool had_assigned[_CATALOG_SLOT_MAX]; /* known before the first line, then also what it was */
    char was_assigned[_CATALOG_SLOT_MAX][256];
    bool import; /* lines of other contexts are left out with a remark */
};
void netsh_init(struct netsh *n, struct tool_run *t);
/* Warns of what is not in force any more after all lines. */
_must_check_ int netsh_finish(struct netsh *n, struct diag *d);
void netsh_done(struct netsh *n);

/* --- running (netsh.c, netsh_script.c) --- */
/* Runs the line's words in the context. */
_must_check_ int netsh_run_line(struct netsh *n, struct diag *d);
/* All lines of a script; the diagnostic of the failed one names file and line. */
_must_check_ int netsh_run_script(struct netsh *n, const char *file, const char *text, size_t len,
                                  struct diag *d);
/* A file named by the user. */
/* A file that the user names; *ret owned. */
_must_check_ int netsh_read_file(struct netsh *n, const char *name, struct diag *d, char **ret,
                                 size_t *ret_len);
_must_check_ int netsh_run_file(struct netsh *n, const char *name, struct diag *d);

/* --- words and tags (netsh_token.c) --- */
/* Splits one line of a script, in place of what was in *l. */
_must_check_ int netsh_split(struct netsh *n, const char *text, size_t len, struct diag *d);
/* Arguments of the shell as words; borrowed texts are copied. */
_must_check_ int netsh_take_words(struct netsh *n, int argc, char *const *argv, struct diag *d);
/* Words from `first` on, as arguments of the command. */
_must_check_ int netsh_parse_args(struct netsh *n, const struct netsh_command *c, size_t first,
                                  struct diag *d, struct netsh_args *ret);
/* Finds the command that begins at word `first`; NULL command: only a context is named.
 * *ret_next: the first word behind it. */
_must_check_ int netsh_find_command(struct netsh *n, size_t first, struct diag *d,
                                    const struct netsh_command **ret, size_t *ret_next);
bool netsh_has_prefix(const char *word, const char *name); /* any case; word not empty */

/* --- refusing (netsh_error.c) --- */
/* Refuses a place of word i. */
int netsh_fail_word(struct netsh *n, struct diag *d, enum netsh_error e, size_t i, const char *fmt,
                    ...) _printf_(5, 6);
/* Refuses (part of) the value of a tag; len 0 = all of it. Exit code 2. */
int netsh_fail_value(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                     struct diag *d, const char *fmt, ...) _printf_(5, 6);
/* Refuses without a place. */
int netsh_fail(struct netsh *n, struct diag *d, enum netsh_error e, enum diag_code code,
               const char *fmt, ...) _printf_(5, 6);
int netsh_fail_no_policies(struct netsh *n, struct diag *d);
/* "ERR IPsec [05010] : text" for what has failed, in place of all other output. */
void netsh_print_error(struct netsh *n, const struct diag *d);

/* --- values (netsh_value.c); a tag not given leaves *ret as it is --- */
_must_check_ int netsh_get_bool(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                                struct diag *d, bool *ret);
struct netsh_range {
    uint32_t min, max;
    const char *unit; /* "minutes" */
};
_must_check_ int netsh_get_number(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                                  const struct netsh_range *range, struct diag *d, uint32_t *ret);
/* Index of the value in a list ended by NULL, any case. */
_must_check_ int netsh_get_choice(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                                  const char *const *choices, struct diag *d, int *ret);
_must_check_ int netsh_get_action(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                                  struct diag *d, enum action *ret);
_must_check_ int netsh_get_connection(struct netsh *n, const struct netsh_args *a, struct diag *d,
                                      enum connection *ret);
/* srcaddr, srcmask, protocol, ports and the rest of a filter; the action is the caller's. */
_must_check_ int netsh_get_filter(struct netsh *n, const struct netsh_args *a, struct diag *d,
                                  struct filter *ret);
/* Replaces an owned text by the tag's value, NULL for an empty one. */
_must_check_ int netsh_get_text(const struct netsh_args *a, enum netsh_tag tag, char **text);
_must_check_ int netsh_get_guid(struct netsh *n, const struct netsh_args *a, struct diag *d,
                                struct guid *ret);

/* --- methods and authentication (netsh_methods.c) --- */
/* qmsecmethods: *ret_raw as written, in canonical spelling; *ret_native words for negotiate, NULL
 * if there is no counterpart. Both owned. */
_must_check_ int netsh_get_qm_methods(struct netsh *n, const struct netsh_args *a, struct diag *d,
                                      char **ret_raw, char **ret_native);
_must_check_ int netsh_get_mm_methods(struct netsh *n, const struct netsh_args *a, struct diag *d,
                                      char **ret);
/* kerberos, psk, rootca in their order as the attribute `auth`; *ret NULL if none is given. */
_must_check_ int netsh_get_auth(struct netsh *n, const struct netsh_args *a, struct diag *d,
                                char **ret);
/* Prints the attribute auth as tags of netsh. False if something had to be left out (psk). */
bool netsh_print_auth(const char *auth, struct strbuf *out);

/* --- objects (netsh_policy.c, netsh_library.c, netsh_rule.c, netsh_store.c) --- */
_must_check_ int netsh_load_store(struct netsh *n, struct diag *d);
/* Refuses changes while the store is the domain's. */
_must_check_ int netsh_check_writable(struct netsh *n, struct diag *d);
int netsh_add_policy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_set_policy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_delete_policy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_set_defaultrule(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_add_filterlist(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_set_filterlist(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_delete_filterlist(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_add_filter(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_delete_filter(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_add_filteraction(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_set_filteraction(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_delete_filteraction(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_add_rule(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_set_rule(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_delete_rule(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_delete_all(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_set_store(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_set_batch(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_exportpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_importpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dump(struct netsh *n, const struct netsh_args *a, struct diag *d);
/* Keeps the line for later while set batch is in force: *ret_kept. */
_must_check_ int netsh_keep_line(struct netsh *n, const struct netsh_args *a, struct diag *d,
                                 bool *ret_kept);
/* Hands the kept lines to the session: once, after all lines. */
_must_check_ int netsh_keep_lines(struct netsh *n, struct diag *d);
/* The rule a command means, by name or by number or GUID. */
_must_check_ int netsh_find_rule(struct netsh *n, const struct netsh_args *a, struct policy *p,
                                 struct diag *d, struct rule **ret);
/* Whether a stored filter is the wanted one in all keys that the line gives. */
bool netsh_filter_matches(const struct netsh_args *a, const struct filter *want,
                          const struct filter *have);
/* Every filter of the list can be joined with the action; warns of what that opens. */
_must_check_ int netsh_check_pair(struct netsh *n, const struct filter_list *l,
                                  const struct filter_action *x, const char *rule, struct diag *d);

/* --- showing (netsh_show.c, netsh_show_policy.c) --- */
int netsh_show_all(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_show_policy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_show_rule(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_show_filterlist(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_show_filteraction(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_show_gpo(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_show_store(struct netsh *n, const struct netsh_args *a, struct diag *d);
/* level and format of a show command. */
struct netsh_look {
    bool verbose, table, wide;
};
_must_check_ int netsh_get_look(struct netsh *n, const struct netsh_args *a, bool verbose,
                                struct diag *d, struct netsh_look *ret);
void netsh_print_field(struct strbuf *out, const char *name, const char *value);
void netsh_print_filter(struct strbuf *out, const struct filter *f, const struct netsh_look *look);
/* Text of one object. */
void netsh_print_list(struct netsh *n, const struct filter_list *l, const struct netsh_look *look);
void netsh_print_action(struct netsh *n, const struct filter_action *x,
                        const struct netsh_look *look);
/* A line of a table: columns padded, and cut unless wide. */
struct netsh_column {
    const char *text;
    int width;
};
void netsh_print_row(struct strbuf *out, const struct netsh_column *v, size_t n, bool wide);
/* Loads the library: lists and actions of the catalog are complete. */
_must_check_ int netsh_load_library(struct netsh *n, struct diag *d);

/* --- dynamic (netsh_dynamic.c, netsh_dynamic_policy.c, netsh_config.c) --- */
int netsh_dynamic_add_rule(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_set_rule(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_delete_rule(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_delete_all(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_show_rule(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_show_all(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_show_stats(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_show_sas(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_add_mmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_add_qmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_set_mmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_set_qmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_delete_mmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_delete_qmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_show_mmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_dynamic_show_qmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d);
/* Whether a main mode (or quick mode) policy of this name exists. */
_must_check_ int netsh_has_ike_policy(struct netsh *n, bool main_mode, const char *name,
                                      struct diag *d, bool *ret);
/* All of them go (delete all). */
_must_check_ int netsh_drop_ike_policies(struct netsh *n, struct diag *d);
int netsh_tcp_set_security(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_tcp_show_security(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_tcp_reset(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_set_config(struct netsh *n, const struct netsh_args *a, struct diag *d);
int netsh_show_config(struct netsh *n, const struct netsh_args *a, struct diag *d);

/* --- help (netsh_help.c) --- */
void netsh_help_context(struct netsh *n, enum netsh_context context, const char *verb);
void netsh_help_command(struct netsh *n, const struct netsh_command *c);
/* "add filter filterlist= srcaddr= ...", for errors. */
void netsh_print_usage(const struct netsh_command *c, struct strbuf *out);

/* --- writing (convert_netsh_write.c) --- */
/* The whole static store as one script; replace: it clears the store first. */
struct convert_losses;
_must_check_ int netsh_write_all(struct catalog *c, bool replace, struct strbuf *out,
                                 struct convert_losses *l, struct diag *d);
