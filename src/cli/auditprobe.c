/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/auditprobe.c: what an audit learns by trying: the scratch namespace, the probe from it, and
 * the foreign rules as nft prints them (cli/audit.h). Called by audit.c. Answers of the probe are
 * read by the scanner's own process, which has no rights. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/audit.h"
#include "exposureprobe/probe.h"

enum { ATTACH_MS = 3000, ATTACH_STEP_MS = 20, RULES_BYTES_MAX = 64 * 1024 * 1024 };

/* --- foreign rules --- */
_Noreturn static void exec_nft(int out)
{
    int nowhere = open("/dev/null", O_RDWR);

    if (nowhere < 0 || dup2(nowhere, 0) < 0 || dup2(out, 1) < 0 || dup2(nowhere, 2) < 0)
        _exit(126);
    (void)execlp("nft", "nft", "-j", "list", "ruleset", (char *)NULL);
    _exit(127);
}

static void read_all(int fd, struct strbuf *b)
{
    char part[16 * 1024];
    ssize_t n;

    while ((n = read(fd, part, sizeof(part))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || strbuf_add_n(b, part, (size_t)n) < 0)
            return; /* what is cut is no JSON, and is said to be not understood */
    }
}

void audit_read_foreign(struct audit *a)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(RULES_BYTES_MAX);
    _cleanup_(close_p) int in = -1, out = -1;
    int ends[2], status = 0;
    struct diag d = {0};

    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    in = ends[0];
    out = ends[1];
    pid_t pid = fork();
    if (pid == 0)
        exec_nft(out);
    close_p(&out);
    out = -1;
    if (pid < 0)
        return;
    read_all(in, &b);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    bool missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;
    if (missing)
        (void)format_into(a->foreign_why, sizeof(a->foreign_why), "nft(8) is not installed");
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        (void)format_into(a->foreign_why, sizeof(a->foreign_why), "nft(8) failed; it needs root");
    else if (foreign_parse(b.s ? b.s : "", b.len, &d, &a->foreign) < 0)
        (void)format_into(a->foreign_why, sizeof(a->foreign_why), "%s", d.message);
}

/* --- the scratch namespace --- */
static bool is_attached(const struct audit *a, const json_t *doc)
{
    const json_t *list =
                     json_object_get(json_object_get(cli_data(doc), "enforcement"), "interfaces"),
                 *i;
    size_t k;

    json_array_foreach(list, k, i)
    {
        if (strcmp(cli_str(i, "name"), a->scratch.link) == 0)
            return json_is_true(json_object_get(i, "attached_in"));
    }
    return false;
}

/* The agent hears of the new link and puts its programs there. */
static int wait_for_hook(struct audit *a)
{
    const struct timespec step = {.tv_nsec = ATTACH_STEP_MS * 1000000L};

    for (unsigned ms = 0; ms < ATTACH_MS; ms += ATTACH_STEP_MS) {
        _cleanup_json_ json_t *doc = NULL;
        int code = cli_fetch(a->c, "GET", "/v1/status", &doc);

        if (code)
            return code;
        if (is_attached(a, doc))
            return 0;
        (void)nanosleep(&step, NULL); /* cut short: asks once more */
    }
    (void)format_into(a->why_not, sizeof(a->why_not), "the agent has no programs at '%s'",
                      a->scratch.link);
    return 0;
}

int audit_scratch(struct audit *a)
{
    struct diag d = {0};

    a->scratch = (struct scratch){.home = -1, .netns = -1};
    if (a->c->args.given[OPT_NO_PROBE]) {
        (void)format_into(a->why_not, sizeof(a->why_not), "--no-probe");
    } else if (a->c->env->uid != 0) {
        (void)format_into(a->why_not, sizeof(a->why_not), "needs root");
    } else if (scratch_open(&d, &a->scratch) < 0) {
        (void)format_into(a->why_not, sizeof(a->why_not), "%s", d.message);
    } else {
        int code = wait_for_hook(a);

        if (code)
            return code;
        if (!a->why_not[0] && scratch_up(&a->scratch, &d) < 0)
            (void)format_into(a->why_not, sizeof(a->why_not), "%s", d.message);
    }
    a->probed = !a->why_not[0];
    if (!a->probed)
        scratch_sources(&a->scratch);
    return 0;
}

