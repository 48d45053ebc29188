/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecpol and ipseccmd: the commands of the articles with the state they must leave behind, and
 * what is refused and where. Names like KB813878-02 are rows of the acceptance table. */
#include "compat-ipsec.h"

/* --- the rows of the acceptance table --- */
struct row {
    const char *ids[2];  /* with ipseccmd, with ipsecpol; "" = the table has no such row */
    const char *context; /* rows to run before, NULL = none */
    const char *args;    /* %u: once for each number from first to last */
    unsigned first, last;
    const char *policies; /* NULL: only counted */
    const char *assigned;
    const char *dynamic; /* NULL: none */
    size_t n_rules;      /* if policies is NULL */
    int exit;
    unsigned repairs;
    const char *message;
};
static const struct row rows[] = {
    {.ids = {"KB813878-02", "KB813878-03"},
     .args =
         "-w REG -p \"Block UDP 1434 Filter\" -r \"Block Inbound UDP 1434 Rule\" -f *=0:1434:UDP -n BLOCK -x",
     .policies =
         "policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 }",
     .assigned = "Block UDP 1434 Filter"},
    {.ids = {"KB813878-04", "KB813878-05"},
     .context = "KB813878-02",
     .args =
         "-w REG -p \"Block TCP 80 Filter\" -r \"Block Inbound TCP 80 Rule\" -f *=0:80:TCP -n BLOCK -x",
     .policies =
         "policy \"Block TCP 80 Filter\" { rule \"Block Inbound TCP 80 Rule\" block in tcp from any to me port 80 } policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 }",
     .assigned = "Block TCP 80 Filter"},
    {.ids = {"KB813878-06", "KB813878-07"},
     .context = "KB813878-02",
     .args =
         "-w REG -p \"Block UDP 1434 Filter\" -r \"Block Outbound UDP 1434 Rule\" -f 0=*:1434:UDP -n BLOCK ",
     .policies =
         "policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 rule \"Block Outbound UDP 1434 Rule\" block out udp from me to any port 1434 }",
     .assigned = "Block UDP 1434 Filter"},
    {.ids = {"KB813878-08", ""},
     .context = "KB813878-02,KB813878-04,KB813878-06",
     .args = "-w REG -p \"Block UDP 1434 Filter\" -x",
     .policies =
         "policy \"Block TCP 80 Filter\" { rule \"Block Inbound TCP 80 Rule\" block in tcp from any to me port 80 } policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 rule \"Block Outbound UDP 1434 Rule\" block out udp from me to any port 1434 }",
     .assigned = "Block UDP 1434 Filter"},
    {.ids = {"KB813878-11", "KB813878-12"},
     .context = "KB813878-02",
     .args =
         "-p \"Block UDP 1434 Filter\" -w REG -r \"Block Inbound TCP 80 Rule\" -f *=0:80:TCP -n BLOCK",
     .policies =
         "policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 rule \"Block Inbound TCP 80 Rule\" block in tcp from any to me port 80 }",
     .assigned = "Block UDP 1434 Filter"},
    {.ids = {"KB813878-13", "KB813878-14"},
     .context = "KB813878-02",
     .args = "-p \"Block UDP 1434 Filter\" -w REG -r \"Block TCP 80 Rule\" -f *=0:80:TCP -n BLOCK",
     .policies =
         "policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 rule \"Block TCP 80 Rule\" block in tcp from any to me port 80 }",
     .assigned = "Block UDP 1434 Filter"},
    {.ids = {"KB813878-15", "KB813878-16"},
     .args = "-f [*=0:1434:UDP]",
     .policies = "",
     .assigned = "",
     .dynamic = "block in udp from any to me port 1434;"},
    {.ids = {"KB813878-18", "KB813878-19"},
     .context = "KB813878-02,KB813878-06",
     .args = "-w REG -p \"Block UDP 1434 Filter\" -y",
     .policies =
         "policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 rule \"Block Outbound UDP 1434 Rule\" block out udp from me to any port 1434 }",
     .assigned = ""},
    {.ids = {"KB813878-20", "KB813878-21"},
     .context = "KB813878-02,KB813878-06,KB813878-18",
     .args =
         "-w REG -p \"Block UDP 1434 Filter\" -r \"Block Inbound UDP 1434 Rule\" -r \"Block Outbound UDP 1434 Rule\" -o",
     .policies = "",
     .assigned = ""},
    {.ids = {"KB813878-24", "KB813878-25"},
     .context = "KB813878-15",
     .args = "-u",
     .policies = "",
     .assigned = ""},
    {.ids = {"KB813878-M1", "KB813878-M2"},
     .args =
         "-w REG -p \"Block UDP 1434 Filter\" -r \"Block Inbound UDP 1434 Rule\" -f *=0:1434:UDP -n BLOCK ?x",
     .policies =
         "policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 }",
     .assigned = "Block UDP 1434 Filter",
     .repairs = 1},
    {.ids = {"KB813878-M3", "KB813878-M4"},
     .context = "KB813878-02",
     .args =
         "-w REG -p \"Block UDP 1434 Filter\" -r \"Block Outbound UDP 1434 Rule\" -f *0=:1434:UDP -n BLOCK ",
     .policies =
         "policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 rule \"Block Outbound UDP 1434 Rule\" block out udp from me to any port 1434 }",
     .assigned = "Block UDP 1434 Filter",
     .repairs = 1},
    {.ids = {"KB813878-M5", "KB813878-M6"},
     .context = "KB813878-02",
     .args = "-w REG -p \"Block UDP 1434 Filter\" ?y",
     .policies =
         "policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 }",
     .assigned = "",
     .repairs = 1},
    {.ids = {"KB813878-M7", "KB813878-M8"},
     .context = "KB813878-02,KB813878-13",
     .args = "-w REG -p \"Block UDP 1434 Filter\" -r \"Block TCP 80 Rule\" ?o",
     .policies =
         "policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 }",
     .assigned = "Block UDP 1434 Filter",
     .repairs = 1},
    {.ids = {"KB813878-M9", "KB813878-M10"},
     .context = "KB813878-02",
     .args = "-w REG -p \"Block UDP 1434 Filter\" -r \"Block UDP 1434 Rule\" ?o",
     .policies =
         "policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 }",
     .assigned = "Block UDP 1434 Filter",
     .exit = 1,
     .repairs = 1,
     .message = "unknown rule 'Block UDP 1434 Rule'"},
    {.ids = {"", "KB813878C-M9"},
     .context = "KB813878-02",
     .args =
         "-w REG -p \"Block TCP 80 Filter\" -r \"Block Inbound TCP 80 Rule\" -f *=0:80:TCP -n BLOCK",
     .policies =
         "policy \"Block TCP 80 Filter\" { rule \"Block Inbound TCP 80 Rule\" block in tcp from any to me port 80 } policy \"Block UDP 1434 Filter\" { rule \"Block Inbound UDP 1434 Rule\" block in udp from any to me port 1434 }",
     .assigned = "Block UDP 1434 Filter"},
    {.ids = {"", "KB813878C-M10"},
     .args =
         "-w REG -p \"Block UDP 1434 Filter\" -r \"Block Inbound UDP 1434 Rule\" -f * = 0: 1434: UDP -n BLOCK -x",
     .policies = "",
     .assigned = "",
     .exit = 2,
     .message = "blanks inside a filter"},
    {.ids = {"KB908472-03", "KB908472-02"},
     .args =
         "-w REG -p \"Block RPC Ports\" -r \"Block Inbound TCP 135 Rule\" -f *=0:135:TCP -n BLOCK",
     .policies =
         "policy \"Block RPC Ports\" { rule \"Block Inbound TCP 135 Rule\" block in tcp from any to me port 135 }",
     .assigned = ""},
    {.ids = {"KB908472-05", "KB908472-04"},
     .context = "KB908472-02",
     .args =
         "-w REG -p \"Block RPC Ports\" -r \"Block Inbound TCP 5001 Rule\" -f *=0:5001:TCP -n BLOCK",
     .policies =
         "policy \"Block RPC Ports\" { rule \"Block Inbound TCP 135 Rule\" block in tcp from any to me port 135 rule \"Block Inbound TCP 5001 Rule\" block in tcp from any to me port 5001 }",
     .assigned = ""},
    {.ids = {"KB908472-07", "KB908472-06"},
     .context = "KB908472-02",
     .args =
         "-w REG -p \"Block RPC Ports\" -r \"Block Inbound TCP %u Rule\" -f *=0:%u:TCP -n BLOCK",
     .first = 5001,
     .last = 5021,
     .assigned = "",
     .n_rules = 22},
    {.ids = {"KB908472-09", "KB908472-08"},
     .context = "KB908472-02",
     .args =
         "-w REG -p \"Block RPC Ports\" -r \"Allow Inbound TCP Port 135 from 10.1.1.0 Rule\" -f 10.1.1.0/255.255.255.0=0:135:TCP -n PASS",
     .policies =
         "policy \"Block RPC Ports\" { rule \"Block Inbound TCP 135 Rule\" block in tcp from any to me port 135 rule \"Allow Inbound TCP Port 135 from 10.1.1.0 Rule\" permit in tcp from 10.1.1.0/24 to me port 135 }",
     .assigned = ""},
    {.ids = {"KB908472-11", "KB908472-10"},
     .context = "KB908472-02",
     .args =
         "-w REG -p \"Block RPC Ports\" -r \"Allow Inbound TCP Port 5001 from 10.1.1.0 Rule\" -f 10.1.1.0/255.255.255.0=0:5001:TCP -n PASS",
     .policies =
         "policy \"Block RPC Ports\" { rule \"Block Inbound TCP 135 Rule\" block in tcp from any to me port 135 rule \"Allow Inbound TCP Port 5001 from 10.1.1.0 Rule\" permit in tcp from 10.1.1.0/24 to me port 5001 }",
     .assigned = ""},
    {.ids = {"KB908472-13", "KB908472-12"},
     .context = "KB908472-02",
     .args =
         "-w REG -p \"Block RPC Ports\" -r \"Allow Inbound TCP %u from 10.1.1.0 Rule\" -f 10.1.1.0/255.255.255.0=0:%u:TCP -n PASS",
     .first = 5001,
     .last = 5021,
     .assigned = "",
     .n_rules = 22},
    {.ids = {"KB908472-15", "KB908472-14"},
     .context = "KB908472-02,KB908472-06,KB908472-08,KB908472-12",
     .args = "-w REG -p \"Block RPC Ports\" -x",
     .assigned = "Block RPC Ports",
     .n_rules = 44},
    {.ids = {"KB908472-17", "KB908472-16"},
     .context = "KB908472-02,KB908472-06",
     .args = "-w REG -p \"Block RPC Ports\" -x",
     .assigned = "Block RPC Ports",
     .n_rules = 22},
    {.ids = {"KB908472-19", "KB908472-18"},
     .context = "KB908472-14",
     .args = "-w REG -p \"Block RPC Ports\" -y",
     .assigned = "",
     .n_rules = 44},
    {.ids = {"KB908472-21", "KB908472-20"},
     .context = "KB908472-18",
     .args = "-w REG -p \"Block RPC Ports\" -o",
     .policies = "",
     .assigned = ""},
    {.ids = {"KB908472-24", "KB908472-23"},
     .context = "KB908472-08",
     .args =
         "-w REG -p \"Block RPC Ports\" -r \"Allow Inbound TCP 135 from 10.1.1.0 Rule\" -f 10.1.1.0/255.255.255.0=0:135:TCP -n PASS",
     .policies =
         "policy \"Block RPC Ports\" { rule \"Block Inbound TCP 135 Rule\" block in tcp from any to me port 135 rule \"Allow Inbound TCP Port 135 from 10.1.1.0 Rule\" permit in tcp from 10.1.1.0/24 to me port 135 rule \"Allow Inbound TCP 135 from 10.1.1.0 Rule\" permit in tcp from 10.1.1.0/24 to me port 135 }",
     .assigned = ""},
    {.ids = {"KB908472-M2", "KB908472-M1"},
     .context = "KB908472-02,KB908472-06",
     .args = "-w REG -p \"Block RPC Ports\" \xe2"
             "\x80"
             "\x93"
             "x",
     .assigned = "Block RPC Ports",
     .n_rules = 22,
     .repairs = 1},
    {.ids = {"KB908472-M4", "KB908472-M3"},
     .context = "KB908472-16",
     .args = "-w REG -p \"Block RPC Ports\" \xe2"
             "\x80"
             "\x93"
             "y",
     .assigned = "",
     .n_rules = 22,
     .repairs = 1},
    {.ids = {"", "KB908472-M7"},
     .context = "KB908472-02",
     .args =
         "-w REG -p \"Block RPC Ports\" -r \"Allow Inbound TCP %PORT% from %SUBNET% Rule\" -f %SUBNET%/%MASK%=0:%PORT%:TCP -n PASS",
     .policies =
         "policy \"Block RPC Ports\" { rule \"Block Inbound TCP 135 Rule\" block in tcp from any to me port 135 }",
     .assigned = "",
     .exit = 2,
     .message = "placeholder '%SUBNET%' was not filled in"},
};

