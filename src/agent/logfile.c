/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/logfile.c: see logfile.h. Called by droplog.c and after a change of settings. Invariants:
 * one write(2) for what one poll brings; a disk that is full costs lines of these files and one
 * event, nothing else; the agent never waits for a file for longer than the disk does. */
#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/events.h"
#include "agent/log.h"

static const uint64_t retry_after_ns = 5000000000;
static const char group_name[] = "portward";

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void fail(struct log_file *f, int err)
{
    close_p(&f->fd);
    f->retry_ns = now_ns() + retry_after_ns;
    if (!f->failed)
        event_log(EV_LOG_FILE_FAILED, "FILE", f->name, "ERROR", strerror(err), NULL);
    f->failed = true;
}

/* Members of the group that may read the agent's answers may read its log. */
static void give_to_group(int fd)
{
    char buffer[4096];
    struct group g, *found = NULL;
    if (getgrnam_r(group_name, &g, buffer, sizeof(buffer), &found) == 0 && found)
        (void)!fchown(fd, 0, found->gr_gid); /* else root alone reads it */
}

/* Only a regular file: a name that somebody made a link, a pipe or a device is refused. */
static int open_file(const char *name, int *ret_fd, uint64_t *ret_size)
{
    struct stat st;
    _cleanup_(close_p) int fd = open(
        name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0640);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EBADF;
    if (st.st_size == 0)
        give_to_group(fd);
    *ret_fd = TAKE_FD(fd);
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static int write_all(int fd, const char *s, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, s, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? -errno : -EIO;
        s += done;
        n -= (size_t)done;
    }
    return 0;
}

static int ready(struct log_file *f, enum log_file_kind kind)
{
    int err = f->fd >= 0 ? 0 : open_file(f->name, &f->fd, &f->size);
    if (err == 0 && f->size == 0 && kind == LOG_FILE_PFIREWALL) {
        err = write_all(f->fd, log_pfirewall_header, strlen(log_pfirewall_header));
        f->size = strlen(log_pfirewall_header);
    }
    return err;
}

static void rotate(struct log_file *f)
{
    char old[LOG_FILE_NAME_BYTES + 8];
    (void)snprintf(old, sizeof(old), "%s.old", f->name); /* fits */
    close_p(&f->fd);
    if (rename(f->name, old) < 0 && errno != ENOENT)
        fail(f, errno);
}

static void flush(struct log_file *f, enum log_file_kind kind)
{
    if (f->buffer.len == 0 || (f->fd < 0 && f->failed && now_ns() < f->retry_ns)) {
        strbuf_done(&f->buffer);
        return;
    }
    if (f->size + f->buffer.len > f->max && f->size > 0)
        rotate(f);
    int err = ready(f, kind);
    if (err == 0)
        err = write_all(f->fd, f->buffer.s, f->buffer.len);
    if (err < 0) {
        fail(f, -err);
    } else {
        f->size += f->buffer.len;
        f->failed = false;
    }
    strbuf_done(&f->buffer);
}

void log_files_flush(struct log_files *f)
{
    for (unsigned i = 0; f->ready && i < _LOG_FILE_MAX; i++)
        flush(&f->v[i], (enum log_file_kind)i);
}

void log_files_apply(struct log_files *f, const struct log_settings *s)
{
    const char *const names[_LOG_FILE_MAX] = {
        [LOG_FILE_JSON] = s->json_file, [LOG_FILE_PFIREWALL] = s->pfirewall_file};
    log_files_flush(f);
    for (unsigned i = 0; i < _LOG_FILE_MAX; i++) {
        struct log_file *v = &f->v[i];
        if (f->ready)
            close_p(&v->fd);
        *v = (struct log_file){.fd = -1, .max = (uint64_t)s->max_kib * 1024};
        (void)snprintf(v->name, sizeof(v->name), "%s", names[i]); /* fits */
        int err = *v->name ? ready(v, (enum log_file_kind)i) : 0;
        if (err < 0)
            fail(v, -err);
    }
    f->ready = true;
}

static int add_json(const struct log_entry *e, struct strbuf *b)
{
    json_t *j = agent_log_json(e, /* full= */ false);
    char *text = j ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    (void)strbuf_add(b, text ? text : ""); /* sticky */
    int err = text ? strbuf_add(b, "\n") : -ENOMEM;
    free(text);
    json_decref(j);
    return err;
}

static int add_pfirewall(const struct log_entry *e, struct strbuf *b)
{
    char when[32] = "-";
    time_t s = (time_t)(e->time_ms / 1000);
    struct tm local;
    if (localtime_r(&s, &local))
        (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local); /* fits */
    return log_print_pfirewall(e, when, b);
}

void log_files_add(struct log_files *f, const struct log_entry *e)
{
    for (unsigned i = 0; f->ready && i < _LOG_FILE_MAX; i++) {
        struct strbuf *b = &f->v[i].buffer;
        if (!*f->v[i].name)
            continue;
        if (!b->s && !b->error)
            *b = (struct strbuf)STRBUF_INIT(LOG_FILE_BUFFER);
        /* What does not fit was more than the rates allow; the buffer says so by its error. */
        (void)(i == LOG_FILE_JSON ? add_json(e, b) : add_pfirewall(e, b));
    }
}

void log_files_done(struct log_files *f)
{
    log_files_flush(f);
    for (unsigned i = 0; f->ready && i < _LOG_FILE_MAX; i++)
        close_p(&f->v[i].fd);
    f->ready = false;
}
