/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg*.c: registry values through `reg` and through files (the rows R1 to R12 and M2 of
 * acceptance/seed-commands.tsv), TCP/IP filtering, and policy objects there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../src/compat/blob.h"
#include "../../src/compat/convert_internal.h"
#include "../../src/compat/reg_tree.h"
#include "compat-reg.h"
#include "compat/convert.h"
#include "text/text.h"

#define SERVICES "HKLM\\SYSTEM\\CurrentControlSet\\Services\\"
#define ROOT     "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\Policy\\Local"
#define HEADER   "Windows Registry Editor Version 5.00\n\n"

/* --- the table of the articles --- */
static void test_exempt(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_int_equal(REG(&w, "query", SERVICES "IPSEC", "/v", "NoDefaultExempt"), 0);
    assert_non_null(strstr(w.run.out.s, "    NoDefaultExempt    REG_DWORD    0x3\n"));
    /* KB813878-R1 */
    assert_int_equal(REG(&w, "add", SERVICES "IPSEC", "/v", "NoDefaultExempt", "/t", "REG_DWORD",
                         "/d", "1", "/f"),
                     0);
    assert_string_equal(w.run.out.s, "The operation completed successfully.\n");
    expect_setting(&w, "filter.exempt", "1");
    assert_int_equal(warnings(&w), 0);
    assert_int_equal(REG(&w, "ADD", "hkey_local_machine\\system\\ccs\\services\\ipsec", "-v",
                         "nodefaultexempt", "/T", "reg_dword", "/D", "0x2"),
                     0);
    expect_setting(&w, "filter.exempt", "2");
    assert_true(remarked(&w, "source port 88"));
    assert_int_equal(REG(&w, "query", "HKLM\\SYSTEM\\ControlSet001\\Services\\IPSEC"), 0);
    assert_string_equal(w.run.out.s,
                        "\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\IPSEC"
                        "\n    NoDefaultExempt    REG_DWORD    0x2"
                        "\n    OperationMode    REG_DWORD    0x3\n\n");
    assert_int_equal(
        REG(&w, "add", SERVICES "IPSEC", "/v", "NoDefaultExempt", "/t", "REG_DWORD", "/d", "4"), 7);
    expect_setting(&w, "filter.exempt", "2");
    assert_int_equal(REG(&w, "add", SERVICES "IPSEC", "/v", "NoDefaultExempt", "/d", "1"), 7);
    assert_int_equal(REG(&w, "delete", SERVICES "IPSEC", "/v", "NoDefaultExempt", "/f"), 0);
    expect_setting(&w, "filter.exempt", NULL);
    world_done(&w);
}

static void test_boot_mode(void **state)
{
    (void)state;
    static const struct {
        const char *number, *word;
    } modes[] = {{"0", "permit"}, {"1", "block"}, {"3", "stateful"}};
    struct world w;
    world_init(&w);
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        char want[64];
        assert_int_equal(REG(&w, "add", SERVICES "IPSec", "/v", "OperationMode", "/t", "REG_DWORD",
                             "/d", modes[i].number),
                         0);
        expect_setting(&w, "boot.mode", modes[i].word);
        assert_int_equal(REG(&w, "query", SERVICES "IPSec", "/v", "OperationMode"), 0);
        (void)snprintf(want, sizeof(want), "OperationMode    REG_DWORD    0x%s\n", modes[i].number);
        assert_non_null(strstr(w.run.out.s, want));
    }
    assert_int_equal(
        REG(&w, "add", SERVICES "IPSec", "/v", "OperationMode", "/t", "REG_DWORD", "/d", "2"), 7);
    world_done(&w);
}

