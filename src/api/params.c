/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/params.c: members of bodies and parameters of queries into struct api_params. Called by
 * server.c and routes.c. Strict: what a route does not take is refused, never ignored; every
 * member has one type; a name given twice is an error (for bodies jansson sees it). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "request.h"

enum param_type { TYPE_STRING, TYPE_FLAG, TYPE_STRINGS, TYPE_NUMBER, TYPE_ARRAY, TYPE_OBJECT };
enum { ITEMS_MAX = 65536 }; /* LIMIT_DYNAMIC_FILTERS: more cannot exist */
enum { VALUES_MAX = ITEMS_MAX + _PARAM_MAX + 2, BATCH_VALUES_MAX = 8 * ITEMS_MAX };
_Static_assert((int)ITEMS_MAX == (int)LIMIT_DYNAMIC_FILTERS, "as many items as dynamic filters");

static const struct {
    const char *name;
    enum param_type type;
    uint64_t max; /* of a number; the least is 1 */
} table[_PARAM_MAX] = {
    [PARAM_TEXT] = {"text", TYPE_STRING, 0},
    [PARAM_NAME] = {"name", TYPE_STRING, 0},
    [PARAM_PACKET] = {"packet", TYPE_STRING, 0},
    [PARAM_REASON] = {"reason", TYPE_STRING, 0},
    [PARAM_LAYER] = {"layer", TYPE_STRING, 0},
    [PARAM_POLICY] = {"policy", TYPE_STRING, 0},
    [PARAM_REPLACE] = {"replace", TYPE_FLAG, 0},
    [PARAM_CREATE] = {"create", TYPE_FLAG, 0},
    [PARAM_PERSISTENT] = {"persistent", TYPE_FLAG, 0},
    [PARAM_LIVE] = {"live", TYPE_FLAG, 0},
    [PARAM_ALL] = {"all", TYPE_FLAG, 0},
    [PARAM_SOURCE] = {"source", TYPE_FLAG, 0},
    [PARAM_ITEMS] = {"items", TYPE_STRINGS, 0},
    [PARAM_REVISION] = {"revision", TYPE_NUMBER, UINT32_MAX},
    [PARAM_LIMIT] = {"limit", TYPE_NUMBER, UINT32_MAX},
    [PARAM_IF_GENERATION] = {"if_generation", TYPE_NUMBER, INT64_MAX},
    [PARAM_PEER] = {"peer", TYPE_STRING, 0},
    [PARAM_DRY_RUN] = {"dry_run", TYPE_FLAG, 0},
    [PARAM_IF_STATE] = {"if_state", TYPE_NUMBER, INT64_MAX},
    [PARAM_ORIGIN] = {"origin", TYPE_STRING, 0},
    [PARAM_OPS] = {"ops", TYPE_ARRAY, 0},
    [PARAM_OP] = {"op", TYPE_STRING, 0},
    [PARAM_CHANGE] = {"change", TYPE_STRING, 0},
    [PARAM_RENAMED_FROM] = {"renamed_from", TYPE_STRING, 0},
    [PARAM_RENAMED_RULES] = {"renamed_rules", TYPE_OBJECT, 0},
    [PARAM_UNASSIGN] = {"unassign", TYPE_FLAG, 0},
    [PARAM_KEY] = {"key", TYPE_STRING, 0},
    [PARAM_VALUE] = {"value", TYPE_STRING, 0},
    [PARAM_ID] = {"id", TYPE_STRING, 0},
    [PARAM_IDS] = {"ids", TYPE_FLAG, 0},
    [PARAM_KEEP_HOLDERS] = {"keep_holders", TYPE_FLAG, 0},
    [PARAM_AFTER] = {"after", TYPE_NUMBER, INT64_MAX},
};

const char *param_name(enum param p)
{
    return table[p].name;
}

void api_params_done(struct api_params *p)
{
    free(p->items);
    *p = (struct api_params){0};
}

/* The parameter of this name in the mask, or negative with r->diag. */
static int find(struct request *r, unsigned mask, const char *name, enum param *ret)
{
    for (int i = 0; i < _PARAM_MAX; i++)
        if ((mask & PARAM_BIT(i)) && strcmp(table[i].name, name) == 0) {
            *ret = (enum param)i;
            return 0;
        }
    return diag_fail(&r->diag, DIAG_USAGE, "unknown member '%s'", name);
}

