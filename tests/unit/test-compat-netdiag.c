/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netdiag against a host that the test makes up: the article's output after squeezing blanks, and
 * the corners of taking a filter apart. */
#include "compat-host.h"

#define PASSED      "IP Security test . . . . . . . . . : Passed "
#define NO_POLICY   "IPSec policy service is active, but no policy is assigned."
#define LOCAL(name) "Local IPSec Policy Active: '" name "'"
#define PATH                                                                    \
    " IP Security Policy Path: SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\" \
    "Policy\\Local\\ipsecPolicy{GUID}"
#define NAME "No Name Filter Id: {GUID} Policy Id: {GUID} "
#define SIDES(src, smask, dst, dmask) \
    "Src Addr : " src " Src Mask : " smask " Dest Addr : " dst " Dest Mask : " dmask " "
#define ANY "0.0.0.0", "0.0.0.0"
#define ME  "192.168.1.1", "255.255.255.255"
#define REST(sport, dport, proto, flags)                                                 \
    "Tunnel Addr : 0.0.0.0 Src Port : " sport " Dest Port : " dport " Protocol : " proto \
    " TunnelFilter: No Flags : " flags
#define SIDES2(...)          SIDES(__VA_ARGS__)
#define BLOCK(src, dst, ...) NAME SIDES2(src, dst) REST(__VA_ARGS__)

enum { TEXT = 16384 };

struct netdiag_case {
    const char *what, *words;
    const char *local; /* assigned policy, NULL = none */
    const char *addresses;
    struct fake_filter filters[6];
    const char *expected;
};

static char policies[] = "policy \"P\" { rule \"R\" { } rule \"S\" { } }\n"
                         "policy \"Block UDP 1434 Filter\" { rule \"R\" { } }\n"
                         "policy \"Keep\" { rule \"K\" { } }\n";

static void run_case(const struct netdiag_case *c)
{
    struct fake_host h = {.filters = c->filters,
                          .addresses = c->addresses ? c->addresses : "192.168.1.1 2001:db8::1",
                          .local = c->local,
                          .policies = policies};
    struct fake_run x;
    char words[256], got[TEXT];
    (void)snprintf(words, sizeof(words), "%s", c->words);
    fake_start(&x, &h);
    fake_call(&x, tool_netdiag, words);
    squeeze(x.t.out.s ? x.t.out.s : "", got, sizeof(got));
    if (x.r < 0 || strcmp(got, c->expected) != 0)
        fail_msg("%s: %d %s\ngot      '%s'\nexpected '%s'", c->what, x.r, x.d.message, got,
                 c->expected);
    assert_int_equal(x.t.exit, 0);
    assert_int_equal(x.t.after, AFTER_NOTHING);
    fake_done(&x);
}

