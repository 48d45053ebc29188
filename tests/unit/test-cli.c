/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the command line: option parser, table of commands, suggestions, help, table
 * layout, times and sizes, pins; and what is wrong with the words alone, before any agent is
 * asked. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/context.h"
#include "cli/pins.h"
#include "cli_run.h"

static int parse(const char *line, struct diag *d, struct cli_args *a)
{
    int argc;
    char *const *argv = split(line, &argc);

    return cli_args_parse(argc, argv, d, a);
}

static const struct cli_command *find(const char *line, struct diag *d, int *ret_n)
{
    int argc;
    char *const *argv = split(line, &argc);

    return cli_command_find(argv + 1, argc - 1, d, ret_n);
}

static void test_options_anywhere(void **state)
{
    struct cli_args a;
    struct diag d;

    (void)state;
    assert_int_equal(
        parse("--json|block|in|-q|tcp|--reason|--utc|port|--timeout=5s|445|--|--all|-y", &d, &a),
        0);
    assert_true(a.given[OPT_JSON] && a.given[OPT_QUIET] && a.given[OPT_REASON]);
    assert_null(a.value[OPT_JSON]);
    assert_string_equal(a.value[OPT_REASON], "--utc"); /* a value, whatever it looks like */
    assert_false(a.given[OPT_UTC]);
    assert_string_equal(a.value[OPT_TIMEOUT], "5s");
    assert_int_equal(a.n_words, 7);
    assert_string_equal(a.words[0], "block");
    assert_string_equal(a.words[5], "--all");
    assert_string_equal(a.words[6], "-y");
    assert_false(a.given[OPT_ALL] || a.given[OPT_YES]);
    cli_args_done(&a);
    assert_int_equal(parse("policy|load|-|-yq|--json=1", &d, &a), 0);
    assert_int_equal(a.n_words, 3);
    assert_true(a.given[OPT_YES] && a.given[OPT_QUIET]);
    assert_string_equal(a.value[OPT_JSON], "1");
    cli_args_done(&a);
}

static void test_options_refused(void **state)
{
    static const struct {
        const char *arg, *message, *hint;
    } cases[] = {
        {"--reson=x", "unknown option '--reson'", "did you mean '--reason'?"},
        {"--timeou", "unknown option '--timeou'", "did you mean '--timeout'?"},
        {"--js", "unknown option '--js'", "portward --help"}, /* no abbreviations */
        {"-x", "unknown option '-x'", "portward --help"},
        {"-qx", "unknown option '-qx'", "portward --help"},
        {"--quiet=1", "option '--quiet' takes no value", ""},
        {"--reason", "option '--reason' needs a value: TEXT", ""},
    };
    struct cli_args a;
    struct diag d;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(parse(cases[i].arg, &d, &a), -EINVAL);
        assert_string_equal(d.message, cases[i].message);
        if (*cases[i].hint)
            assert_string_equal(d.hint, cases[i].hint);
        assert_int_equal(d.code, DIAG_USAGE);
        cli_args_done(&a);
    }
    assert_int_equal(parse("--reason|a|--reason|b", &d, &a), -EINVAL);
    cli_args_done(&a);
    /* --json counts for the error, too, wherever it stands. */
    assert_int_equal(parse("--bad|--json", &d, &a), -EINVAL);
    assert_true(a.given[OPT_JSON]);
    assert_string_equal(d.message, "unknown option '--bad'");
    cli_args_done(&a);
}

static void test_find_command(void **state)
{
    struct diag d;
    int n;

    (void)state;
    assert_string_equal(find("policy|load|x", &d, &n)->name, "policy load");
    assert_int_equal(n, 2);
    assert_string_equal(find("block|load", &d, &n)->name, "block");
    assert_int_equal(n, 1);
    assert_null(find("policy|lod", &d, &n));
    assert_string_equal(d.hint, "did you mean 'policy load'?");
    assert_null(find("policy", &d, &n));
    assert_non_null(
        strstr(d.hint, "list, show, load, save, check, diff, history, rollback, assign,"));
    assert_null(find("blok", &d, &n));
    assert_string_equal(d.hint, "did you mean 'block'?");
    assert_null(find("blo", &d, &n)); /* no abbreviations */
    assert_null(find("polic|list", &d, &n));
    assert_string_equal(d.hint, "did you mean 'policy'?");
    assert_null(find("pol", &d, &n));
    assert_null(find("policy load", &d, &n));
    assert_null(find("", &d, &n));
    assert_int_equal(d.code, DIAG_USAGE);
}

