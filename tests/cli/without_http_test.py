#!/usr/bin/python3
"""A program that was built with BROWNOUT_HTTP=OFF says what it lacks.

usage: without_http_test.py BROWNOUT        from the root of the repository
"""

import pathlib
import sys

import program

SCENARIO = str(pathlib.Path("scenarios/healthy.json").resolve())


class WithoutHttp(program.InAnEmptyFolder):
    def test_what_needs_http_says_so(self):
        for name, line in (("serve", ["serve", "x.json", "--port", "0"]),
                           ("twin", ["twin", "x.json", "--speed", "2"]),
                           ("--stage http", ["run", SCENARIO, "--stage", "http"])):
            self.assertEqual(self.fails(5, *line),
                             "error: this program was built without HTTP (BROWNOUT_HTTP=OFF), and "
                             f"{name} needs it\n")

    def test_the_help_says_so_too(self):
        self.assertIn("Not in this build", self.passes("--help"))

    def test_the_simulator_is_all_there(self):
        self.assertIn("PASS", self.passes("run", SCENARIO, "--stage", "sim"))


if __name__ == "__main__":
    program.main(sys.argv)
