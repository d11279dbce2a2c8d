#!/usr/bin/python3
"""The published schemas and the loaders accept and refuse the same files.

usage: schema_agreement_test.py BROWNOUT        from the root of the repository

Held against each other on the bundled files, on the corpus, and on mutants: every key of every valid
file deleted, renamed and given wrong values one at a time. Where a schema cannot know what a loader
knows, the file or the loader's message is listed below with the reason; nothing else may differ.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import jsonschema

KINDS = ("policy", "scenario", "connections")
CORPUS = pathlib.Path("tests/corpus")

# What is beyond the reach of a JSON Schema (draft-07), and how the loaders say it.
BEYOND = {
    "JSON itself: a schema sees the tree after equal keys have been merged":
        [r'^duplicate key "'],
    "spelling of numbers: to a schema 1.0 and 1e3 are whole numbers":
        [r"^expected a whole number but found the number -?\d+(\.0+|(\.\d+)?[eE]\+?\d+)$"],
    "upper bounds of durations, which are strings":
        [r'^"\d[^"]*" is out of range$', r'^expected a duration such as "250ms" but found the string "\d{8,}h"$'],
    "sums: shares that do not add up":
        [r"^the shares of this mixture sum to", r"^the shares of the faults on .* can add up to"],
    "comparison of two values: min and max, first and last status":
        [r'^"\w+" is greater than "\w+"$', r'^"stale" is not greater than "ttl"$', r"^the window never holds so many calls$",
         r"^more probes at once than results decide$", r"names no status a call can fail with$"],
    "combinations of what is deep inside two values":
        [r"^without half-open every open time ends in recovery",
         r"^a provider's breaker stands where calls go to one$",
         r"^the breakers of one provider have the same options$"],
    "order: phases, faults of a store, points of a rate, fallbacks at the end of their pipeline":
        [r"^the phase ends at", r"^the fault (begins|ends) at", r"^points must be in order of time$",
         r"^nothing can follow a fallback in its pipeline$",
         r"^a hedge below which calls share one flight never asks anybody$"],
    "agreement with the scenario's duration":
        [r"^the last phase ends at", r"is after the end of the scenario$"],
    "uniqueness of one member of several objects: phases, routes":
        [r"^there is a phase .* already$", r"^a second route is named"],
    "references: models, phases, routes, other files":
        [r"^this scenario has no model", r"^no (provider|model) of .* matches", r"^there is no phase",
         r"^the policy has no (route|budget)", r"^scenario \S+ has no (model|role)", r"^cannot read "],
    "the calendar: days that never were":
        [r"is not a time of the calendar$"],
    "depth: layers inside each other":
        [r"^more than 16 layers inside each other$"],
    "patterns with stars against the one endpoint there is":
        [r'^unknown endpoint "'],
    "what is wrong with another file":
        [r"^this file is (a )?\w+, not a \w+$", r"^this timeout limits nothing$"],
}

# Broken files that their schema accepts, by the reason why.
BROKEN_BEYOND = {
    "json-duplicate-key": "JSON itself",
    "connections-redis-waits-reversed": "comparison",
    "policy-adaptive-concurrency-reversed": "comparison",
    "policy-adaptive-concurrency-starts-outside": "comparison",
    "policy-breaker-failures-above-window": "comparison",
    "policy-breaker-growth-without-half-open": "combinations",
    "policy-breaker-minimum-above-window": "comparison",
    "policy-breaker-more-probes-than-judged": "comparison",
    "policy-breaker-open-from-above-max": "comparison",
    "policy-breaker-open-jitter-reversed": "comparison",
    "policy-breaker-provider-before-fallback": "combinations",
    "policy-breaker-provider-options-differ": "combinations",
    "policy-breaker-retry-after-reversed": "comparison",
    "policy-breaker-successes-above-calls": "comparison",
    "policy-budget-unknown": "references",
    "policy-hedge-above-shared-flight": "order",
    "policy-hedge-delay-reversed": "comparison",
    "policy-jitter-reversed": "comparison",
    "policy-layer-after-fallback": "order",
    "policy-min-greater-than-default-max": "comparison",
    "policy-min-greater-than-max": "comparison",
    "policy-route-names-twice": "uniqueness",
    "policy-stale-before-ttl": "comparison",
    "policy-too-many-layers": "depth",
    "scenario-duration-too-long": "upper bounds",
    "scenario-expect-time-after-the-end": "agreement",
    "scenario-expect-unknown-phase": "references",
    "scenario-expect-unknown-route": "references",
    "scenario-fault-on-unknown-model": "references",
    "scenario-fault-on-unknown-provider": "references",
    "scenario-fault-ramp-exceeds-one": "sums",
    "scenario-fault-shares-exceed-one": "sums",
    "scenario-last-phase-ends-early": "agreement",
    "scenario-mixture-shares-do-not-sum": "sums",
    "scenario-phase-out-of-order": "order",
    "scenario-phase-twice": "uniqueness",
    "scenario-policy-does-not-exist": "references",
    "scenario-policy-does-not-fit": "references",
    "scenario-policy-is-a-scenario": "what is wrong with another file",
    "scenario-policy-is-broken": "what is wrong with another file",
    "scenario-starts-at-day-that-never-was": "the calendar",
    "scenario-steps-after-the-end": "upper bounds",
    "scenario-steps-out-of-order": "order",
    "scenario-uniform-min-greater-than-max": "comparison",
    "scenario-store-fault-after-the-end": "agreement",
    "scenario-store-fault-ends-before-it-begins": "order",
    "scenario-store-faults-overlap": "order",
    "scenario-unknown-role-target": "references",
}


def reader_of(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("duplicate key")
    return dict(pairs)


def parse(path):
    """The tree of a file, read as strictly as JSON is defined; raises ValueError."""
    return json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=reader_of)


def load_schemas():
    return {kind: json.loads(pathlib.Path(f"scenarios/schema/{kind}.schema.json").read_text(
        encoding="utf-8")) for kind in KINDS}


SCHEMAS = load_schemas()
VALIDATORS = {kind: jsonschema.Draft7Validator(schema) for kind, schema in SCHEMAS.items()}


def kind_of(tree):
    kind = tree.get("kind") if isinstance(tree, dict) else None
    return kind if isinstance(kind, str) and kind in KINDS else "policy"


def valid_files(museum=True):
    """The museum's data files are of no kind. Its scenarios find their policies only where they are.
    Baselines are written by the program, and read by no check."""
    bundled = [p for p in pathlib.Path("scenarios").rglob("*.json")
               if not {"schema", "baselines"} & set(p.parts)
               and p.name not in ("failing.json", "left-out.json")
               and (museum or "museum" not in p.parts)]
    return sorted(bundled) + sorted((CORPUS / "valid").glob("*.json"))


def loader_messages(paths, batch=400):
    """What `brownout check` says of each file, by path: an empty list when it accepts it."""
    messages = {str(path): None for path in paths}
    for begin in range(0, len(paths), batch):
        names = [str(path) for path in paths[begin:begin + batch]]
        result = subprocess.run([BROWNOUT, "check", *names], capture_output=True, timeout=120,
                                env={**os.environ, "LC_ALL": "C"}, check=False)
        for line in result.stdout.decode().splitlines():
            messages[line.removeprefix("ok  ")] = []
        said = result.stderr.decode()
        for message, path in re.findall(r"^error: (.*)\n *--> ([^:\n]*):\d", said, re.M):
            if path in messages:
                messages[path] = (messages[path] or []) + [message]
        # What is said of no file, or of another one than was asked about, is told apart by asking
        # about each alone.
        for name in names:
            if messages[name] is None:
                alone = subprocess.run([BROWNOUT, "check", name], capture_output=True, timeout=60,
                                       env={**os.environ, "LC_ALL": "C"}, check=False)
                messages[name] = re.findall(r"^error: (.*)$", alone.stderr.decode(), re.M)
    return messages


def beyond_reason(message):
    for reason, patterns in BEYOND.items():
        if any(re.search(pattern, message) for pattern in patterns):
            return reason
    return None


# ------------------------------------------------------------------------------- mutants

def nodes(tree, path=()):
    """Every value below the root with the path to it."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(
        tree, list) else ()
    for key, value in items:
        yield path + (key,), value
        yield from nodes(value, path + (key,))


