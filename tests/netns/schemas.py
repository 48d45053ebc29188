# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON Schemas of share/schema as tests use them: closed, so that a member nobody described
is an error here, although the installed ones leave room for members of later versions; and a
set of wrong documents made from every right one."""
import copy
import json
import pathlib

import jsonschema

DIRECTORY = pathlib.Path(__file__).resolve().parents[2] / "share/schema"
COMMON = "portward.common-1.json"


def closed(schema):
    """The schema with no further members allowed in any object that lists its members."""
    if isinstance(schema, list):
        return [closed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


class Schemas:
    def __init__(self):
        self.open = {p.name: json.loads(p.read_text()) for p in sorted(DIRECTORY.glob("*.json"))}
        self.used = set()
        self._validators = {}
        store = {name: closed(schema) for name, schema in self.open.items()}
        for name, schema in store.items():
            jsonschema.Draft7Validator.check_schema(schema)
            resolver = jsonschema.RefResolver(base_uri=name, referrer=schema, store=store)
            self._validators[name] = jsonschema.Draft7Validator(schema, resolver=resolver)

    def names(self):
        return set(self.open) - {COMMON}

    def problem(self, document):
        """Why the document does not fit the schema it names; None if it fits."""
        name = str(document.get("schema", "")).replace("/", "-") + ".json"
        if name not in self._validators or name == COMMON:
            return f"no schema file for {document.get('schema')!r}"
        self.used.add(name)
        error = jsonschema.exceptions.best_match(self._validators[name].iter_errors(document))
        return error and f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"


def places(value, path=()):
    """Paths of all values in a document."""
    items = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(document, path, change):
    made = copy.deepcopy(document)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return made


def wrong_documents(document, optional=(), empty=()):
    """Documents that must be refused: at every place a value of a type that occurs nowhere (a
    fraction, an empty string but in the members named), every member left out, and a member nobody
    knows."""
    for path in places(document):
        free = "dropped" in path[:-1]  # a map by reason: no member of it has to be there
        for bad in (0.5,) if path[-1] in empty else (0.5, ""):
            yield path, changed(document, path, lambda h, k, bad=bad: h.__setitem__(k, bad))
        if isinstance(path[-1], str) and not free and path[-1] not in optional:
            yield path, changed(document, path, lambda h, k: h.pop(k))
    unknown = dict(document, no_such_member=1)
    yield ("no_such_member",), unknown