static void test_mpp(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    /* R1 to R4 */
    assert_int_equal(REG(&w, "add", SERVICES "Tcpip\\Parameters", "/v", "EnableMPP", "/t",
                         "REG_DWORD", "/d", "0", "/f"),
                     0);
    expect_setting(&w, "mpp.ipv4.enabled", "no");
    expect_setting(&w, "mpp.ipv6.enabled", NULL);
    assert_true(remarked(&w, "EnableMPP says nothing of Profiles"));
    assert_false(remarked(&w, "not in this version"));
    assert_int_equal(REG(&w, "add", SERVICES "Tcpip\\Parameters", "/v", "EnableMPP", "/t",
                         "REG_DWORD", "/d", "1", "/f"),
                     0);
    expect_setting(&w, "mpp.ipv4.enabled", "yes");
    assert_int_equal(REG(&w, "add", SERVICES "Tcpip6\\Parameters", "/v", "EnableMPP", "/t",
                         "REG_DWORD", "/d", "0", "/f"),
                     0);
    expect_setting(&w, "mpp.ipv6.enabled", "no");
    expect_setting(&w, "mpp.ipv4.enabled", "yes");
    assert_int_equal(REG(&w, "add", SERVICES "Tcpip6\\Parameters", "/v", "EnableMPP", "/t",
                         "REG_DWORD", "/d", "7", "/f"),
                     0);
    expect_setting(&w, "mpp.ipv6.enabled", "yes");
    assert_int_equal(warnings(&w), 1);
    /* R5, R6: first without, then with a map. */
    static const char *const families[][2] = {{"Tcpip", "mpp.ipv4.interfaces-off"},
                                              {"Tcpip6", "mpp.ipv6.interfaces-off"}};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        char key[256];
        (void)snprintf(key, sizeof(key), SERVICES "%s\\Parameters\\Interfaces\\{GUID}",
                       families[i][0]);
        assert_int_equal(
            REG(&w, "add", key, "/v", "DisableMPPOnIF", "/t", "REG_DWORD", "/d", "1", "/f"), 6);
        assert_true(remarked(&w, "{GUID}"));
        expect_setting(&w, families[i][1], NULL);
        assert_int_equal(REG(&w, "add", key, "/v", "DisableMPPOnIF", "/t", "REG_DWORD", "/d", "1",
                             "/f", "--map", "guid=eth0"),
                         0);
        expect_setting(&w, families[i][1], "eth0");
        assert_int_equal(REG(&w, "add", key, "/v", "DisableMPPOnIF", "/t", "REG_DWORD", "/d", "1",
                             "/map", "{GUID}=eth1"),
                         0);
        expect_setting(&w, families[i][1], "eth0 eth1");
        assert_int_equal(REG(&w, "delete", key, "/v", "DisableMPPOnIF", "/map", "{GUID}=eth0"), 0);
        expect_setting(&w, families[i][1], "eth1");
        assert_int_equal(REG(&w, "query", key, "/map", "{GUID}=eth1"), 0);
        assert_int_equal(REG(&w, "query", key, "/map", "{GUID}=eth0"), 1);
    }
    world_done(&w);
}

#define THIRTEEN                                                                              \
    "100-101\\0110-111\\0120-121\\0130-131\\0140-141\\0150-151\\0160-161\\0170-171\\0180-181" \
    "\\0190-191\\0200-201\\0210-211\\0220-221"

static void test_mpp_ports(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    /* R7, R8 */
    assert_int_equal(REG(&w, "add", SERVICES "Tcpip\\Parameters", "/v", "MPPExcludedPorts", "/t",
                         "REG_MULTI_SZ", "/d", "5000-5010", "/f"),
                     0);
    expect_setting(&w, "mpp.ipv4.exempt", "5000-5010");
    expect_setting(&w, "mpp.ipv6.exempt", NULL);
    assert_int_equal(REG(&w, "add", SERVICES "Tcpip6\\Parameters", "/v", "MPPExcludedPorts", "/t",
                         "REG_MULTI_SZ", "/d", "5000-5010", "/f"),
                     0);
    expect_setting(&w, "mpp.ipv6.exempt", "5000-5010");
    /* R9 */
    assert_int_equal(REG(&w, "add", SERVICES "Tcpip\\Parameters", "/v", "MPPExcludedPorts", "/t",
                         "REG_MULTI_SZ", "/d", THIRTEEN, "/f"),
                     6);
    expect_setting(&w, "mpp.ipv4.exempt",
                   "100-101, 110-111, 120-121, 130-131, 140-141, 150-151, 160-161, 170-171, "
                   "180-181, 190-191, 200-201, 210-211");
    assert_int_equal(warnings(&w), 1);
    assert_true(remarked(&w, "220-221"));
    assert_int_equal(REG(&w, "query", SERVICES "Tcpip\\Parameters"), 0);
    assert_non_null(strstr(w.run.out.s, "MPPExcludedPorts    REG_MULTI_SZ    100-101\\0110-111"));
    static const char *const wrong[] = {"5000", "10-9", "1-65536", "a-b",
                                        "1-",   "-1",   "1-2-3",   "999999-1"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(REG(&w, "add", SERVICES "Tcpip\\Parameters", "/v", "MPPExcludedPorts",
                             "/t", "REG_MULTI_SZ", "/d", wrong[i]),
                         7);
    world_done(&w);
}

/* The same by file: --all-ranges, --strict. */
static void test_mpp_file(void **state)
{
    (void)state;
    static const char head[] = HEADER "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\"
                                      "Tcpip\\Parameters]\n\"MPPExcludedPorts\"=hex(7):";
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof(text), "%s", head);
    for (int i = 0; i < 13; i++) {
        char range[16];
        (void)snprintf(range, sizeof(range), "%d-%d", 100 + i, 100 + i);
        for (const char *p = range;; p++) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x,00,", (unsigned)*p);
            if (*p == '\0')
                break;
        }
    }
    (void)snprintf(text + n, sizeof(text) - n, "00,00\n");
    struct world w;
    world_init(&w);
    assert_int_equal(import(&w, text), 6);
    assert_true(remarked(&w, "x.reg:4: MPPExcludedPorts: range 112-112"));
    assert_int_equal(warnings(&w), 1);
    struct convert_options o = {.file = "x.reg", .all_ranges = true};
    assert_int_equal(import_with(&w, text, &o), 0);
    char *all = NULL;
    assert_int_equal(catalog_setting_get(&w.catalog, "mpp.ipv4.exempt", &w.diag, &all), 0);
    assert_non_null(strstr(all, "112-112"));
    free(all);
    o = (struct convert_options){.file = "x.reg", .strict = true};
    assert_int_equal(import_with(&w, text, &o), 7);
    world_done(&w);
}

