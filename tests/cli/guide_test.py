#!/usr/bin/python3
"""Pages whose commands are run: what they show is what the program prints.

usage: guide_test.py BROWNOUT     from the root of the repository; UPDATE_GOLDEN=1 writes the pages

A ```console block holds commands, each after "$ ", and what they print. The blocks of a page are one
session in a folder that is empty at first.
"""

import os
import pathlib
import re
import subprocess
import sys

import program

PAGES = ("docs/guide/ci.md", "docs/guide/first-scenario.md", "docs/reference/words.md")
BLOCK = re.compile(r"```console\n(.*?)```\n", re.S)
# How long it took is of the machine it ran on.
SPEED = re.compile(r"simulated in [0-9.]+ s \(")


class Guide(program.InAnEmptyFolder):
    def session(self, commands):
        """What each command prints, standard error included, in one shell."""
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "brownout").symlink_to(self.program)
        (self.folder / "here").mkdir()
        script = "last=0\n"
        for command in commands:
            script += f"printf '\\0'; (exit $last); {command}\nlast=$?\n"
        result = subprocess.run(
            ["bash", "--norc", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=program.PATIENCE, check=False, cwd=self.folder / "here",
            env={**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"})
        return result.stdout.split("\0")[1:]

    def real(self, text):
        blocks = BLOCK.findall(text)
        commands = [line[2:] for block in blocks for line in block.splitlines()
                    if line.startswith("$ ")]
        outputs = iter(zip(commands, self.session(commands)))
        made = []
        for block in blocks:
            shown = ""
            for _ in range(sum(line.startswith("$ ") for line in block.splitlines())):
                command, output = next(outputs)
                shown += f"$ {command}\n{output}"
            made.append(shown)
        fresh = iter(made)
        return BLOCK.sub(lambda _: f"```console\n{next(fresh)}```\n", text)

    def check_page(self, page):
        path = pathlib.Path(page)
        text = path.read_text(encoding="utf-8")
        self.assertTrue(BLOCK.search(text), f"{page} shows no command")
        real = self.real(text)
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.write_text(real, encoding="utf-8")
        else:
            self.assertEqual(SPEED.sub("simulated in … s (", text),
                             SPEED.sub("simulated in … s (", real), page)


for each in PAGES:
    name = "test_" + re.sub(r"\W", "_", each)
    setattr(Guide, name, lambda self, page=each: self.check_page(page))


if __name__ == "__main__":
    program.main(sys.argv)
