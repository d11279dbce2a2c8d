#!/usr/bin/python3
"""Traces of whole runs, and where two runs part, as users of the command line meet them.

usage: traces_test.py BROWNOUT        from the root of the repository
"""

import collections
import decimal
import json
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import cli_test
from cli_test import ENDLESS, POLICY, scenario

BUSY = scenario(
    name="busy", duration="1000s", policy="hedged.json", expect=[],
    timeline=[
        {"phase": "slow", "until": "300s", "faults": [
            {"on": "*", "latency": {"add": "2s"}, "share": 0.05}]},
        {"phase": "failing", "until": "600s", "faults": [
            {"on": "openai/gpt-4", "error": "server_error", "share": 0.5}]},
        {"phase": "calm", "until": "1000s"}],
    workload={"arrivals": {"poisson": "21/s"}, "input_tokens": 100, "output_tokens": 20,
              "cancel": {"share": 0.05, "after": {"exponential": {"mean": "1s"}}}})
HEDGED = {**POLICY, "name": "hedged", "pipeline": [
    {"retry": {"max_attempts": 3, "wait": {"fixed": "700ms"}}},
    {"hedge": {"delay": "1500ms", "max_hedges": 2, "budget": {"percent": 50}}},
    {"breaker": {"consecutive_failures": 9, "open_for": "5s"}}, {"timeout": {"attempt": "8s"}}]}


def nanoseconds(microseconds):
    return int(decimal.Decimal(microseconds).scaleb(3))