static void test_event_file(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        /* R10, R11, R12, M2 */
        {SERVICES "eventlog\\System\\tcpipv6", "%systemroot%\\system32\\w03a3409.dll"},
        {SERVICES "eventlog\\System\\tcpipv6", "%systemroot%\\system32\\w03a2409.dll"},
        {SERVICES "eventlog\\System\\tcpipv6", "%systemroot%\\system32\\ws03res.dll"},
        {"HKLM\\System\\CCS\\Services\\eventlog\\System\\tcpipv6",
         "%systemroot%system32\\w03a3409.dll"},
    };
    struct world w;
    world_init(&w);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(REG(&w, "add", rows[i][0], "/v", "EventMessageFile", "/t", "REG_SZ", "/d",
                             rows[i][1], "/f"),
                         0);
        assert_int_equal(w.run.n_remarks, 1);
        assert_true(remarked(&w, "no counterpart"));
        assert_int_equal(w.catalog.n_settings, 0);
    }
    world_done(&w);
}

static void test_rpc(void **state)
{
    (void)state;
    static const char key[] = "HKLM\\Software\\Microsoft\\Rpc\\Internet";
    static const char file[] =
        HEADER "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Rpc\\Internet]\n"
               "\"Ports\"=hex(7):35,00,30,00,30,00,31,00,2d,00,35,00,30,00,32,00,31,00,00,00,\\\n"
               "  00,00\n"
               "\"PortsInternetAvailable\"=\"Y\"\n\"UseInternetPorts\"=\"n\"\n";
    struct world w;
    world_init(&w);
    assert_int_equal(REG(&w, "add", key, "/v", "Ports", "/t", "REG_MULTI_SZ", "/d", "5001-5021"),
                     7);
    world_done(&w);
    world_init(&w);
    assert_int_equal(import(&w, file), 0);
    expect_setting(&w, "rpc.ports", "5001-5021");
    expect_setting(&w, "rpc.ports-internet-available", "yes");
    expect_setting(&w, "rpc.use-internet-ports", "no");
    assert_int_equal(REG(&w, "query", key), 0);
    assert_non_null(strstr(w.run.out.s, "    Ports    REG_MULTI_SZ    5001-5021\n"
                                        "    PortsInternetAvailable    REG_SZ    Y\n"
                                        "    UseInternetPorts    REG_SZ    N\n"));
    assert_int_equal(
        REG(&w, "add", key, "/v", "Ports", "/t", "REG_MULTI_SZ", "/d", "6000\\07000-7010"), 0);
    expect_setting(&w, "rpc.ports", "6000, 7000-7010");
    assert_int_equal(REG(&w, "add", key, "/v", "Ports", "/t", "REG_MULTI_SZ", "/d", "70000"), 7);
    assert_int_equal(REG(&w, "add", key, "/v", "UseInternetPorts", "/d", "maybe"), 7);
    assert_int_equal(REG(&w, "delete", key, "/va", "/f"), 0);
    expect_setting(&w, "rpc.ports", NULL);
    expect_setting(&w, "rpc.use-internet-ports", NULL);
    assert_int_equal(REG(&w, "add", SERVICES "Rpc\\Linkage", "/v", "Bind", "/t", "REG_MULTI_SZ",
                         "/s", ";", "/d", "eth0;eth1"),
                     0);
    expect_setting(&w, "rpc.bind", "eth0, eth1");
    world_done(&w);
}

