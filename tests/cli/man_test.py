#!/usr/bin/python3
"""The manual page: valid, complete, and the same words as the program's own.

usage: man_test.py BROWNOUT
"""

import re
import shutil
import subprocess
import sys

import program


class Man(program.InAnEmptyFolder):
    def mandoc(self, *options):
        self.assertIsNotNone(shutil.which("mandoc"), "mandoc is missing: ./dev setup installs it")
        return subprocess.run(["mandoc", *options], input=self.passes("man"), text=True,
                              capture_output=True, timeout=program.PATIENCE, check=False)

    def page(self):
        """As a reader sees it, on one line: breaks between words mean nothing."""
        text = self.mandoc("-T", "ascii").stdout
        return " ".join(re.sub(".\b", "", text).split())

    def test_it_has_no_fault_that_mandoc_knows(self):
        faults = self.mandoc("-T", "lint").stdout.splitlines()
        # It has no date: the same version is the same page.
        self.assertEqual([fault for fault in faults if "missing date" not in fault], [])
        self.assertLessEqual(len(faults), 1)

    def test_it_has_every_command_with_every_option(self):
        page = self.page()
        listed = self.passes("--help").split("Subcommands:")[1].split("examples:")[0]
        for name in re.findall(r"^  (\w+)", listed, re.M):
            self.assertIn("brownout " + name, page)
            for option, text in re.findall(r"^  (?:-\w,)?(--[\w-]+).*?(?:  |\n +)(\S.*)$",
                                           self.passes(name, "--help"), re.M):
                if option != "--help":
                    self.assertIn(option, page)
                    self.assertIn(" ".join(text.split()), page)

    def test_it_explains_every_exit_code_in_the_words_of_explain(self):
        page = self.page()
        codes = re.search(r"exit codes\n  (.*)\n", self.passes("explain")).group(1).split(", ")
        self.assertGreaterEqual(len(codes), 8)
        for code in codes:
            sentence = self.passes("explain", code).split("\n\n")[0].split("\n", 1)[1]
            self.assertIn(code + " " + " ".join(sentence.split()), page)

    def test_its_examples_are_those_of_the_help(self):
        page = self.page()
        for line in self.passes("--help").split("examples:\n")[1].strip().splitlines():
            self.assertIn(" ".join(line.split()), page)

    def test_the_help_does_not_list_the_command_that_prints_it(self):
        self.assertNotRegex(self.passes("--help"), r"(?m)^  man ")
        self.assertNotIn("brownout man [", self.page())


if __name__ == "__main__":
    program.main(sys.argv)
