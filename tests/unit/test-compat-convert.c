/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/convert.c: which form a file has, files of several policies in every form, what is
 * assigned by reading one, and losses that are listed instead of written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "compat-reg.h"
#include "text/text.h"

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < _CONVERT_FORMAT_MAX; i++)
        assert_int_equal(convert_format_from_name(convert_format_name((enum convert_format)i)), i);
    assert_int_equal(convert_format_from_name("REG"), CONVERT_REG);
    assert_int_equal(convert_format_from_name("ipsecpol"), CONVERT_IPSECCMD);
    assert_int_equal(convert_format_from_name("iptables"), -1);
    assert_int_equal(convert_format_from_name(""), -1);
}

static void test_guess(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        int format;
    } cases[] = {
        {"x", "policy \"A\" {}\n", CONVERT_TEXT},
        {"x", "# comment\n\n  policy A {}\n", CONVERT_TEXT},
        {"x", "Windows Registry Editor Version 5.00\r\n", CONVERT_REG},
        {"x", "\xef\xbb\xbf\r\nREGEDIT4\r\n", CONVERT_REG},
        {"x", "netsh ipsec static show all\n", CONVERT_NETSH},
        {"x", "NETSH.EXE ipsec static show all\n", CONVERT_NETSH},
        {"x", "pushd ipsec static\n", CONVERT_NETSH},
        {"x", "rem old\r\n\"ipseccmd\" -w REG -p A -x\r\n", CONVERT_IPSECCMD},
        {"x", "@ipsecpol.exe -w REG -p A -x\n", CONVERT_IPSECCMD},
        {"x", "\xff\xfeW", CONVERT_REG},
        {"x", "", -1},
        {"x", "iptables -A INPUT -j DROP\n", -1},
        {"x", "policymaker\n", -1},
        {"x.pw", "", CONVERT_TEXT},
        {"X.REG", "?", CONVERT_REG},
        {"a.netsh", "?", CONVERT_NETSH},
        {".reg", "?", -1},
        {NULL, "?", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (convert_guess(cases[i].name, cases[i].text, strlen(cases[i].text)) != cases[i].format)
            fail_msg("case %zu: %s", i, cases[i].text);
}

/* --- several policies in one file --- */
static const char two[] = "policy \"One\" {\n"
                          "    rule \"R\" attribute filterlist \"webs\" attribute filteraction "
                          "\"deny\" { }\n"
                          "    rule \"S\" { permit tcp from 10.0.0.1 to me port 80 mirrored }\n"
                          "}\n"
                          "policy \"Two\" {\n"
                          "    rule \"R\" attribute filterlist \"webs\" attribute filteraction "
                          "\"deny\" { }\n"
                          "    rule \"S\" { block in udp from any to me port 1434 }\n"
                          "}\n";
static const char library[] =
    "policy \"filterlists\" {\n"
    "    rule \"webs\" { block in tcp from any to me port 80 }\n"
    "}\n"
    "policy \"filteractions\" {\n    rule \"deny\" { block from any to any }\n}\n";

static int read_as(struct world *w, enum convert_format format, const struct strbuf *text,
                   const struct convert_options *o)
{
    _cleanup_free_ char *bytes = NULL;
    size_t n = 0;
    fresh_run(w);
    assert_int_equal(convert_encode(format, text, &bytes, &n), 0);
    assert_int_equal(bytes[n], '\0');
    w->err = convert_read(&w->run, format, bytes, n, o, &w->diag);
    if (w->err == 0)
        w->err = catalog_settle(&w->catalog, &w->diag);
    return code(w);
}

static void load(struct world *w, const char *text)
{
    struct convert_options o = {.file = "text"};
    fresh_run(w);
    if (convert_read(&w->run, CONVERT_TEXT, text, strlen(text), &o, &w->diag) < 0)
        fail_msg("%s", w->diag.message);
}

static void load_two(struct world *w)
{
    assert_int_equal(catalog_library_parse(&w->catalog, library, strlen(library), &w->diag), 0);
    w->catalog.has_library = true;
    load(w, two);
    assert_int_equal(catalog_settle(&w->catalog, &w->diag), 0);
    assert_int_equal(catalog_assign(&w->catalog, CATALOG_LOCAL, "Two", &w->diag), 0);
}

/* Filters of all rules, in order: what is the same in every form. */
static void print_filters(struct world *w, const char *name, struct strbuf *out)
{
    struct policy *p = NULL;
    if (catalog_policy(&w->catalog, name, &w->diag, &p) < 0)
        fail_msg("%s", w->diag.message);
    for (size_t i = 0; i < p->n_rules; i++)
        for (size_t k = 0; k < p->rules[i].n_filters; k++) {
            assert_int_equal(text_print_filter(&p->rules[i].filters[k], out), 0);
            assert_int_equal(strbuf_add_char(out, '\n'), 0);
        }
}

static void test_all(void **state)
{
    (void)state;
    for (int f = 0; f < _CONVERT_FORMAT_MAX; f++) {
        enum convert_format format = (enum convert_format)f;
        _cleanup_(convert_losses_done) struct convert_losses l = {0};
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(1024 * 1024),
                                             again = STRBUF_INIT(1024 * 1024);
        struct world a, b;
        const char *assigned = NULL;
        world_init(&a);
        world_init(&b);
        load_two(&a);
        assert_int_equal(convert_write_all(format, &a.catalog, &text, &l, &a.diag), 0);
        assert_int_equal(convert_write_all(format, &a.catalog, &again, &l, &a.diag), 0);
        assert_string_equal(text.s, again.s);
        struct convert_options o = {.file = "x", .assign = true};
        if (read_as(&b, format, &text, &o) != 0)
            fail_msg("%s: %s", convert_format_name(format),
                     b.run.n_remarks > 0 ? b.run.remarks[0].text : b.diag.message);
        for (int i = 0; i < 2; i++) {
            _cleanup_(strbuf_done) struct strbuf before = STRBUF_INIT(64 * 1024),
                                                 after = STRBUF_INIT(64 * 1024);
            const char *name = i == 0 ? "One" : "Two";
            print_filters(&a, name, &before);
            print_filters(&b, name, &after);
            assert_string_equal(before.s, after.s);
        }
        assert_int_equal(catalog_assigned(&b.catalog, CATALOG_LOCAL, &b.diag, &assigned), 0);
        assert_string_equal(assigned, format == CONVERT_TEXT ? "" : "Two");
        /* What two policies share is one object, with both as its owners. */
        if (format == CONVERT_REG) {
            assert_int_equal(b.catalog.n_lists, 3); /* webs, and one of each S */
            const char *first = strstr(text.s, "\"ipsecName\"=\"webs\"");
            assert_non_null(first);
            assert_null(strstr(first + 1, "\"ipsecName\"=\"webs\""));
        }
        world_done(&a);
        world_done(&b);
    }
}

/* --- assignment --- */
static void test_assignment(void **state)
{
    (void)state;
    static const struct {
        enum convert_format format;
        const char *text;
    } files[] = {
        {CONVERT_NETSH, "ipsec static add policy name=New assign=yes\n"},
        {CONVERT_NETSH, "ipsec static set policy name=Here assign=no\n"},
        {CONVERT_IPSECCMD, "ipseccmd -w REG -p New -r R -f *=0:80:TCP -n BLOCK -x\n"},
        {CONVERT_IPSECCMD, "ipseccmd -w REG -p Here -y\n"},
        {CONVERT_IPSECCMD, "ipseccmd -w REG -p Here -o\n"
                           "ipseccmd -w REG -p Here -r R -f *=0:80:TCP -n BLOCK\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct convert_options o = {.file = "x"};
        const char *assigned = NULL;
        struct world w;
        world_init(&w);
        load(&w, "policy \"Here\" { rule \"A\" { block in tcp from any to me port 1 } }\n");
        assert_int_equal(catalog_assign(&w.catalog, CATALOG_LOCAL, "Here", &w.diag), 0);
        fresh_run(&w);
        if (convert_read(&w.run, files[i].format, files[i].text, strlen(files[i].text), &o,
                         &w.diag) < 0)
            fail_msg("file %zu: %s", i, w.diag.message);
        assert_int_equal(catalog_assigned(&w.catalog, CATALOG_LOCAL, &w.diag, &assigned), 0);
        if (strcmp(assigned, "Here") != 0)
            fail_msg("file %zu assigns '%s'", i, assigned);
        assert_int_equal(remarked(&w, "policy 'New' is the assigned one of the file"),
                         strstr(files[i].text, "New") != NULL);
        world_done(&w);
    }
}

/* --- losses --- */
static void test_losses(void **state)
{
    (void)state;
    static const char text[] =
        "policy \"P\" {\n"
        "    rule \"kept\" { block in tcp from any to me port 80 }\n"
        "    rule \"ping\" { block in icmp type 8 from any to me }\n"
        "    rule \"worm\" { block in tcp from any to me port 445 override }\n"
        "}\n";
    for (int f = CONVERT_REG; f < _CONVERT_FORMAT_MAX; f++) {
        enum convert_format format = (enum convert_format)f;
        _cleanup_(convert_losses_done) struct convert_losses l = {0};
        _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(1024 * 1024),
                                             filters = STRBUF_INIT(64 * 1024);
        struct convert_options o = {.file = "x"};
        struct policy *p = NULL;
        struct world a, b;
        world_init(&a);
        world_init(&b);
        load(&a, text);
        assert_int_equal(catalog_policy(&a.catalog, "P", &a.diag, &p), 0);
        assert_int_equal(convert_write_begin(format, &out), 0);
        assert_int_equal(convert_write(format, &a.catalog, p, false, &out, &l), 0);
        assert_int_equal(l.n, 2);
        assert_non_null(strstr(l.v[0], "icmp type 8"));
        assert_non_null(strstr(l.v[1], "port 445"));
        assert_int_equal(read_as(&b, format, &out, &o), 0);
        print_filters(&b, "P", &filters);
        /* windows.md 20: an override is written as a plain block. */
        assert_string_equal(filters.s, "block in tcp from any to me port 80\n"
                                       "block in tcp from any to me port 445\n");
        world_done(&a);
        world_done(&b);
    }
}

/* --- names and mistakes --- */
static void test_one_name(void **state)
{
    (void)state;
    struct convert_options o = {.file = "x.pw", .name = "N"};
    struct policy *p;
    struct world w;
    world_init(&w);
    fresh_run(&w);
    w.err = convert_read(&w.run, CONVERT_TEXT, two, strlen(two), &o, &w.diag);
    assert_int_equal(code(&w), 2);
    assert_string_equal(w.diag.message, "x.pw holds 2 policies, one name is given");
    static const char bad[] = "policy \"A\" {\n    rule \"r\" block in tcp port 70000\n}\n";
    fresh_run(&w);
    w.err = convert_read(&w.run, CONVERT_TEXT, bad, strlen(bad), &o, &w.diag);
    assert_int_equal(code(&w), 7);
    assert_non_null(strstr(w.diag.message, "x.pw:2: "));
    static const char one[] =
        "policy \"A\" { rule \"r\" { block in tcp from any to me port 7 } }\n";
    for (int i = 0; i < 2; i++) { /* the second time it takes the place of the first */
        fresh_run(&w);
        w.err = convert_read(&w.run, CONVERT_TEXT, one, strlen(one), &o, &w.diag);
        assert_int_equal(code(&w), 0);
        assert_int_equal(catalog_policy(&w.catalog, "N", &w.diag, &p), 0);
        assert_int_equal(p->n_rules, 1);
    }
    assert_true(catalog_policy(&w.catalog, "A", &w.diag, &p) < 0);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_guess),
        cmocka_unit_test(test_all),    cmocka_unit_test(test_assignment),
        cmocka_unit_test(test_losses), cmocka_unit_test(test_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