def changed(tree, path, change):
    """A copy of the tree in which `change` was done to the container and key at `path`."""
    copy = json.loads(json.dumps(tree))
    container = copy
    for key in path[:-1]:
        container = container[key]
    change(container, path[-1])
    return copy


def rename(container, key):
    items = [(key + "_" if k == key else k, v) for k, v in container.items()]
    container.clear()
    container.update(items)


def place(tree, path):
    """A path without mere names: of list members, models and providers, which go by dialect."""
    keys = ["*" if isinstance(key, int) else key for key in path]
    if kind_of(tree) == "scenario" and keys[0:1] == ["providers"] and len(keys) > 1:
        provider = tree["providers"][keys[1]]
        keys[1] = provider.get("dialect") if isinstance(provider, dict) else "*"
        if keys[2:3] == ["models"] and len(keys) > 3:
            keys[3] = "*"
    return tuple(keys)


def siblings(tree, path):
    for key in path[:-1]:
        tree = tree[key]
    return tuple(tree) if isinstance(tree, dict) else ()


# What stands in place of a value, by the type it has: another type, a number without its unit, a
# negative one, none, a huge one.
WRONG = {
    str: [None, 7, -1, "", "no such thing!", "0s", "5", "1.5m", "99999999h", [], {}],
    bool: [None, True, False, 1, "yes", {}],
    int: [None, True, "5", -1, 0, 2, 0.5, 10**18, []],
    float: [None, "0.5", -0.5, 0, 1, 97, 10**18, {}],
    list: [None, "x", 7, [], [[]], [7], ["x"], {}],
    dict: [None, "x", 7, [], {}, {"x": 1}],
    type(None): [0, "x"],
}


