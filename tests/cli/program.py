"""The program under test, run in an empty folder of its own."""

import os
import pathlib
import subprocess
import tempfile
import unittest

PATIENCE = 120  # seconds for one command, sanitizers and a busy machine included


class InAnEmptyFolder(unittest.TestCase):
    maxDiff = None
    program = None  # path of brownout

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def brownout(self, *arguments):
        result = subprocess.run([self.program, *arguments], capture_output=True, text=True,
                                timeout=PATIENCE, env={**os.environ, "LC_ALL": "C"}, check=False,
                                cwd=self.folder)
        return result

    def passes(self, *arguments):
        result = self.brownout(*arguments)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def fails(self, code, *arguments):
        result = self.brownout(*arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stderr

    def files(self):
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*")
                      if path.is_file())


def main(arguments):
    """Runs the tests of __main__ with the program that the first argument names."""
    InAnEmptyFolder.program = os.path.abspath(arguments.pop(1))
    unittest.main(argv=arguments)
