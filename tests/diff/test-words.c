/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words for packet sets and findings (text/text.h) as the samples of cli.md have them: texts
 * of filters in, the lines of diff, exceptions and check out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "compile/check.h"
#include "compile/diff.h"
#include "model/policy.h"
#include "set.h"
#include "testlib/gen.h"
#include "text/text.h"

enum { FILTERS = 16 };
struct side {
    struct filter f[FILTERS];
    struct effective_filter v[FILTERS];
    struct filter_settings settings;
    struct host host;
    struct effective e;
};

/* Lines "NAME: FILTER". */
static void side_init(struct side *s, char *text)
{
    memset(s, 0, sizeof(*s));
    filter_settings_init(&s->settings);
    s->e = (struct effective){.v = s->v, .settings = &s->settings, .host = &s->host};
    char *save;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *filter = strstr(line, ": ");
        assert_non_null(filter);
        *filter = '\0';
        filter += 2;
        size_t i = s->e.n++;
        struct diag d;
        if (text_parse_filter(filter, strlen(filter), &d, &s->f[i]) < 0)
            fail_msg("%s: %s", filter, d.message);
        s->f[i].at.line = (uint32_t)i + 1;
        s->v[i] = (struct effective_filter){
            .filter = &s->f[i], .layer = LAYER_LOCAL, .counter_id = COUNTER_NONE, .rule = line};
    }
}

static void side_done(struct side *s)
{
    for (size_t i = 0; i < s->e.n; i++)
        filter_done(&s->f[i]);
}

static void diff_says(const char *a, const char *b, const char *wanted)
{
    struct side x, y;
    char text_a[1024], text_b[1024];
    (void)format_into(text_a, sizeof(text_a), "%s", a);
    (void)format_into(text_b, sizeof(text_b), "%s", b);
    side_init(&x, text_a);
    side_init(&y, text_b);
    struct diff_result d;
    struct strbuf out = STRBUF_INIT(65536);
    assert_int_equal(diff_effective(&x.e, &y.e, 0, NULL, &d), 0);
    assert_true(d.complete);
    for (size_t i = 0; i < d.n; i++) {
        const struct decision *by = &d.v[i].in_b;
        (void)strbuf_add(&out, d.v[i].blocked ? "- " : "+ ");
        assert_int_equal(text_print_set(&d.v[i].set, 0, &out), 0);
        (void)strbuf_addf(&out, " (%s)\n",
                          by->decider == DECIDED_FILTER ? y.v[by->index].rule : "nothing");
    }
    assert_string_equal(out.s ? out.s : "", wanted);
    strbuf_done(&out);
    diff_result_done(&d);
    side_done(&x);
    side_done(&y);
}

static void test_diff(void **state)
{
    (void)state;
    diff_says("A: permit in tcp from 10.0.0.0/8 to me port 22\nB: block in tcp port 22",
              "A: permit in tcp from 10.1.0.0/16 to me port 22\nB: block in tcp port 22",
              "- tcp from 10.0.0.0/8 but 10.1.0.0/16 to me port 22 (B)\n");
    diff_says("A: permit in tcp from 10.1.1.0/24 to me port 445",
              "A: permit in tcp from 10.1.1.0/24 to me port 445\nN: block in tcp port 445",
              "- tcp from any but 10.1.1.0/24 to me port 445 (N)\n");
    diff_says("A: block in tcp port 80,443", "A: block in tcp port 443,80", "");
    diff_says("A: block in tcp port 80-81", "A: block in tcp port 80",
              "+ tcp from any to me port 81 (nothing)\n");
    diff_says("A: block out tcp port 25", "A: block tcp from any to any port 25",
              "- tcp from any but me to any port 25 (A)\n");
    diff_says("A: permit in tcp port 22", "A: permit in tcp port 22\nB: block in",
              "- tcp from any to me port any but 22\n"
              "all but tcp from any to me (B)\n");
}

static void test_diff_families_and_places(void **state)
{
    (void)state;
    diff_says("A: permit in tcp port 22", "A: block in from 0.0.0.0/0",
              "- from 0.0.0.0/0 to me (A)\n");
    diff_says("A: permit in tcp port 22", "A: block icmp type 8 from any to me on eth0",
              "- icmp type 8 from any to me on eth0 (A)\n");
    diff_says("A: permit in tcp port 22", "A: block out from me to ::/0 profile public",
              "- from me to ::/0 profile public (A)\n");
    diff_says("A: permit in tcp port 22", "A: block from any to 192.0.2.10\nB: permit out",
              "- from any but me to 192.0.2.10 (A)\n");
    diff_says("A: permit in tcp port 22", "A: block in from 10.0.0.1-10.0.0.9",
              "- from 10.0.0.1-10.0.0.9 to me (A)\n");
}

