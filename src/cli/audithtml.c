/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/audithtml.c: the report of an audit as one HTML page without anything from elsewhere: no
 * script, no image, no style sheet but its own (cli/audit.h). Called by cmd_audit.c. Invariant:
 * whatever comes from outside goes through add_text(), which leaves no mark-up. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/audit.h"
#include "cli/textfile.h"

enum { ADVICE_MAX = 4096 };

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n<title>portward audit</title>\n<style>\n"
    "body { font: 15px/1.4 sans-serif; margin: 2em; color: #222; background: #fff }\n"
    "table { border-collapse: collapse; margin: 1em 0 }\n"
    "th, td { text-align: left; padding: .3em .8em; border-bottom: 1px solid #ccc; "
    "vertical-align: top }\n"
    "td.number { text-align: right } td.code { font-family: monospace }\n"
    "tr.finding td { background: #fff2d8 }\n"
    "</style>\n</head>\n<body>\n";

static void add_text(struct strbuf *b, const char *s)
{
    _cleanup_(strbuf_done) struct strbuf plain = STRBUF_INIT(64 * 1024);

    (void)strbuf_add_escaped(&plain, s, strlen(s)); /* errors are sticky, here and below */
    for (const char *p = plain.s ? plain.s : ""; *p; p++) {
        switch (*p) {
        case '<':
            (void)strbuf_add(b, "&lt;");
            break;
        case '>':
            (void)strbuf_add(b, "&gt;");
            break;
        case '&':
            (void)strbuf_add(b, "&amp;");
            break;
        case '"':
            (void)strbuf_add(b, "&quot;");
            break;
        case '\'':
            (void)strbuf_add(b, "&#39;");
            break;
        default:
            (void)strbuf_add_char(b, *p);
            break;
        }
    }
}

static void add_cell(struct strbuf *b, const char *class, const char *text)
{
    (void)strbuf_addf(b, "<td%s>", class);
    add_text(b, text);
    (void)strbuf_add(b, "</td>");
}

static void add_finding(struct strbuf *b, const struct audit *a, const struct audit_row *r,
                        enum audit_class class)
{
    _cleanup_(strbuf_done) struct strbuf advice = STRBUF_INIT(ADVICE_MAX);

    (void)strbuf_addf(b, "<li><b>%s %u %s</b>: %s. <code>", r->udp ? "udp" : "tcp", r->port,
                      audit_class_name(class), audit_class_means(class));
    audit_advice(a, r, class, &advice);
    add_text(b, advice.s ? advice.s : "");
    (void)strbuf_add(b, "</code></li>\n");
}

static void add_findings(struct strbuf *b, const struct audit *a)
{
    (void)strbuf_add(b, "<h2>Findings</h2>\n<ul>\n");
    for (size_t i = 0; i < a->n; i++) {
        const struct audit_row *r = &a->v[i];

        if (!audit_row_is_finding(r))
            continue;
        if (audit_is_finding(r->class))
            add_finding(b, a, r, r->class);
        for (size_t k = 0; k < r->n_more; k++)
            add_finding(b, a, r, r->more[k]);
    }
    for (size_t i = 0; i < a->n_notes; i++) {
        (void)strbuf_addf(b, "<li><b>%s</b>: ", audit_class_name(a->notes[i].class));
        add_text(b, a->notes[i].what);
        (void)strbuf_add(b, ": ");
        add_text(b, a->notes[i].text);
        (void)strbuf_add(b, "</li>\n");
    }
    (void)strbuf_add(b, "</ul>\n");
}

static void add_side(struct strbuf *b, const struct audit_side *s, unsigned f)
{
    static const char *const reached[] = {
        [TRI_UNKNOWN] = "not probed", [TRI_NO] = "not reached", [TRI_YES] = "reached"};

    (void)strbuf_addf(b, "IPv%c: ", f ? '6' : '4');
    add_text(b, s->text[0] ? s->text : "not known");
    (void)strbuf_addf(b, "; %s", reached[s->facts.reached]);
    if (s->filter[0]) {
        (void)strbuf_add(b, "; ");
        add_text(b, s->filter);
    }
    (void)strbuf_add(b, "<br>");
}

static void add_row(struct strbuf *b, const struct audit *a, const struct audit_row *r)
{
    _cleanup_(strbuf_done) struct strbuf owner = STRBUF_INIT(ADVICE_MAX);
    char port[8];

    (void)snprintf(port, sizeof(port), "%u", r->port); /* fits */
    audit_owner(a, r, &owner);
    (void)strbuf_addf(b, "<tr%s>", audit_row_is_finding(r) ? " class=\"finding\"" : "");
    add_cell(b, "", r->udp ? "udp" : "tcp");
    add_cell(b, " class=\"number\"", port);
    add_cell(b, "", audit_verdict(r));
    add_cell(b, "", audit_class_name(r->class));
    add_cell(b, "", owner.s ? owner.s : "-");
    (void)strbuf_add(b, "<td>");
    for (unsigned f = 0; f < AUDIT_FAMILIES; f++)
        if (r->side[f].there)
            add_side(b, &r->side[f], f);
    (void)strbuf_add(b, "</td></tr>\n");
}

int audit_write_html(struct audit *a, const char *file)
{
    struct audit_sums s = audit_sum(a);
    struct strbuf b = STRBUF_INIT(LIMIT_API_BODY_BYTES);
    char date[API_TIME_BYTES];

    api_time_print(a->c->env->now_s * 1000, false, date);
    (void)strbuf_addf(
        &b,
        "%s<h1>portward audit</h1>\n<p>%s, generation %lld: %zu findings, %zu sockets "
        "as intended, probe and policy disagree on %zu.",
        head, date, (long long)a->generation, s.findings, s.as_intended, s.disagree);
    if (!a->probed) {
        (void)strbuf_add(&b, " Nothing was probed: ");
        add_text(&b, a->why_not);
    }
    (void)strbuf_add(&b, "</p>\n");
    add_findings(&b, a);
    (void)strbuf_add(&b, "<h2>Ports</h2>\n<table>\n<tr><th>Protocol</th><th>Port</th>"
                         "<th>Verdict</th><th>Class</th><th>Owner</th><th>Policy and probe</th>"
                         "</tr>\n");
    for (size_t i = 0; i < a->n; i++)
        if (!a->v[i].is_control || audit_row_is_finding(&a->v[i]))
            add_row(&b, a, &a->v[i]);
    (void)strbuf_add(&b, "</table>\n</body>\n</html>\n");
    if (b.error)
        cli_out_of_memory();
    struct cli_text text = {.s = b.s, .len = b.len, .cap = b.cap};
    int code = cli_text_write(a->c, file, &text);
    strbuf_done(&b);
    return code;
}
