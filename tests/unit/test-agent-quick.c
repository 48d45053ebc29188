/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dynamic filters in the image in force, over a stand-in for the kernel that keeps the bytes of
 * images: what a long sequence of changes leaves is what a new image would be, in the program's
 * answers, in what the agent knows and on disk; what goes wrong half way changes nothing.
 * PORTWARD_SEED repeats a run. */
#include <sys/stat.h>

#include "../../src/agent/files.h"
#include "agent-help.h"
#include "base/rng.h"

struct answer {
    bool done, flipped;
    int err;
    enum diag_code code;
    char message[DIAG_MESSAGE_BYTES], id[16], change[16];
};

static void keep(void *ctx, const struct agent_result *r)
{
    struct answer *a = ctx;
    assert_false(a->done);
    *a = (struct answer){.done = true, .err = r->err, .code = r->diag.code, .flipped = r->flipped};
    snprintf(a->message, sizeof(a->message), "%s", r->diag.message);
    snprintf(a->change, sizeof(a->change), "%s", r->change ? r->change : "");
    if (r->filters.n > 0)
        snprintf(a->id, sizeof(a->id), "%s", r->filters.v[0].id);
}

#include "agent-ask.h"

static struct answer try_add(const char *text)
{
    return request(&(struct agent_change){.kind = AGENT_FILTER_ADD, .text = text});
}

static struct answer add(const char *text)
{
    return ok(&(struct agent_change){.kind = AGENT_FILTER_ADD, .text = text});
}

static struct answer take(const char *item)
{
    return ok(&(struct agent_change){.kind = AGENT_FILTER_DELETE, .items = &item, .n_items = 1});
}

static void begin(void)
{
    fake.in_place = true;
    start();
}

static void restart(void)
{
    kill_agent();
    start();
}

