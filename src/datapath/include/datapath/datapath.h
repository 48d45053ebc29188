/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a classifier image to packets: loads and pins the eBPF programs of one network
 * namespace, keeps them attached to every interface, keeps `me` live from the kernel's local
 * routing table, installs generations, reads counters.
 *
 * Kernel objects have two lifetimes. Descriptors are held by struct datapath. Everything is
 * also pinned below <pin_root>/<netns cookie>/ (links link/<ifindex>-<in|out>, maps map/<name>,
 * programs prog/<name>), so that enforcement goes on when the process ends in any way; only
 * datapath_clear() removes it. The lock "one agent per namespace" is an flock on that directory.
 *
 * Generations (datapath.md 6): roots[candidate] = image; self-test by the caller through
 * datapath_test(); one batch update {previous = old active, active = candidate}. Updates of the
 * root wait for a kernel grace period and therefore run in the worker thread; the new image
 * decides about 0.1 ms after the call begins, which datapath_visible() sees by a test run. */
#pragma once
#include "base/diag.h"
#include "compile/patch.h"
#include "model/packet.h"

struct datapath;

/* Slots of the root, for datapath_visible() and datapath_test(): PW_ROOT_* of bpf/image.h. */
enum { DATAPATH_ACTIVE = 0, DATAPATH_CANDIDATE = 1, DATAPATH_PREVIOUS = 2 };
/* Counter ids that the kernel's table can grow to: PW_CHUNKS * PW_CHUNK_IDS. */
enum { DATAPATH_COUNTER_IDS = 1 << 21 };

enum hook_mode { HOOK_AUTO, HOOK_TCX, HOOK_CLSACT };
const char *hook_mode_name(enum hook_mode m);

struct datapath_options {
    const char *pin_root; /* NULL = /sys/fs/bpf/portward */
    enum hook_mode hook;
    bool guard; /* netfilter programs behind the hooks, Linux 6.4 (datapath.md 2.2) */
};

/* Opens, locks, loads or adopts. If pins of the same layout exist, their maps (active image,
 * counters, local addresses) are taken over and programs are replaced link by link without a
 * gap; with another layout a new set is built beside and takes their place when its first
 * generation is in force. Mounts bpffs on /sys/fs/bpf only if nothing is mounted there and this
 * process is in the mount namespace of pid 1; otherwise fails with the hint to use nsenter.
 * After open the host's interfaces and addresses are known (datapath_host()) and the maps say
 * so; interfaces are attached by datapath_attach_all().
 * -EBUSY: another agent holds the namespace. On failure nothing in the kernel has changed. */
_must_check_ int datapath_open(const struct datapath_options *o, struct diag *d,
                               struct datapath **ret);
/* Ends the worker after its last job, closes all descriptors, leaves all pins. NULL is fine. */
struct datapath *datapath_close(struct datapath *dp);
void datapath_closep(struct datapath **dp);
/* Removes links, maps and pins of this namespace: the host is open. Then closes. */
_must_check_ int datapath_clear(struct datapath *dp, struct diag *d);
/* The same without an agent, for a namespace cookie; -EBUSY if an agent holds it. clsact filters
 * can be taken off only from inside their namespace. pin_root here and below: NULL = default. */
_must_check_ int datapath_clear_pins(const char *pin_root, uint64_t cookie, struct diag *d);
/* Removes pin directories of namespaces that no longer exist (all links dead). */
int datapath_collect_dead(const char *pin_root);

uint64_t datapath_netns_cookie(const struct datapath *dp);
uint64_t datapath_generation(const struct datapath *dp); /* of the active image, 0 = none */
/* The largest number found in a slot when it was opened. An agent that was killed leaves its
 * candidate behind: a new image of the same number would be taken for visible at once. */
uint64_t datapath_newest(const struct datapath *dp);
bool datapath_adopted(const struct datapath *dp);        /* an image was in force at open */
uint16_t datapath_tag_secret(const struct datapath *dp); /* for compile_options */
enum hook_mode datapath_hook(const struct datapath *dp); /* what is really used */

/* --- interfaces and addresses (rtnetlink) --- */
/* What the host looks like now; valid until the next datapath_rtnl_process(). */
const struct host *datapath_host(const struct datapath *dp);
/* The profiles that datapath_host() shows from now on (iface.profile). */
void datapath_set_profiles(struct datapath *dp, const struct profile_patterns *l);
/* Attaches (or repairs) every interface; *ret_n = number attached. Errors of single interfaces
 * are kept per interface (datapath_iface_status) and make the result negative only if none
 * could be attached although some exist. Call before the first flip. */