static void test_refused(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_int_equal(REG(&w, "add", "HKLM\\SOFTWARE\\Other", "/v", "X", "/d", "1"), 1);
    assert_int_equal(REG(&w, "query", "HKCU\\SOFTWARE\\Other"), 1);
    assert_int_equal(REG(&w, "add", SERVICES "IPSEC", "/v", "Start", "/t", "REG_DWORD", "/d", "2"),
                     1);
    assert_int_equal(REG(&w, "delete", SERVICES "Tcpip\\Parameters\\Interfaces", "/f"), 1);
    assert_int_equal(REG(&w, "add", ROOT "\\ipsecPolicy{1}", "/v", "ipsecName", "/d", "x"), 1);
    assert_string_equal(w.diag.hint, "portward import reg FILE");
    assert_int_equal(REG(&w, "frobnicate", SERVICES "IPSEC"), 2);
    assert_int_equal(REG(&w, "add", SERVICES "IPSEC"), 2);
    assert_int_equal(REG(&w, "add", SERVICES "IPSEC", "/v"), 2);
    assert_int_equal(REG(&w, "add", SERVICES "IPSEC", "/v", "a", "/v", "b"), 2);
    assert_int_equal(REG(&w, "add", SERVICES "IPSEC", "/x"), 2);
    assert_int_equal(REG(&w, "add", SERVICES "IPSEC", "too", "much"), 2);
    assert_int_equal(REG(&w, "add"), 2);
    assert_int_equal(REG(&w, "add", SERVICES "IPSEC", "/v", "NoDefaultExempt", "/t", "REG_FOO"), 2);
    static const char *const wrong[] = {"", "x", "0x", "-1", "1x", "4294967296", "0x100000000"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(REG(&w, "add", SERVICES "IPSEC", "/v", "NoDefaultExempt", "/t",
                             "REG_DWORD", "/d", wrong[i]),
                         2);
    assert_int_equal(REG(&w, "/?"), 0);
    assert_string_equal(w.run.out.s, tool_reg_help);
    /* In a batch file a key of others is named, and the rest goes on. */
    char verb[] = "add", key[] = "HKLM\\SOFTWARE\\Other", sw[] = "/v", name[] = "X";
    char *argv[] = {verb, key, sw, name, NULL};
    fresh_run(&w);
    w.run.from_file = true;
    w.err = tool_reg(&w.run, 4, argv, &w.diag);
    assert_int_equal(code(&w), 6);
    assert_true(remarked(&w, "not run: reg add HKLM\\SOFTWARE\\Other /v X"));
    assert_int_equal(w.catalog.n_settings, 0);
    world_done(&w);
}

static void test_ignored(void **state)
{
    (void)state;
    static const char file[] =
        HEADER "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\IPSEC]\n"
               "\"NoDefaultExempt\"=dword:00000001\n\"Start\"=dword:00000002\n"
               "[HKEY_CURRENT_USER\\Software\\X]\n\"A\"=\"b\"\n\"B\"=\"c\"\n"
               "[-HKEY_LOCAL_MACHINE\\SOFTWARE\\Y]\n"
               "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Empty]\n";
    struct world w;
    world_init(&w);
    assert_int_equal(import(&w, file), 6);
    expect_setting(&w, "filter.exempt", "1");
    assert_int_equal(w.run.n_remarks, 3);
    assert_true(remarked(&w, "Services\\IPSEC: ignored: 'Start'"));
    assert_true(remarked(&w, "Software\\X: ignored: 'A', 'B'"));
    assert_true(remarked(&w, "SOFTWARE\\Y: ignored, the file removes it"));
    struct convert_options o = {.file = "x.reg", .strict = true};
    assert_int_equal(import_with(&w, file, &o), 7);
    assert_int_equal(import(&w, HEADER "[-HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services"
                                       "\\IPSEC]\n"),
                     0);
    expect_setting(&w, "filter.exempt", NULL);
    assert_int_equal(import(&w, HEADER "[HKEY_CURRENT_USER\\Z]\n\"a\"=\"\"\n\"b\"=\"\"\n@=\"\"\n"
                                       "\"d\"=\"\"\n\"e\"=\"\"\n\"f\"=\"\"\n"),
                     6);
    assert_true(remarked(&w, "Z: ignored: 'a', 'b', '@', 'd' and 2 more"));
    /* Removed and made anew: what is not said again is gone. */
    assert_int_equal(catalog_setting_set(&w.catalog, "filter.exempt", "1"), 0);
    assert_int_equal(import(&w, HEADER "[-HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services"
                                       "\\IPSEC]\n"
                                       "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services"
                                       "\\IPSEC]\n\"OperationMode\"=dword:00000001\n"),
                     0);
    expect_setting(&w, "filter.exempt", NULL);
    expect_setting(&w, "boot.mode", "block");
    world_done(&w);
}

/* --- TCP/IP filtering --- */
#define PARAMETERS "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters"
/* eth A: tcp 80, 443; eth B: tcp 80, udp all, proto 47 */
#define FILTERING                                                                             \
    PARAMETERS "\\Interfaces\\{AAAAAAAA-0000-0000-0000-000000000001}]\n"                      \
               "\"TCPAllowedPorts\"=hex(7):38,00,30,00,00,00,34,00,34,00,33,00,00,00,00,00\n" \
               "\"UDPAllowedPorts\"=hex(7):35,00,33,00,00,00,00,00\n" PARAMETERS              \
               "\\Interfaces\\{AAAAAAAA-0000-0000-0000-000000000002}]\n"                      \
               "\"TCPAllowedPorts\"=hex(7):38,00,30,00,00,00,00,00\n"                         \
               "\"UDPAllowedPorts\"=hex(7):30,00,00,00,00,00\n"                               \
               "\"RawIpAllowedProtocols\"=hex(7):34,00,37,00,00,00,00,00\n"

static void expect_policy(struct world *w, const char *name, const char *want)
{
    struct policy *p = NULL;
    struct strbuf out = STRBUF_INIT(1024 * 1024);
    assert_int_equal(catalog_policy(&w->catalog, name, &w->diag, &p), 0);
    assert_int_equal(text_print_policy(p, &out), 0);
    assert_string_equal(out.s, want);
    strbuf_done(&out);
}

static void test_filtering(void **state)
{
    (void)state;
    static const char on[] = HEADER PARAMETERS "]\n\"EnableSecurityFilters\"=dword:1\n" FILTERING;
    struct world w;
    world_init(&w);
    assert_int_equal(import(&w, on), 0);
    /* Open is what both open; closed is what one of them closes. */
    expect_policy(&w, "TCP/IP filtering",
                  "policy \"TCP/IP filtering\" {\n"
                  "    rule \"All interfaces\" {\n"
                  "        permit in tcp from any to me port 80\n"
                  "        block in tcp from any to me\n"
                  "        permit out tcp from me to any keep state\n"
                  "        permit in udp from any to me port 53\n"
                  "        block in udp from any to me\n"
                  "        permit out udp from me to any keep state\n"
                  "        permit in icmp from any to me\n"
                  "        permit in gre from any to me\n"
                  "        permit in icmpv6 from any to me\n"
                  "        block in from any to me\n"
                  "    }\n}\n");
    static const char *const map[] = {"{AAAAAAAA-0000-0000-0000-000000000001}=eth0"};
    struct convert_options o = {.file = "x.reg", .map = map, .n_map = 1};
    assert_int_equal(import_with(&w, on, &o), 6);
    assert_true(remarked(&w, "{AAAAAAAA-0000-0000-0000-000000000002}"));
    expect_policy(&w, "TCP/IP filtering",
                  "policy \"TCP/IP filtering\" {\n"
                  "    rule \"eth0\" {\n"
                  "        permit in tcp from any to me port 80 on eth0\n"
                  "        permit in tcp from any to me port 443 on eth0\n"
                  "        block in tcp from any to me on eth0\n"
                  "        permit out tcp from me to any on eth0 keep state\n"
                  "        permit in udp from any to me port 53 on eth0\n"
                  "        block in udp from any to me on eth0\n"
                  "        permit out udp from me to any on eth0 keep state\n"
                  "    }\n}\n");
    world_done(&w);
    world_init(&w);
    assert_int_equal(import(&w, HEADER FILTERING), 0);
    assert_true(remarked(&w, "off in the file"));
    assert_int_equal(w.catalog.n_policies, 0);
    assert_int_equal(import(&w, HEADER PARAMETERS
                            "]\n\"EnableSecurityFilters\"=dword:1\n" PARAMETERS
                            "\\Interfaces\\{1}]\n"
                            "\"TCPAllowedPorts\"=hex(7):37,00,78,00,00,00,00,00\n"),
                     7);
    world_done(&w);
}

/* --- policies there and back --- */
#define BLOCK_LIST "attribute filterlist \"webs\" attribute filteraction \"deny\""
static const char library[] =
    "policy \"filterlists\" {\n"
    "    rule \"webs\" attribute description \"web servers\" {\n"
    "        block in tcp from any to me port 80\n"
    "        block tcp from 10.0.0.0/8 to me port 443\n"
    "        block in from any to me mirrored\n"
    "        block udp from 192.0.2.1 to 198.51.100.0/24\n"
    "        block in tcp from 2001:db8::/32 to me port 1000-2000\n"
    "    }\n"
    "    rule \"empty\" {\n    }\n"
    "}\n"
    "policy \"filteractions\" {\n"
    "    rule \"deny\" { block from any to any }\n"
    "    rule \"allow\" { permit from any to any }\n"
    "    rule \"pass\" { permit inpass from any to any }\n"
    "    rule \"secure\" attribute qm-methods \"ESP[3DES,SHA1]:50000k/900s ESP[DES,MD5]\" "
    "attribute qm-pfs \"yes\" { negotiate esp 3des-sha1,des-md5 rekey 50000k/15m from any to any "
    "}\n"
    "}\n";
static const char policy[] =
    "policy \"Office\" description \"for the office\" poll 1h attribute mm-methods \"3DES-SHA1-2\" "
    "attribute mm-pfs \"yes\" attribute mm-lifetime \"3600\" attribute qm-per-mm \"5\" attribute "
    "default-response \"no\" {\n"
    "    rule \"Block webs\" attribute description \"no web\" " BLOCK_LIST " { }\n"
    "    inactive rule \"Off\" connection lan attribute filterlist \"webs\" attribute filteraction "
    "\"allow\" { }\n"
    "    rule \"Nothing\" connection dialup attribute filterlist \"empty\" attribute filteraction "
    "\"pass\" { }\n"
    "    rule \"Secure\" attribute auth \"cert:\\\"CN=Root \\\\\\\"A\\\\\\\"\\\" kerberos\" "
    "attribute tunnel \"192.0.2.7\" attribute filterlist \"webs\" attribute filteraction "
    "\"secure\" { }\n"
    "}\n";

static void load(struct world *w, const char *text)
{
    struct diag d = {0};
    fresh_run(w);
    int err = convert_read(&w->run, CONVERT_TEXT, text, strlen(text),
                           &(struct convert_options){.file = "text"}, &d);
    if (err < 0)
        fail_msg("%s", d.message);
}

static char *export_policy(struct world *w, const char *name, bool assigned,
                           struct convert_losses *l)
{
    struct strbuf out = STRBUF_INIT(16 * 1024 * 1024);
    struct policy *p = NULL;
    assert_int_equal(strbuf_add(&out, HEADER), 0);
    assert_int_equal(catalog_policy(&w->catalog, name, &w->diag, &p), 0);
    assert_int_equal(convert_write_reg(&w->catalog, p, assigned, &out, l), 0);
    return strbuf_take(&out);
}

static char *text_of(struct world *w, const char *name)
{
    struct strbuf out = STRBUF_INIT(16 * 1024 * 1024);
    struct policy *p = NULL;
    assert_int_equal(catalog_settle(&w->catalog, &w->diag), 0);
    assert_int_equal(catalog_policy(&w->catalog, name, &w->diag, &p), 0);
    assert_int_equal(text_print_policy(p, &out), 0);
    return strbuf_take(&out);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct world a, b;
    struct convert_losses l = {0};
    world_init(&a);
    world_init(&b);
    assert_int_equal(catalog_library_parse(&a.catalog, library, strlen(library), &a.diag), 0);
    a.catalog.has_library = true;
    load(&a, policy);
    char *before = text_of(&a, "Office");
    char *file = export_policy(&a, "Office", true, &l),
         *again = export_policy(&a, "Office", true, &l);
    assert_int_equal(l.n, 0);
    assert_string_equal(file, again); /* the same every time */
    struct convert_options o = {.file = "x.reg", .assign = true};
    int exit = import_with(&b, file, &o);
    for (size_t i = 0; i < b.run.n_remarks; i++)
        print_message("# %s\n", b.run.remarks[i].text);
    assert_int_equal(exit, 0);
    char *after = text_of(&b, "Office");
    assert_string_equal(after, before);
    const char *assigned = NULL;
    assert_int_equal(catalog_assigned(&b.catalog, CATALOG_LOCAL, &b.diag, &assigned), 0);
    assert_string_equal(assigned, "Office");
    /* Shared lists stay shared, identities are kept. */
    assert_int_equal(b.catalog.n_lists, 2);
    assert_int_equal(b.catalog.n_actions, 4);
    struct policy *pa = NULL, *pb = NULL;
    assert_int_equal(catalog_policy(&a.catalog, "Office", &a.diag, &pa), 0);
    assert_int_equal(catalog_policy(&b.catalog, "Office", &b.diag, &pb), 0);
    assert_int_equal(guid_cmp(&pa->guid, &pb->guid), 0);
    for (size_t i = 0; i < pa->n_rules; i++)
        assert_int_equal(guid_cmp(&pa->rules[i].guid, &pb->rules[i].guid), 0);
    /* Once more into the same catalog: nothing is doubled. */
    assert_int_equal(import_with(&b, file, &o), 0);
    assert_int_equal(b.catalog.n_lists, 2);
    assert_int_equal(b.catalog.n_actions, 4);
    /* What was read is written as the same bytes. */
    char *third = export_policy(&b, "Office", true, &l);
    assert_string_equal(third, file);
    /* By another name. */
    o.name = "Other";
    assert_int_equal(import_with(&b, file, &o), 0);
    assert_int_equal(catalog_policy(&b.catalog, "Other", &b.diag, &pb), 0);
    free(before);
    free(after);
    free(file);
    free(again);
    free(third);
    convert_losses_done(&l);
    world_done(&a);
    world_done(&b);
}

/* Rules with filters of their own get a list for each action; what has no form is named. */
static void test_own_filters(void **state)
{
    (void)state;
    struct world a, b;
    struct convert_losses l = {0};
    world_init(&a);
    world_init(&b);
    load(&a, "policy \"P\" {\n"
             "    rule \"R\" {\n"
             "        block in tcp from any to me port 135,139\n"
             "        permit in tcp from 10.0.0.1 to me port 135\n"
             "        permit out tcp from me to any keep state\n"
             "    }\n"
             "    rule \"S\" attribute auth \"psk:1b4e28ba-2fa1-11d2-883f-0016d3cca427\" {\n"
             "        block in udp from any to me port 1434\n"
             "    }\n"
             "}\n");
    char *file = export_policy(&a, "P", false, &l);
    assert_int_equal(l.n, 2);
    assert_non_null(strstr(l.v[0], "keep state"));
    assert_non_null(strstr(l.v[1], "preshared key"));
    assert_null(strstr(file, "1b4e28ba"));
    assert_null(strstr(file, "ActivePolicy"));
    assert_int_equal(import(&b, file), 0);
    char *text = text_of(&b, "P");
    assert_non_null(strstr(text, "block in tcp from any to me port 135\n"));
    assert_non_null(strstr(text, "block in tcp from any to me port 139\n"));
    assert_non_null(strstr(text, "permit in tcp from 10.0.0.1 to me port 135\n"));
    assert_null(strstr(text, "from me to any"));
    free(file);
    free(text);
    convert_losses_done(&l);
    world_done(&a);
    world_done(&b);
}

/* --- broken objects --- */
/* Replaces the first `from` in the text. */
static char *changed(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    char *out = calloc(1, strlen(text) + strlen(to) + 1);
    assert_non_null(out);
    memcpy(out, text, (size_t)(at - text));
    strcat(out, to);
    strcat(out, at + strlen(from));
    return out;
}

static void test_broken(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *remark;
        size_t rules;
    } cases[] = {
        {"\\ipsecFilter{", "\\ipsecOther{", "is not in the file", 1},
        {"\"ipsecFilterReference\"=", "\"ipsecNoReference\"=", "refers to no filter list", 1},
        {"\"ipsecNegotiationPolicyReference\"=", "\"ipsecNoReference\"=",
         "refers to no filter action", 1},
        {"\"ipsecData\"=hex:b5,20,dc", "\"ipsecData\"=hex:b5,20,dd", "ipsecFilter{", 1},
        {"\"ipsecData\"=hex:00,ac,bb", "\"ipsecData\"=hex:00,ac,bc", "ipsecNFA{", 1},
        {"\"ipsecData\"=hex:b8,20", "\"ipsecNoData\"=hex:b8,20", "ipsecISAKMPPolicy{", 2},
        {"\"ipsecNegotiationPolicyAction\"=\"{3F91A819",
         "\"ipsecNegotiationPolicyAction\"=\"{00000000", "none that is known", 1},
    };
    struct world a;
    struct convert_losses l = {0};
    world_init(&a);
    load(&a, "policy \"P\" {\n"
             "    rule \"R\" { block in tcp from any to me port 135 }\n"
             "    rule \"S\" { permit in udp from any to me port 53 }\n"
             "}\n");
    char *file = export_policy(&a, "P", false, &l);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world b;
        struct policy *p = NULL;
        world_init(&b);
        if (!strstr(file, cases[i].from))
            fail_msg("case %zu: %s is not in the file", i, cases[i].from);
        char *text = changed(file, cases[i].from, cases[i].to);
        assert_int_equal(import(&b, text), 6);
        if (!remarked(&b, cases[i].remark))
            fail_msg("case %zu: no remark '%s'", i, cases[i].remark);
        assert_int_equal(catalog_policy(&b.catalog, "P", &b.diag, &p), 0);
        if (p->n_rules != cases[i].rules)
            fail_msg("case %zu: %zu rules", i, p->n_rules);
        free(text);
        world_done(&b);
    }
    free(file);
    convert_losses_done(&l);
    world_done(&a);
}

