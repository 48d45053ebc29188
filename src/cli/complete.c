/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/complete.c: the hidden call of the completion files: live names for the word under the
 * cursor. Called by cli.c. Only asks questions; whatever goes wrong gives no names and no
 * message, because nobody typed this command. */
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/complete.h"
#include "cli/context.h"
#include "text/text.h"

enum {
    ASK_MS = 35, /* of the 50 ms in cli.md 6; the rest is for the process itself */
    END_US = 45000,
    WORDS_MAX = 4096, /* of a command line that anybody types */
};

struct completion {
    const struct cli_env *env;
    const char *runtime_dir;
    const struct cli_command *command;
    char *const *words; /* behind the verb, options left out */
    int n_words;        /* without the last one */
    const char *last;
};

/* The end of a policy that is too large, of an agent that is too busy: no names. What is in the
 * buffer of stdout is not written then, so there is no half list either. */
static void give_up(int sig)
{
    (void)sig;
    _exit(0);
}

static void set_limit(long us)
{
    struct itimerval t = {.it_value = {.tv_usec = us}};

    (void)signal(SIGALRM, us ? give_up : SIG_DFL); /* valid signal and times: cannot fail */
    (void)setitimer(ITIMER_REAL, &t, NULL);
}

static void offer(const struct completion *x, const char *name)
{
    if (name && *name && strncmp(name, x->last, strlen(x->last)) == 0)
        (void)fprintf(x->env->out, "%s\n", name); /* errors are looked at by the caller */
}

/* "data" of the answer to a question; NULL if there is none in time. */
static json_t *ask(const struct completion *x, const char *target)
{
    struct api_request r = {.method = "GET", .target = target, .timeout_ms = ASK_MS};
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(4096);
    _cleanup_json_ json_t *doc = NULL;
    struct diag d;

    if (strbuf_addf(&path, "%s/portward.sock", x->runtime_dir) < 0 ||
        api_client_call(path.s, &r, &d, &answer) < 0)
        return NULL;
    doc = json_loadb(answer.body, answer.body_len, JSON_REJECT_DUPLICATES, NULL);
    return json_incref(json_object_get(doc, "data"));
}

static void offer_members(const struct completion *x, const char *target, const char *list,
                          const char *member)
{
    _cleanup_json_ json_t *data = ask(x, target);
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(data, list), i, one)
    {
        offer(x, json_string_value(json_object_get(one, member)));
    }
}

static void offer_rules(const struct completion *x)
{
    _cleanup_(policy_list_done) struct policy_list l = {0};
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_json_ json_t *data = NULL;
    struct diag_list dl = {0};
    const char *text;

    (void)strbuf_add(&target, "/v1/policies/"); /* errors are sticky */
    if (x->n_words == 0 || api_target_add_segment(&target, x->words[0]) < 0)
        return;
    data = ask(x, target.s);
    text = json_string_value(json_object_get(data, "text"));
    if (!text || text_parse_policies(text, strlen(text), &dl, &l) < 0)
        return;
    for (size_t i = 0; l.n > 0 && i < l.v[0]->n_rules; i++)
        offer(x, l.v[0]->rules[i].name);
}

static void offer_interfaces(const struct completion *x)
{
    struct if_nameindex *list = if_nameindex();

    for (size_t i = 0; list && list[i].if_index != 0; i++)
        offer(x, list[i].if_name);
    if (list)
        if_freenameindex(list);
}

/* "5000-5009" of both families; one that both have is offered once by the shells. */
static void offer_exemptions(const struct completion *x)
{
    static const char *const families[] = {"ipv4", "ipv6"};
    _cleanup_json_ json_t *data = ask(x, "/v1/mpp");
    const json_t *range;
    size_t i;

    for (size_t f = 0; f < ARRAY_SIZE(families); f++)
        json_array_foreach(json_object_get(json_object_get(data, "exempt"), families[f]), i, range)
        {
            char text[32];

            (void)snprintf(text, sizeof(text), "%lld-%lld",
                           (long long)json_integer_value(json_array_get(range, 0)),
                           (long long)json_integer_value(json_array_get(range, 1)));
            offer(x, text);
        }
}

