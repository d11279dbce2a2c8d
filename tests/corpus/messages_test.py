#!/usr/bin/python3
"""What `brownout check` says of every file in broken/, to the letter.

usage: messages_test.py BROWNOUT        from the root of the repository; UPDATE_GOLDEN=1 accepts
                                        what it says now

Each file has one mistake a person makes; beside NAME.json stands NAME.expected, the text on standard
error. The messages are part of the product: read the difference aloud before accepting it.
"""

import os
import pathlib
import subprocess
import sys
import unittest

FOLDER = pathlib.Path("tests/corpus/broken")
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"

# Everything else is an invalid file.
UNREADABLE = {"scenario-policy-does-not-exist"}


def check(path):
    return subprocess.run([BROWNOUT, "check", path], capture_output=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C"}, check=False)


class Messages(unittest.TestCase):
    maxDiff = None

    def test_every_broken_file_is_explained_as_expected(self):
        files = sorted(FOLDER.glob("*.json"))
        self.assertGreaterEqual(len(files), 45)
        for path in files:
            with self.subTest(path.stem):
                result = check(path)
                self.assertEqual(result.returncode, 5 if path.stem in UNREADABLE else 2)
                self.assertEqual(result.stdout, b"")
                expected = path.with_suffix(".expected")
                if UPDATE:
                    expected.write_bytes(result.stderr)
                self.assertEqual(result.stderr.decode(), expected.read_bytes().decode())

    def test_every_expected_text_has_its_file(self):
        for path in FOLDER.glob("*.expected"):
            self.assertTrue(path.with_suffix(".json").exists(), f"{path} belongs to no file")

    def test_nothing_a_terminal_might_obey_is_printed(self):
        for path in FOLDER.glob("*.expected"):
            text = path.read_text(encoding="utf-8")
            controls = [c for c in text if ord(c) < 0x20 and c not in "\n\t" or ord(c) == 0x7F]
            self.assertEqual(controls, [], path)


if __name__ == "__main__":
    BROWNOUT = sys.argv.pop(1)
    unittest.main()