static int fail_type(struct request *r, enum param p)
{
    static const char *const wanted[] = {
        [TYPE_STRING] = "a string",
        [TYPE_FLAG] = "true or false",
        [TYPE_STRINGS] = "an array of strings",
        [TYPE_NUMBER] = "an integer of at least 1",
        [TYPE_ARRAY] = "an array",
        [TYPE_OBJECT] = "an object",
    };

    return diag_fail(&r->diag, DIAG_USAGE, "member '%s' must be %s", table[p].name,
                     wanted[table[p].type]);
}

static int take_items(struct request *r, const json_t *value, struct api_params *to)
{
    size_t n = json_array_size(value), i;
    const json_t *v;

    if (n == 0)
        return fail_type(r, PARAM_ITEMS);
    if (n > ITEMS_MAX)
        return diag_fail(&r->diag, DIAG_LIMIT, "more than %d items in one request", ITEMS_MAX);
    to->items = calloc(n, sizeof(*to->items));
    if (!to->items)
        return diag_errno(&r->diag, ENOMEM, "cannot read the request");
    json_array_foreach(value, i, v)
    {
        if (!json_is_string(v))
            return fail_type(r, PARAM_ITEMS);
        to->items[to->n_items++] = json_string_value(v);
    }
    return 0;
}

static int take_number(struct request *r, enum param p, const json_t *value, struct api_params *to)
{
    json_int_t n = json_integer_value(value); /* 0 for what is no integer */

    if (n < 1)
        return fail_type(r, p);
    if ((uint64_t)n > table[p].max)
        return diag_fail(&r->diag, DIAG_USAGE, "member '%s' is too large", table[p].name);
    to->number[p] = (uint64_t)n;
    return 0;
}

/* What the handler reads by itself. */
static int take_json(struct request *r, enum param p, const json_t *value, struct api_params *to)
{
    if (table[p].type == TYPE_ARRAY ? !json_is_array(value) : !json_is_object(value))
        return fail_type(r, p);
    to->json[p] = value;
    return 0;
}

static int take_member(struct request *r, enum param p, const json_t *value, struct api_params *to)
{
    if (json_is_null(value))
        return 0; /* as if it were not there */
    switch (table[p].type) {
    case TYPE_STRING:
        if (!json_is_string(value))
            return fail_type(r, p);
        to->text[p] = json_string_value(value);
        return 0;
    case TYPE_FLAG:
        if (!json_is_boolean(value))
            return fail_type(r, p);
        to->flag[p] = json_is_true(value);
        return 0;
    case TYPE_STRINGS:
        return take_items(r, value, to);
    case TYPE_NUMBER:
        return take_number(r, p, value, to);
    case TYPE_ARRAY:
    case TYPE_OBJECT:
        return take_json(r, p, value, to);
    }
    return -EINVAL;
}

/* How many values the text has at most, without reading it as JSON: a small body can become a
 * large tree (an array of zeros takes 16 times its size), and no request has that many. */
static size_t count_values(const char *body, size_t len)
{
    bool in_string = false;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (in_string && body[i] == '\\')
            i++;
        else if (body[i] == '"')
            in_string = !in_string;
        else if (!in_string)
            n += body[i] == ',' || body[i] == '[' || body[i] == '{';
    }
    return n;
}

int params_from_object(struct request *r, const json_t *object, unsigned mask,
                       struct api_params *to)
{
    /* jansson's iterators take no const object, though they only read. */
    union {
        const json_t *in;
        json_t *out;
    } u = {object};
    const char *name;
    json_t *value;

    json_object_foreach(u.out, name, value)
    {
        enum param p;
        int e = find(r, mask, name, &p);

        if (e == 0 && !json_is_null(value)) /* null is as if it were not there */
            e = take_member(r, p, value, to);
        if (e < 0)
            return e;
    }
    return 0;
}

