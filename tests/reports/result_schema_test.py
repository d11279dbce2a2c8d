#!/usr/bin/python3
"""Results are what their published schema says, in every field.

usage: result_schema_test.py BROWNOUT        from the root of the repository
"""

import json
import subprocess
import sys
import unittest

import jsonschema

# Between them: retries, hedges, refusals, a deadlock, streams, quotas, budgets, missing data.
RUNS = [
    ["scenarios/healthy.json"],
    ["scenarios/museum/C01-neutral-probe.json"],
    ["scenarios/museum/C16-one-failure-is-100-percent.json"],
    ["scenarios/museum/C48-abandoned-wait-keeps-its-charge.json"],
    ["scenarios/museum/C57-everything-is-hedged.json"],
    ["scenarios/museum/C61-check-then-add.json"],
]


def walk(schema, value, path=()):
    """Every property of objects that `value` has, as paths without list positions."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield path + (key,)
            yield from walk(schema, item, path + (key,))
    elif isinstance(value, list):
        for item in value:
            yield from walk(schema, item, path)


class ResultSchema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open("scenarios/schema/result.schema.json", encoding="utf-8") as file:
            cls.schema = json.load(file)
        jsonschema.Draft7Validator.check_schema(cls.schema)
        cls.validator = jsonschema.Draft7Validator(cls.schema)
        cls.documents = []
        for run in RUNS:
            done = subprocess.run([BROWNOUT, "run", *run, "--json", "-"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, check=False)
            cls.documents.append(json.loads(done.stdout))

    def test_results_are_valid(self):
        for run, document in zip(RUNS, self.documents):
            with self.subTest(run=run):
                errors = [f"{list(e.absolute_path)}: {e.message[:200]}"
                          for e in self.validator.iter_errors(document)]
                self.assertEqual(errors, [])

    def test_every_list_of_the_schema_was_seen_filled(self):
        seen = set()
        for document in self.documents:
            seen |= set(walk(self.schema, document))
        for key in ("attempts", "waits", "rejections"):
            self.assertIn(("runs", "samples", key), seen)
        for path in (("runs", "samples", "attempts", "outcome"), ("runs", "samples", "waits", "reason"),
                     ("runs", "samples", "rejections", "breaker"), ("runs", "errors", "count"),
                     ("runs", "faults", "injected"), ("runs", "breakers", "transitions", "to"),
                     ("runs", "timeline", "series", "full"), ("runs", "expectations", "value")):
            self.assertIn(path, seen)

    def test_what_is_not_in_the_schema_is_refused(self):
        document = json.loads(json.dumps(self.documents[0]))
        document["runs"][0]["total"]["surprise"] = 1
        self.assertFalse(self.validator.is_valid(document))


if __name__ == "__main__":
    BROWNOUT = sys.argv.pop(1)
    unittest.main()
