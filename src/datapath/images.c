/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images as maps: written through a mapping while nobody reads them, then only referenced by root
 * slots. They are not frozen and carry no BPF_F_RDONLY_PROG: the kernel refuses a writable mapping
 * of such a map (kernel/bpf/syscall.c, bpf_map_mmap), and changes in place come later. */
#include "images.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Linux 5.10; sizes of inner maps may differ only with it. */
#ifndef BPF_F_INNER_MAP
#define BPF_F_INNER_MAP (1U << 12)
#endif

int image_map_new(const void *lines, uint32_t n_lines)
{
    LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
    size_t size = (size_t)n_lines * IMG_LINE_BYTES;
    uint32_t n_pages = (uint32_t)(((uint64_t)n_lines + IMG_PAGE_LINES - 1) / IMG_PAGE_LINES);
    _cleanup_(close_p) int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pw_image", sizeof(uint32_t),
                                               IMG_PAGE_BYTES, n_pages, &o);

    if (fd < 0)
        return fd;
    void *to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (to == MAP_FAILED)
        return -errno;
    memcpy(to, lines, size);
    munmap(to, size);
    return TAKE_FD(fd);
}

int image_map_empty(uint16_t tag_secret)
{
    struct {
        struct img_header header;
        uint8_t rest[(IMG_FIRST_FREE_LINE - 1) * IMG_LINE_BYTES];
    } image = {
        .header =
            {
                .magic = IMG_MAGIC,
                .layout = IMG_LAYOUT,
                .n_lines = IMG_FIRST_FREE_LINE,
                .tag_secret = tag_secret,
            },
    };

    return image_map_new(&image, IMG_FIRST_FREE_LINE);
}

int image_map_header(int fd, struct img_header *ret)
{
    struct img_header *h = mmap(NULL, sizeof(*h), PROT_READ, MAP_SHARED, fd, 0);

    if (h == MAP_FAILED)
        return -errno;
    *ret = *h;
    munmap(h, sizeof(*h));
    return ret->magic == IMG_MAGIC && ret->layout == IMG_LAYOUT ? 0 : -EBADMSG;
}

int image_map_at(int outer_fd, uint32_t slot)
{
    uint32_t id;
    int r = bpf_map_lookup_elem(outer_fd, &slot, &id);

    return r < 0 ? r : bpf_map_get_fd_by_id(id);
}