_must_check_ int datapath_attach_all(struct datapath *dp, struct diag *d, unsigned *ret_n);
enum { FRONT_BYTES = 32 }; /* "name (id 17)" */
struct iface_status {
    uint32_t ifindex;
    char name[16];
    enum iface_role role;
    enum profile profile; /* PROFILE_NONE: not configured */
    char untested[16];    /* as in struct iface */
    bool attached_in, attached_out;
    char front[2]
              [FRONT_BYTES]; /* by enum direction: program of others in front of ours, "" = none */
    int error;               /* negative errno of the last failed attachment, 0 = fine */
};
/* Snapshot for status; array owned by the caller. */
_must_check_ int datapath_iface_status(const struct datapath *dp, struct iface_status **ret,
                                       size_t *ret_n);
/* What was found about the order of the chain at a hook. */
struct front_news {
    char name[16]; /* of the interface */
    enum direction dir;
    char program[FRONT_BYTES];
    bool overtaken; /* ours stands in front again */
};
/* Takes the oldest piece of news since datapath_reconcile(); false: there is none. */
bool datapath_front_news(struct datapath *dp, struct front_news *ret);
enum guard_state {
    GUARD_OFF,         /* not wanted */
    GUARD_ON,          /* all its links are there */
    GUARD_PARTIAL,     /* some are */
    GUARD_UNAVAILABLE, /* none: this kernel cannot, or refused */
};
struct guard_status {
    enum guard_state state;
    char reason[512]; /* of the last two, "" otherwise */
};
const char *guard_state_name(enum guard_state s);
void datapath_guard_status(const struct datapath *dp, struct guard_status *ret);
int datapath_rtnl_fd(const struct datapath *dp);
/* Reads all pending messages: attaches new interfaces, updates `me` in the kernel maps. The
 * result says what changed, for the caller's derived entries. -errno only if rtnetlink itself
 * failed; a lost message (ENOBUFS) is answered by a full new dump. */
enum { HOST_CHANGED_IFACES = 1, HOST_CHANGED_LOCAL = 2, HOST_CHANGED_DHCP = 4 };
_must_check_ int datapath_rtnl_process(struct datapath *dp, unsigned *ret_changes);
/* Dumps interfaces and addresses again (call every 30 s): sees what sends no message, such as
 * sockets of DHCP clients and the sysctl accept_local, and what a failed dump left out. Result as
 * of datapath_rtnl_process(). */
_must_check_ int datapath_resync(struct datapath *dp, unsigned *ret_changes);
/* Compares links and pins with what should be and repairs (call every 500 ms); number of
 * repairs. */
int datapath_reconcile(struct datapath *dp);

/* --- generations --- */
/* Copies img into a new map and asks the worker to put it into the candidate slot. Also grows
 * the counter chunks so that ids below n_counters exist. One installation at a time: -EBUSY. */
_must_check_ int datapath_candidate(struct datapath *dp, const struct image *img,
                                    uint32_t n_counters, struct diag *d);
/* Asks the worker to flip: previous = active, active = candidate. */
_must_check_ int datapath_flip(struct datapath *dp, struct diag *d);
/* Gives the candidate up. */
void datapath_abandon(struct datapath *dp);
/* 1 if the image in this root slot is seen by the program with this generation, 0 if not yet. */
int datapath_visible(struct datapath *dp, unsigned root_slot, uint64_t generation);
/* Descriptor that becomes readable when a worker job ended; process it with this call. A failed
 * job's errno is returned once; -EAGAIN: none has ended. */
int datapath_worker_fd(const struct datapath *dp);
int datapath_worker_process(struct datapath *dp);

/* --- changes in place --- */
/* The image in force, for image_patch(); to be read, not freed, and until the next call that
 * installs or changes one. -EBUSY while it is not certain which one is. */
_must_check_ int datapath_image(struct datapath *dp, struct image *ret);
/* Makes the stores of p in the image in force, which must be the one it was computed from
 * (-ESTALE). Packets obey at once; datapath_generation() is the new one afterwards. On failure
 * nothing was stored. */