static void check_says(const char *policy, const char *wanted)
{
    struct side x;
    char text[2048];
    (void)format_into(text, sizeof(text), "%s", policy);
    side_init(&x, text);
    struct finding_list l;
    struct strbuf out = STRBUF_INIT(65536);
    assert_int_equal(check_effective(&x.e, &(struct check_options){.now_ns = 0}, &l), 0);
    for (size_t i = 0; i < l.n; i++) {
        struct finding_text t = FINDING_TEXT_INIT;
        if (finding_severity(l.v[i].kind) == SEVERITY_NOTE)
            continue;
        assert_int_equal(text_print_finding(&x.e, &l.v[i], &t), 0);
        (void)strbuf_addf(&out, "%s\n", t.headline.s);
        if (t.detail.s)
            (void)strbuf_addf(&out, "  %s\n", t.detail.s);
        if (t.hint.s)
            (void)strbuf_addf(&out, "  hint: %s\n", t.hint.s);
        finding_text_done(&t);
    }
    assert_string_equal(out.s ? out.s : "", wanted);
    strbuf_done(&out);
    finding_list_done(&l);
    side_done(&x);
}

/* The file of cli.md, policy check. */
static void test_check(void **state)
{
    (void)state;
    check_says("LAN: permit from 10.1.0.0/16 to me\n"
               "Office: permit from 10.1.1.5 to me\n"
               "No telnet: block tcp from 10.1.1.0/24 to me port 23\n"
               "LAN SSH: permit tcp from 10.0.0.0/8 to any port 22\n"
               "No inbound: block in\n"
               "DNS: permit udp from me to any port 53 mirrored",
               "\"Office\" and \"No telnet\" overlap, differ in action, and neither contains the "
               "other\n"
               "  for tcp from 10.1.1.5 to me port 23 \"Office\" wins: addresses are compared "
               "first\n"
               "never-wins: \"LAN SSH\" can never win: \"No inbound\" names 'me', it does not\n"
               "  for tcp from 10.2.0.1 to me port 22 \"No inbound\" wins\n"
               "  hint: write: to me port 22\n"
               "mirrored-hole: source port 53 reaches every local port through the twin of "
               "\"DNS\"\n"
               "  for udp from 10.2.0.1 port 53 to me port 80 \"DNS\" wins\n"
               "  hint: permit out udp from me to any port 53 keep state\n");
}

/* The terms that are printed, as boxes again. */
static void add_back(struct packetset *back, const struct set_term *t)
{
    for (unsigned six = 0; six < 2; six++) {
        const struct set_list *src = &t->list[SET_SRC4 + six], *dst = &t->list[SET_DST4 + six];
        const struct set_list *sport = &t->list[SET_SPORT], *dport = &t->list[SET_DPORT];
        for (size_t n = 0; n < src->n * dst->n * sport->n * dport->n; n++) {
            const struct set_range *s = &src->v[n % src->n], *d = &dst->v[n / src->n % dst->n];
            const struct set_range *sp = &sport->v[n / src->n / dst->n % sport->n];
            const struct set_range *dp = &dport->v[n / src->n / dst->n / sport->n];
            struct box b = t->key;
            b.family = six ? FAMILY_6 : FAMILY_4;
            b.src_first = s->first, b.src_last = s->last;
            b.dst_first = d->first, b.dst_last = d->last;
            b.sport_first = (uint16_t)sp->first.lo, b.sport_last = (uint16_t)sp->last.lo;
            b.dport_first = (uint16_t)dp->first.lo, b.dport_last = (uint16_t)dp->last.lo;
            assert_int_equal(packetset_add(back, &b), 0);
            if (!t->fragments)
                continue;
            b.l4 = L4_FRAGMENT;
            b.sport_first = b.dport_first = 0;
            b.sport_last = b.dport_last = UINT16_MAX;
            assert_int_equal(packetset_add(back, &b), 0);
        }
    }
}

static void test_terms_are_the_set(void **state)
{
    (void)state;
    const char *env = getenv("PORTWARD_SEED");
    struct rng r = {.state = env ? strtoull(env, NULL, 0) : (uint64_t)(uintptr_t)&env};
    print_message("# seed %llu\n", (unsigned long long)r.state);
    unsigned sets = 0, fewer = 0;
    for (unsigned round = 0; round < 60; round++) {
        struct host h;
        struct gen_policy *p, *q;
        struct diff_result d;
        assert_int_equal(gen_host(&r, &h), 0);
        assert_int_equal(gen_policy_new(&r, &h, 1000, &p), 0);
        assert_int_equal(gen_policy_new(&r, &h, 1000, &q), 0);
        gen_policy_halve(p);
        gen_policy_halve(q);
        assert_int_equal(diff_effective(&p->e, &q->e, 1000, NULL, &d), 0);
        for (size_t i = 0; i < d.n && d.v[i].set.n < 300; i++) {
            struct set_terms t;
            struct packetset back = {0};
            bool equal = false;
            assert_int_equal(set_terms_new(&d.v[i].set, &t), 0);
            for (size_t k = 0; k < t.n; k++)
                add_back(&back, &t.v[k]);
            assert_int_equal(packetset_equal(&back, &d.v[i].set, &equal), 0);
            assert_true(equal && t.left_out == 0);
            sets++;
            fewer += t.n < d.v[i].set.n;
            set_terms_done(&t);
            packetset_done(&back);
        }
        diff_result_done(&d);
        p = gen_policy_free(p);
        q = gen_policy_free(q);
        host_done(&h);
    }
    assert_true(sets > 60 && fewer > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_diff_families_and_places),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_terms_are_the_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