def mutants(tree):
    """(label, path, tree) for every change of one place."""
    for path, value in nodes(tree):
        def delete(container, key):
            del container[key]
        yield "deleted", path, value, changed(tree, path, delete)
        if isinstance(path[-1], str):
            yield "renamed", path, value, changed(tree, path, rename)
        if isinstance(value, list) and value:
            yield "first item again", path, value, changed(
                tree, path, lambda c, k: c[k].append(c[k][0]))
        for wrong in WRONG[type(value)]:
            if type(wrong) is type(value) and wrong == value:
                continue
            def replace(container, key, wrong=wrong):
                container[key] = wrong
            yield f"replaced by {json.dumps(wrong)}", path, value, changed(tree, path, replace)


class Schemas(unittest.TestCase):
    def test_are_schemas(self):
        for schema in SCHEMAS.values():
            jsonschema.Draft7Validator.check_schema(schema)

    def properties(self):
        def walk(schema, place):
            if isinstance(schema, dict):
                # Conditions mention properties without describing them.
                for key, value in schema.items():
                    if key in ("if", "then", "else", "not", "anyOf", "allOf", "oneOf", "contains"):
                        if key != "anyOf":
                            continue
                    if key == "properties":
                        for name, inner in value.items():
                            yield f"{place}.{name}", inner
                    yield from walk(value, f"{place}.{key}")
            elif isinstance(schema, list):
                for item in schema:
                    yield from walk(item, place)
        for kind, schema in SCHEMAS.items():
            yield from ((kind, name, inner) for name, inner in walk(schema, kind))

    def described(self, kind, schema):
        if "description" in schema:
            return True
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return self.described(kind, SCHEMAS[kind]["definitions"][name])
        return False

    def test_describe_every_key_for_editors(self):
        for kind, name, schema in self.properties():
            self.assertTrue(self.described(kind, schema), f"{name} has no description")

    def test_give_defaults_that_they_accept_themselves(self):
        count = 0
        for kind, name, schema in self.properties():
            if "default" not in schema:
                continue
            count += 1
            resolved = {**schema, "definitions": SCHEMAS[kind]["definitions"]}
            self.assertTrue(jsonschema.Draft7Validator(resolved).is_valid(schema["default"]), name)
        self.assertGreater(count, 20)


