/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of store/schema as strings (made by embed-schema.py): schema_sql[v] takes a database
 * of version v to version v + 1. */
#pragma once

extern const unsigned schema_n_versions;
extern const char *const schema_sql[];