/* --- the probe --- */
/* One address: its TCP ports. */
struct target {
    unsigned f;
    struct ip ip;
    struct probe_ports ports;
};

static struct target *find_target(struct target **v, size_t *n, size_t *cap, unsigned f,
                                  struct ip ip)
{
    for (size_t i = 0; i < *n; i++)
        if ((*v)[i].f == f && ip_eq((*v)[i].ip, ip))
            return &(*v)[i];
    if (array_reserve(v, cap, *n + 1, sizeof(**v)) < 0)
        cli_out_of_memory();
    (*v)[*n] = (struct target){.f = f, .ip = ip};
    return &(*v)[(*n)++];
}

static bool is_probed(const struct audit *a, const struct audit_row *r, unsigned f)
{
    const struct audit_side *side = &r->side[f];
    struct ip ip = audit_target(a, side, f);

    /* Link-local addresses of other links, and loopback, are out of reach of the pair. */
    return !r->udp && side->there && side->facts.listens != LISTENS_LOOPBACK &&
           !ip_eq(a->scratch.source[f], (struct ip){0, 0}) && !ip_eq(ip, (struct ip){0, 0}) &&
           !(f && ip.hi >> 54 == 0xfe80 >> 6);
}

static enum audit_tri reached(enum probe_state s)
{
    switch (s) {
    case PROBE_OPEN:
        return TRI_YES;
    case PROBE_CLOSED:
    case PROBE_REJECTED:
    case PROBE_FILTERED:
        return TRI_NO;
    case PROBE_NOT_SCANNED:
    case PROBE_UNKNOWN:
    case _PROBE_STATE_MAX:
        return TRI_UNKNOWN;
    }
    return TRI_UNKNOWN;
}

static int scan(struct audit *a, const struct target *t, struct probe_result *ret, struct diag *d)
{
    struct probe_route route;
    struct probe_request q = {.route = &route,
                              .ports = &t->ports,
                              .method = probe_may_send_raw() ? PROBE_SYN : PROBE_CONNECT,
                              .agent_in = -1,
                              .agent_out = -1};
    int e = scratch_enter(&a->scratch, d);

    if (e < 0)
        return e;
    e = probe_route(audit_family(t->f), t->ip, 0, d, &route);
    if (e == 0)
        e = probe_scan(&q, d, ret);
    struct diag back;
    int home = scratch_leave(&a->scratch, &back);
    if (home < 0)
        *d = back;
    return home < 0 ? home : e;
}

static void take_result(struct audit *a, const struct target *t, const struct probe_result *result)
{
    for (size_t i = 0; i < a->n; i++) {
        struct audit_side *side = &a->v[i].side[t->f];

        if (!is_probed(a, &a->v[i], t->f) || !ip_eq(audit_target(a, side, t->f), t->ip))
            continue;
        side->probed = true;
        side->facts.reached = reached((enum probe_state)result->port[a->v[i].port].state);
    }
}

int audit_probe(struct audit *a)
{
    _cleanup_free_ struct probe_result *result = calloc(1, sizeof(*result));
    _cleanup_free_ struct target *v = NULL;
    size_t n = 0, cap = 0;
    struct diag d = {0};

    if (!result)
        cli_out_of_memory();
    for (size_t i = 0; i < a->n; i++)
        for (unsigned f = 0; f < AUDIT_FAMILIES; f++)
            if (is_probed(a, &a->v[i], f))
                probe_ports_add(
                    &find_target(&v, &n, &cap, f, audit_target(a, &a->v[i].side[f], f))->ports,
                    a->v[i].port);
    for (size_t i = 0; i < n; i++) {
        memset(result, 0, sizeof(*result));
        if (scan(a, &v[i], result, &d) < 0)
            return cli_fail(a->c, &d);
        take_result(a, &v[i], result);
    }
    return 0;
}