class Agreement(unittest.TestCase):
    def test_every_valid_file_is_accepted_by_both(self):
        files = valid_files()
        messages = loader_messages(files)
        for path in files:
            tree = parse(path)
            errors = [e.message for e in VALIDATORS[kind_of(tree)].iter_errors(tree)]
            self.assertEqual(errors, [], path)
            self.assertEqual(messages[str(path)], [], path)

    def test_the_valid_files_use_every_key_there_is(self):
        used = {path[-1] for file in valid_files() for path, _ in nodes(parse(file))}
        for schema in SCHEMAS.values():
            for path, _ in nodes(schema):
                if len(path) > 1 and path[-2] == "properties":
                    self.assertIn(path[-1], used, "no valid file of the corpus uses this key")

    def test_every_broken_file_is_refused_by_both_or_listed(self):
        for path in sorted((CORPUS / "broken").glob("*.json")):
            said = loader_messages([path])[str(path)]
            self.assertTrue(said, f"{path} is accepted by the loader")
            try:
                tree = parse(path)
                kind = path.stem.split("-")[0]
                accepted = VALIDATORS[kind if kind in KINDS else "policy"].is_valid(tree)
            except ValueError:
                # An editor shows what is no JSON; equal keys it merges.
                accepted = path.stem == "json-duplicate-key"
            with self.subTest(path.stem):
                self.assertEqual(accepted, path.stem in BROKEN_BEYOND)
                if accepted:
                    for message in said:
                        self.assertTrue((beyond_reason(message) or "nothing").startswith(
                            BROKEN_BEYOND[path.stem]), message)

    def test_mutants_are_accepted_or_refused_by_both(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            # As deep as the files they come from, which find their policies from their folders.
            (folder / "policies").symlink_to(pathlib.Path("scenarios/policies").resolve())
            (folder / "deeper").mkdir()
            for path in (CORPUS / "valid").glob("policy-*.json"):
                (folder / path.name).symlink_to(path.resolve())
            seen = set()
            all_mutants = []
            for file in valid_files(museum=False):
                tree = parse(file)
                for label, path, value, mutant in mutants(tree):
                    where = place(tree, path)
                    # Once is enough for each change at each kind of place: same path, same keys
                    # around it, and the same type or, where it decides, the same value.
                    what = type(value) if label.startswith("replaced") else json.dumps(value)
                    key = (kind_of(tree), where, siblings(tree, path), label, what)
                    if key in seen:
                        continue
                    seen.add(key)
                    deep = file.parent.parent.name == "scenarios" and kind_of(tree) == "scenario"
                    target = folder / ("deeper" if deep else "") / f"{len(all_mutants)}.json"
                    target.write_text(json.dumps(mutant), encoding="utf-8")
                    all_mutants.append((target, kind_of(tree), mutant,
                                        f"{file}: {'.'.join(map(str, path))} {label}"))
            self.judge(all_mutants)

    def judge(self, all_mutants):
        messages = loader_messages([target for target, *_ in all_mutants])
        differences = []
        loader_alone = 0
        refused = 0
        for target, kind, mutant, label in all_mutants:
            by_loader = messages[str(target)] == []
            by_schema = VALIDATORS[kind].is_valid(mutant)
            refused += not by_schema
            if by_schema and not by_loader:
                loader_alone += 1
                unexplained = [m for m in messages[str(target)] if beyond_reason(m) is None]
                if unexplained or not messages[str(target)]:
                    differences.append(f"{label}: only the loader refuses it: {unexplained}")
            elif by_loader and not by_schema:
                error = jsonschema.exceptions.best_match(VALIDATORS[kind].iter_errors(mutant))
                differences.append(f"{label}: only the schema refuses it: {error.message[:200]}")
        if os.environ.get("VERBOSE"):
            print(f"{len(all_mutants)} mutants, {refused} refused by the schema, "
                  f"{loader_alone} by the loader alone", file=sys.stderr)
        self.assertEqual(differences, [], "\n" + "\n".join(differences))
        self.assertGreater(refused, 1000)


if __name__ == "__main__":
    BROWNOUT = sys.argv.pop(1)
    unittest.main()
