#!/usr/bin/python3
"""brownout run --stage http and brownout twin as their users meet them: verdicts and exit codes.

usage: twin_cli_test.py BROWNOUT
"""

import json
import resource
import signal
import subprocess
import sys
import time

import program


def scenario(*faults, **changes):
    base = {
        "kind": "scenario", "version": 1, "name": "small", "duration": "20s", "seed": 1,
        "roles": {"primary": "openai/gpt-4"},
        "providers": {"openai": {"dialect": "openai", "models": {
            "gpt-4": {"ttft": "20ms", "inter_token": "1ms", "error_latency": "10ms"}}}},
        "network": {"one_way": "30ms"},
        "timeline": [{"phase": "all", "until": "20s", "faults": list(faults)}],
        "workload": {"arrivals": {"constant": "1/s"}, "input_tokens": 100, "output_tokens": 20},
        "policy": "policy.json",
        "expect": ["availability >= 90%"]}
    return {**base, **changes}


class Twin(program.InAnEmptyFolder):
    def setUp(self):
        super().setUp()
        self.write("policy.json", {
            "kind": "policy", "version": 1, "name": "twice", "to": "openai/gpt-4",
            "pipeline": [{"retry": {"max_attempts": 2, "wait": {"fixed": "100ms"}}}]})

    def write(self, name, document):
        (self.folder / name).write_text(json.dumps(document))

    def test_a_run_over_http_ends_with_its_verdict(self):
        self.write("good.json", scenario())
        said = self.passes("run", "good.json", "--stage", "http", "--speed", "20")
        self.assertIn("PASS  small", said)
        self.assertIn("connections of this machine, 20 times as fast", said)
        self.write("bad.json", scenario({"on": "*", "error": "server_error", "share": 1}))
        self.fails(1, "run", "bad.json", "--stage", "http", "--speed", "20")

    def test_a_result_over_http_is_a_result(self):
        self.write("good.json", scenario())
        self.passes("run", "good.json", "--stage", "http", "--speed", "20", "--json", "r.json")
        result = json.loads((self.folder / "r.json").read_text())
        run, = result["runs"]
        self.assertIn("--stage http --speed 20", run["replay"])
        self.assertEqual((run["stage"], run["speed"]), ("http", 20))

    def test_a_report_does_not_mix_the_stages(self):
        self.write("good.json", scenario())
        self.passes("run", "good.json", "--stage", "http", "--speed", "20", "--json", "http.json")
        self.passes("run", "good.json", "--json", "sim.json")
        said = self.passes("report", "sim.json", "http.json", "--quiet", "--junit", "j.xml",
                           "--markdown", "m.md", "--html", "h.html")
        simulated, over_http = said.splitlines()
        self.assertNotIn("over HTTP", simulated)
        self.assertIn("twice, over HTTP, 20 times as fast: ", over_http)
        for name in ("j.xml", "m.md", "h.html"):
            self.assertIn("over HTTP", (self.folder / name).read_text(), name)
        self.assertEqual((self.folder / "j.xml").read_text().count("<testsuite "), 2)

    def test_a_call_that_never_ends_leaves_no_verdict(self):
        self.write("hang.json", scenario({"on": "*", "hang": True, "share": 1}))
        self.fails(4, "run", "hang.json", "--stage", "http", "--speed", "5000")

    def test_options_that_make_no_sense_together(self):
        self.write("good.json", scenario())
        self.assertIn("--speed needs --stage http", self.fails(2, "run", "good.json", "--speed", "2"))
        for option in (["--verify"], ["--ties", "random"]):
            self.assertIn("for simulated runs",
                          self.fails(2, "run", "good.json", "--stage", "http", *option))
        self.fails(2, "run", "good.json", "--stage", "moon")
        self.fails(2, "twin", "good.json", "--speed", "0")
        self.fails(5, "twin", "missing.json")

    def test_twins_are_identical_under_scripted_faults(self):
        self.write("faults.json", scenario(
            {"on": "*", "sequence": ["success", "server_error", "overloaded", "overloaded"]}))
        said = self.passes("twin", "faults.json", "--speed", "10")
        self.assertIn("IDENTICAL", said)
        self.assertIn("this machine: plain attempts", said)

    def test_an_interrupt_ends_both_commands(self):
        self.write("long.json", scenario(duration="1h", timeline=[{"phase": "all", "until": "1h"}]))
        for command in (["run", "long.json", "--stage", "http"], ["twin", "long.json"]):
            process = subprocess.Popen([self.program, *command], cwd=self.folder,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(2)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=program.PATIENCE)
            self.assertEqual(process.returncode, 130)
            self.assertIn("small over HTTP takes 1h00m at this speed; --speed 20 takes 3m00s", err.decode())
            if command[0] == "twin":
                self.assertIn("simulated  3599 calls, up to 59m59s of 1h00m", out.decode())
                self.assertIn("NO VERDICT: nothing was compared", out.decode())
            else:
                self.assertIn("when the run was interrupted", out.decode())

    def test_twins_without_a_call_are_not_called_identical(self):
        self.write("none.json", scenario(workload={
            "arrivals": {"constant": "0.001/s"}, "input_tokens": 100, "output_tokens": 20}))
        result = self.brownout("twin", "none.json", "--speed", "20")
        self.assertEqual(result.returncode, 4, result.stdout + result.stderr)
        self.assertIn("NO VERDICT", result.stdout)
        self.assertNotIn("IDENTICAL", result.stdout)

    def test_a_flight_that_runs_out_of_files_blames_no_policy(self):
        self.write("wide.json", scenario(workload={
            "arrivals": {"constant": "100/s"}, "input_tokens": 100, "output_tokens": 2000}))
        for command in (["run", "wide.json", "--stage", "http"], ["twin", "wide.json"]):
            result = subprocess.run(
                [self.program, *command, "--speed", "5"], cwd=self.folder, capture_output=True,
                text=True, timeout=program.PATIENCE, check=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
            self.assertEqual(result.returncode, 5, result.stdout + result.stderr)
            self.assertIn("ran out of files", result.stderr)
            self.assertIn("this process may open 64", result.stderr)
            self.assertNotIn("FAIL", result.stdout)

    def test_a_machine_that_cannot_follow_is_told_in_every_form(self):
        self.write("fast.json", scenario(
            duration="10m", timeline=[{"phase": "all", "until": "10m"}], workload={
                "arrivals": {"constant": "20/s"}, "input_tokens": 100, "output_tokens": 20}))
        result = self.brownout("run", "fast.json", "--stage", "http", "--speed", "1000", "--quiet",
                               "--json", "r.json", "--html", "h.html", "--junit", "j.xml",
                               "--markdown", "m.md")
        said = "this machine could not follow at that speed"
        self.assertIn("warning: small: " + said, result.stderr)
        for name in ("r.json", "h.html", "j.xml", "m.md"):
            self.assertIn(said, (self.folder / name).read_text(), name)
        self.assertIn(said, self.brownout("report", "r.json").stdout)


if __name__ == "__main__":
    program.main(sys.argv)