_must_check_ int datapath_patch(struct datapath *dp, const struct image_patch *p);
/* Takes the stores back, the last one first. */
_must_check_ int datapath_unpatch(struct datapath *dp, const struct image_patch *p);
/* Ids below have a counter in the kernel. */
uint32_t datapath_counter_room(const struct datapath *dp);

/* --- memory pressure protection (src/mpp) --- */
/* Map number `index` (MPP_MAP_* of bpf/mpp.h) of the SYN gate; the descriptor stays ours. */
int datapath_mpp_map(const struct datapath *dp, unsigned index);
/* Directory of this namespace's pins; below it "mpp" is for src/mpp, and goes with the rest. */
const char *datapath_pin_dir(const struct datapath *dp);

/* --- questions --- */
struct datapath_answer {
    bool block;
    enum drop_reason reason;
    bool by_filter;
    uint32_t generation, counter_id, weight, probes;
    enum tier tier;
};
/* Runs one frame through the test entry of a root slot. Writes no map. */
_must_check_ int datapath_test(struct datapath *dp, unsigned root_slot, const uint8_t *frame,
                               size_t len, const struct packet_meta *meta,
                               struct datapath_answer *ret);

/* Counters of ids [first, first + n), summed over CPUs, into out[]. Ids beyond the map: zero. */
struct counter {
    uint64_t packets, bytes;
};
_must_check_ int datapath_counters(struct datapath *dp, uint32_t first, uint32_t n,
                                   struct counter *out);
_must_check_ int datapath_counter_reset(struct datapath *dp, uint32_t id);
/* Packets of one direction: passed, and dropped by reason. */
_must_check_ int datapath_stats(struct datapath *dp, enum direction dir, uint64_t *ret_passed,
                                uint64_t ret_dropped[_DROP_REASON_MAX]);

/* --- log --- */
/* log_record.flags; PW_RECORD_* of bpf/record.h. */
enum {
    LOG_EGRESS = 1,
    LOG_GUARD = 2,
    LOG_FORWARDED = 4,
    LOG_FRAGMENT = 8,
    LOG_WOULD_BLOCK = 16,
    LOG_MASQUERADED = 32,
    LOG_DECAPSULATED = 64,
};
enum { LOG_HEAD_BYTES = 64 };
/* A packet that a filter with `log` decided, or that was dropped without a filter. */
struct log_record {
    uint64_t time_ns;    /* boot-time clock */
    uint32_t generation; /* low 32 bits */
    uint32_t counter_id; /* COUNTER_NONE: no filter, or one that is not counted */
    uint32_t ifindex, length;
    uint32_t suppressed; /* records of the same filter or reason that were left out before it */
    uint32_t segments, weight;
    enum tier tier;
    uint8_t flags;           /* LOG_* */
    enum drop_reason reason; /* DROP_NONE: it passed */
    enum family family;      /* FAMILY_ANY: not known, the addresses are zero */
    struct ip src, dst;
    uint8_t proto;
    uint16_t sport, dport;
    uint8_t tcp_flags, icmp_type, icmp_code;
    uint8_t mac[6]; /* source, zero if there is none */
    uint16_t vlan;
    uint8_t head[LOG_HEAD_BYTES]; /* the packet from its IP header on */
};
typedef void datapath_log_fn(void *ctx, const struct log_record *r);
/* Gives at most `max` records to fn, the oldest first, and forgets them; the number that were
 * given. A record that this version cannot read is forgotten, too. */
_must_check_ int datapath_log_read(struct datapath *dp, unsigned max, datapath_log_fn *fn,
                                   void *ctx);
/* Since the maps were made. Each packet that is to be logged is in exactly one of the three. */
struct log_stats {
    uint64_t written;
    uint64_t suppressed; /* beyond the rate */
    uint64_t lost;       /* nobody has read the ring for too long */
};
/* Calls fn for each filter (COUNTER_NONE: a reason of drops that no filter decides) of which
 * records were left out since the last call; the first call says nothing. */
typedef void datapath_suppressed_fn(void *ctx, uint32_t counter_id, enum drop_reason reason,
                                    uint64_t count);
_must_check_ int datapath_log_suppressed(struct datapath *dp, datapath_suppressed_fn *fn,
                                         void *ctx);
_must_check_ int datapath_log_stats(struct datapath *dp, struct log_stats *ret);
