/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of pw-inject: its options, the template frame, the socket that counts what is
 * delivered, and one measured round. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "inject.h"

struct inject_options {
    const char *device;
    const char *receiver; /* path of a network namespace, NULL = this one */
    uint8_t mac[6];       /* of the device that receives */
    uint16_t port;
    unsigned rounds, round_ms;
    unsigned cpu;
    bool flood;    /* from outside, through a packet socket on device */
    bool drop_all; /* no packets */
    struct inject_job job;
};

struct inject_round {
    uint64_t sent, delivered, lost; /* lost: in the queue between the devices, judged by nobody */
    double cpu_ns, wall_ns;         /* all packets together */
};

/* inject-net.c */
unsigned inject_frame(const struct inject_options *o, uint8_t frame[INJECT_FRAME6]);
void inject_frame_source(uint8_t *frame, bool v6, uint32_t source);
int inject_device_mac(const char *device, uint8_t mac[6]);
int inject_listen(const struct inject_options *o);
/* Datagrams that reached the socket since the last call. */
uint64_t inject_delivered(int fd, uint64_t *drops_seen);
double inject_cpu_ns(void);
double inject_wall_ns(void);

/* inject-flood.c: sends for the time of one round. 0 or -errno. */
struct flood;
int flood_new(const struct inject_options *o, struct flood **ret);
int flood_round(struct flood *f, struct inject_round *ret);
void flood_free(struct flood *f);