/* --- preshared keys --- */
static const char *reference(const char *leaf)
{
    static char buf[4][256];
    static unsigned n;
    char *s = buf[n++ % 4];
    (void)snprintf(s, 256, "SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\Policy\\Local\\%s",
                   leaf);
    return s;
}

static struct reg_key *object(struct reg_tree *t, const char *leaf, struct blob_bytes *data)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "HKEY_LOCAL_MACHINE\\%s", reference(leaf));
    struct reg_key *k = reg_make(t, path);
    assert_non_null(k);
    assert_int_equal(reg_set_bytes(k, "ipsecData", data->v, data->n), 0);
    blob_bytes_done(data);
    return k;
}

#define P "ipsecPolicy{00000000-0000-0000-0000-000000000001}"
#define N "ipsecNFA{00000000-0000-0000-0000-000000000002}"
#define F "ipsecFilter{00000000-0000-0000-0000-000000000003}"
#define A "ipsecNegotiationPolicy{00000000-0000-0000-0000-000000000004}"

static void test_preshared_key(void **state)
{
    (void)state;
    char key[] = "very secret";
    struct blob_auth auth[] = {{BLOB_AUTH_PSK, key}, {BLOB_AUTH_KERBEROS, NULL}};
    struct blob_nfa nfa = {
        .auth = auth, .n_auth = 2, .interface_type = BLOB_IF_ALL, .is_active = true};
    struct blob_policy pol = {.poll_s = 10800};
    struct blob_filters filters = {0};
    struct blob_negotiation none = {0};
    struct blob_bytes b = {0};
    struct reg_tree t = {0};
    const char *nfas[] = {reference(N), reference("ipsecNFA{missing}")};
    struct world w;
    struct policy *p = NULL;
    world_init(&w);
    assert_int_equal(blob_policy_write(&pol, &b), 0);
    struct reg_key *k = object(&t, P, &b);
    assert_int_equal(reg_set_text(k, "ipsecName", REG_SZ, "Keys"), 0);
    assert_int_equal(reg_set_strings(k, "ipsecNFAReference", nfas, 2), 0);
    assert_int_equal(blob_nfa_write(&nfa, &b), 0);
    k = object(&t, N, &b);
    const char *lists[] = {reference(F)};
    assert_int_equal(reg_set_strings(k, "ipsecFilterReference", lists, 1), 0);
    assert_int_equal(reg_set_text(k, "ipsecNegotiationPolicyReference", REG_SZ, reference(A)), 0);
    assert_int_equal(blob_filters_write(&filters, &b), 0);
    k = object(&t, F, &b);
    assert_int_equal(blob_negotiation_write(&none, &b), 0);
    k = object(&t, A, &b);
    assert_int_equal(reg_set_text(k, "ipsecNegotiationPolicyAction", REG_SZ,
                                  "{8a171dd2-77e3-11d1-8659-a04f00000000}"),
                     0);
    fresh_run(&w);
    w.err = convert_read_reg_tree(&w.run, &t, &(struct convert_options){.file = "x"}, &w.diag);
    assert_int_equal(code(&w), 6);
    assert_int_equal(w.run.n_remarks, 1); /* the dangling reference */
    assert_true(remarked(&w, "ipsecNFA{missing}"));
    assert_int_equal(w.catalog.n_secrets, 1);
    assert_string_equal(w.catalog.secrets[0].value, key);
    assert_int_equal(catalog_policy(&w.catalog, "Keys", &w.diag, &p), 0);
    assert_int_equal(p->n_rules, 1);
    assert_string_equal(p->rules[0].name, F); /* a rule without name, of a list without one */
    assert_int_equal(strncmp(attributes_get(&p->rules[0].attributes, "auth"), "psk:", 4), 0);
    struct strbuf out = STRBUF_INIT(1024 * 1024);
    struct convert_losses l = {0};
    assert_int_equal(convert_write_reg(&w.catalog, p, true, &out, &l), 0);
    assert_null(strstr(out.s, "76,00,65,00,72,00,79"));
    assert_int_equal(l.n, 1);
    strbuf_done(&out);
    convert_losses_done(&l);
    reg_tree_done(&t);
    world_done(&w);
}

