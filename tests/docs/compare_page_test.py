#!/usr/bin/python3
"""docs/compare.md and docs/compare.html are what brownout compare writes today.

usage: compare_page_test.py BROWNOUT        from the root of the repository; UPDATE_GOLDEN=1 rewrites
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TABLES = pathlib.Path("docs/compare.md")
PAGE = pathlib.Path("docs/compare.html")
MARK = "<!-- Everything below is written by the command above; a test holds it against a fresh run. -->\n"
COMMAND = ["compare", "--policies", "scenarios/policies", "--scenarios", "scenarios/incidents",
           "scenarios/drills"]


class ComparePage(unittest.TestCase):
    def test_tables_and_page_are_those_of_a_fresh_run(self):
        self.assertIn("brownout " + " ".join(COMMAND), TABLES.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as folder:
            tables, page = pathlib.Path(folder, "c.md"), pathlib.Path(folder, "c.html")
            subprocess.run([BROWNOUT, *COMMAND, "--markdown", tables, "--html", page], check=True,
                           stdout=subprocess.DEVNULL)
            head = TABLES.read_text(encoding="utf-8").split(MARK)[0]
            fresh = head + MARK + "\n" + tables.read_text(encoding="utf-8")
            if os.environ.get("UPDATE_GOLDEN"):
                TABLES.write_text(fresh, encoding="utf-8")
                PAGE.write_bytes(page.read_bytes())
            self.assertTrue(TABLES.read_text(encoding="utf-8") == fresh, f"{TABLES} is not fresh")
            self.assertTrue(PAGE.read_bytes() == page.read_bytes(), f"{PAGE} is not fresh")


if __name__ == "__main__":
    BROWNOUT = sys.argv.pop(1)
    unittest.main()