/* "text|reg|netsh" of the synopsis. */
static void offer_choices(const struct completion *x)
{
    size_t len;
    const char *p = cli_word_token(x->command, x->n_words, &len), *end = p + len;

    while (p < end) {
        size_t n = strcspn(p, "| ");
        char word[64];

        (void)snprintf(word, sizeof(word), "%.*s", (int)n, p); /* words of our own table */
        if (*p >= 'a')                                         /* "all", not "ADDRESS" */
            offer(x, word);
        p += n + 1;
    }
}

static void offer_kind(const struct completion *x, enum cli_word_kind kind)
{
    switch (kind) {
    case WORD_POLICY:
    case WORD_FILE_OR_POLICY:
        offer_members(x, "/v1/policies", "policies", "name");
        break;
    case WORD_RULE:
        offer_rules(x);
        break;
    case WORD_IDS:
        offer_members(x, "/v1/filters?layer=dynamic", "filters", "id");
        break;
    case WORD_SETTING:
        offer_members(x, "/v1/settings", "settings", "key");
        break;
    case WORD_INTERFACE:
        offer_interfaces(x);
        break;
    case WORD_PORTS:
        if (x->n_words > 0 && strcmp(x->words[x->n_words - 1], "delete") == 0)
            offer_exemptions(x);
        break;
    case WORD_GRAMMAR:
        if (x->n_words > 0 && strcmp(x->words[x->n_words - 1], "on") == 0)
            offer_interfaces(x);
        break;
    case WORD_NOTHING:
    case WORD_FILE:
    case WORD_DIRECTORY:
    case WORD_HOST:
    case WORD_VALUES:
        break; /* nothing that only the agent knows */
    }
}

/* Takes the quotes of a shell away, in place: '...', "..." and \x. Substitutions stay as they
 * are typed: nothing is ever run for a completion. */
static void unquote(char *s)
{
    char *to = s, quote = 0;

    for (; *s; s++) {
        if (quote ? *s == quote : *s == '"' || *s == '\'')
            quote = quote ? 0 : *s;
        else if (*s == '\\' && quote != '\'' && s[1])
            *to++ = *++s;
        else
            *to++ = *s;
    }
    *to = '\0';
}

/* 0: no option. 1: an option. 2: one whose value is the next word. */
static int option_words(const char *word, const struct cli_option **ret)
{
    *ret = NULL;
    if (word[0] != '-' || word[1] == '\0')
        return 0;
    for (int i = 0; i < _OPT_MAX; i++) {
        const struct cli_option *o = cli_option((enum cli_option_id)i);

        if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, o->name) == 0) {
            *ret = o;
            return o->argument && !o->argument_optional ? 2 : 1;
        }
    }
    return 1;
}

/* Sorts the words; the option whose value the last one is, or NULL. */
static const struct cli_option *read_words(struct completion *x, int n, char *const *words,
                                           char **plain)
{
    const struct cli_option *o, *open = NULL;
    int n_plain = 0, n_verb = 0;
    struct diag d;

    for (int i = 0; i + 1 < n; i++) {
        int used = option_words(words[i], &o);

        if (used == 0)
            plain[n_plain++] = words[i];
        if (used < 2)
            continue;
        if (++i + 1 == n)
            open = o;
        else if (o == cli_option(OPT_RUNTIME_DIR))
            x->runtime_dir = words[i];
    }
    x->command = cli_command_find(plain, n_plain, &d, &n_verb);
    x->words = plain + n_verb;
    x->n_words = n_plain - n_verb;
    x->last = words[n - 1];
    return open;
}

int cli_complete(const struct cli_env *env, int n, char *const *words)
{
    const char *given = env->runtime_dir;
    struct completion x = {.env = env, .runtime_dir = given && *given ? given : "/run/portward"};
    _cleanup_free_ char **plain = n > 0 && n < WORDS_MAX ? calloc((size_t)n, sizeof(*plain)) : NULL;
    const struct cli_option *open;

    if (!plain)
        return 0;
    set_limit(END_US);
    if (strcmp(words[0], "--quoted") == 0) {
        for (int i = 1; i < n; i++)
            unquote(words[i]);
        words++;
        n--;
    }
    if (n > 0) {
        open = read_words(&x, n, words, plain);
        if (open)
            offer_kind(&x, cli_value_kind(open));
        else if (x.command && cli_word_kind(x.command, x.n_words) == WORD_VALUES)
            offer_choices(&x);
        else if (x.command)
            offer_kind(&x, cli_word_kind(x.command, x.n_words));
    }
    (void)fflush(env->out); /* a closed pipe is nobody's concern */
    set_limit(0);
    return 0;
}