static const struct row *find_row(const char *id, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t k = 0; k < 2; k++)
            if (strlen(rows[i].ids[k]) == n && strncmp(rows[i].ids[k], id, n) == 0)
                return &rows[i];
    fail_msg("no row '%s'", id);
    return NULL;
}

/* Runs the row, all numbers of it; the last run stays in *x. */
static void run_row(struct run *x, struct catalog *c, const char *tool, const struct row *row,
                    bool strict)
{
    for (unsigned port = row->first; port <= row->last; port++) {
        char args[1024];
        size_t n = 0;
        if (port > row->first)
            tool_run_done(&x->t);
        for (const char *s = row->args; *s; s++) {
            bool number = row->last > 0 && s[0] == '%' && s[1] == 'u';
            n += number ? format_into(args + n, sizeof(args) - n, "%u", port)
                        : format_into(args + n, sizeof(args) - n, "%c", *s);
            s += number;
        }
        run_line(x, c, NULL, tool, args, strict);
        if (x->r < 0 && row->exit == 0 && !strict)
            fail_msg("%s: %s", args, x->d.message);
    }
}

/* Every row once, whoever asks for it. */
static void run_context(struct catalog *c, const char *tool, const char *context, bool *done)
{
    for (const char *s = context; s && *s;) {
        size_t n = strcspn(s, ",");
        const struct row *row = find_row(s, n);
        if (!done[row - rows]) {
            struct run x;
            done[row - rows] = true;
            run_context(c, tool, row->context, done);
            run_row(&x, c, tool, row, /* strict= */ false);
            assert_int_equal(x.r, 0);
            tool_run_done(&x.t);
        }
        s += n + (s[n] == ',');
    }
}

