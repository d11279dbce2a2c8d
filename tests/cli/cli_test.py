#!/usr/bin/python3
"""The command line as its users meet it: exit codes, streams, files.

usage: cli_test.py BROWNOUT        from the root of the repository
"""

import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PATIENCE = 120  # seconds for one command, sanitizers and a busy machine included

POLICY = {
    "kind": "policy", "version": 1, "name": "bounded", "route": "only", "to": "openai/gpt-4",
    "role": "primary", "pipeline": [{"retry": {}}, {"timeout": {"attempt": "10s"}}]}
UNBOUNDED = {**POLICY, "name": "unbounded", "pipeline": []}


def scenario(**changes):
    base = {
        "kind": "scenario", "version": 1, "name": "small", "duration": "2m", "seed": 1,
        "roles": {"primary": "openai/gpt-4"},
        "providers": {"openai": {"dialect": "openai", "models": {
            name: {"ttft": {"exponential": {"mean": "500ms"}}, "inter_token": "5ms"}
            for name in ("gpt-4", "gpt-3.5-turbo")}}},
        "timeline": [{"phase": "all", "until": "2m"}],
        "workload": {"arrivals": {"poisson": "5/s"}, "input_tokens": 100, "output_tokens": 20},
        "policy": "bounded.json", "expect": ["availability >= 90%"]}
    return {**base, **changes}


FAILING = scenario(name="failing", expect=["calls == 0"])
HANGING = scenario(name="hanging", policy="unbounded.json", timeline=[
    {"phase": "silence", "until": "2m", "faults": [{"on": "*", "hang": True}]}])
NO_DATA = scenario(name="no-data", expect=["latency(failed).p99 <= 1s"])
ENDLESS = scenario(name="endless", duration="366d", timeline=[{"phase": "all", "until": "366d"}],
                   workload={"arrivals": {"poisson": "2000/s"}, "input_tokens": 100,
                             "output_tokens": 20})
INVALID = scenario(name="invalid", expect=["avalability >= 90%"])