static const struct cli_env env = {.runtime_dir = "/tmp/pw-no-such-dir",
                                   .term = "xterm",
                                   .pin_root = "/tmp/pw-no-such-dir/pins",
                                   .now_s = 1763779632};
/* The sample of cli.md 5. */
static void test_caret(void **state)
{
    (void)state;
    run_cli(&env, "block|in|tcp|prot|445");
    assert_int_equal(run.code, 2);
    assert_string_equal(run.out, "");
    assert_string_equal(run.err, "portward: unknown word 'prot'\n"
                                 "    block in tcp prot 445\n"
                                 "                 ^~~~\n"
                                 "hint: did you mean 'port'?\n");
    run_cli(&env, "block|in|--json|tcp|prot|445");
    assert_int_equal(run.code, 2);
    assert_string_equal(run.err, "");
    assert_int_equal(
        strncmp(run.out, "{\"schema\":\"portward.error/1\",\"ok\":false,\"exit\":2,", 49), 0);
}

/* Wrong use is 2 and is seen before the agent is asked; here there is none, that would be 3. */
static void test_wrong_use(void **state)
{
    static const char *const cases[] = {
        "block",
        "policy",
        "panic|on",
        "flush|x",
        "list|--layer|lokal",
        "list|--reason|x",
        "list|--dry-run",
        "list|-n",
        "counters|-n",
        "block|in|udp|--confirm|60s",
        "permit|in|udp|--strict",
        "delete|d1|--if-generation|4x",
        "delete|d1|--if-generation|0",
        "delete|d1|--if-generation|99999999999999999999",
        "policy|history|P|-n",
        "policy|history|P|-n|0",
        "policy|history|P|-n|ten",
        "policy|history|P|-nq|3",
        "policy|history|P|Q",
        "policy|save|P",
        "policy|save|P|x|--reason|y",
        "policy|rollback",
        "policy|rollback|@7|x",
        "policy|diff|a.pw",
        "flush|--cut",
        "flush|--cut-self",
        "policy|assign|x|--force",
        "policy|show|x|--effective",
        "counters|--prometheus|--policy|x",
        "log|--format|xml",
        "log|--since|yesterday",
        "log|--mpp|block",
        "log|-n|0",
        "log|block|in|tcp|prot|3",
        "counters|--reset|--policy|x",
        "counters|--reason|x",
        "status|--watch",
        "list|--color|red",
        "list|--timeout|5",
        "policy|unassign",
        "policy|show|",
        "rule|add|P|N",
        "explain|in|tcp|--expect|drop",
        "list|\xff",
        "block|in|udp|reason|a|--reason|b",
        "portward",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        run_cli(&env, cases[i]);
        if (run.code != 2 || *run.out || !*run.err)
            fail_msg("'%s': exit %d, '%s', '%s'", cases[i], run.code, run.out, run.err);
    }
}

static void test_json_major(void **state)
{
    (void)state;
    run_cli(&env, "list|--json=2");
    assert_int_equal(run.code, 2);
    assert_string_equal(run.err, "");
    assert_non_null(strstr(run.out, "no JSON documents of major version '2'"));
}

static void test_rejected(void **state)
{
    char line[1100];

    (void)state;
    run_cli(&env, "block|in|tcp|port|70000");
    assert_int_equal(run.code, 7);
    (void)snprintf(line, sizeof(line), "flush|--reason|%01025d", 0);
    run_cli(&env, line);
    assert_int_equal(run.code, 7);
    run_cli(&env, "policy|load|/nonexistent");
    assert_int_equal(run.code, 1);
}

static void test_agent_down(void **state)
{
    (void)state;
    run_cli(&env, "list");
    assert_int_equal(run.code, 3);
    assert_string_equal(run.out, "");
    assert_string_equal(run.err, "portward: agent not running (/tmp/pw-no-such-dir/portward.sock: "
                                 "no such file or directory)\n"
                                 "hint: static policy stays enforced by the kernel; "
                                 "systemctl start portwardd\n");
    run_cli(&env, "delete|all");
    assert_int_equal(run.code, 2);
    assert_string_equal(run.err, "portward: 'all' is neither an id nor a filter\n"
                                 "hint: portward list --layer dynamic\n");
    run_cli(&env, "delete|block"); /* a filter, though of one word */
    assert_int_equal(run.code, 3);
    run_cli(&env, "status");
    assert_int_equal(run.code, 3);
    assert_non_null(strstr(run.out, "enforcement  unknown ("));
    assert_non_null(strstr(run.err, "agent not running"));
    run_cli(&env, "status|--json");
    assert_int_equal(run.code, 3);
    assert_non_null(strstr(run.out, "\"state\":\"unknown\""));
    assert_non_null(strstr(run.out, "\"exit\":3"));
    assert_string_equal(run.err, "");
}

