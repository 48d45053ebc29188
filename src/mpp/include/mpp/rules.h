/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings (model/mpp.h) as rules of the engine (mpp/mpp.h). Pure. Called by the agent. */
#pragma once
#include "model/mpp.h"
#include "mpp/mpp.h"

/* Failsafe ports (keep) are the caller's. */
void mpp_rules_make(const struct mpp_settings *s, uint32_t generation, struct mpp_rules *ret);
void mpp_iface_make(const struct mpp_settings *s, uint32_t ifindex, const char *name,
                    enum mpp_category c, struct mpp_iface *ret);