class CommandLine(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.write("bounded.json", POLICY)
        self.write("unbounded.json", UNBOUNDED)

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def brownout(self, *arguments, stdout=subprocess.PIPE, folder=None):
        result = subprocess.run([BROWNOUT, *arguments], stdout=stdout, stderr=subprocess.PIPE,
                                timeout=PATIENCE, env={**os.environ, "LC_ALL": "C"}, check=False,
                                cwd=folder)
        result.stdout = (result.stdout or b"").decode()
        result.stderr = result.stderr.decode()
        return result

    def digest(self, *arguments):
        result = self.brownout("run", *arguments)
        return re.search(r"digest ([0-9a-f]{16})", result.stdout).group(1)

    def assert_code(self, result, code):
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)

    def left_over(self):
        return [path.name for path in self.folder.rglob("*") if "partial" in path.name]

    # ---------------------------------------------------------------- help

    def test_alone_it_says_what_it_is_for_and_how_to_begin(self):
        for arguments in ([], ["--help"], ["-h"]):
            result = self.brownout(*arguments)
            self.assert_code(result, 0)
            self.assertIn("wind tunnel for LLM resilience policies", result.stdout)
            self.assertIn("brownout new my-outage", result.stdout)
            self.assertEqual(result.stderr, "")

    def test_alone_it_fits_a_small_screen_and_says_where_the_docs_are(self):
        lines = self.brownout().stdout.splitlines()
        self.assertEqual(len([line for line in lines if line.startswith("  brownout ")]), 3)
        self.assertIn("docs/guide", " ".join(lines))
        self.assertLessEqual(len(lines), 15)
        self.assertTrue(all(len(line) <= 100 for line in lines), lines)

    def test_a_misspelt_command_is_told_the_nearest_and_where_the_help_is(self):
        for words, hint, place in (
                (["chekc", "x"], 'did you mean "check"?', "brownout --help"),
                (["policy"], 'expected "show"', "brownout policy --help"),
                (["policy", "shwo"], 'did you mean "show"?', "brownout policy --help"),
                (["run"], None, "brownout run --help"),
                (["policy", "show"], None, "brownout policy show --help")):
            lines = self.brownout(*words).stderr.splitlines()
            self.assertRegex(lines[0], "^error: ")
            self.assertEqual(lines[1:], ([hint] if hint else []) + [f"See {place}."])
        listed = self.brownout("--help").stdout.split("Subcommands:")[1].split("examples:")[0]
        commands = re.findall(r"^  (\w+) ", listed, re.M)
        self.assertIn("expected one of: " + ", ".join(commands), self.brownout("fly").stderr)

    def test_the_examples_of_the_help_work_one_after_the_other(self):
        examples = re.findall(r"^  brownout (.*?)(?:   .*)?$", self.brownout("--help").stdout, re.M)
        self.assertEqual(len(examples), 3)
        for example in examples:
            self.assert_code(self.brownout(*example.split(), folder=self.folder), 0)

    def test_version(self):
        result = self.brownout("--version")
        self.assert_code(result, 0)
        self.assertRegex(result.stdout, r"^brownout \d+\.\d+\.\d+\n$")

    # ---------------------------------------------------------------- exit codes

    def test_0_when_every_expectation_is_met(self):
        result = self.brownout("run", self.write("s.json", scenario()))
        self.assert_code(result, 0)
        self.assertTrue(result.stdout.startswith("PASS  small"), result.stdout)
        self.assertRegex(result.stdout, r"seed 1   digest [0-9a-f]{16}")
        self.assertRegex(result.stdout, r"2m0\ds simulated in \d+\.\d\d s")

    def test_1_when_an_expectation_is_not_met_with_a_command_that_replays_it(self):
        path = self.write("failing.json", FAILING)
        result = self.brownout("run", path, "--seed", "7", "--ties", "random")
        self.assert_code(result, 1)
        self.assertIn("FAIL: expectation not met", result.stdout)
        self.assertIn(f"replay: {BROWNOUT} run {path} --seed 7 --ties random\n", result.stdout)
        self.assertIn("^^^", result.stdout)

    def test_2_for_bad_usage(self):
        path = self.write("s.json", scenario())
        other = self.write("t.json", scenario())
        for arguments in (["run"], ["check"], ["fly"], ["run", path, "--sed", "1"],
                          ["run", path, "--seed", "one"], ["run", path, "--seed", "-1"],
                          ["run", path, "--seed", "9007199254740992"],
                          ["run", path, "--ties", "lifo"], ["run", path, "--bind", "only"],
                          ["run", path, "--bind", "=openai/gpt-4"], ["run", path, "--bind", "only="],
                          ["run", path, "--json", "x", "--events", "x"],
                          ["run", path, "--events", "x", "--metrics", "./x"],
                          ["run", path, other, "--events", "x"],
                          ["run", path, other, "--metrics", "x"]):
            result = self.brownout(*arguments)
            self.assert_code(result, 2)
            self.assertEqual(result.stdout, "", arguments)
            self.assertNotEqual(result.stderr, "", arguments)

    def test_2_for_an_invalid_file_and_nothing_is_run(self):
        self.write("many/a.json", scenario(policy="../bounded.json"))
        self.write("many/b.json", {**INVALID, "policy": "../bounded.json"})
        out = self.folder / "out.json"
        result = self.brownout("run", str(self.folder / "many"), "--json", str(out))
        self.assert_code(result, 2)
        self.assertEqual(result.stdout, "")
        self.assertIn('did you mean "availability"?', result.stderr)
        self.assertFalse(out.exists())

    def test_2_for_a_scenario_without_a_policy(self):
        without = scenario()
        del without["policy"]
        path = self.write("s.json", without)
        result = self.brownout("run", path)
        self.assert_code(result, 2)
        self.assertIn("--policy FILE", result.stderr)
        self.assert_code(self.brownout("run", path, "--policy", str(self.folder / "bounded.json")), 0)

    def test_3_when_a_folder_has_no_scenario(self):
        (self.folder / "empty").mkdir()
        self.write("empty/policy.json", POLICY)
        result = self.brownout("run", str(self.folder / "empty"))
        self.assert_code(result, 3)
        self.assertIn("no scenarios found", result.stderr)
        self.assert_code(self.brownout("check", str(self.folder / "empty")), 0)
        os.remove(self.folder / "empty/policy.json")
        self.assert_code(self.brownout("check", str(self.folder / "empty")), 3)

    def test_4_for_a_deadlock_which_says_what_waits_where(self):
        result = self.brownout("run", self.write("hanging.json", HANGING))
        self.assert_code(result, 4)
        self.assertIn("NO VERDICT", result.stdout)
        self.assertIn("deadlock", result.stdout)
        self.assertIn("openai/gpt-4", result.stdout)

    def test_4_when_an_expectation_finds_no_data(self):
        result = self.brownout("run", self.write("no-data.json", NO_DATA))
        self.assert_code(result, 4)
        self.assertIn("could not be decided", result.stdout)

    def test_5_for_a_file_that_is_not_there(self):
        missing = str(self.folder / "missing.json")
        path = self.write("s.json", scenario())
        for arguments in (["run", missing], ["check", missing], ["run", path, "--policy", missing]):
            result = self.brownout(*arguments)
            self.assert_code(result, 5)
            self.assertEqual(result.stderr,
                             f"error: cannot read {missing}: No such file or directory\n")
            self.assertEqual(result.stdout, "")

    def test_130_on_an_interrupt_with_what_was_found_so_far(self):
        path = self.write("endless.json", ENDLESS)
        out = self.folder / "out.json"
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen([BROWNOUT, "run", path, "--json", str(out)],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(1)
            self.assertIsNone(process.poll(), "it ended before it could be interrupted")
            process.send_signal(signal_number)
            stdout, _ = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 130)
            self.assertIn("interrupted", stdout.decode())
            self.assertIn("interrupted", out.read_text(encoding="utf-8"))
            self.assertEqual(self.left_over(), [])

    def test_of_several_codes_the_gravest_is_returned(self):
        good = self.write("good.json", scenario())
        failing = self.write("failing.json", FAILING)
        no_data = self.write("no-data.json", NO_DATA)
        self.assert_code(self.brownout("run", "-q", good, failing), 1)
        self.assert_code(self.brownout("run", "-q", no_data, failing, good), 1)
        self.assert_code(self.brownout("run", "-q", good, no_data), 4)
        self.assert_code(self.brownout("check", self.write("bad.json", INVALID),
                                       str(self.folder / "missing.json")), 5)

    # ---------------------------------------------------------------- what is run

    def test_a_folder_stands_for_the_scenarios_below_it_in_order(self):
        self.write("many/b.json", scenario(name="second", policy="../bounded.json"))
        self.write("many/a/c.json", scenario(name="first", policy="../../bounded.json"))
        self.write("many/result.json", {"kind": "result"})
        self.write("many/notes.txt", "no JSON at all")
        result = self.brownout("run", str(self.folder / "many"), "--quiet")
        self.assert_code(result, 0)
        self.assertEqual([line.split()[1] for line in result.stdout.splitlines()],
                         ["first", "second"])

    def test_a_file_under_several_spellings_is_flown_once(self):
        path = self.write("many/a.json", scenario(policy="../bounded.json"))
        os.symlink("a.json", self.folder / "many/link.json")
        result = self.brownout("run", path, str(self.folder / "many/../many/a.json"),
                               str(self.folder / "many"), "--quiet")
        self.assert_code(result, 0)
        self.assertEqual(len(result.stdout.splitlines()), 1, result.stdout)

    def test_a_name_with_a_line_break_cannot_forge_lines(self):
        path = self.write("x\n::error::forged.json", scenario())
        result = self.brownout("run", path)
        self.assert_code(result, 2)
        self.assertIn("a file's name may not hold control characters", result.stderr)
        self.assertNotIn("\n::error", result.stdout + result.stderr)

    def test_another_seed_gives_another_digest_and_the_same_seed_the_same(self):
        path = self.write("s.json", scenario())
        first = self.digest(path, "--seed", "1")
        self.assertEqual(self.digest(path), first)
        self.assertNotEqual(self.digest(path, "--seed", "2"), first)

    def test_verify_runs_everything_twice(self):
        path = self.write("s.json", scenario())
        result = self.brownout("run", path, "--verify")
        self.assert_code(result, 0)
        self.assertIn("verified: a second run gave the same digests", result.stdout)
        # A failure stays a failure.
        self.assert_code(self.brownout("run", self.write("f.json", FAILING), "--verify"), 1)

    def test_random_ties_are_reproducible_and_change_no_outcome_here(self):
        path = self.write("s.json", scenario())
        first = self.digest(path, "--ties", "random")
        self.assertEqual(self.digest(path, "--ties", "random"), first)
        self.assertEqual(self.digest(path, "--ties", "fifo"), self.digest(path))

    def test_bind_sends_a_route_elsewhere(self):
        path = self.write("s.json", scenario())
        result = self.brownout("run", path, "--bind", "only=openai/gpt-3.5-turbo")
        self.assert_code(result, 0)
        self.assertIn("only (openai/gpt-3.5-turbo)", result.stdout)

    def test_bind_to_what_is_not_there_is_refused_with_what_is(self):
        path = self.write("s.json", scenario())
        result = self.brownout("run", path, "--bind", "onyl=openai/gpt-4")
        self.assert_code(result, 2)
        self.assertIn('policy bounded has no such route; did you mean "only"?', result.stderr)
        result = self.brownout("run", path, "--bind", "only=openai/gpt4")
        self.assert_code(result, 2)
        self.assertIn('has no such model; did you mean "openai/gpt-4"?', result.stderr)

    # ---------------------------------------------------------------- output

    def test_json_on_standard_output_is_one_document_and_nothing_else(self):
        result = self.brownout("run", self.write("s.json", scenario()), "--json", "-")
        self.assert_code(result, 0)
        self.assertIsInstance(json.loads(result.stdout), dict)
        self.assertIn("PASS", result.stderr)

    def test_a_kept_result_is_shown_again_with_the_verdict_it_had(self):
        kept = str(self.folder / "kept.json")
        for run, code in ((scenario(), 0), (FAILING, 1), (HANGING, 4)):
            first = self.brownout("run", self.write("s.json", run), "--json", kept)
            self.assert_code(first, code)
            again = self.brownout("report", kept, "--json", str(self.folder / "again.json"))
            self.assert_code(again, code)
            shown = first.stdout.split("replay:")[0].split("\n  seed ")[0]
            self.assertTrue(again.stdout.startswith(shown), again.stdout)
            self.assertEqual(pathlib.Path(kept).read_bytes(),
                             (self.folder / "again.json").read_bytes())

    def test_report_of_what_is_no_result(self):
        for content, code, words in (
                ("", 2, "is not JSON"), ("[]", 2, "is not a result document"),
                (json.dumps(scenario()), 2, "run it with --json"),
                ('{"kind": "result", "schema_version": 1, "runs": []}', 3, "no results")):
            path = self.folder / "odd.json"
            path.write_text(content)
            result = self.brownout("report", str(path))
            self.assert_code(result, code)
            self.assertIn(words, result.stderr)
        self.assert_code(self.brownout("report", str(self.folder)), 5)
        self.assert_code(self.brownout("report", str(self.folder / "none.json")), 5)

    def test_events_are_one_json_object_a_line(self):
        result = self.brownout("run", self.write("s.json", scenario()), "--events", "-")
        self.assert_code(result, 0)
        lines = result.stdout.splitlines()
        self.assertGreater(len(lines), 500)
        for line in lines:
            self.assertIsInstance(json.loads(line), dict)

    def test_events_are_the_same_every_time(self):
        path = self.write("s.json", scenario())
        for name in ("one", "two"):
            self.brownout("run", path, "-q", "--events", str(self.folder / name))
        self.assertEqual((self.folder / "one").read_bytes(), (self.folder / "two").read_bytes())

    def test_metrics_are_those_of_the_result_and_the_same_every_time(self):
        path = self.write("s.json", scenario())
        result = self.brownout("run", path, "--metrics", "-", "--json", str(self.folder / "r"))
        self.assert_code(result, 0)
        again = self.brownout("run", path, "-q", "--metrics", "-")
        self.assertEqual(again.stdout, result.stdout)
        self.assertIn("PASS", result.stderr)
        samples = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines()
                       if not line.startswith("#"))
        total = json.loads((self.folder / "r").read_text())["runs"][0]["total"]
        for end in ("success", "cached", "degraded"):
            self.assertEqual(
                float(samples[f'llm_calls_total{{end="{end}",outcome="success"}}']), total[end])
        self.assertGreater(total["success"], 0)

    def test_quiet_is_one_line_for_each_scenario(self):
        path = self.write("s.json", scenario())
        failing = self.write("f.json", FAILING)
        result = self.brownout("run", "-q", path, failing, "--verify")
        self.assertEqual(result.stdout,
                         "PASS  small  with policy bounded: 1 of 1 expectations met\n"
                         "FAIL  failing  with policy bounded: 0 of 1 expectations met\n")
        self.assertEqual(result.stderr, "")

    def test_a_place_that_cannot_be_written_is_5_and_leaves_nothing_behind(self):
        path = self.write("s.json", scenario())
        for option in ("--json", "--events", "--metrics"):
            target = str(self.folder / "no" / "such" / "folder.json")
            result = self.brownout("run", path, option, target)
            self.assert_code(result, 5)
            self.assertEqual(result.stderr,
                             f"error: cannot write {target}: No such file or directory\n")
            self.assertEqual(result.stdout, "", "nothing is run when the result cannot be kept")
        (self.folder / "folder").mkdir()
        self.assert_code(self.brownout("run", path, "--json", str(self.folder / "folder")), 5)
        self.assertEqual(self.left_over(), [])

    def test_a_full_disk_is_5(self):
        path = self.write("s.json", scenario())
        for option in ("--json", "--events", "--metrics"):
            result = self.brownout("run", path, option, "/dev/full")
            self.assert_code(result, 5)
            self.assertIn("cannot write /dev/full: No space left on device", result.stderr)
        with open("/dev/full", "wb") as full:
            self.assert_code(self.brownout("run", path, "--json", "-", stdout=full), 5)

    def test_an_old_result_survives_a_run_that_fails_to_start(self):
        out = self.folder / "out.json"
        out.write_text("old")
        self.brownout("run", self.write("bad.json", INVALID), "--json", str(out))
        self.assertEqual(out.read_text(), "old")

    def test_two_at_once_with_one_target_leave_one_whole_file(self):
        path = self.write("s.json", scenario())
        out = self.folder / "out.json"
        both = [subprocess.Popen([BROWNOUT, "run", path, "-q", "--seed", seed, "--json", str(out)],
                                 stdout=subprocess.DEVNULL) for seed in ("1", "2")]
        for process in both:
            self.assertEqual(process.wait(timeout=PATIENCE), 0)
        self.assertIsInstance(json.loads(out.read_text(encoding="utf-8")), dict)
        self.assertEqual(self.left_over(), [])

    def test_check_prints_a_line_for_each_good_file_and_goes_on_after_bad_ones(self):
        good = self.write("good.json", scenario())
        bad = self.write("bad.json", INVALID)
        policy = str(self.folder / "bounded.json")
        result = self.brownout("check", bad, good, policy)
        self.assert_code(result, 2)
        self.assertEqual(result.stdout, f"ok  {good}\nok  {policy}\n")
        self.assertIn("unknown metric", result.stderr)

    def test_check_of_a_folder_looks_at_its_policies_too(self):
        self.write("many/policy.json", {**POLICY, "pipeline": [{"timeout": {}}]})
        result = self.brownout("check", str(self.folder / "many"))
        self.assert_code(result, 2)
        self.assertIn("this timeout limits nothing", result.stderr)

    def test_policy_show_prints_effective_settings(self):
        result = self.brownout("policy", "show", "scenarios/policies/recommended.json")
        self.assertEqual(result.returncode, 0)
        self.assertTrue(result.stdout.startswith("policy recommended deadline 1m30s\n"))
        self.assertEqual(result.stderr, "")

    def test_policy_show_warns_of_traps_with_their_place(self):
        result = self.brownout("policy", "show", "scenarios/policies/guide-layered.json")
        self.assertEqual(result.returncode, 0)
        self.assertIn("warning: this breaker counts a whole retry as one failure", result.stderr)
        self.assertRegex(result.stderr, r"--> scenarios/policies/guide-layered\.json:\d+:\d+")

    def test_policy_show_of_what_is_not_there_or_misspelt(self):
        self.assertEqual(self.brownout("policy", "show", "nowhere.json").returncode, 5)
        result = self.brownout("policy", "shwo", "x.json")
        self.assertEqual(result.returncode, 2)
        self.assertIn('did you mean "show"?', result.stderr)

    # ---------------------------------------------------------------- explain

    def test_explain_alone_lists_every_name_by_kind(self):
        result = self.brownout("explain")
        self.assert_code(result, 0)
        for text in ("metrics\n  availability, answered", "outcomes\n  success, rate_limited",
                     "exit codes\n  0, 1, 2, 3, 4, 5, 70, 130", "words\n", "half-open"):
            self.assertIn(text, result.stdout)
        self.assertTrue(all(len(line) <= 80 for line in result.stdout.splitlines()))

    def test_explain_takes_what_stands_in_reports_and_files(self):
        for words, title in (
                (["4"], "exit code 4"), (["exit-code", "4"], "exit code 4"),
                (["breaker(gpt-4).opened"], "breaker.opened (metric; count)"),
                (["latency.p99"], "latency (metric; duration)"),
                (["availability during outage >= 98%"], "availability (metric; share)"),
                (["Rate-Limited"], "rate_limited (outcome; retryable, neutral)"),
                (["server_error"], "server_error (outcome; retryable, blamed on the provider)"),
                (["retry", "budget"], "retry budget"), (["HALF_OPEN"], "half-open")):
            result = self.brownout("explain", *words)
            self.assert_code(result, 0)
            self.assertEqual(result.stdout.splitlines()[0], title)

    def test_explain_takes_several_names_and_explains_every_meaning_of_one(self):
        titles = re.findall(r"^\S.*$", self.brownout("explain", "cost", "seed").stdout, re.M)
        self.assertEqual(titles, ["cost (metric; dollars)", "seed"])
        titles = re.findall(r"^\S.*$", self.brownout("explain", "failed").stdout, re.M)
        self.assertEqual(titles, ["failed (metric; count)", "failed (end of a call)"])

    def test_explain_of_what_is_not_there_is_2_with_the_nearest_name(self):
        result = self.brownout("explain", "latncy")
        self.assert_code(result, 2)
        self.assertEqual(result.stderr, 'error: there is nothing called "latncy" to explain\n'
                                        'did you mean "latency"?\n')
        result = self.brownout("explain", "xyzzy")
        self.assert_code(result, 2)
        self.assertIn("brownout explain lists all names", result.stderr)

    # ---------------------------------------------------------------- terminals

    def on_terminal(self, *arguments, **environment):
        """What a terminal would have received on standard output."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([BROWNOUT, *arguments], stdout=theirs, stderr=subprocess.PIPE,
                                   env={**os.environ, **environment})
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # how Linux says that the other side is gone
                break
            if not part:
                break
            text += part
        process.communicate(timeout=PATIENCE)
        os.close(ours)
        return text

    def test_colour_is_for_terminals_that_want_it(self):
        path = self.write("s.json", scenario())
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        os.environ.pop("NO_COLOR", None)
        self.assertIn(b"\033[32mPASS", self.on_terminal("run", path, **environment))
        self.assertNotIn(b"\033", self.on_terminal("run", path, NO_COLOR="1"))
        result = self.brownout("run", path)
        self.assertNotIn("\033", result.stdout + result.stderr)


if __name__ == "__main__":
    BROWNOUT = os.path.abspath(sys.argv.pop(1))
    unittest.main()
