/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/events.c: writes events to the journal or to standard error.
 * Called by whoever decided something in agent, api and portwardd. Invariant: one event is one
 * line or one journal record, whatever its values contain. */
#include "agent/events.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* sd_journal_send() is a macro around the code place; we send fields of our own. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

struct event_info {
    int level;
    const char *name, *text;
};
#define EVENT_INFO(id, level, name, text) [EV_##id] = {level, name, text},
static const struct event_info events[_EV_MAX] = {AGENT_EVENTS(EVENT_INFO)};
#undef EVENT_INFO

enum { FIELDS_MAX = 24, FIELD_BYTES = 1024 };

const char *event_name(enum agent_event_id id)
{
    return events[id].name;
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of what standard error was connected to. */
static bool stderr_is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    struct stat st;
    uint64_t device, inode;
    return text && sscanf(text, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void to_journal(const struct event_info *e, va_list ap)
{
    char text[FIELDS_MAX + 3][FIELD_BYTES];
    struct iovec iov[FIELDS_MAX + 3];
    int n = 0;
    (void)snprintf(text[n++], FIELD_BYTES, "MESSAGE=%s", e->text);
    (void)snprintf(text[n++], FIELD_BYTES, "PRIORITY=%d", e->level);
    (void)snprintf(text[n++], FIELD_BYTES, "PORTWARD_EVENT=%s", e->name);
    for (const char *field; n < FIELDS_MAX + 3 && (field = va_arg(ap, const char *));) {
        const char *value = va_arg(ap, const char *);
        if (value)
            (void)snprintf(text[n++], FIELD_BYTES, "PORTWARD_%s=%s", field, value); /* cut */
    }
    for (int i = 0; i < n; i++)
        iov[i] = (struct iovec){text[i], strlen(text[i])};
    (void)sd_journal_sendv(iov, n); /* nobody is left to be told */
}

static void to_stderr(const struct event_info *e, va_list ap)
{
    char when[64] = "";
    struct timespec now;
    struct tm utc;
    json_t *j = json_object();
    if (!j)
        return;
    if (clock_gettime(CLOCK_REALTIME, &now) == 0 && gmtime_r(&now.tv_sec, &utc)) {
        size_t len = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
        (void)snprintf(when + len, sizeof(when) - len, ".%03ldZ", now.tv_nsec / 1000000);
    }
    (void)json_object_set_new(j, "time", json_string(when)); /* a field may be lost for memory */
    (void)json_object_set_new(j, "level", json_integer(e->level));
    (void)json_object_set_new(j, "event", json_string(e->name));
    (void)json_object_set_new(j, "text", json_string(e->text));
    for (const char *field; (field = va_arg(ap, const char *));) {
        const char *value = va_arg(ap, const char *);
        if (value)
            (void)json_object_set_new(j, field, json_string(value));
    }
    char *line = json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (line)
        (void)dprintf(STDERR_FILENO, "%s\n", line);
    free(line);
    json_decref(j);
}

void event_log(enum agent_event_id id, ...)
{
    va_list ap;
    va_start(ap, id);
    if (stderr_is_journal())
        to_journal(&events[id], ap);
    else
        to_stderr(&events[id], ap);
    va_end(ap);
}