static void test_help(void **state)
{
    (void)state;
    run_cli(&env, "--help");
    assert_int_equal(run.code, 0);
    assert_string_equal(run.err, "");
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_command *cmd = &cli_commands[i];
        char line[128];
        size_t lines = 0;

        (void)snprintf(line, sizeof(line), "    %-16s  %s\n", cmd->name, cmd->summary);
        run_cli(&env, "--help");
        assert_non_null(strstr(run.out, line));
        (void)snprintf(line, sizeof(line), "%s|--help", cmd->name);
        *(strchr(line, ' ') ? strchr(line, ' ') : strchr(line, '|')) = '|';
        run_cli(&env, line);
        assert_int_equal(run.code, 0);
        assert_int_equal(strncmp(run.out, "examples:\n    portward ", 23), 0);
        for (const char *p = run.out; *p; p += strcspn(p, "\n") + 1, lines++)
            assert_in_range(strcspn(p, "\n"), 0, 80);
        assert_in_range(lines, 5, 40); /* one screen */
        for (int o = 0; o < _OPT_MAX; o++) {
            const struct cli_option *option = cli_option((enum cli_option_id)o);
            char name[64];

            (void)snprintf(name, sizeof(name), "--%s", option->name);
            if (option->scope != SCOPE_OWN || strcmp(option->name, "all") == 0)
                continue;
            /* Own options are in the help exactly if the verb takes them. */
            if (cli_command_takes(cmd, (enum cli_option_id)o) && !option->not_yet)
                assert_non_null(strstr(run.out, name));
        }
    }
    /* An object alone: its commands, and no others. */
    run_cli(&env, "policy|--help");
    assert_int_equal(run.code, 0);
    assert_non_null(strstr(run.out, "    policy unassign   take"));
    assert_null(strstr(run.out, "rule add"));
    run_cli(&env, "block|--help");
    assert_null(strstr(run.out, "commands of"));
    run_cli(&env, "--version");
    assert_string_equal(run.out, "portward " PORTWARD_VERSION "\n");
}

/* Every verb is known, has examples that begin with its name, and a summary. */
static void test_command_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_command *cmd = &cli_commands[i];
        char begin[64];

        assert_non_null(cmd->run);
        assert_true(*cmd->summary);
        (void)snprintf(begin, sizeof(begin), "    portward %s", cmd->name);
        assert_int_equal(strncmp(cmd->examples, begin, strlen(begin)), 0);
        assert_int_equal(cmd->examples[strlen(cmd->examples) - 1], '\n');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(cmd->name, cli_commands[j].name);
    }
}

/* The manual page has every command with its synopsis' options, and every common option. */
static void test_manual(void **state)
{
    char path[512], *text = NULL;
    size_t size = 0;
    FILE *f;

    (void)state;
    (void)snprintf(path, sizeof(path), "%.*s../../man/portward.8.scd",
                   (int)(strlen(__FILE__) - strlen("test-cli.c")), __FILE__);
    f = fopen(path, "r");
    if (!f)
        skip(); /* not run from the build directory */
    assert_true(getdelim(&text, &size, '\0', f) > 0);
    assert_int_equal(fclose(f), 0);
    for (size_t i = 0; i < cli_n_commands; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "\n*%s*", cli_commands[i].name);
        if (!strstr(text, name) && !strstr(text, name + 1))
            fail_msg("no command '%s' in the manual page", cli_commands[i].name);
    }
    for (int o = 0; o < _OPT_MAX; o++) {
        const struct cli_option *option = cli_option((enum cli_option_id)o);
        char name[64];

        (void)snprintf(name, sizeof(name), "*--%s*", option->name);
        if (!strstr(text, name) != option->not_yet)
            fail_msg("option '--%s' in the manual page: %d", option->name, !option->not_yet);
    }
    free(text);
}

static void test_table(void **state)
{
    static const struct cli_column columns[] = {{"NAME", false}, {"N", true}, {"LAST", false}};
    struct cli_table t;
    size_t size;
    char *text = NULL;
    FILE *f = open_memstream(&text, &size);

    (void)state;
    cli_table_init(&t, columns, 3);
    cli_table_add(&t, STYLE_ID, "日本");
    cli_table_add(&t, STYLE_PLAIN, "7");
    cli_table_add(&t, STYLE_PLAIN, "x");
    cli_table_add(&t, STYLE_PLAIN, "a\033[31mb\n");
    cli_table_add(&t, STYLE_PLAIN, "1234");
    cli_table_add(&t, STYLE_BLOCK, NULL);
    cli_table_print(&t, f, true, false);
    cli_table_print(&t, f, false, true);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, "NAME               N  LAST\n"
                              "日本               7  x\n"
                              "a\\x1b[31mb\\x0a  1234  -\n"
                              "\033[1m日本\033[0m               7  x\n"
                              "a\\x1b[31mb\\x0a  1234  \033[31m-\033[0m\n");
    free(text);
    cli_table_done(&t);
}

