#!/usr/bin/python3
"""Completion, asked of the shells themselves.

usage: completion_test.py BROWNOUT
"""

import os
import re
import shutil
import subprocess
import sys

import program

# Takes the place of what zsh offers completion functions, and prints what they were given.
ZSH_STAGE = """
compdef() { : }
compadd() { shift; print -l -- "$@" }
_files() { print FILES }
_message() { print "MESSAGE $2" }
_describe() {
  local -a given; local item
  given=("${(@P)${@[-1]}}")
  for item in "${given[@]}"; do print -- "${item%%:*}"; done
}
"""


class Completion(program.InAnEmptyFolder):
    def setUp(self):
        super().setUp()
        (self.folder / "a scenario.json").write_text("{}")
        (self.folder / "other.json").write_text("{}")
        (self.folder / "sub").mkdir()

    def script(self, shell):
        path = self.folder / "sub" / ("brownout." + shell)
        path.write_text(self.passes("completion", shell), encoding="utf-8")
        return path

    def in_shell(self, shell, text, *arguments, options=()):
        self.assertIsNotNone(shutil.which(shell), f"{shell} is missing: ./dev setup installs it")
        result = subprocess.run([shell, *options, "-c", text, *arguments], capture_output=True,
                                text=True, timeout=program.PATIENCE, check=False, cwd=self.folder,
                                env={**os.environ, "HOME": str(self.folder)})
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.returncode, 0)
        return result.stdout.splitlines()

    def bash(self, *words):
        """What bash offers for the last of these words."""
        text = (f'source "{self.script("bash")}"; COMP_WORDS=(brownout "$@"); COMP_CWORD=$#; '
                '_brownout; printf "%s\\n" "${COMPREPLY[@]}"')
        return [word for word in self.in_shell("bash", text, "bash", *words,
                                               options=("--norc", "--noprofile")) if word]

    def zsh(self, *words):
        # A function that calls the script's own: it is not autoloaded here.
        text = (ZSH_STAGE + f'source "{self.script("zsh")}"; words=(brownout "$@"); '
                'CURRENT=$#words; PREFIX=$words[-1]; _brownout')
        return self.in_shell("zsh", text, "zsh", *words, options=("-f",))

    def fish(self, *words):
        line = " ".join(["brownout", *words])
        text = f'source "{self.script("fish")}"; complete -C "{line}"'
        return [item.split("\t")[0] for item in
                self.in_shell("fish", text, options=("--no-config",))]

    def commands(self):
        """Every subcommand with its options, as the help has them."""
        found = {}

        def visit(path):
            text = self.passes(*path, "--help")
            found[tuple(path)] = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*",
                                                text.split("Options:")[1].split("Subcommands:")[0]
                                                .split("\n\n")[0]))
            if "Subcommands:" not in text:
                return
            listed = text.split("Subcommands:")[1].split("examples:")[0]
            for name in re.findall(r"^  (\w+)", listed, re.M):
                visit(path + [name])

        visit([])
        return found

    # ---------------------------------------------------------------- nothing is missing

    def test_each_shell_offers_every_subcommand_and_option_of_the_help(self):
        commands = self.commands()
        self.assertGreaterEqual(len(commands), 8)
        for path, options in commands.items():
            below = {other[-1] for other in commands if other[:-1] == path and other != path}
            for ask in (self.bash, self.zsh, self.fish):
                if below:
                    self.assertEqual({word for word in ask(*path, "''" if ask == self.fish else "")
                                      if word not in ("sub/", "FILES")}, below, (ask, path))
                offered = set(ask(*path, "-")) | set(ask(*path, "--"))
                self.assertLessEqual(options, offered, (ask, path))

    # ---------------------------------------------------------------- bash

    def test_bash_completes_the_beginning_of_a_word(self):
        self.assertEqual(self.bash("ex"), ["explain"])
        self.assertEqual(self.bash("policy", "s"), ["show"])
        self.assertEqual(self.bash("run", "--ver"), ["--verify"])

    def test_bash_completes_values_of_options(self):
        self.assertEqual(self.bash("run", "--ties", ""), ["fifo", "random"])
        self.assertEqual(self.bash("run", "--ties", "r"), ["random"])
        self.assertEqual(self.bash("run", "--ties", "=", "f"), ["fifo"])
        self.assertEqual(self.bash("run", "--ties", "="), ["fifo", "random"])
        self.assertEqual(self.bash("new", "mine", "--template", ""),
                         ["outage", "rate-limit", "latency", "storm"])
        self.assertEqual(self.bash("run", "--seed", ""), [])

    def test_bash_completes_files_whatever_their_names(self):
        self.assertEqual(self.bash("run", "a"), ["a scenario.json"])
        self.assertEqual(sorted(self.bash("check", "")), ["a scenario.json", "other.json", "sub"])
        self.assertEqual(self.bash("run", "other.json", "--policy", "o"), ["other.json"])

    def test_bash_completes_the_words_of_the_glossary(self):
        self.assertEqual(self.bash("explain", "time_to_"), ["time_to_open", "time_to_recover"])
        self.assertEqual(self.bash("explain", "retry-b"), ["retry-budget"])
        for word in self.bash("explain", ""):
            self.passes("explain", word)

    def test_bash_offers_nothing_where_nothing_is_known(self):
        self.assertEqual(self.bash("nosuch"), [])
        self.assertEqual(self.bash("policy", "other"), [])

    # ---------------------------------------------------------------- the others

    def test_zsh_completes_values_files_and_words(self):
        self.assertEqual(self.zsh("run", "--ties", ""), ["fifo", "random"])
        self.assertEqual(self.zsh("run", "--policy", ""), ["FILES"])
        self.assertEqual(self.zsh("run", "--seed", ""), ["MESSAGE N"])
        self.assertEqual(self.zsh("check", ""), ["FILES"])
        self.assertIn("half-open", self.zsh("explain", ""))
        self.assertEqual(self.zsh("policy", ""), ["show"])

    def test_zsh_takes_the_script_as_a_file_of_its_function_path(self):
        folder = self.folder / "functions"
        folder.mkdir()
        (folder / "_brownout").write_text(self.script("zsh").read_text())
        text = (ZSH_STAGE + f'fpath=("{folder}" $fpath); autoload -Uz _brownout; '
                'words=(brownout run --ties ""); CURRENT=4; PREFIX=; _brownout')
        self.assertEqual(self.in_shell("zsh", text, options=("-f",)), ["fifo", "random"])

    def test_fish_completes_values_files_and_words(self):
        self.assertEqual(self.fish("ex"), ["explain"])
        self.assertEqual(self.fish("policy", "s"), ["show"])
        self.assertEqual(self.fish("run", "--ties", "''"), ["fifo", "random"])
        self.assertEqual(self.fish("run", "--policy", "oth"), ["other.json"])
        self.assertEqual(self.fish("run", "--seed", "''"), [])
        self.assertEqual(self.fish("explain", "retry-b"), ["retry-budget"])

    # ---------------------------------------------------------------- refusals

    def test_another_shell_is_2(self):
        self.assertIn("bash", self.fails(2, "completion", "tcsh"))
        self.fails(2, "completion")


if __name__ == "__main__":
    program.main(sys.argv)