static void test_comes_and_goes(void **state _unused_)
{
    begin();
    add("block in udp port 1");
    unsigned flips = fake.n_flips;
    struct answer a = add("block in udp port 2");
    assert_true(a.flipped);
    assert_int_equal(fake.n_flips, flips);
    assert_int_equal(fake.n_patches, 1);
    assert_true(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 2"));
    assert_string_equal(add("block in udp port 2").change, "none");
    assert_string_equal(add("block in udp port 2 reason \"why\"").change, "extended");
    assert_int_equal(fake.n_patches, 1); /* texts are the agent's */
    assert_false(add("block in udp port 3 for 1h").flipped == false);
    assert_false(add("block in udp port 3 for 2h").flipped);
    add("permit in udp port 4 for 1h");
    flips = fake.n_flips; /* a deadline of a permit is in the image */
    assert_true(add("permit in udp port 4 for 2h").flipped);
    assert_int_equal(fake.n_flips, flips + 1);
    take("d2");
    assert_false(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 2"));
    assert_string_equal(add("block in udp port 2").id, "d5");
    list_is("d1 d3 d5 d4");
    assert_int_equal(fake.n_flips, flips + 1);
    unsigned patches = fake.n_patches;
    restart();
    list_is("d1 d3 d5 d4");
    assert_int_equal(fake.n_flips, flips + 1); /* taken over as it is */
    take("d5");
    assert_int_equal(fake.n_patches, patches + 1);
}

static void test_expiry(void **state _unused_)
{
    begin();
    add("block in udp port 1 for 1h");
    add("block in udp port 2 for 1s");
    add("block in udp port 3 for 1s");
    add("block in udp port 4 for 2s");
    add("block in udp port 2 for 1h"); /* an end that was does not count */
    unsigned flips = fake.n_flips;
    uint64_t until = agent_now_ns() + 2600000000ULL;
    while (agent_now_ns() < until)
        assert_true(sd_event_run(agent_event(agent), 50000) >= 0);
    list_is("d1 d2");
    assert_int_equal(fake.n_flips, flips);
    assert_true(agent->live.of == agent->in_force);
    assert_true(live_next_deadline(&agent->live, &agent->in_force->layers.dynamic) ==
                dynamic_next_deadline(&agent->in_force->layers.dynamic));
}

/* --- the whole after each step --- */
static void check_answers(struct rng *r)
{
    const struct desired *x = agent->in_force;
    struct effective e = x->e;
    e.host = &fake.host;
    for (int i = 0; i < 40; i++) {
        const struct filter *f = e.v[rng_below(r, (uint32_t)e.n)].filter;
        struct packet p = {.family = FAMILY_4,
                           .meta = {.dir = DIR_IN},
                           .proto = rng_below(r, 4) ? PROTO_UDP : PROTO_TCP,
                           .l4_known = true,
                           .src = f->src.kind == ADDR_HOST ? f->src.first
                                                           : (struct ip){.lo = rng_next(r) >> 32},
                           .dst = {.lo = 0xc0000201},
                           .sport = 4000,
                           .dport = f->dport.n ? f->dport.range[0].first : 9};
        struct verdict v = eval_packet(&e, &p, agent_now_ns());
        struct image_hit hit = image_lookup(&fake.active_bytes, &p, false, true, agent_now_ns());
        assert_int_equal(v.decider == DECIDED_FILTER, hit.w != 0);
        if (v.decider == DECIDED_FILTER) {
            assert_int_equal(hit.counter_id, v.counter_id);
            assert_int_equal((uint32_t)hit.w, v.weight);
        }
    }
}

static void check_books(void)
{
    const struct desired *x = agent->in_force;
    const struct live *l = &agent->live;
    uint64_t digest[2], items = 0;
    size_t arming = 0;
    desired_digest(&x->e, &fake.host, digest);
    assert_memory_equal(digest, x->digest, sizeof(digest));
    assert_memory_equal(digest, agent->run.digest, sizeof(digest));
    assert_int_equal(x->n_dynamic, x->layers.dynamic.n);
    assert_int_equal(x->e.n, fake.active.e.n);
    for (size_t i = 0; i < x->e.n; i++) {
        items += image_port_items(x->e.v[i].filter);
        arming += filter_effect(x->e.v[i].filter) != ACTION_PERMIT;
        const struct guid *owner = counter_ids_owner(agent->ids, x->e.v[i].counter_id);
        assert_non_null(owner);
        assert_int_equal(guid_cmp(owner, &x->e.v[i].filter->guid), 0);
        const struct dynamic_entry *e = desired_dynamic(x, i);
        assert_true(!e ||
                    (&e->filter == x->e.v[i].filter && e->deadline_ns == x->e.v[i].deadline_ns));
    }
    if (l->of != x)
        return;
    assert_true(l->n_port_items == items && l->n_arming == arming);
    assert_int_equal(l->n, x->layers.dynamic.n);
    for (size_t i = 0; i < x->layers.dynamic.n; i++) {
        assert_non_null(live_find(l, x->layers.dynamic.v[i]));
        assert_int_equal(
            dynamic_index_find(l->index, &x->layers.dynamic, &x->layers.dynamic.v[i]->filter), i);
    }
}

static void random_text(struct rng *r, char *text, size_t size)
{
    static const struct {
        const char *before, *behind; /* the address, the port */
    } form[] = {{"block in udp from 10.0.", " to me port "},
                {"permit in udp from 10.0.", " to me port "},
                {"block in tcp from 10.0.", "/31 to me port "},
                {"block tcp from any to 10.0.", " port "},
                {"block out tcp from me to 10.0.", " port "}};
    static const char *const end[] = {"", "", " for 1h", " for 2h", " reason \"x\""};
    size_t i = rng_below(r, ARRAY_SIZE(form));
    snprintf(text, size, "%s%u.%u%s%u%s", form[i].before, rng_below(r, 2), 2 * rng_below(r, 10),
             form[i].behind, 1 + rng_below(r, 3), end[rng_below(r, ARRAY_SIZE(end))]);
}

/* One change by chance; what is too much is deleted. */
static void step(struct rng *r)
{
    const struct dynamic *l = &agent->in_force->layers.dynamic;
    char text[128];
    if (l->n > 60 || (l->n > 5 && rng_below(r, 5) < 2)) {
        snprintf(text, sizeof(text), "d%u", l->v[rng_below(r, (uint32_t)l->n)]->filter.handle);
        take(text);
        return;
    }
    random_text(r, text, sizeof(text));
    add(text);
}

static void test_long_sequences(void **state _unused_)
{
    const char *given = getenv("PORTWARD_SEED");
    struct rng r = {given ? strtoull(given, NULL, 10) : agent_now_ns()};
    print_message("PORTWARD_SEED=%llu\n", (unsigned long long)r.state);
    fake.in_place = true;
    start();
    ok(&(struct agent_change){
        .kind = AGENT_POLICY_LOAD,
        .text = "policy \"P\" { rule \"a\" { block in tcp from 10.0.0.0/31 to me port 1 "
                "permit in udp from 10.0.0.1 to me port 1 block in udp from 10.0.0.1 to me "
                "block out tcp from me to 10.0.0.2 port 2 } }"});
    ok(&(struct agent_change){.kind = AGENT_ASSIGN, .policy = "P"});
    for (unsigned i = 0; i < 2000; i++) {
        step(&r);
        check_books();
        check_answers(&r);
        if (i % 250 == 249) {
            unsigned flips = fake.n_flips;
            size_t n = agent->in_force->layers.dynamic.n;
            restart();
            assert_int_equal(agent->in_force->layers.dynamic.n, n);
            assert_int_equal(fake.n_flips, flips);
            check_books();
        }
    }
    print_message("%u in place, %u generations\n", fake.n_patches, fake.n_flips);
    assert_true(fake.n_patches > 10 * fake.n_flips);
}

/* --- what goes wrong --- */
static void test_lie(void **state _unused_)
{
    begin();
    add("block in udp port 1");
    add("block in udp port 2");
    _cleanup_free_ uint64_t *before = malloc((size_t)fake.active_bytes.n_lines * IMG_LINE_BYTES);
    assert_non_null(before);
    memcpy(before, fake.active_bytes.lines, (size_t)fake.active_bytes.n_lines * IMG_LINE_BYTES);
    fake.lie = true;
    struct answer a = try_add("block in udp port 3");
    assert_int_equal(a.code, DIAG_SELF_TEST);
    assert_int_equal(fake.n_unpatches, 1);
    assert_memory_equal(before, fake.active_bytes.lines,
                        (size_t)fake.active_bytes.n_lines * IMG_LINE_BYTES);
    fake.lie = false;
    list_is("d1 d2");
    check_books();
    restart();
    list_is("d1 d2");
    assert_string_equal(add("block in udp port 3").id, "d3");
    check_books();
}

static void test_kernel_refuses(void **state _unused_)
{
    begin();
    add("block in udp port 1");
    unsigned flips = fake.n_flips;
    fake.patch_error = EBUSY;
    add("block in udp port 2"); /* by generation */
    assert_int_equal(fake.n_flips, flips + 1);
    fake.patch_error = 0;
    add("block in udp port 3");
    assert_int_equal(fake.n_flips, flips + 1);
    list_is("d1 d2 d3");
    restart();
    list_is("d1 d2 d3");
}

/* A line is on disk and nothing of it in the kernel: killed in between. */
static void test_killed_before_the_stores(void **state _unused_)
{
    begin();
    add("block in udp port 1");
    add("block in udp port 2");
    unsigned flips = fake.n_flips;
    kill_agent();
    fake.active.generation--;
    start();
    assert_int_equal(fake.n_flips, flips + 1);
    list_is("d1 d2");
    assert_true(fake_blocks("in udp from 10.1.1.5 to 192.0.2.1 port 2"));
}

static void journal_path(char path[128])
{
    snprintf(path, 128, "%s/dynamic.journal", run_dir);
}

static void append(const char *text)
{
    char path[128];
    journal_path(path);
    FILE *f = fopen(path, "ae");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_torn_line(void **state _unused_)
{
    begin();
    add("block in udp port 1");
    add("block in udp port 2");
    take("d1");
    kill_agent();
    append("{\"generation\":9,\"digest\":[1");
    unsigned flips = fake.n_flips;
    start();
    list_is("d2");
    assert_int_equal(fake.n_flips, flips);
    add("block in udp port 3");
    restart();
    list_is("d2 d3");
}

static void start_is_refused(void)
{
    struct diag d = {0};
    unsigned flips = fake.n_flips;
    assert_true(try_start(false, &d) < 0);
    assert_int_equal(d.code, DIAG_CORRUPT);
    assert_non_null(strstr(d.hint, "--forget-dynamic"));
    assert_int_equal(fake.n_flips, flips); /* everything stays enforced */
}

static void test_damaged_journal(void **state _unused_)
{
    static const char *const lines[] = {
        "nonsense\n", "{}\n",
        "{\"generation\":9,\"digest\":[1,2],\"next_id\":9,\"counter\":-1,\"deleted\":[7],"
        "\"retired\":[1],\"set\":[]}\n",
        "{\"generation\":9,\"digest\":[1,2],\"next_id\":9,\"counter\":1,\"deleted\":[],"
        "\"retired\":[],\"set\":[{\"id\":1}]}\n"};
    char path[128];
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        begin();
        add("block in udp port 1");
        add("block in udp port 2");
        kill_agent();
        append(lines[i]);
        start_is_refused();
        struct diag d = {0};
        assert_int_equal(try_start(true, &d), 0);
        list_is("");
        kill_agent();
        assert_int_equal(agent_teardown(NULL), 0);
        assert_int_equal(agent_setup(NULL), 0);
    }
    begin();
    add("block in udp port 1");
    add("block in udp port 2");
    kill_agent();
    journal_path(path);
    assert_int_equal(unlink(path), 0); /* the image holds more than the files tell */
    start_is_refused();
}

/* A journal of another write of dynamic.json is none. */
static void test_old_journal(void **state _unused_)
{
    char path[128], copy[160], command[320];
    begin();
    add("block in udp port 1");
    add("block in udp port 2");
    journal_path(path);
    snprintf(copy, sizeof(copy), "%s.copy", path);
    snprintf(command, sizeof(command), "cp %s %s", path, copy);
    assert_int_equal(system(command), 0);
    take("d2");
    ok(&(struct agent_change){.kind = AGENT_FLUSH});
    restart(); /* both files are written anew */
    kill_agent();
    assert_int_equal(rename(copy, path), 0);
    start();
    list_is("");
}

static void test_journal_ends(void **state _unused_)
{
    struct stat st;
    char path[128], text[64];
    begin();
    journal_path(path);
    add("block in udp port 1");
    add("block in udp port 2");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    agent->journal.limit = 2000;
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof(text), "block in udp port %d", 100 + i);
        add(text);
        assert_true(stat(path, &st) < 0 || st.st_size < 3000 || agent->journal.limit > 2000);
    }
    size_t n = agent->in_force->layers.dynamic.n;
    restart();
    assert_int_equal(agent->in_force->layers.dynamic.n, n);
    check_books();
}

/* Several at once, all or nothing, in one patch. */
static void test_several(void **state _unused_)
{
    char text[64];
    const char *items[] = {"d2", "d4", "d6"};
    begin();
    for (int i = 0; i < 8; i++) {
        snprintf(text, sizeof(text), "block in udp port %d", 1 + i);
        add(text);
    }
    unsigned flips = fake.n_flips, patches = fake.n_patches;
    ok(&(struct agent_change){.kind = AGENT_FILTER_DELETE, .items = items, .n_items = 3});
    assert_int_equal(fake.n_patches, patches + 1);
    list_is("d1 d3 d5 d7 d8");
    check_books();
    ok(&(struct agent_change){.kind = AGENT_FLUSH});
    assert_int_equal(fake.n_flips, flips);
    list_is("");
    check_books();
    restart();
    list_is("");
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, agent_setup, agent_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(comes_and_goes), T(expiry),
        T(long_sequences), T(lie),
        T(kernel_refuses), T(killed_before_the_stores),
        T(torn_line),      T(damaged_journal),
        T(old_journal),    T(journal_ends),
        T(several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