static void test_times_and_sizes(void **state)
{
    struct cli c = {.env = &env, .utc = true}; /* 2025-11-22 02:47:12 */
    char text[CLI_TEXT_BYTES];

    (void)state;
    cli_clock(&c, env.now_s + 2 * 3600 + 235, text);
    assert_string_equal(text, "04:51:07");
    cli_clock(&c, env.now_s + 86400, text);
    assert_string_equal(text, "23 Nov 02:47:12");
    cli_clock(&c, env.now_s + 86400 * 60, text);
    assert_string_equal(text, "21 Jan 2026 02:47:12");
    cli_date(&c, "2025-11-21T17:03:00Z", text);
    assert_string_equal(text, "21 Nov 17:03");
    cli_date(&c, "2024-11-21T17:03:00Z", text);
    assert_string_equal(text, "21 Nov 2024");
    cli_date(&c, "yesterday", text);
    assert_string_equal(text, "-");
    cli_size(5347737, text);
    assert_string_equal(text, "5.1 MiB");
    cli_size(1023, text);
    assert_string_equal(text, "1023 B");
    c.utc = false;
    (void)setenv("TZ", "CET-1", 1);
    tzset();
    cli_clock(&c, env.now_s, text);
    assert_string_equal(text, "03:47:12");
}

static void touch(const char *dir, const char *name)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void test_pins(void **state)
{
    static const char *const names[] = {"1-in", "1-out", "999999-in", "x-in", "1-up", "7"};
    char root[64], dir[128], path[256];
    struct cli_pins p;
    uint64_t cookie = 0;

    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/pw-pins-%d", getpid());
    (void)snprintf(dir, sizeof(dir), "%s/12/link", root);
    (void)snprintf(path, sizeof(path), "mkdir -p %s", dir);
    assert_int_equal(system(path), 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        touch(dir, names[i]);
    assert_int_equal(cli_pins_read(root, 12, &p), 0);
    assert_int_equal(p.n, 2);
    assert_string_equal(p.v[0].name, "lo");
    assert_true(p.v[0].in && p.v[0].out);
    assert_int_equal(p.v[1].ifindex, 999999);
    assert_string_equal(p.v[1].name, "");
    assert_true(p.v[1].in && !p.v[1].out);
    cli_pins_done(&p);
    assert_int_equal(cli_pins_read(root, 13, &p), 0);
    assert_int_equal(p.n, 0);
    assert_int_equal(cli_is_bpffs(root), 0);
    assert_int_equal(cli_netns_cookie(&cookie), 0);
    assert_true(cookie > 0);
    (void)snprintf(path, sizeof(path), "rm -r %s", root);
    assert_int_equal(system(path), 0);
}

static void test_closed_output(void **state)
{
    struct cli_env e = env;
    int pipe_fd[2], argc;
    char *const *argv = split("--help", &argc);
    char *err = NULL;
    size_t size;

    (void)state;
    assert_int_equal(pipe(pipe_fd), 0);
    close(pipe_fd[0]);
    (void)signal(SIGPIPE, SIG_IGN);
    e.out = fdopen(pipe_fd[1], "w");
    e.err = open_memstream(&err, &size);
    assert_int_equal(cli_run(&e, argc, argv), 0);
    (void)fclose(e.out);
    assert_int_equal(fclose(e.err), 0);
    assert_string_equal(err, "");
    free(err);
    e.out = fopen("/dev/full", "w");
    e.err = open_memstream(&err, &size);
    assert_int_equal(cli_run(&e, argc, argv), 1);
    (void)fclose(e.out);
    assert_int_equal(fclose(e.err), 0);
    assert_string_equal(err, "portward: cannot write the output: no space left on device\n");
    free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_anywhere),
        cmocka_unit_test(test_options_refused),
        cmocka_unit_test(test_find_command),
        cmocka_unit_test(test_caret),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_rejected),
        cmocka_unit_test(test_json_major),
        cmocka_unit_test(test_agent_down),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_command_table),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_times_and_sizes),
        cmocka_unit_test(test_pins),
        cmocka_unit_test(test_closed_output),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