static void check_state(struct catalog *c, const struct row *row)
{
    _cleanup_free_ char *policies = policies_text(c), *dynamic = dynamic_text(c);
    struct diag d = {0};
    const char *assigned;
    if (row->policies && strcmp(policies, row->policies) != 0)
        fail_msg("%s: policies are\n%s", row->args, policies);
    if (!row->policies)
        assert_int_equal(n_rules(c), row->n_rules);
    assert_int_equal(catalog_assigned(c, CATALOG_LOCAL, &d, &assigned), 0);
    assert_string_equal(assigned, row->assigned);
    assert_string_equal(dynamic, row->dynamic ? row->dynamic : "");
}

static void check_row(const struct row *row, const char *tool)
{
    struct catalog c;
    struct run x;
    bool done[ARRAY_SIZE(rows)] = {false};
    catalog_init(&c, NULL, seed);
    run_context(&c, tool, row->context, done);
    run_row(&x, &c, tool, row, /* strict= */ false);
    if (row->exit == 0) {
        assert_int_equal(x.r, 0);
        assert_int_equal(x.t.exit, 0);
        assert_string_equal(x.t.out.s, "The command completed successfully.\n");
        check_state(&c, row);
    } else {
        assert_true(x.r < 0);
        assert_int_equal(diag_exit_code(x.d.code), row->exit);
        assert_string_equal(x.d.message, row->message);
        assert_int_equal(x.t.out.len, 0);
    }
    assert_int_equal(count_remarks(&x.t, NOTE_REPAIR), row->repairs);
    tool_run_done(&x.t);
    catalog_done(&c);
}

