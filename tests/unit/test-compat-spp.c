/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spp against a host that the test makes up: the article's output byte for byte (IISG3-02), the
 * order of the answers, what is said of ports that were not asked, and words that are refused. */
#include "compat-host.h"

static const uint16_t article[] = {21, 80, 139, 135, 443, 445};
static struct tool_scan asked;

/* The article's host: its ports answer in this order. */
static int fake_scan(void *ctx, struct tool_scan *s, struct diag *d)
{
    const struct fake_host *h = ctx;
    if (h->err < 0)
        return fake_fail(h->err, d);
    for (size_t i = 0; i < ARRAY_SIZE(article); i++)
        if (article[i] >= s->first && article[i] <= s->last)
            s->on_open(s->ctx, strcmp(s->host, "six") == 0 ? "2001:db8::3" : "192.168.0.3",
                       article[i]);
    s->n_unknown = strcmp(s->host, "walled") == 0 ? 7 : 0;
    asked = *s;
    return 0;
}

/* What was printed while it ran. */
static char shown[4096];
static void fake_show(void *ctx, struct strbuf *out)
{
    (void)ctx;
    size_t used = strlen(shown);
    (void)snprintf(shown + used, sizeof(shown) - used, "%.*s|", (int)out->len,
                   out->len ? out->s : ""); /* fits */
    out->len = 0;
}

static void run(struct fake_run *x, struct fake_host *h, const char *text)
{
    char words[256];
    (void)snprintf(words, sizeof(words), "%s", text);
    fake_start(x, h);
    x->host.scan = fake_scan;
    fake_call(x, tool_spp, words);
}

static void test_article(void **state)
{
    (void)state;
    struct fake_host h = {.err = 0};
    struct fake_run x;
    run(&x, &h, "artemis");
    assert_int_equal(x.r, 0);
    assert_string_equal(x.t.out.s, "Target 'artemis' port scan 0 to 1000 start.\n"
                                   "  Proto  Remote Address         State\n"
                                   "  TCP    192.168.0.3:21         LISTENING\n"
                                   "  TCP    192.168.0.3:80         LISTENING\n"
                                   "  TCP    192.168.0.3:139        LISTENING\n"
                                   "  TCP    192.168.0.3:135        LISTENING\n"
                                   "  TCP    192.168.0.3:443        LISTENING\n"
                                   "  TCP    192.168.0.3:445        LISTENING\n"
                                   "Completed\n");
    assert_int_equal(x.t.n_remarks, 1);
    assert_string_equal(x.t.remarks[0].text, "64535 ports above 1000 were not scanned");
    fake_done(&x);
}

static void test_range(void **state)
{
    (void)state;
    struct fake_host h = {.err = 0};
    struct fake_run x;
    run(&x, &h, "six|100|65535");
    assert_int_equal(x.r, 0);
    assert_int_equal(asked.first, 100);
    assert_int_equal(asked.last, 65535);
    assert_string_equal(x.t.out.s, "Target 'six' port scan 100 to 65535 start.\n"
                                   "  Proto  Remote Address         State\n"
                                   "  TCP    [2001:db8::3]:139      LISTENING\n"
                                   "  TCP    [2001:db8::3]:135      LISTENING\n"
                                   "  TCP    [2001:db8::3]:443      LISTENING\n"
                                   "  TCP    [2001:db8::3]:445      LISTENING\n"
                                   "Completed\n");
    assert_int_equal(x.t.n_remarks, 0);
    fake_done(&x);
    run(&x, &h, "walled|1|20");
    assert_int_equal(x.t.n_remarks, 2);
    assert_string_equal(x.t.remarks[0].text, "7 ports did not answer: filtered, or not reached");
    fake_done(&x);
}

static void test_shown_as_it_goes(void **state)
{
    (void)state;
    struct fake_host h = {.err = 0};
    struct fake_run x;
    char words[] = "artemis|1|80";
    shown[0] = '\0';
    fake_start(&x, &h);
    x.host.scan = fake_scan;
    x.host.show = fake_show;
    fake_call(&x, tool_spp, words);
    assert_string_equal(shown, "Target 'artemis' port scan 1 to 80 start.\n"
                               "  Proto  Remote Address         State\n|"
                               "  TCP    192.168.0.3:21         LISTENING\n|"
                               "  TCP    192.168.0.3:80         LISTENING\n|");
    assert_int_equal(x.t.out.len, strlen("Completed\n"));
    fake_done(&x);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "a|1",       "a|1|2|3", "a|x|5",      "a|5|x",
                                      "a|9|8", "a|1|65536", "a|-1|5",  "a|1|999999", "a|1|5|/x"};
    struct fake_host h = {.err = 0}, silent = {.err = -EPERM};
    struct fake_run x;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        run(&x, &h, bad[i]);
        assert_true(x.r < 0);
        assert_true(x.d.message[0] != '\0');
        fake_done(&x);
    }
    run(&x, &silent, "a");
    assert_int_equal(x.r, -EPERM);
    fake_done(&x);
    run(&x, &h, "-?");
    assert_string_equal(x.t.out.s, tool_spp_help);
    fake_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_article),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_shown_as_it_goes),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