int params_from_body(struct request *r, const char *body, size_t len)
{
    json_error_t error;
    size_t max = r->route->params & PARAM_BIT(PARAM_OPS) ? BATCH_VALUES_MAX : VALUES_MAX;

    if (len == 0)
        return 0;
    if (count_values(body, len) > max)
        return diag_fail(&r->diag, DIAG_LIMIT, "more than %d items in one request", ITEMS_MAX);
    r->body = json_loadb(body, len, JSON_REJECT_DUPLICATES, &error);
    if (!r->body)
        return diag_fail(&r->diag, DIAG_USAGE, "body is not JSON: line %d column %d: %s",
                         error.line, error.column, error.text);
    if (!json_is_object(r->body))
        return diag_fail(&r->diag, DIAG_USAGE, "body is not a JSON object");
    return params_from_object(r, r->body, r->route->params, &r->params);
}

int params_from_text(struct request *r, const char *text, size_t len)
{
    if (r->params.text[PARAM_TEXT])
        return diag_fail(&r->diag, DIAG_USAGE, "parameter 'text' is given beside a text");
    if (memchr(text, '\0', len))
        return diag_fail(&r->diag, DIAG_USAGE, "NUL byte in the text");
    r->params.text[PARAM_TEXT] = text;
    return 0;
}

/* "1" and nothing at all set a flag, "0" does not. */
static int take_query_flag(struct request *r, enum param p, const char *text)
{
    if (*text && strcmp(text, "1") != 0 && strcmp(text, "0") != 0)
        return diag_fail(&r->diag, DIAG_USAGE, "parameter '%s' must be 0 or 1", table[p].name);
    r->params.flag[p] = strcmp(text, "0") != 0;
    return 0;
}

static int take_query_number(struct request *r, enum param p, const char *text)
{
    size_t digits = strspn(text, "0123456789");

    /* 18 digits always fit 64 bits, and none of these numbers comes near. */
    if (digits == 0 || digits > 18 || text[digits])
        return diag_fail(&r->diag, DIAG_USAGE, "parameter '%s' must be a number", table[p].name);
    r->params.number[p] = strtoull(text, NULL, 10);
    if (r->params.number[p] < 1 || r->params.number[p] > table[p].max)
        return diag_fail(&r->diag, DIAG_USAGE, "parameter '%s' is out of range", table[p].name);
    return 0;
}

static int take_query(struct request *r, enum param p, const char *text)
{
    if (table[p].type == TYPE_FLAG)
        return take_query_flag(r, p, text);
    return table[p].type == TYPE_NUMBER ? take_query_number(r, p, text) : 0;
}

int params_from_query(struct request *r, const char *key, const char *value)
{
    _cleanup_free_ char *name = NULL, *text = NULL;
    enum param p;
    char **grown;
    int e;

    if (route_decode(key, strlen(key), &name) < 0 ||
        route_decode(value ? value : "", value ? strlen(value) : 0, &text) < 0)
        return diag_fail(&r->diag, DIAG_USAGE, "query is not valid percent-encoded UTF-8");
    e = find(r, r->route->params, name, &p);
    if (e < 0)
        return e;
    if (r->params.text[p])
        return diag_fail(&r->diag, DIAG_USAGE, "parameter '%s' is given twice", name);
    grown = reallocarray(r->query_text, r->n_query + 1, sizeof(*grown));
    if (!grown)
        return diag_errno(&r->diag, ENOMEM, "cannot read the request");
    r->query_text = grown;
    r->params.text[p] = text;
    r->query_text[r->n_query++] = TAKE_PTR(text);
    return take_query(r, p, r->params.text[p]);
}

int params_check(struct request *r)
{
    const char *reason = r->params.text[PARAM_REASON];

    for (int i = 0; i < _PARAM_MAX; i++)
        if ((r->route->required & PARAM_BIT(i)) && !r->params.text[i] &&
            !(i == PARAM_ITEMS && r->params.n_items) && !r->params.json[i])
            return diag_fail(&r->diag, DIAG_USAGE, "member '%s' is missing", table[i].name);
    if (reason && strlen(reason) > LIMIT_REASON_BYTES)
        return diag_fail(&r->diag, DIAG_LIMIT, "reason exceeds %d bytes", LIMIT_REASON_BYTES);
    return 0;
}