/* KB813878-01, -09, -10 as the acceptance table has them. */
static void test_article(void **state)
{
    (void)state;
#define SLAMMER_FILTERS                                                              \
    {                                                                                \
        {"s1", "block in udp from any to me port 1434", "Block UDP 1434 Filter",     \
         "Block Inbound UDP 1434 Rule", "local"},                                    \
        {                                                                            \
            "s2", "block out udp from me to any port 1434", "Block UDP 1434 Filter", \
                "Block Outbound UDP 1434 Rule", "local"                              \
        }                                                                            \
    }
    static const struct netdiag_case cases[] = {
        {"KB813878-01", "/test:ipsec", NULL, NULL, {{0}}, PASSED NO_POLICY},
        {"KB813878-10", "/test:ipsec", "Block UDP 1434 Filter", NULL, SLAMMER_FILTERS,
         PASSED LOCAL("Block UDP 1434 Filter")},
        {"KB813878-09", "/test:ipsec|/debug", "Block UDP 1434 Filter", NULL, SLAMMER_FILTERS,
         "IP Security test . . . . . . . . . : Passed "
         "Local IPSec Policy Active: 'Block UDP 1434 Filter' "
         "IP Security Policy Path: SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\Policy\\Local\\"
         "ipsecPolicy{GUID} "
         "There are 2 filters "
         "No Name Filter Id: {GUID} Policy Id: {GUID} Src Addr : 0.0.0.0 Src Mask : 0.0.0.0 "
         "Dest Addr : 192.168.1.1 Dest Mask : 255.255.255.255 Tunnel Addr : 0.0.0.0 Src Port : 0 "
         "Dest Port : 1434 Protocol : 17 TunnelFilter: No Flags : Inbound Block "
         "No Name Filter Id: {GUID} Policy Id: {GUID} Src Addr : 192.168.1.1 Src Mask : "
         "255.255.255.255 Dest Addr : 0.0.0.0 Dest Mask : 0.0.0.0 Tunnel Addr : 0.0.0.0 Src Port : "
         "0 Dest Port : 1434 Protocol : 17 TunnelFilter: No Flags : Outbound Block"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        run_case(&cases[i]);
}

/* The lines themselves, not squeezed. */
static void test_layout(void **state)
{
    (void)state;
    static const struct fake_filter filters[] = {
        {"s1", "block in udp from any to me port 1434", "P", "R", "local"}, {0}};
    struct fake_host h = {
        .filters = filters, .addresses = "192.168.1.1", .local = "P", .policies = policies};
    struct fake_run x;
    char words[] = "/test:ipsec|/debug";
    fake_start(&x, &h);
    fake_call(&x, tool_netdiag, words);
    static const char *const lines[] = {
        "IP Security test . . . . . . . . . : Passed\n    Local IPSec Policy Active: 'P'\n",
        "\n    IP Security Policy Path: SOFTWARE",
        "{00000000-0000-0000-0000-000000000001}\n\nThere are 1 filters\nNo Name\n    Filter Id: {",
        "}\n    Src Addr : 0.0.0.0 Src Mask : 0.0.0.0\n    Dest Addr : 192.168.1.1 Dest Mask : "
        "255.255.255.255\n    Tunnel Addr : 0.0.0.0 Src Port : 0 Dest Port : 1434\n    Protocol : "
        "17 TunnelFilter: No\n    Flags : Inbound Block\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        if (!strstr(x.t.out.s, lines[i]))
            fail_msg("'%s' is not in\n%s", lines[i], x.t.out.s);
    fake_done(&x);
}

#define DEBUG_P PASSED LOCAL("P") PATH
static const struct netdiag_case filter_cases[] = {
    {"no filters", "/debug", "P", NULL, {{0}}, DEBUG_P " There are 0 filters"},
    {"mirrored: both ways",
     "/debug",
     "P",
     NULL,
     {{"s1", "block in tcp from any to me port 80 mirrored", "P", "R", "local"}},
     DEBUG_P " There are 2 filters " BLOCK(ANY, ME, "0", "80", "6", "Inbound Block") " " BLOCK(
         ME, ANY, "80", "0", "6", "Outbound Block")},
    {"one block for each own address, IPv4 only",
     "/debug",
     "P",
     "192.168.1.1 192.168.1.2 2001:db8::1",
     {{"s1", "block in tcp from any to me port 80", "P", "R", "local"}},
     DEBUG_P " There are 2 filters " BLOCK(ANY, ME, "0", "80", "6", "Inbound Block") " " NAME SIDES(
         "0.0.0.0", "0.0.0.0", "192.168.1.2", "255.255.255.255")
         REST("0", "80", "6", "Inbound Block")},
    {"no IPv4 address",
     "/debug",
     "P",
     "2001:db8::1",
     {{"s1", "block in tcp from any to me port 80", "P", "R", "local"}},
     DEBUG_P " There are 0 filters"},
    {"any to any: a block for each direction",
     "/debug",
     "P",
     NULL,
     {{"s1", "block from any to any", "P", "R", "local"}},
     DEBUG_P " There are 2 filters " BLOCK(ANY, ANY, "0", "0", "0", "Inbound Block") " " BLOCK(
         ANY, ANY, "0", "0", "0", "Outbound Block")},
    {"any to any, mirrored: the twin is itself",
     "/debug",
     "P",
     NULL,
     {{"s1", "block from any to any mirrored", "P", "R", "local"}},
     DEBUG_P " There are 2 filters " BLOCK(ANY, ANY, "0", "0", "0", "Inbound Block") " " BLOCK(
         ANY, ANY, "0", "0", "0", "Outbound Block")},
    {"subnet and permit",
     "/debug",
     "P",
     NULL,
     {{"s1", "permit in tcp from 10.1.1.0/24 to me port 135", "P", "R", "local"}},
     DEBUG_P " There are 1 filters " NAME SIDES("10.1.1.0", "255.255.255.0", "192.168.1.1",
                                                "255.255.255.255")
         REST("0", "135", "6", "Inbound Permit")},
    {"negotiate, inpass, override",
     "/debug",
     "P",
     NULL,
     {{"s1", "negotiate in from any to me", "P", "R", "local"},
      {"s2", "permit inpass in from any to me", "P", "R", "local"},
      {"s3", "block in from any to me override", "P", "S", "local"}},
     DEBUG_P " There are 3 filters " BLOCK(ANY, ME, "0", "0", "0", "Inbound Negotiate") " " BLOCK(
         ANY, ME, "0", "0", "0", "Inbound Inpass") " " BLOCK(ANY, ME, "0", "0", "0",
                                                             "Inbound Block (override)")},
    {"own address instead of me",
     "/debug",
     "P",
     NULL,
     {{"s1", "block tcp from 192.168.1.1 to 10.0.0.1 port 25", "P", "R", "local"},
      {"s2", "block tcp from 10.0.0.1 to 192.168.1.1 port 25", "P", "R", "local"},
      {"s3", "block tcp from 10.0.0.1 to 10.0.0.2 port 25", "P", "R", "local"}},
     DEBUG_P " There are 3 filters " NAME SIDES("192.168.1.1", "255.255.255.255", "10.0.0.1",
                                                "255.255.255.255")
         REST("0", "25", "6", "Outbound Block") " " NAME SIDES("10.0.0.1", "255.255.255.255",
                                                               "192.168.1.1", "255.255.255.255")
             REST("0", "25", "6", "Inbound Block") " " NAME SIDES("10.0.0.1", "255.255.255.255",
                                                                  "10.0.0.2", "255.255.255.255")
                 REST("0", "25", "6", "Inbound Block")},
    {"a subnet that has an own address",
     "/debug",
     "P",
     NULL,
     {{"s1", "block from any to 192.168.0.0/16", "P", "R", "local"}},
     DEBUG_P " There are 2 filters " NAME SIDES("0.0.0.0", "0.0.0.0", "192.168.0.0", "255.255.0.0")
         REST("0", "0", "0", "Inbound Block") " " NAME SIDES("0.0.0.0", "0.0.0.0", "192.168.0.0",
                                                             "255.255.0.0")
             REST("0", "0", "0", "Outbound Block")},
    {"lists and ranges of ports, range of addresses",
     "/debug",
     "P",
     NULL,
     {{"s1", "block in tcp from 10.0.0.1-10.0.0.9 port 7 to me port 80,5001-5021", "P", "R",
       "local"}},
     DEBUG_P " There are 2 filters " NAME SIDES("10.0.0.1-10.0.0.9", "255.255.255.255",
                                                "192.168.1.1", "255.255.255.255")
         REST("7", "80", "6", "Inbound Block") " " NAME SIDES(
             "10.0.0.1-10.0.0.9", "255.255.255.255", "192.168.1.1", "255.255.255.255")
             REST("7", "5001-5021", "6", "Inbound Block")},
    {"me to me",
     "/debug",
     "P",
     NULL,
     {{"s1", "block from me to me", "P", "R", "local"}},
     DEBUG_P " There are 0 filters"},
    {"in the order in which they were made",
     "/debug",
     "P",
     NULL,
     {{"s10", "block in 10 from any to me", "P", "R", "local"},
      {"s9", "block in 9 from any to me", "P", "R", "local"}},
     DEBUG_P " There are 2 filters " BLOCK(ANY, ME, "0", "0", "9", "Inbound Block") " " BLOCK(
         ANY, ME, "0", "0", "10", "Inbound Block")},
    {"a description is the name",
     "/debug",
     "P",
     NULL,
     {{"s1", "block in 9 from any to me description \"My filter\"", "P", "R", "local"}},
     DEBUG_P " There are 1 filters My filter Filter Id: {GUID} Policy Id: {GUID} " SIDES2(ANY, ME)
         REST("0", "0", "9", "Inbound Block")},
    {"ICMP type",
     "/debug",
     "P",
     NULL,
     {{"s1", "block in icmp type 8 code 0 from any to me", "P", "R", "local"}},
     DEBUG_P " There are 1 filters " NAME SIDES2(
         ANY, ME) "Tunnel Addr : 0.0.0.0 Src Port : 0 Dest Port : 0 Protocol : 1 TunnelFilter: "
                  "No ICMP Type : 8 ICMP Code : 0 Flags : Inbound Block"},
    {"names and keywords",
     "/debug",
     "P",
     NULL,
     {{"s1", "block out from me to host.example", "P", "R", "local"},
      {"s2", "block out from me to dns", "P", "R", "local"}},
     DEBUG_P " There are 2 filters " NAME SIDES("192.168.1.1", "255.255.255.255", "host.example",
                                                "255.255.255.255")
         REST("0", "0", "0", "Outbound Block") " " NAME SIDES("192.168.1.1", "255.255.255.255",
                                                              "DNS", "255.255.255.255")
             REST("0", "0", "0", "Outbound Block")},
};

static void test_filters(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(filter_cases); i++)
        run_case(&filter_cases[i]);
}

/* What Windows does not know stands below what it knows. */
static void test_sections(void **state)
{
    (void)state;
    static const struct netdiag_case cases[] = {
        {"dynamic, persistent and IPv6",
         "/debug",
         "P",
         NULL,
         {{"d1", "block in udp from any to me port 1434", NULL, NULL, "dynamic"},
          {"p1", "block in udp from any to me port 69", "Keep", "K", "persistent"},
          {"s1", "block in udp from any to me port 53", "P", "R", "local"},
          {"s2", "block in tcp from 2001:db8::/32 to me port 53", "P", "R", "local"},
          {"s3", "block icmpv6 type 3 from any to any", "P", "R", "local"}},
         DEBUG_P
         " There are 1 filters " BLOCK(ANY, ME, "0", "53", "17", "Inbound Block") " Dynamic filters: 1 " BLOCK(
             ANY, ME, "0", "1434", "17",
             "Inbound Block") " Persistent filters: 1 " BLOCK(ANY, ME, "0", "69", "17",
                                                              "Inbound Block") " IPv6 filters: 3 " NAME
             SIDES("2001:db8::", "32", "2001:db8::1", "128")
                 REST("0", "53", "6", "Inbound Block") " " NAME SIDES(
                     "::", "0", "::",
                     "0") "Tunnel Addr : 0.0.0.0 Src Port : 0 Dest Port : 0 Protocol : 58 TunnelFilter: No ICMP Type "
                          ": 3 Flags : Inbound Block " NAME SIDES(
                              "::", "0", "::",
                              "0") "Tunnel Addr : 0.0.0.0 Src Port : 0 Dest Port : 0 Protocol : 58 TunnelFilter: No ICMP Type "
                                   ": 3 Flags : Outbound Block"},
        {"dynamic without a policy",
         "/debug",
         NULL,
         NULL,
         {{"d1", "block in udp from any to me port 1434", NULL, NULL, "dynamic"}},
         PASSED NO_POLICY
         " Dynamic filters: 1 " BLOCK(ANY, ME, "0", "1434", "17", "Inbound Block")},
        {"nothing at all", "/debug", NULL, NULL, {{0}}, PASSED NO_POLICY},
        {"verbose: the path, no filters",
         "/v",
         "P",
         NULL,
         {{"s1", "block in udp from any to me port 53", "P", "R", "local"}},
         DEBUG_P},
        {"domain policy, local one overridden",
         "/debug",
         "P",
         NULL,
         {{"g1", "block in udp from any to me port 53", "D", "R", "domain"}},
         PASSED
         "Domain IPSec Policy Active: 'D' IP Security Policy Path: LDAP://CN=ipsecPolicy{GUID},"
         "CN=IP Security,CN=System Policy source : domain Overridden local policy : 'P' There "
         "are 1 filters " BLOCK(ANY, ME, "0", "53", "17", "Inbound Block")},
        {"domain policy alone",
         "/test:ipsec",
         NULL,
         NULL,
         {{"g1", "block in udp from any to me port 53", "D", "R", "domain"}},
         PASSED "Domain IPSec Policy Active: 'D'"},
        {"quiet: nothing failed", "/q", "P", NULL, {{0}}, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        run_case(&cases[i]);
}

/* All forms of the words that are understood, with the number of repairs. */
static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        unsigned repairs;
        bool debug;
    } cases[] = {
        {"/test:ipsec", 0, false},
        {"-test:ipsec", 0, false},
        {"/TEST:IPSEC", 0, false},
        {"-Test:IPSec", 0, false},
        {"/test:ipsec|/debug", 0, true},
        {"-test:ipsec|-debug", 0, true},
        {"/debug|/test:ipsec", 0, true},
        {"/DEBUG", 0, true},
        {"/test:ipsec|/v", 0, false},
        {"/test:ipsec|/l", 0, false},
        {"/test:|ipsec", 1, false},
        {"/test:|ipsec|/debug", 1, true},
        {"/test:|ipsec/debug", 2, true},
        {"/test:ipsec/debug", 1, true},
        {"/test:ipsec/debug/v", 1, true},
        {"/test:ipsec/v/debug", 1, true},
        {"\xe2\x80\x93test:ipsec", 1, false},
        {"\xe2\x80\x94test:ipsec|\xe2\x88\x92"
         "debug",
         2, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (unsigned strict = 0; strict < 2; strict++) {
            struct fake_host h = {.addresses = "192.168.1.1", .local = "P", .policies = policies};
            struct fake_run x;
            char words[256];
            (void)snprintf(words, sizeof(words), "%s", cases[i].words);
            fake_start(&x, &h);
            x.t.strict = strict;
            fake_call(&x, tool_netdiag, words);
            free(h.written);
            if (strict && cases[i].repairs > 0) {
                assert_int_equal(x.r, -EINVAL);
                assert_int_equal(x.d.code, DIAG_USAGE);
            } else {
                if (x.r < 0)
                    fail_msg("'%s': %s", cases[i].words, x.d.message);
                assert_int_equal(x.t.n_remarks, cases[i].repairs);
                for (size_t k = 0; k < x.t.n_remarks; k++)
                    assert_int_equal(x.t.remarks[k].kind, NOTE_REPAIR);
                assert_int_equal(strstr(x.t.out.s, "There are") != NULL, cases[i].debug);
            }
            fake_done(&x);
        }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        enum diag_code code;
        const char *message, *at; /* at: what is underlined, NULL = no place */
    } cases[] = {
        {"/test:dns", DIAG_UNKNOWN_OBJECT, "only ipsec is tested here, not 'dns'", "dns"},
        {"/test:ipsec2", DIAG_UNKNOWN_OBJECT, "only ipsec is tested here, not 'ipsec2'", "ipsec2"},
        {"/test:|dns", DIAG_UNKNOWN_OBJECT, "only ipsec is tested here, not 'dns'", "dns"},
        {"/test", DIAG_USAGE, "'/test' needs a value", "/test"},
        {"/test:", DIAG_USAGE, "'/test' needs a value", "/test"},
        {"/test:|/debug", DIAG_USAGE, "'/test' needs a value", "/test"},
        {"/test:/debug", DIAG_USAGE, "'/test' needs a value", "/test"},
        {"/fix", DIAG_USAGE, "unknown switch '/fix'", "/fix"},
        {"/test:ipsec|/debuq", DIAG_USAGE, "unknown switch '/debuq'", "/debuq"},
        {"ipsec", DIAG_USAGE, "unknown word 'ipsec'", "ipsec"},
        {"/test:ipsec|now", DIAG_USAGE, "unknown word 'now'", "now"},
        {"/debug:1", DIAG_USAGE, "'/debug' takes no value", ":1"},
        {"/q|/debug", DIAG_USAGE, "/q and /debug exclude each other", NULL},
        {"/q|/v", DIAG_USAGE, "/q and /v exclude each other", NULL},
        {"/", DIAG_USAGE, "unknown switch '/'", "/"},
        {"-", DIAG_USAGE, "unknown switch '-'", "-"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fake_host h = {.addresses = "192.168.1.1"};
        struct fake_run x;
        char words[256];
        (void)snprintf(words, sizeof(words), "%s", cases[i].words);
        fake_start(&x, &h);
        fake_call(&x, tool_netdiag, words);
        assert_true(x.r < 0);
        if (x.d.code != cases[i].code || strcmp(x.d.message, cases[i].message) != 0)
            fail_msg("'%s': %d '%s'", cases[i].words, x.d.code, x.d.message);
        assert_true(x.d.hint[0] != '\0');
        assert_int_equal(x.d.n_spans, cases[i].at != NULL);
        if (cases[i].at) {
            assert_int_equal(x.d.span[0].len, strlen(cases[i].at));
            assert_memory_equal(x.t.word + x.d.span[0].offset, cases[i].at, strlen(cases[i].at));
        }
        assert_null(x.t.out.s);
        fake_done(&x);
    }
}

/* --- identities --- */
static char *output(const struct fake_filter *filters, const char *addresses, const char *text,
                    const char *library)
{
    struct fake_host h = {.filters = filters,
                          .addresses = addresses,
                          .local = "P",
                          .policies = text,
                          .library = library};
    struct fake_run x;
    char words[] = "/debug";
    fake_start(&x, &h);
    fake_call(&x, tool_netdiag, words);
    if (x.r < 0)
        fail_msg("%s", x.d.message);
    char *s = strbuf_take(&x.t.out);
    assert_non_null(s);
    fake_done(&x);
    return s;
}

/* The n-th GUID behind the label. */
static void guid_after(const char *s, const char *label, unsigned n, char out[39])
{
    for (unsigned i = 0; i <= n; i++) {
        s = strstr(s, label);
        if (!s)
            fail_msg("no %u. '%s'", n, label);
        s += strlen(label);
    }
    memcpy(out, s, 38);
    out[38] = '\0';
}

static void test_identities(void **state)
{
    (void)state;
    static const struct fake_filter filters[] = {
        {"s1", "block in udp from any to me port 1434 mirrored", "P", "R", "local"},
        {"s2", "block out udp from me to any port 1434", "P", "S", "local"},
        {"s3", "block out udp from me to any port 1435", "P", "S", "local"},
        {0}};
    char *one = output(filters, "192.168.1.1", policies, NULL);
    char *again = output(filters, "192.168.1.1", policies, NULL);
    char *more = output(filters, "192.168.1.1 192.168.1.2", policies, NULL);
    char id[4][39], action[4][39], other[39];
    assert_string_equal(one, again);
    for (unsigned i = 0; i < 4; i++) {
        guid_after(one, "Filter Id: ", i, id[i]);
        guid_after(one, "Policy Id: ", i, action[i]);
        assert_int_equal(strspn(id[i] + 1, "0123456789ABCDEF-"), 36);
        assert_int_equal(id[i][15], '8'); /* version of RFC 9562 */
        assert_non_null(strchr("89AB", id[i][20]));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(id[i], id[k]);
    }
    assert_string_equal(action[0], action[1]); /* one rule, one action */
    assert_string_equal(action[2], action[3]);
    assert_string_not_equal(action[0], action[2]);
    guid_after(more, "Filter Id: ", 0, other); /* a further address changes no other block */
    assert_string_equal(other, id[0]);
    guid_after(more, "Filter Id: ", 2, other);
    assert_string_equal(other, id[1]);
    free(one);
    free(again);
    free(more);
}

/* Rules that share a filter action show its GUID. */
static void test_shared_action(void **state)
{
    (void)state;
    static const struct fake_filter filters[] = {
        {"s1", "block in udp from any to me port 1", "P", "R", "local"},
        {"s2", "block in udp from any to me port 2", "P", "S", "local"},
        {0}};
    static char shared[] =
        "policy \"P\" { rule \"R\" attribute filteraction \"A\" { } "
        "rule \"S\" attribute filteraction \"A\" attribute tunnel \"192.0.2.9\" { } }";
    static char library[] = "policy \"filteractions\" { rule \"A\" attribute guid "
                            "\"00112233-4455-6677-8899-aabbccddeeff\" { block from any to any } }";
    char *s = output(filters, "192.168.1.1", shared, library);
    char action[39];
    for (unsigned i = 0; i < 2; i++) {
        guid_after(s, "Policy Id: ", i, action);
        assert_string_equal(action, "{00112233-4455-6677-8899-AABBCCDDEEFF}");
    }
    assert_non_null(strstr(s, "    Tunnel Addr : 192.0.2.9 Src Port : 0 Dest Port : 2\n"
                              "    Protocol : 17 TunnelFilter: Yes\n"));
    free(s);
}

/* --- no agent --- */
static void test_no_agent(void **state)
{
    (void)state;
    static const struct tool_pin pins[] = {
        {"eth0", true, true}, {"eth1", true, false}, {"", false, true}};
    static const struct {
        const char *words;
        size_t n_pins;
        int pins_err;
        const char *expected;
    } cases[] = {
        {"/test:ipsec", 3, 0,
         "IP Security test . . . . . . . . . : Failed\n    IPSec policy service is not running.\n"
         "    The kernel still filters packets on: eth0 (in and out), eth1 (in), ? (out)\n"},
        {"/test:ipsec|/debug", 0, 0,
         "IP Security test . . . . . . . . . : Failed\n    IPSec policy service is not running.\n"
         "    The kernel filters no packets.\n"},
        {"/q", 0, 0,
         "IP Security test . . . . . . . . . : Failed\n    IPSec policy service is not running.\n"
         "    The kernel filters no packets.\n"},
        {"/test:ipsec", 0, -EACCES,
         "IP Security test . . . . . . . . . : Failed\n    IPSec policy service is not running.\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fake_host h = {.err = -ENOTCONN,
                              .pins = pins,
                              .n_pins = cases[i].n_pins,
                              .pins_err = cases[i].pins_err};
        struct fake_run x;
        char words[64];
        (void)snprintf(words, sizeof(words), "%s", cases[i].words);
        fake_start(&x, &h);
        fake_call(&x, tool_netdiag, words);
        assert_int_equal(x.r, 0);
        assert_int_equal(x.t.exit, 3);
        assert_string_equal(x.t.out.s, cases[i].expected);
        assert_int_equal(x.t.n_remarks, cases[i].pins_err < 0);
        fake_done(&x);
    }
}

static void test_failures(void **state)
{
    (void)state;
    struct fake_host h = {.err = -EPERM};
    struct fake_run x;
    char words[] = "/test:ipsec";
    fake_start(&x, &h);
    fake_call(&x, tool_netdiag, words);
    assert_int_equal(x.r, -EPERM);
    assert_int_equal(x.d.code, DIAG_PERMISSION);
    fake_done(&x);

    char offline[] = "/test:ipsec";
    h.err = 0;
    fake_start(&x, &h);
    x.t.host = NULL;
    fake_call(&x, tool_netdiag, offline);
    assert_true(x.r < 0);
    assert_int_equal(x.d.code, DIAG_USAGE);
    fake_done(&x);
}

static void test_log(void **state)
{
    (void)state;
    struct fake_host h = {.addresses = "192.168.1.1"};
    struct fake_run x;
    char words[] = "/test:ipsec|/l", help[] = "/?", explained[] = "/l";
    fake_start(&x, &h);
    fake_call(&x, tool_netdiag, words);
    assert_int_equal(x.r, 0);
    assert_string_equal(h.written_name, "NetDiag.log");
    assert_string_equal(h.written, x.t.out.s);
    fake_done(&x);
    free(h.written);
    h = (struct fake_host){.err = -EPERM}; /* help asks nobody */
    fake_start(&x, &h);
    fake_call(&x, tool_netdiag, help);
    assert_int_equal(x.r, 0);
    assert_string_equal(x.t.out.s, tool_netdiag_help);
    fake_done(&x);
    h = (struct fake_host){.addresses = "192.168.1.1"};
    fake_start(&x, &h);
    x.t.explain = true; /* changes nothing */
    fake_call(&x, tool_netdiag, explained);
    assert_int_equal(x.r, 0);
    assert_null(h.written);
    assert_int_equal(x.t.n_remarks, 1);
    fake_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_article),    cmocka_unit_test(test_layout),
        cmocka_unit_test(test_filters),    cmocka_unit_test(test_sections),
        cmocka_unit_test(test_words),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_identities), cmocka_unit_test(test_shared_action),
        cmocka_unit_test(test_no_agent),   cmocka_unit_test(test_failures),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
