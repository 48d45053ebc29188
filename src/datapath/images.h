/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images in the kernel: an image is an ARRAY map of lines, a root slot holds one. */
#pragma once
#include "base/util.h"
#include "image.h"

/* A new map with these lines; the descriptor, or -errno. */
_must_check_ int image_map_new(const void *lines, uint32_t n_lines);
/* The image that classifies nothing: generation 0, not armed. Programs run it until the first
 * generation is installed, so that attaching them changes no traffic. */
_must_check_ int image_map_empty(uint16_t tag_secret);
/* Line 0. -EBADMSG: not an image of this layout. */
_must_check_ int image_map_header(int fd, struct img_header *ret);
/* Descriptor of the map in a slot of an array of maps; -ENOENT if it is empty. */
_must_check_ int image_map_at(int outer_fd, uint32_t slot);
