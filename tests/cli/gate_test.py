#!/usr/bin/python3
"""brownout test as CI systems meet it: exit codes, files, what they hold.

usage: gate_test.py BROWNOUT        from the root of the repository
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as xml

import jsonschema

PATIENCE = 120  # seconds for one command, sanitizers and a busy machine included

POLICY = {
    "kind": "policy", "version": 1, "name": "bounded", "route": "only", "to": "openai/gpt-4",
    "role": "primary", "pipeline": [{"retry": {}}, {"timeout": {"attempt": "10s"}}]}
UNBOUNDED = {**POLICY, "name": "unbounded", "pipeline": []}
OF_ANOTHER_ROUTE = {**POLICY, "name": "elsewhere", "to": "nobody/nothing", "role": "nowhere"}


def scenario(**changes):
    base = {
        "kind": "scenario", "version": 1, "name": "small", "duration": "2m", "seed": 1,
        "roles": {"primary": "openai/gpt-4"},
        "providers": {"openai": {"dialect": "openai", "models": {"gpt-4": {
            "ttft": {"exponential": {"mean": "500ms"}}, "inter_token": "5ms"}}}},
        "timeline": [{"phase": "all", "until": "2m"}],
        "workload": {"arrivals": {"poisson": "5/s"}, "input_tokens": 100, "output_tokens": 20},
        "expect": ["availability >= 90%"]}
    return {**base, **changes}


def phase(**fault):
    return [{"phase": "all", "until": "2m", "faults": [{"on": "*", **fault}]}]


FAILING = scenario(name="failing", expect=["calls == 0", "availability >= 90%"])
HANGING = scenario(name="hanging", timeline=phase(hang=True))
NO_DATA = scenario(name="no-data", expect=["latency(failed).p99 <= 1s"])
# Its seeds differ in what they find: about half of them meet it.
WAVERING = scenario(name="wavering", expect=["calls >= 600"])
ENDLESS = scenario(name="endless", duration="366d", timeline=[{"phase": "all", "until": "366d"}],
                   workload={"arrivals": {"poisson": "2000/s"}, "input_tokens": 100,
                             "output_tokens": 20})
# Errors that a policy with retries hides, and one without does not.
SHAKY = scenario(name="shaky", timeline=phase(error="server_error", share=0.3),
                 expect=["availability >= 10%"])


class Gate(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.policy = self.write("policies/bounded.json", POLICY)
        self.baseline = str(self.folder / "baseline.json")

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def suite(self, *scenarios):
        """A folder of these scenarios."""
        for content in scenarios:
            self.write(f"suite/{content['name']}.json", content)
        return str(self.folder / "suite")

    def gate(self, *arguments, policy=None, seeds="1..4", **environment):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
        command = [BROWNOUT, "test", policy or self.policy, "--seeds", seeds, *arguments]
        result = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False,
                                env={**clean, "LC_ALL": "C", **environment})
        result.stdout = result.stdout.decode()
        result.stderr = result.stderr.decode()
        return result

    def assert_code(self, result, code):
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)

    def make_baseline(self, *scenarios):
        self.assert_code(self.gate("--scenarios", self.suite(*scenarios), "--baseline",
                                   self.baseline, "--update-baseline"), 0)

    def verdict(self, result):
        return result.stdout.splitlines()[-1].split(":")[0]

    def left_over(self):
        return [path.name for path in self.folder.rglob("*") if "partial" in path.name]

    # ---------------------------------------------------------------- exit codes

    def test_0_when_every_seed_of_every_scenario_meets_its_expectations(self):
        result = self.gate("--scenarios", self.suite(scenario(), SHAKY))
        self.assert_code(result, 0)
        lines = result.stdout.splitlines()
        self.assertRegex(lines[1], r"^  PASS        shaky    +4/4 .*%.* 1\.\d+.* 8m")
        self.assertRegex(lines[2], r"^  PASS        small    +4/4 ")
        self.assertEqual(lines[-1], "PASS: 2 of 2 scenarios passed, 0 failed, 0 without a verdict, "
                                    "in 8 runs")
        self.assertEqual(result.stderr, "")

    def test_1_when_some_seed_does_not_with_a_command_that_replays_it(self):
        result = self.gate("--scenarios", self.suite(scenario(), WAVERING), seeds="1..10")
        self.assert_code(result, 1)
        self.assertEqual(self.verdict(result), "FAIL")
        ok = int(re.search(r"FAIL +wavering +(\d+)/10", result.stdout).group(1))
        self.assertIn(f"calls >= 600: not met on {10 - ok} of 10 seeds", result.stdout)
        self.assertTrue(0 < ok < 10)
        replay = re.search(r"replay: brownout (.*)", result.stdout).group(1)
        self.assertIn(f"--policy {self.policy}", replay)
        again = subprocess.run([BROWNOUT, *replay.split()], capture_output=True, check=False)
        self.assertEqual(again.returncode, 1)

    def test_2_for_bad_usage(self):
        suite = self.suite(scenario())
        for arguments in ([], ["--scenarios"], ["--scenarios", suite, "--jobs", "0"],
                          ["--scenarios", suite, "--max-failures", "0"],
                          ["--scenarios", suite, "--update-baseline"],
                          ["--scenarios", suite, "--tolerance", "1%"],
                          ["--scenarios", suite, "--bind", "only"],
                          ["--scenarios", suite, "--json", "x", "--junit", "./x"],
                          ["--scenarios", suite, "--junit", self.policy]):
            result = self.gate(*arguments)
            self.assert_code(result, 2)
            self.assertEqual(result.stdout, "", arguments)
            self.assertNotEqual(result.stderr, "", arguments)

    def test_2_for_seeds_that_are_no_range(self):
        suite = self.suite(scenario())
        for seeds in ("", "..", "1..", "..3", "one", "-1", "1..-3", "1...3", "1-3", "5..1",
                      "0..1000000", "9007199254740992", "1..9007199254740992"):
            result = self.gate("--scenarios", suite, seeds=seeds)
            self.assert_code(result, 2)
            self.assertIn("--seeds", result.stderr)
        self.assertIn("did you mean 1..5?", self.gate("--scenarios", suite, seeds="5..1").stderr)
        self.assert_code(self.gate("--scenarios", suite, seeds="7"), 0)

    def test_2_for_a_policy_that_does_not_fit_one_scenario_which_is_named(self):
        odd = scenario(name="odd", roles={"nowhere": "openai/gpt-4"})
        policy = self.write("policies/elsewhere.json", OF_ANOTHER_ROUTE)
        result = self.gate("--scenarios", self.suite(scenario(), odd), policy=policy)
        self.assert_code(result, 2)
        self.assertEqual(result.stdout, "")
        self.assertIn("scenario small has no model", result.stderr)
        self.assertNotIn("scenario odd", result.stderr)

    def test_2_for_tolerances_of_nothing(self):
        suite = self.suite(scenario())
        self.assert_code(self.gate("--scenarios", suite, "--baseline", self.baseline,
                                   "--update-baseline"), 0)
        for tolerance, said in (("1", "expected 2%"), ("x%", "expected 2%"), ("101%", "expected"),
                                ("latancy.p99=1%", 'did you mean "latency.p99"?')):
            result = self.gate("--scenarios", suite, "--baseline", self.baseline, "--tolerance",
                               tolerance)
            self.assert_code(result, 2)
            self.assertIn(said, result.stderr)

    def test_2_for_a_baseline_that_is_none(self):
        result = self.gate("--scenarios", self.suite(scenario()), "--baseline", self.policy)
        self.assert_code(result, 2)
        self.assertIn("this file is a policy, not a baseline", result.stderr)
        before = pathlib.Path(self.policy).read_text(encoding="utf-8")
        result = self.gate("--scenarios", self.suite(scenario()), "--baseline", self.policy,
                           "--update-baseline")
        self.assert_code(result, 2)
        self.assertEqual(pathlib.Path(self.policy).read_text(encoding="utf-8"), before)

    def test_2_for_a_baseline_of_two_scenarios_of_one_name(self):
        suite = self.suite(scenario())
        self.write("suite/again.json", scenario())
        self.assert_code(self.gate("--scenarios", suite), 0)
        result = self.gate("--scenarios", suite, "--baseline", self.baseline, "--update-baseline")
        self.assert_code(result, 2)
        self.assertIn("are both named small", result.stderr)

    def test_3_when_a_folder_has_no_scenario(self):
        (self.folder / "empty").mkdir()
        for folders in (["empty"], ["suite", "empty"]):
            self.suite(scenario())
            result = self.gate("--scenarios", *[str(self.folder / name) for name in folders])
            self.assert_code(result, 3)
            self.assertIn("no scenarios found in " + str(self.folder / "empty"), result.stderr)
            self.assertEqual(result.stdout, "")

    def test_4_for_a_deadlock(self):
        policy = self.write("policies/unbounded.json", UNBOUNDED)
        result = self.gate("--scenarios", self.suite(HANGING, scenario()), policy=policy)
        self.assert_code(result, 4)
        self.assertEqual(self.verdict(result), "NO VERDICT")
        self.assertIn("call 1 has had no answer", result.stdout)

    def test_4_when_an_expectation_finds_no_data(self):
        result = self.gate("--scenarios", self.suite(NO_DATA, scenario()))
        self.assert_code(result, 4)
        self.assertIn("could not be decided on 4 of 4 seeds: no such calls", result.stdout)
        self.assert_code(self.gate("--scenarios", self.suite(FAILING)), 1)

    def test_5_for_what_cannot_be_read_or_written(self):
        suite = self.suite(scenario())
        missing = str(self.folder / "missing.json")
        deep = str(self.folder / "no/such/folder.json")
        for arguments in (["--scenarios", missing], ["--scenarios", suite, "--baseline", missing],
                          ["--scenarios", suite, "--baseline", deep, "--update-baseline"],
                          ["--scenarios", suite, "--junit", deep],
                          ["--scenarios", suite, "--markdown", deep],
                          ["--scenarios", suite, "--json", deep]):
            result = self.gate(*arguments)
            self.assert_code(result, 5)
            self.assertEqual(result.stdout, "", "nothing is run when the result cannot be kept")
        self.assert_code(self.gate("--scenarios", suite, policy=missing), 5)
        self.assert_code(self.gate("--scenarios", suite, "--junit", "/dev/full"), 5)
        self.assert_code(self.gate("--scenarios", suite, GITHUB_STEP_SUMMARY=deep), 5)
        self.assertEqual(self.left_over(), [])

    def test_130_on_an_interrupt_with_what_was_found_so_far(self):
        self.make_baseline(scenario(name="a"))
        before = pathlib.Path(self.baseline).read_bytes()
        suite = self.suite(ENDLESS, scenario(name="z"))
        out = {name: str(self.folder / name) for name in ("json", "junit", "markdown")}
        files = [word for name, path in out.items() for word in ("--" + name, path)]
        process = subprocess.Popen(
            [BROWNOUT, "test", self.policy, "--scenarios", suite, "--seeds", "1..4", "--baseline",
             self.baseline, "--update-baseline", *files],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        stdout = ""
        while "PASS        a " not in stdout:  # the next is the endless one
            line = process.stdout.readline().decode()
            self.assertTrue(line, "it ended before it could be interrupted")
            stdout += line
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        stdout += process.communicate(timeout=PATIENCE)[0].decode()
        self.assertEqual(process.returncode, 130, stdout)
        self.assertEqual(stdout.splitlines()[-1].split(":")[0], "NO VERDICT")
        self.assertIn("were not run: interrupted", stdout)
        self.assertIn("was not written", stdout)
        self.assertEqual(pathlib.Path(self.baseline).read_bytes(), before)
        runs = json.loads(pathlib.Path(out["json"]).read_text(encoding="utf-8"))["runs"]
        self.assertEqual([run["end"] for run in runs], ["completed", "interrupted"])
        suites = xml.parse(out["junit"]).getroot()
        self.assertEqual(len(suites), 3, "what was not begun is there as well")
        self.assertGreaterEqual(int(suites.get("errors")), 2)
        self.assertEqual(self.left_over(), [])

    # ---------------------------------------------------------------- files

    def test_junit_is_valid_and_counts_right(self):
        self.make_baseline(scenario())
        suite = self.suite(FAILING, NO_DATA, scenario(name="silent", expect=[]))
        path = str(self.folder / "junit.xml")
        result = self.gate("--scenarios", suite, "--junit", path, "--baseline", self.baseline)
        self.assert_code(result, 1)
        self.assert_valid(path)
        root = xml.parse(path).getroot()
        for element in (root, *root):
            for attribute, tag in (("tests", "testcase"), ("failures", "failure"),
                                   ("errors", "error"), ("skipped", "skipped")):
                self.assertEqual(int(element.get(attribute)), len(list(element.iter(tag))))
        self.assertEqual([case.get("name") for case in root.iter("testcase")],
                         ["calls", "availability", "as good as the baseline",
                          "latency(failed).p99", "as good as the baseline",
                          "completes", "as good as the baseline",
                          "availability", "as good as the baseline"])
        total = float(root.get("time"))
        self.assertAlmostEqual(sum(float(case.get("time")) for case in root.iter("testcase")), total,
                               places=4)

    def assert_valid(self, path):
        checked = subprocess.run(["xmllint", "--noout", "--schema", "scenarios/schema/junit.xsd",
                                  path], capture_output=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stderr.decode())

    def test_golden_junit_files_are_valid(self):
        files = sorted(pathlib.Path("tests/golden").glob("junit*.xml"))
        self.assertGreaterEqual(len(files), 2)
        for path in files:
            self.assert_valid(str(path))

    def test_run_and_report_write_junit_and_markdown_too(self):
        path = self.write("s.json", FAILING)
        files = {name: str(self.folder / name) for name in ("json", "junit", "markdown")}
        options = [word for name, file in files.items() for word in ("--" + name, file)]
        run = subprocess.run([BROWNOUT, "run", path, "--policy", self.policy, *options],
                             capture_output=True, check=False)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assert_valid(files["junit"])
        again = str(self.folder / "again")
        subprocess.run([BROWNOUT, "report", files["json"], "--junit", again], check=False,
                       capture_output=True)
        self.assertEqual(pathlib.Path(files["junit"]).read_bytes(),
                         pathlib.Path(again).read_bytes())

    def test_json_has_one_run_of_each_scenario_that_failed_first_with_its_detail(self):
        path = str(self.folder / "out.json")
        result = self.gate("--scenarios", self.suite(scenario(), WAVERING), "--json", path,
                           seeds="1..10")
        self.assert_code(result, 1)
        runs = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["runs"]
        self.assertEqual([run["scenario"] for run in runs], ["small", "wavering"])
        self.assertEqual(runs[0]["seed"], 1)
        self.assertEqual(runs[1]["verdict"], "failed")
        self.assertIn(f"--seed {runs[1]['seed']} ", re.search("replay: .*", result.stdout).group(0))
        self.assertGreater(runs[0]["timeline"]["buckets"], 0)
        self.assertGreater(len(runs[1]["samples"]), 0)

    def test_whatever_is_written_is_the_same_with_one_job_and_with_several(self):
        self.make_baseline(scenario())
        suite = self.suite(WAVERING, NO_DATA, SHAKY, scenario(name="more", seed=9))
        written = []
        for jobs in ("1", "2", "7"):
            files = [str(self.folder / (name + jobs)) for name in ("json", "markdown", "junit")]
            result = self.gate("--scenarios", suite, "--jobs", jobs, "--json", files[0],
                               "--markdown", files[1], "--junit", files[2], "--baseline",
                               self.baseline, "--github", seeds="1..12")
            self.assert_code(result, 1)
            texts = [pathlib.Path(file).read_text(encoding="utf-8") for file in files]
            texts[2] = re.sub(r' time="[0-9.]+"', "", texts[2])
            written.append([result.stdout, *texts])
        self.assertEqual(written[0], written[1])
        self.assertEqual(written[0], written[2])

    def test_max_failures_stops_at_the_same_run_whatever_the_jobs(self):
        suite = self.suite(FAILING, scenario())
        outputs = [self.gate("--scenarios", suite, "--max-failures", "3", "--jobs", jobs,
                             seeds="1..20") for jobs in ("1", "4")]
        self.assertEqual(outputs[0].stdout, outputs[1].stdout)
        self.assert_code(outputs[0], 1)
        self.assertIn("17 of 20 seeds were not run: stopped after 3 failed runs",
                      outputs[0].stdout)
        self.assertIn("1 of 2 scenarios were not begun", outputs[0].stdout)

    def test_a_document_on_standard_output_is_alone_there(self):
        suite = self.suite(scenario())
        result = self.gate("--scenarios", suite, "--junit", "-")
        self.assertEqual(xml.fromstring(result.stdout).tag, "testsuites")
        self.assertIn("PASS: 1 of 1", result.stderr)

    def test_quiet_shows_what_did_not_pass_and_the_verdict(self):
        result = self.gate("--scenarios", self.suite(scenario(), NO_DATA), "--quiet")
        self.assertNotIn("small", result.stdout)
        self.assertIn("no-data", result.stdout)
        self.assertEqual(self.verdict(result), "NO VERDICT")

    def test_a_scenario_that_is_named_twice_is_flown_once(self):
        suite = self.suite(scenario())
        result = self.gate("--scenarios", suite, suite + "/small.json")
        self.assertIn("PASS: 1 of 1 scenarios", result.stdout)

    # ---------------------------------------------------------------- GitHub

    def test_github_gets_annotations_and_a_summary(self):
        suite = self.suite(FAILING)
        summary = self.folder / "summary.md"
        summary.write_text("what was there\n")
        plain = self.gate("--scenarios", suite)
        self.assertNotIn("::error", plain.stdout)
        asked = self.gate("--scenarios", suite, "--github")
        on_github = self.gate("--scenarios", suite, GITHUB_ACTIONS="true",
                              GITHUB_STEP_SUMMARY=str(summary))
        self.assertEqual(asked.stdout, on_github.stdout)
        self.assertRegex(asked.stdout, r"(?m)^::error file=.*failing\.json,line=1,col=\d+,"
                                       r"endColumn=\d+,title=failing%3A not met::calls == 0: not")
        text = summary.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("what was there\n## brownout"), text)
        self.assertIn("| <code>failing</code> | 0 of 4 |", text)

    def test_the_action_runs_the_gate_in_the_callers_folder(self):
        self.suite(scenario(), WAVERING)
        for seeds, code in (("1..8", 1), ("1", 0)):
            result = subprocess.run(
                [os.path.abspath("ci/github/gate.sh")], capture_output=True, cwd=self.folder,
                check=False, timeout=PATIENCE,
                env={**os.environ, "BROWNOUT": BROWNOUT, "POLICY": "policies/bounded.json",
                     "SCENARIOS": "suite/small.json\n\nsuite/wavering.json\n", "SEEDS": seeds,
                     "BASELINE": "", "OPTIONS": "--max-failures\n100\n", "OUTPUT": "results"})
            self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(sorted(path.name for path in (self.folder / "results").iterdir()),
                         ["brownout.html", "brownout.json", "brownout.xml"])

    def test_the_script_of_hooks_runs_what_it_is_told_to(self):
        hooks = pathlib.Path(".pre-commit-hooks.yaml").read_text(encoding="utf-8")
        entries = re.findall(r"entry: (.*)", hooks)
        self.assertEqual(entries, ["ci/brownout.sh check", "ci/brownout.sh test"])
        result = subprocess.run(entries[0].split() + [self.policy], capture_output=True,
                                check=False, env={**os.environ, "BROWNOUT": BROWNOUT})
        self.assertEqual(result.stdout.decode(), f"ok  {self.policy}\n")

    # ---------------------------------------------------------------- baseline

    def test_a_baseline_is_written_and_what_is_the_same_passes(self):
        suite = self.suite(scenario(), SHAKY)
        first = self.gate("--scenarios", suite, "--baseline", self.baseline, "--update-baseline")
        self.assert_code(first, 0)
        self.assertIn(f"{self.baseline} was written: 2 scenarios", first.stdout)
        schema = json.loads(pathlib.Path("scenarios/schema/baseline.schema.json").read_text())
        document = json.loads(pathlib.Path(self.baseline).read_text(encoding="utf-8"))
        jsonschema.Draft7Validator(schema).validate(document)
        self.assertEqual([s["scenario"] for s in document["scenarios"]], ["shaky", "small"])
        lines = pathlib.Path(self.baseline).read_text(encoding="utf-8").splitlines()
        self.assertEqual(len([line for line in lines if '"seed": ' in line]), 8)

        again = self.gate("--scenarios", suite, "--baseline", self.baseline)
        self.assert_code(again, 0)
        self.assertIn("every run is the baseline's to the last call", again.stdout)
        before = pathlib.Path(self.baseline).read_bytes()
        renewed = self.gate("--scenarios", suite, "--baseline", self.baseline, "--update-baseline")
        self.assertIn("was renewed: nothing changed", renewed.stdout)
        self.assertEqual(pathlib.Path(self.baseline).read_bytes(), before)

    def test_1_when_something_has_become_worse(self):
        suite = self.suite(scenario(), SHAKY)
        self.assert_code(self.gate("--scenarios", suite, "--baseline", self.baseline,
                                   "--update-baseline", seeds="1..8"), 0)
        weaker = self.write("policies/weaker.json",
                            {**POLICY, "pipeline": [{"timeout": {"attempt": "10s"}}]})
        self.assert_code(self.gate("--scenarios", suite, policy=weaker, seeds="1..8"), 0)
        path = str(self.folder / "junit.xml")
        result = self.gate("--scenarios", suite, "--baseline", self.baseline, "--junit", path,
                           "--github", policy=weaker, seeds="1..8")
        self.assert_code(result, 1)
        self.assertEqual(self.verdict(result), "FAIL")
        self.assertRegex(result.stdout, r"availability 9\d\.\d+% → \d+\.\d+% \(-\d+\.\d+ points, "
                                        r"95% interval -\d+\.\d+ to -\d+\.\d+ over 8 seeds\): worse")
        self.assertRegex(result.stdout, r"attempts_per_call .*: improved")
        self.assertIn("title=shaky%3A worse than the baseline::", result.stdout)
        failures = list(xml.parse(path).getroot().iter("failure"))
        self.assertEqual(len(failures), 1)
        self.assertIn("availability", failures[0].get("message"))
        # What is tolerated is no regression.
        tolerant = self.gate("--scenarios", suite, "--baseline", self.baseline, "--tolerance",
                             "availability=90%", "--tolerance", "answered=90%", "--tolerance",
                             "failed=100%", policy=weaker, seeds="1..8")
        self.assertNotRegex(tolerant.stdout, r"(?m)availability .*: worse$")
        # To renew the baseline is to accept it.
        renewed = self.gate("--scenarios", suite, "--baseline", self.baseline, "--update-baseline",
                            policy=weaker, seeds="1..8")
        self.assert_code(renewed, 0)
        self.assertRegex(renewed.stdout, "was renewed: [12] scenarios? changed, 0 added, 0 removed")

    def test_4_when_nothing_could_be_compared(self):
        self.make_baseline(scenario())
        result = self.gate("--scenarios", self.suite(scenario(description="changed")), "--baseline",
                           self.baseline)
        self.assert_code(result, 4)
        self.assertIn("small was not compared: the scenario's file has changed since the baseline",
                      result.stdout)
        self.assertIn("nothing could be compared with the baseline", result.stdout)
        # One of two is told, and the other judged.
        result = self.gate("--scenarios", self.suite(scenario(), SHAKY), "--baseline",
                           self.baseline)
        self.assert_code(result, 0)
        self.assertIn("shaky was not compared: the baseline does not have it", result.stdout)
        self.assertIn("1 not compared", result.stdout.splitlines()[-1])
        result = self.gate("--scenarios", self.suite(scenario()), "--baseline", self.baseline,
                           seeds="3..6")
        self.assertIn("small: the baseline does not have seed 5, 6", result.stdout)

    def test_4_for_a_baseline_without_a_value_to_compare(self):
        suite = self.suite(scenario())
        self.gate("--scenarios", suite, "--baseline", self.baseline, "--update-baseline")
        document = json.loads(pathlib.Path(self.baseline).read_text(encoding="utf-8"))
        for known in document["scenarios"]:
            for seed in known["seeds"]:
                seed["digest"] = "0" * 16
                seed["values"] = [None] * len(seed["values"])
        pathlib.Path(self.baseline).write_text(json.dumps(document), encoding="utf-8")
        result = self.gate("--scenarios", suite, "--baseline", self.baseline)
        self.assert_code(result, 4)
        self.assertIn("no value that could be compared", result.stdout)

    def test_a_baseline_is_not_renewed_by_what_could_not_be_decided(self):
        self.make_baseline(scenario())
        before = pathlib.Path(self.baseline).read_bytes()
        for more, code in ((NO_DATA, 4), (FAILING, 1)):
            result = self.gate("--scenarios", self.suite(more), "--baseline", self.baseline,
                               "--update-baseline", "--max-failures", "1")
            self.assert_code(result, code)
            self.assertIn("was not written: not everything was decided", result.stdout)
        self.assertEqual(pathlib.Path(self.baseline).read_bytes(), before)
        self.assertEqual(self.left_over(), [])

    def test_a_baseline_behind_a_link_is_renewed_where_it_lies(self):
        real = self.folder / "real.json"
        os.symlink(real, self.baseline)
        suite = self.suite(scenario())
        self.assert_code(self.gate("--scenarios", suite, "--baseline", self.baseline,
                                   "--update-baseline"), 0)
        self.assertTrue(os.path.islink(self.baseline))
        self.assertEqual(json.loads(real.read_text())["kind"], "baseline")


if __name__ == "__main__":
    BROWNOUT = os.path.abspath(sys.argv.pop(1))
    unittest.main()