/* --- PFS, whose field the documents explain in two ways --- */
static void test_pfs(void **state)
{
    (void)state;
    static const struct {
        uint32_t first, second;
        const char *attribute;
        int code;
    } cases[] = {{0, 0, NULL, 0}, {1, 1, "yes", 0}, {2, 2, "2", 0}, {1, 2, "yes", 6}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct blob_offer offers[] = {{900, 0, cases[i].first, 1, {{3, 2, 2}}},
                                      {900, 0, cases[i].second, 1, {{2, 1, 2}}},
                                      {0, 0, 0, 0, {{0}}}};
        struct blob_negotiation n = {offers, 3};
        struct blob_bytes b = {0};
        struct reg_tree t = {0};
        struct filter_action *a = NULL;
        struct world w;
        world_init(&w);
        assert_int_equal(blob_negotiation_write(&n, &b), 0);
        struct reg_key *k = object(&t, A, &b);
        assert_int_equal(reg_set_text(k, "ipsecNegotiationPolicyAction", REG_SZ,
                                      "{8A171DD3-77E3-11D1-8659-A04F00000000}"),
                         0);
        assert_int_equal(reg_set_text(k, "ipsecName", REG_SZ, "secure"), 0);
        fresh_run(&w);
        w.err = convert_read_reg_tree(&w.run, &t, &(struct convert_options){.file = "x"}, &w.diag);
        assert_int_equal(code(&w), cases[i].code);
        assert_int_equal(remarked(&w, "PFS value"), cases[i].attribute != NULL);
        assert_int_equal(catalog_action(&w.catalog, "secure", &w.diag, &a), 0);
        const char *pfs = attributes_get(&a->attributes, "qm-pfs");
        assert_string_equal(pfs ? pfs : "-", cases[i].attribute ? cases[i].attribute : "-");
        assert_string_equal(attributes_get(&a->attributes, "soft"), "yes");
        reg_tree_done(&t);
        world_done(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exempt),     cmocka_unit_test(test_boot_mode),
        cmocka_unit_test(test_mpp),        cmocka_unit_test(test_mpp_ports),
        cmocka_unit_test(test_mpp_file),   cmocka_unit_test(test_event_file),
        cmocka_unit_test(test_rpc),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ignored),    cmocka_unit_test(test_filtering),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_own_filters),
        cmocka_unit_test(test_broken),     cmocka_unit_test(test_preshared_key),
        cmocka_unit_test(test_pfs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