/* A repaired misprint is refused when it must be strict. */
static void check_strict(const struct row *row, const char *tool)
{
    struct catalog c;
    struct run x;
    bool done[ARRAY_SIZE(rows)] = {false};
    catalog_init(&c, NULL, seed);
    run_context(&c, tool, row->context, done);
    run_row(&x, &c, tool, row, /* strict= */ true);
    assert_true(x.r < 0);
    assert_int_equal(diag_exit_code(x.d.code), 2);
    assert_int_equal(x.t.out.len, 0);
    tool_run_done(&x.t);
    catalog_done(&c);
}

static void test_articles(void **state)
{
    static const char *const tools[][2] = {{"ipseccmd", "IPSeccmd.exe"},
                                           {"ipsecpol", "Ipsecpol.EXE"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t k = 0; k < 2; k++)
            for (size_t spelling = 0; spelling < 2 && rows[i].ids[k][0]; spelling++) {
                check_row(&rows[i], tools[k][spelling]);
                if (rows[i].repairs > 0)
                    check_strict(&rows[i], tools[k][spelling]);
            }
}

/* --- what is refused --- */
static const struct {
    const char *args;
    int exit;
    const char *message, *hint, *word; /* NULL: not looked at */
    uint32_t offset, len;
} refused[] = {
    {"", 2, "nothing to do", "ipseccmd -?", NULL, 0, 0},
    {"-z", 2, "unknown switch '-z'", "ipseccmd -? lists the switches", "-z", 0, 2},
    {"-w", 2, "switch '-w' needs a store", "for example -w REG", "-w", 0, 2},
    {"-w REG", 2, "-w needs a policy", "say which one: -p NAME", "-w", 0, 2},
    {"-w REG -p", 2, "switch '-p' needs a policy name", "for example -p \"Block RPC Ports\"", "-p",
     0, 2},
    {"-p P", 2, "'-p' belongs to a policy, but -w is missing", "add -w REG", "-p", 0, 2},
    {"-p P -x", 2, "'-p' belongs to a policy, but -w is missing", "add -w REG", "-p", 0, 2},
    {"-r R", 2, "'-r' belongs to a policy, but -w is missing", "add -w REG", "-r", 0, 2},
    {"-x", 2, "'-x' belongs to a policy, but -w is missing", "add -w REG", "-x", 0, 2},
    {"-y", 2, "'-y' belongs to a policy, but -w is missing", "add -w REG", "-y", 0, 2},
    {"-o", 2, "'-o' belongs to a policy, but -w is missing", "add -w REG", "-o", 0, 2},
    {"-w REG -x", 2, "-w needs a policy", "say which one: -p NAME", "-w", 0, 2},
    {"-w REG -p P -f *=0:80:TCP -n BLOCK", 2, "-f in a policy needs the name of a rule",
     "say -r NAME", "-f", 0, 2},
    {"-w REG -p P -r R -f *=0:80:TCP", 2, "-f in a policy needs an action",
     "say -n BLOCK or -n PASS", "-f", 0, 2},
    {"-w REG -p P -r R", 2, "-r needs -f to add the rule or -o to delete it",
     "for example -f *=0:1434:UDP -n BLOCK", "-r", 0, 2},
    {"-w REG -p P -r R -n BLOCK", 2, "-n needs the filters of -f",
     "for example -f *=0:1434:UDP -n BLOCK", "-n", 0, 2},
    {"-w REG -p P -n BLOCK", 2, "-n needs the filters of -f",
     "for example -f *=0:1434:UDP -n BLOCK", "-n", 0, 2},
    {"-w REG -p P -r R -f", 2, "switch '-f' needs a filter", "for example -f *=0:1434:UDP", "-f", 0,
     2},
    {"-w REG -p P -r R -f -n BLOCK", 2, "switch '-f' needs a filter", "for example -f *=0:1434:UDP",
     "-f", 0, 2},
    {"-w REG -p P -r R -f *=0:80:TCP -n", 2, "switch '-n' needs an action", "for example -n BLOCK",
     "-n", 0, 2},
    {"-w REG -p P -r A -r B -f *=0:80:TCP -n BLOCK", 2, "several -r go with -o only",
     "give one command for each rule", "B", 0, 1},
    {"-w REG -p P -x -y", 2, "-x assigns and -y unassigns", "leave one of them out", "-x", 0, 2},
    {"-w REG -p P -o -f *=0:80:TCP", 2, "-o deletes and takes no filter", "leave out -f or -o",
     "-o", 0, 2},
    {"-w REG -p P -o -n BLOCK", 2, "-o deletes and takes no action", "leave out -n or -o", "-o", 0,
     2},
    {"-w REG -p P -r R -f *=0:80:TCP -n BLOCK -lan -dialup", 2,
     "-lan and -dialup exclude each other", "leave both out for every connection", "-lan", 0, 4},
    {"-w REG -p P -p Q -x", 2, "switch '-p' given twice", "one command has one '-p'", "-p", 0, 2},
    {"-w REG -w REG -p P -x", 2, "switch '-w' given twice", "one command has one '-w'", "-w", 0, 2},
    {"-w HKLM -p P -x", 2, "unknown store 'HKLM'",
     "REG is this host, PERS its persistent layer, DS the domain", "HKLM", 0, 4},
    {"-w REG:\\\\other -p P -x", 1, "'other' is not this host",
     "run it over ssh on that host; policies for many hosts belong in the domain", "REG:\\\\other",
     0, 11},
    {"-w DS -p P -x", 1, "no domain is configured", "store it on this host: -w REG", "DS", 0, 2},
    {"-w DS:example.test -p P -x", 1, "no domain is configured", "store it on this host: -w REG",
     "DS:example.test", 0, 15},
    {"-w REG -p :30 -x", 2, "the policy has no name", "for example -p \"Block RPC Ports:30\"",
     ":30", 0, 1},
    {"-w REG -p P:999999 -x", 2, "poll interval '999999' is out of range",
     "minutes, 1 to 525600; the default is 180", "P:999999", 2, 6},
    {"-w REG -p \"\" -x", 2, "the value of '-p' is empty", "for example -p \"Block RPC Ports\"",
     "-p", 0, 2},
    {"-w REG -p \"Nobody\" -x", 1, "unknown policy 'Nobody'", NULL, NULL, 0, 0},
    {"-w REG -p \"Nobody\" -y", 1, "unknown policy 'Nobody'", NULL, NULL, 0, 0},
    {"-w REG -p \"Nobody\" -o", 1, "unknown policy 'Nobody'", NULL, NULL, 0, 0},
    {"-w REG -p Pp -x", 1, "unknown policy 'Pp'", NULL, NULL, 0, 0},
    {"-w REG -p P -r Nobody -o", 1, "unknown rule 'Nobody'", "known: 'Rule A', 'Rule B'", NULL, 0,
     0},
    {"-w REG -p P -r \"Rule A\" -r Nobody -o", 1, "unknown rule 'Nobody'",
     "known: 'Rule A', 'Rule B'", NULL, 0, 0},
    {"-w REG -p P -r R -f [*=0:80:TCP] -n BLOCK", 2, "brackets have no place in a policy",
     "write *=0:80:TCP and -n BLOCK", "[*=0:80:TCP]", 0, 1},
    {"-w REG -p P -r R -f (*=0:80:TCP) -n PASS", 2, "brackets have no place in a policy",
     "write *=0:80:TCP and -n PASS", "(*=0:80:TCP)", 0, 1},
    {"-w REG -p P -r R -f {eth0}=*:80:TCP -n BLOCK", 2, "an interface has no place in a policy",
     "write 0 for this host's addresses, or use: portward rule add", "{eth0}=*:80:TCP", 0, 15},
    {"-w REG -p P -r R -f * = 0: 1434: UDP -n BLOCK", 2, "blanks inside a filter",
     "write *=0:1434:UDP", "*", 0, 1},
    {"-w REG -p P -r R -f *=0: 80 :TCP -n BLOCK -x", 2, "blanks inside a filter",
     "write *=0:80:TCP", "80", 0, 2},
    {"-w REG -p P -r R -f \"* = 0: 23: TCP\" -n BLOCK", 2, "blank inside a filter",
     "write *=0:23:TCP", "* = 0: 23: TCP", 1, 1},
    {"-w REG -p P -r R -f *=0:80:TCP -n BLOCK-x", 2,
     "the switch '-x' is glued to what stands before it", "put a blank between them: BLOCK -x",
     "BLOCK-x", 5, 2},
    {"-w REG -p P -r R -f *=0:80:TCP-n BLOCK", 2,
     "the switch '-n' is glued to what stands before it", "put a blank between them: *=0:80:TCP -n",
     "*=0:80:TCP-n", 10, 2},
    {"-w REG -p P-r R -f *=0:80:TCP -n BLOCK", 2,
     "the switch '-r' is glued to what stands before it", "put a blank between them: P -r", "P-r",
     1, 2},
    {"-w REG -p New-x", 2, "the switch '-x' is glued to what stands before it",
     "write -p \"New\" -x", "New-x", 3, 2},
    {"-w REG-p P -x", 2, "the switch '-p' is glued to what stands before it",
     "put a blank between them: REG -p", "REG-p", 3, 2},
    {"-wREG -p P -x", 2, "the value is glued to the switch '-w'", "write -w REG", "-wREG", 2, 3},
    {"-w REG -pP -x", 2, "the value is glued to the switch '-p'", "write -p P", "-pP", 2, 1},
    {"-w REG -p P - x", 2, "a dash stands alone", "write -x", "-", 0, 1},
    {"-w REG -p P -r R -f *=0:80:TCP - n BLOCK", 2, "a dash stands alone", "write -n", "-", 0, 1},
    {"-w REG -p Block UDP -x", 2, "unexpected word 'UDP'", "a name with blanks stands in quotes",
     "UDP", 0, 3},
    {"-w REG -p P show", 2, "'show' stands alone", "ipseccmd show filters", "show", 0, 4},
    {"show", 2, "nothing to show", "ipseccmd show filters", "show", 0, 4},
    {"show filtres", 2, "cannot show 'filtres'", "did you mean filters?", "filtres", 0, 7},
    {"show foo", 2, "cannot show 'foo'", "filters, policies, auth, stats, sas, gpo or all", "foo",
     0, 3},
    {"-w REG \\\\host -p P -x", 2, "a computer stands before all switches",
     "ipseccmd \\\\host -w REG ...", "\\\\host", 0, 6},
    {"\\\\other -f [*=0:80:TCP]", 1, "'other' is not this host",
     "run it over ssh on that host; policies for many hosts belong in the domain", "\\\\other", 0,
     7},
    {"-u -x", 2, "'-u' stands alone, without '-x'", "give two commands", "-x", 0, 2},
    {"-u -f *=0", 2, "'-u' stands alone, without '-f'", "give two commands", "-f", 0, 2},
    {"-file", 2, "switch '-file' needs a file", "for example -file rules.txt", "-file", 0, 5},
    {"-? -x", 2, "'-?' stands alone, without '-x'", "give two commands", "-x", 0, 2},
    {"-f", 2, "switch '-f' needs a filter", "for example -f *=0:1434:UDP", "-f", 0, 2},
    {"-n BLOCK", 2, "'-n' needs the filters of -f", "for example -f [*=0:1434:UDP]", "-n", 0, 2},
    {"-f *=0:80 -n BLOCK", 2, "a port needs TCP or UDP", "write *=0:80:TCP", "*=0:80", 4, 2},
    {"-f *=0:80:TCP -n BLOK", 2, "unknown action 'BLOK'", "write BLOCK", "BLOK", 0, 4},
    {"-f *=0:80:TCP -n PERMIT", 2, "unknown action 'PERMIT'", "write PASS", "PERMIT", 0, 6},
    {"-f *=0:80:TCP -n DROP", 2, "unknown action 'DROP'", "write BLOCK", "DROP", 0, 4},
    {"-f *=0:80:TCP -n BLOCK PASS", 2, "both BLOCK and PASS", "give one action", "PASS", 0, 4},
    {"-f *=0:80:TCP -n ESP", 2, "unknown action 'ESP'",
     "BLOCK, PASS, INPASS or methods like ESP[3DES,SHA]", "ESP", 0, 3},
    {"-f *=0:80:TCP -n ESP[]", 2, "unknown algorithm ''", "NONE, DES or 3DES", "ESP[]", 4, 1},
    {"-f *=0:80:TCP -n ESP[3DES]", 2, "a comma expected",
     "for example ESP[3DES,SHA], AH[SHA] or ESP[3DES,SHA]5000K/3600SP2", "ESP[3DES]", 8, 1},
    {"-f *=0:80:TCP -n ESP[3DES,SHA", 2, "a closing ']' expected",
     "for example ESP[3DES,SHA], AH[SHA] or ESP[3DES,SHA]5000K/3600SP2", "ESP[3DES,SHA", 12, 1},
    {"-f *=0:80:TCP -n ESP[AES,SHA]", 2, "unknown algorithm 'AES'", "NONE, DES or 3DES",
     "ESP[AES,SHA]", 4, 3},
    {"-f *=0:80:TCP -n ESP[3DES,SHA256]", 2, "unknown algorithm 'SHA256'", "NONE, MD5 or SHA",
     "ESP[3DES,SHA256]", 9, 6},
    {"-f *=0:80:TCP -n ESP[none,none]", 7,
     "ESP without encryption and without integrity protects nothing", "write ESP[3DES,SHA]",
     "ESP[none,none]", 0, 14},
    {"-f *=0:80:TCP -n ESP[DES,none]", 7, "ESP without integrity cannot be negotiated here",
     "write ESP[3DES,SHA]", "ESP[DES,none]", 0, 13},
    {"-f *=0:80:TCP -n AH[none]", 7, "AH without a hash", "write AH[SHA]", "AH[none]", 0, 8},
    {"-f *=0:80:TCP -n AH[SHA]+ESP[3DES,none]", 7,
     "AH and ESP in one method cannot be negotiated here", "use ESP with integrity: ESP[3DES,SHA]",
     "AH[SHA]+ESP[3DES,none]", 0, 22},
    {"-f *=0:80:TCP -n ESP[3DES,SHA] AH[SHA]", 7,
     "a choice between AH and ESP cannot be negotiated here", "give methods of one kind", "AH[SHA]",
     0, 7},
    {"-f *=0:80:TCP -n ESP[3DES,SHA]:5000k/900s", 2, "no colon stands behind the bracket",
     "that is the form of netsh; write ESP[3DES,SHA]5000k/900s", "ESP[3DES,SHA]:5000k/900s", 13, 1},
    {"-f *=0:80:TCP -n ESP[3DES,SHA]0K", 2, "limit for new keys is out of range", "1 to 1000000000",
     "ESP[3DES,SHA]0K", 13, 1},
    {"-f *=0:80:TCP -n ESP[3DES,SHA]5000M", 2, "a limit of kilobytes (K) or seconds (S) expected",
     "for example ESP[3DES,SHA], AH[SHA] or ESP[3DES,SHA]5000K/3600SP2", "ESP[3DES,SHA]5000M", 17,
     1},
    {"-f *=0:80:TCP -n ESP[3DES,SHA]5000K/3600SP3", 2, "the end of the method expected",
     "for example ESP[3DES,SHA], AH[SHA] or ESP[3DES,SHA]5000K/3600SP2",
     "ESP[3DES,SHA]5000K/3600SP3", 25, 1},
    {"-f *=0:80:TCP -n ESP[3DES,SHA]5000K5000K", 2,
     "a limit of kilobytes (K) or seconds (S) expected",
     "for example ESP[3DES,SHA], AH[SHA] or ESP[3DES,SHA]5000K/3600SP2", "ESP[3DES,SHA]5000K5000K",
     22, 1},
    {"-f 0+192.0.2.1 -n ESP[3DES,SHA] -1s 3DES", 2, "'3DES' has no encryption there",
     "DES or 3DES; a method is for example 3DES-SHA-2", "3DES", 0, 4},
    {"-f 0+192.0.2.1 -n ESP[3DES,SHA] -1s AES-SHA-2", 2, "'AES-SHA-2' has no encryption there",
     "DES or 3DES; a method is for example 3DES-SHA-2", "AES-SHA-2", 0, 3},
    {"-f 0+192.0.2.1 -n ESP[3DES,SHA] -1s 3DES-SHA-9", 2, "'3DES-SHA-9' has no group there",
     "1, 2 or 3; a method is for example 3DES-SHA-2", "3DES-SHA-9", 9, 1},
    {"-f 0+192.0.2.1 -n ESP[3DES,SHA] -1k 10", 2, "'10' is no limit of main mode",
     "for example 10Q/3600S: 10 quick modes or 3600 seconds", "10", 0, 2},
    {"-f 0+192.0.2.1 -n ESP[3DES,SHA] -1k 0S", 2, "limit of main mode '0S' is out of range",
     "for example 10Q/3600S: 10 quick modes or 3600 seconds", "0S", 0, 2},
    {"-f 0+192.0.2.1 -n ESP[3DES,SHA] -1e soon", 2, "'soon' is no number of seconds",
     "for example -1e 300", "soon", 0, 4},
    {"-f 0+192.0.2.1 -n ESP[3DES,SHA] -t 300.1.1.1", 2, "'300.1.1.1' is no end of a tunnel",
     "an address or a name, for example -t 192.0.2.1", "300.1.1.1", 0, 9},
    {"-f 0+192.0.2.1 -a NTLM", 2, "unknown authentication method 'NTLM'",
     "KERBEROS, PRESHARE:\"key\" or CERT:\"authority\"", NULL, 0, 0},
    {"-f 0+192.0.2.1 -a PRESHARE", 2, "PRESHARE needs a value", "write -a PRESHARE:\"key\"", NULL,
     0, 0},
    {"-f 0+192.0.2.1 -a PRESHARE:top secret", 2, "unknown word behind an authentication method",
     "KERBEROS, PRESHARE:\"key\" or CERT:\"authority\"", NULL, 0, 0},
    {"-f 0+192.0.2.1 -a PRESHARED:\"secret\"", 2, "unknown authentication method 'PRESHARED'",
     "KERBEROS, PRESHARE:\"key\" or CERT:\"authority\"", NULL, 0, 0},
    {"-f 0+192.0.2.1 -a KERBEROS:x", 2, "KERBEROS takes no value", "write -a KERBEROS", NULL, 0, 0},
    {"-f 0+192.0.2.1 -a CERT:", 2, "CERT needs a value", "write -a CERT:\"name of the authority\"",
     NULL, 0, 0},
    {"-f *=0:80:TCP -n BLOCK -lan", 7, "a dynamic filter has no kind of connection",
     "make it a rule of a policy with -w REG, or name the interface: {eth0}", "-lan", 0, 4},
    {"-f *=0:80:TCP -n BLOCK -dialup", 7, "a dynamic filter has no kind of connection",
     "make it a rule of a policy with -w REG, or name the interface: {eth0}", "-dialup", 0, 7},
    {"-f *=0:80:TCP -n BLOCK -confirm", 2, "there is no terminal to ask on", "leave out -confirm",
     "-confirm", 0, 8},
    {"-w REG -p P -r R -f *=0:80:TCP -n BLOCK -confirm", 2,
     "-confirm goes with dynamic filters only", "leave out -confirm", "-confirm", 0, 8},
    {"-f (www.example.com=0)", 7, "permit with a name needs protocol and port, or 'keep state'",
     "add 'keep state', or a protocol and 'port N'", "(www.example.com=0)", 0, 19},
    {"-f www.example.com=0 -n PASS", 7,
     "permit with a name needs protocol and port, or 'keep state'",
     "add 'keep state', or a protocol and 'port N'", "www.example.com=0", 0, 17},
    {"-w REG -p P -r R -f 0=www.example.com -n PASS", 7,
     "permit with a name needs protocol and port, or 'keep state'",
     "add 'keep state', or a protocol and 'port N'", "0=www.example.com", 0, 17},
    {"-w REG -p P -r R -f *=0:80:TCP -n BLOCK -lam", 2, "unknown switch '-lam'",
     "did you mean -lan?", "-lam", 0, 4},
    {"-w REG -p P -confrim", 2, "unknown switch '-confrim'", "did you mean -confirm?", "-confrim",
     0, 8},
    {"-w REG -p P -r R -f *=0:80:TCP *=0:0:0:0 -n BLOCK", 2, "too many colons in the destination",
     "a side is ADDRESS:PORT, the destination ADDRESS:PORT:PROTOCOL", "*=0:0:0:0", 7, 2},
    {"-w REG -p P -1f 0=192.0.2.1:80:TCP", 2, "a filter of main mode has addresses only",
     "for example -1f 0=192.0.2.1", "0=192.0.2.1:80:TCP", 0, 18},
    {"-w REG -p P -1f [0=192.0.2.1]", 2, "a filter of main mode has addresses only",
     "for example -1f 0=192.0.2.1", "[0=192.0.2.1]", 0, 13},
    {"-w REG -p P -r R -f %SUBNET%/%MASK%=0:%PORT%:TCP -n PASS", 2,
     "placeholder '%SUBNET%' was not filled in", "write a value in its place",
     "%SUBNET%/%MASK%=0:%PORT%:TCP", 0, 8},
    {"-w REG -p P -t 192.0.2.1", 2, "-t needs the filters of -f",
     "for example -f 0=192.0.2.0/255.255.255.0", "-t", 0, 2},
    {"-soft", 2, "'-soft' needs the filters of -f", "for example -f [*=0:1434:UDP]", "-soft", 0, 5},
    {"-w REG -p P -r R -f *=0:80:TCP -n BLOCK stray", 2, "unknown action 'stray'",
     "BLOCK, PASS, INPASS or methods like ESP[3DES,SHA]", "stray", 0, 5},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct catalog c;
        struct run x;
        catalog_init(&c, NULL, seed);
        run_lines(&c, start);
        run_line(&x, &c, NULL, "ipseccmd", refused[i].args, false);
        if (x.r >= 0)
            fail_msg("'%s' is accepted", refused[i].args);
        if (diag_exit_code(x.d.code) != refused[i].exit ||
            strcmp(x.d.message, refused[i].message) != 0 ||
            (refused[i].hint && strcmp(x.d.hint, refused[i].hint) != 0))
            fail_msg("'%s': %d %s; %s", refused[i].args, diag_exit_code(x.d.code), x.d.message,
                     x.d.hint);
        assert_int_equal(x.d.n_spans, refused[i].word ? 1 : 0);
        if (refused[i].word) {
            assert_string_equal(x.t.word, refused[i].word);
            assert_int_equal(x.d.span[0].offset, refused[i].offset);
            assert_int_equal(x.d.span[0].len, refused[i].len);
        }
        assert_int_equal(x.t.out.len, 0);
        assert_null(strstr(x.d.message, "secret"));
        tool_run_done(&x.t);
        catalog_done(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_articles),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