def load(path):
    """Numbers stay as they are spelled."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"),
                      parse_float=decimal.Decimal)


class Traces(cli_test.CommandLine):
    """Of the inherited tests none; load_tests says which."""

    def setUp(self):
        super().setUp()
        self.write("hedged.json", HEDGED)

    def test_slices_of_20000_calls_nest_and_arrows_have_two_ends(self):
        out = self.folder / "trace.json"
        self.assert_code(self.brownout("run", self.write("s.json", BUSY), "--trace", str(out)), 0)
        events = load(out)["traceEvents"]
        threads = collections.defaultdict(list)
        arrows = collections.defaultdict(list)
        for event in events:
            if event["ph"] == "X":
                begin = nanoseconds(event["ts"])
                threads[event["tid"]].append((begin, begin + nanoseconds(event["dur"]), event))
            elif event["ph"] in "sf":
                arrows[event["id"]].append(event)
        self.assertGreater(sum(event["cat"] == "call" for thread in threads.values()
                               for _, _, event in thread), 20_000)
        for slices in threads.values():
            slices.sort(key=lambda item: item[0])  # stable: of one instant the outer one is first
            ends = []
            for begin, end, event in slices:
                while ends and ends[-1] <= begin:
                    ends.pop()
                self.assertTrue(not ends or end <= ends[-1], event)
                ends.append(end)
        kinds = collections.Counter()
        for begin, end in arrows.values():
            self.assertEqual((begin["ph"], end["ph"]), ("s", "f"))
            self.assertEqual((begin["name"], begin["cat"]), (end["name"], end["cat"]))
            self.assertLessEqual(begin["ts"], end["ts"])
            kinds[begin["name"]] += 1
        self.assertGreater(kinds["retry"], 100)
        self.assertGreater(kinds["hedge"], 100)

    def test_otlp_of_20000_calls_has_ids_of_their_own(self):
        out = self.folder / "otlp.jsonl"
        self.assert_code(self.brownout("run", self.write("s.json", BUSY), "--otlp", str(out)), 0)
        ids = set()
        spans = 0
        for line in out.read_text(encoding="utf-8").splitlines():
            for resource in json.loads(line)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    for span in scope["spans"]:
                        ids.add(span["spanId"])
                        spans += 1
                        self.assertLessEqual(int(span["startTimeUnixNano"]),
                                             int(span["endTimeUnixNano"]))
        self.assertGreater(spans, 40_000)
        self.assertEqual(len(ids), spans)

    def test_a_window_is_cut_out(self):
        path = self.write("s.json", BUSY)
        result = self.brownout("run", path, "--trace", "-", "--from", "5m", "--until", "5m2s")
        self.assert_code(result, 0)
        self.assertIn("PASS", result.stderr)
        calls = [event for event in json.loads(result.stdout)["traceEvents"]
                 if event.get("cat") == "call"]
        self.assertTrue(20 < len(calls) < 200, len(calls))
        for call in calls:
            self.assertLess(call["ts"], 302e6)
            self.assertGreaterEqual(call["ts"] + call["dur"], 300e6)

    def test_2_for_a_window_that_is_none(self):
        path = self.write("s.json", scenario())
        out = str(self.folder / "out")
        for arguments, words in (
                (["--trace", out, "--from", "60"], "such as 1h2m3.5s"),
                (["--otlp", out, "--until", "soon"], "such as 1h2m3.5s"),
                (["--trace", out, "--from", "2m", "--until", "1m"], "nothing lies between"),
                (["--trace", out, "--until", "0s"], "nothing lies between"),
                (["--from", "1m"], "neither is given"),
                (["--trace", out, "--otlp", out], "the same place")):
            result = self.brownout("run", path, *arguments)
            self.assert_code(result, 2)
            self.assertIn(words, result.stderr)
        other = self.write("t.json", scenario())
        self.assert_code(self.brownout("run", path, other, "--trace", out), 2)
        self.assertEqual([name.name for name in self.folder.glob("out*")], [])

    def test_5_for_a_trace_that_cannot_be_written(self):
        path = self.write("s.json", scenario())
        for option in ("--trace", "--otlp"):
            result = self.brownout("run", path, option, str(self.folder / "no" / "trace"))
            self.assert_code(result, 5)
            self.assertIn("cannot write", result.stderr)
            self.assertEqual(result.stdout, "")
            result = self.brownout("run", path, option, "/dev/full")
            self.assert_code(result, 5)
            self.assertIn("PASS", result.stdout)

    def test_an_interrupted_trace_is_a_whole_document(self):
        path = self.write("endless.json", ENDLESS)
        trace = self.folder / "trace.json"
        otlp = self.folder / "otlp.jsonl"
        with subprocess.Popen([cli_test.BROWNOUT, "run", path, "--trace", str(trace), "--otlp",
                               str(otlp), "--until", "10m"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=cli_test.PATIENCE)
            self.assertEqual(process.returncode, 130)
        events = load(trace)["traceEvents"]
        self.assertGreater(sum(event.get("cat") == "call" for event in events), 100)
        for line in otlp.read_text(encoding="utf-8").splitlines():
            json.loads(line)


class Diff(cli_test.CommandLine):
    def log(self, name, *arguments):
        out = self.folder / name
        self.brownout("run", self.write("s.json", scenario()), "-q", "--events", str(out),
                      *arguments)
        return str(out)

    def test_0_for_the_same_run_and_1_for_another(self):
        one, two = self.log("one"), self.log("two")
        result = self.brownout("diff", one, two)
        self.assert_code(result, 0)
        self.assertIn("tell the same run", result.stdout)
        result = self.brownout("diff", one, self.log("three", "--policy", self.write("h", HEDGED)))
        self.assert_code(result, 1)
        self.assertIn("The runs part at 00:0", result.stdout)
        self.assertIn("events that both tell:\n\n  A  00:0", result.stdout)
        result = self.brownout("diff", one, self.log("four", "--seed", "2"))
        self.assert_code(result, 1)
        self.assertIn("at their first event", result.stdout)

    def test_1_when_one_is_the_beginning_of_the_other(self):
        one = self.log("one")
        lines = pathlib.Path(one).read_text(encoding="utf-8").splitlines(keepends=True)
        short = self.folder / "short"
        short.write_text("".join(lines[:100]), encoding="utf-8")
        result = self.brownout("diff", one, str(short))
        self.assert_code(result, 1)
        self.assertIn(f"{short} is the beginning of {one}: 100 events, then it ends",
                      result.stdout)

    def test_logs_may_come_through_pipes(self):
        one = self.log("one")
        command = f"'{cli_test.BROWNOUT}' diff <(cat '{one}') <(cat '{one}')"
        self.assertEqual(subprocess.run(["bash", "-c", command], capture_output=True,
                                        timeout=cli_test.PATIENCE, check=False).returncode, 0)

    def test_2_for_what_is_no_event_log_with_what_to_do_instead(self):
        one = self.log("one")
        result_file = str(self.folder / "result.json")
        self.brownout("run", str(self.folder / "s.json"), "-q", "--json", result_file)
        text = self.folder / "text"
        text.write_text("hello\n")
        for path, words in ((str(self.folder / "s.json"), "but a scenario; "),
                            (str(self.folder / "bounded.json"), "but a policy; "),
                            (result_file, "but a result, "),
                            (str(text), "is no event log; ")):
            for arguments in ((one, path), (path, one)):
                result = self.brownout("diff", *arguments)
                self.assert_code(result, 2)
                self.assertEqual(result.stdout, "")
                self.assertIn(words, result.stderr)
                self.assertIn("--events OUT", result.stderr)
        cut = self.folder / "cut"
        cut.write_bytes(pathlib.Path(one).read_bytes()[:5000])
        result = self.brownout("diff", one, str(cut))
        self.assert_code(result, 2)
        self.assertIn("ends in the middle of an event", result.stderr)
        self.assert_code(self.brownout("diff", one), 2)

    def test_5_for_a_log_that_cannot_be_read(self):
        one = self.log("one")
        for path in (str(self.folder / "none"), str(self.folder)):
            result = self.brownout("diff", one, path)
            self.assert_code(result, 5)
            self.assertIn("cannot read", result.stderr)


def load_tests(_loader, _standard, _pattern):
    """The tests of this file, without those of the class they build on."""
    suite = unittest.TestSuite()
    for case in (Traces, Diff):
        for name in vars(case):
            if name.startswith("test_"):
                suite.addTest(case(name))
    return suite


if __name__ == "__main__":
    cli_test.BROWNOUT = sys.argv.pop(1)
    unittest.main()
