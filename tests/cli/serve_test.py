#!/usr/bin/python3
"""brownout serve as its users meet it: options, signals, journal, verdict.

usage: serve_test.py BROWNOUT        from the root of the repository
"""

import errno
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import jsonschema

PATIENCE = 60  # seconds for anything, sanitizers and a busy machine included
KEY = {"authorization": "Bearer k"}


def scenario(**changes):
    base = {
        "kind": "scenario", "version": 1, "name": "small", "duration": "2m", "seed": 1,
        "roles": {"primary": "openai/gpt-4"},
        "providers": {"openai": {"dialect": "openai", "models": {
            "gpt-4": {"ttft": "20ms", "inter_token": "1ms", "error_latency": "1ms"}}}},
        "timeline": [{"phase": "calm", "until": "1m"},
                     {"phase": "storm", "until": "2m", "faults": [
                         {"on": "*", "error": "server_error", "share": 1}]}],
        "workload": {"arrivals": {"poisson": "5/s"}, "input_tokens": 100, "output_tokens": 20},
        "expect": ["availability >= 90%", "attempts_per_call <= 1"]}
    return {**base, **changes}


class Serving:
    """A server that runs until the test ends it."""

    def __init__(self, test, *options, journal=None, **changes):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        path = self.folder / "scenario.json"
        path.write_text(json.dumps(scenario(**changes)))
        self.journal_path = journal or self.folder / "journal.jsonl"
        self.process = subprocess.Popen(
            [BROWNOUT, "serve", path, "--port", "0", "--journal", self.journal_path, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        test.addCleanup(self.process.kill)
        self.console = self.process.stderr if "-" in options else self.process.stdout
        self.banner = ""
        while not re.search("(?m)^  phase ", self.banner):
            line = self.console.readline()
            if not line:
                break
            self.banner += line
        self.port = int(re.search(r"(?m)^serving .*:(\d+)$", self.banner).group(1))
        self.admin_port = int(re.search(r":(\d+)/__brownout", self.banner).group(1))

    def connect(self, port=None):
        return http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)

    def chat(self, text="hi", connection=None, headers={}, **members):
        connection = connection or self.connect()
        body = {"model": "gpt-4", "messages": [{"role": "user", "content": text}], **members}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {**KEY, **headers})
        reply = connection.getresponse()
        return reply, reply.read()

    def admin(self, method, what, body=None):
        connection = self.connect(self.admin_port)
        connection.request(method, "/__brownout/" + what, body and json.dumps(body))
        return json.loads(connection.getresponse().read())

    def curl(self):
        """What curl exits with: 7 cannot connect, 52 empty reply, 56 reset."""
        return subprocess.run(
            ["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{self.port}/v1/chat/completions",
             "-H", "authorization: Bearer k", "-d", '{"model":"gpt-4","messages":[]}'],
            timeout=PATIENCE).returncode

    def refuses(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == errno.ECONNREFUSED

    def wait_until(self, test, what):
        patience = time.monotonic() + PATIENCE
        while not what():
            test.assertLess(time.monotonic(), patience)
            time.sleep(0.005)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.wait()

    def wait(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err

    def journal(self):
        return [json.loads(line) for line in self.journal_path.read_text().splitlines()]


class Serve(unittest.TestCase):
    def test_signals_end_it_with_the_journal_complete(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            server = Serving(self)
            reply, body = server.chat(max_tokens=7)
            self.assertEqual(reply.status, 200)
            self.assertEqual(json.loads(body)["usage"]["completion_tokens"], 7)
            code, out, _ = server.end(how)
            self.assertEqual(code, 0)
            self.assertIn("served 1 requests over 1 connections", out)
            [entry] = server.journal()
            self.assertEqual(entry["phase"], "calm")
            self.assertEqual(entry["decision"]["outcome"], "success")
            self.assertEqual(entry["delivered_tokens"], 7)
            self.assertEqual(entry["bytes"]["first_scheduled_ns"], 26_000_000)
            self.assertGreaterEqual(entry["bytes"]["first_sent_ns"], 26_000_000)
            self.assertGreater(entry["bytes"]["sent"], len(body))
            self.assertGreaterEqual(entry["ended_ns"], entry["bytes"]["last_sent_ns"])

    def test_it_ends_in_the_middle_of_a_stream(self):
        server = Serving(self)
        connection = server.connect()
        body = {"model": "gpt-4", "stream": True, "messages": []}
        connection.request("POST", "/v1/chat/completions", json.dumps(body),
                           {**KEY, "x-brownout-output-tokens": "100000"})
        reply = connection.getresponse()
        self.assertTrue(reply.readline())
        code, _, _ = server.end()
        self.assertEqual(code, 0)
        [entry] = server.journal()
        self.assertEqual(entry["closed_by"], "shutdown")
        self.assertLess(entry["delivered_tokens"], 100_000)

    def test_it_ends_with_streams_open_and_a_verdict(self):
        for how in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            server = Serving(self, "--expect")
            streams = []
            for number in range(20):
                stream = server.connect()
                stream.request("POST", "/v1/chat/completions",
                               json.dumps({"model": "gpt-4", "stream": True, "messages": [],
                                           "user": str(number)}),
                               {**KEY, "x-brownout-output-tokens": "100000"})
                self.assertTrue(stream.getresponse().readline())
                streams.append(stream)
            self.assertEqual(server.chat()[0].status, 200)
            code, out, _ = server.end(how)
            self.assertEqual(code, 0, out)
            self.assertIn("unfinished calls, in none of these numbers: 20", out)
            closed_by = [entry["closed_by"] for entry in server.journal()]
            self.assertEqual(sorted(closed_by), ["nobody"] + ["shutdown"] * 20)

    def test_expectations_are_judged_on_what_clients_did(self):
        server = Serving(self, "--expect")
        server.chat()
        code, out, _ = server.end()
        self.assertEqual(code, 0, out)
        self.assertIn("PASS", out)

        server = Serving(self, "--expect", "--start", "storm")
        for _ in range(3):
            self.assertEqual(server.chat()[0].status, 500)
        code, out, _ = server.end()
        self.assertEqual(code, 1, out)
        self.assertRegex(out, r"FAIL +availability >= 90% +0\.000%")
        self.assertRegex(out, r"FAIL +attempts_per_call <= 1 +3\.000")

        server = Serving(self, "--expect")
        self.assertEqual(server.end()[0], 4)  # nobody called

    def test_what_came_before_a_provider_begins_anew_is_not_judged(self):
        for method, what, body in (("POST", "reset", None), ("POST", "seed", {"seed": 2}),
                                   ("POST", "phase", {"phase": "calm"})):
            with self.subTest(what):
                server = Serving(self, "--expect", "--start", "storm")
                for _ in range(3):
                    self.assertEqual(server.chat()[0].status, 500)
                self.assertEqual(server.admin("GET", "findings")["calls"], 1)
                server.admin(method, what, body)
                self.assertEqual(server.admin("GET", "findings")["calls"], 0)
                server.admin("POST", "phase", {"phase": "calm"})
                self.assertEqual(server.chat()[0].status, 200)
                code, out, _ = server.end()
                self.assertEqual(code, 0, out)
                self.assertRegex(out, r"PASS +small +with policy of its clients, over HTTP in real time: 2 of 2")
                self.assertEqual(len(server.journal()), 4)  # the file keeps everything

    def test_what_one_test_begins_anew_is_its_own(self):
        # Two tests, each with a call that failed; one of them resets.
        server = Serving(self, "--expect", "--start", "storm", expect=["calls == 1", "failed == 1"])
        for name in "ab":
            server.chat(headers={"x-brownout-test": name})
        server.admin("POST", "reset?test=a")
        code, out, _ = server.end()
        self.assertEqual(code, 0, out)

    def test_a_request_under_way_does_not_come_into_the_journal_after_a_reset(self):
        server = Serving(self)
        connection = server.connect()
        body = {"model": "gpt-4", "stream": True, "messages": []}
        connection.request("POST", "/v1/chat/completions", json.dumps(body),
                           {**KEY, "x-brownout-output-tokens": "100000"})
        self.assertTrue(connection.getresponse().readline())
        self.assertEqual(server.admin("POST", "reset")["under_way"], 1)
        connection.close()
        while server.admin("GET", "state")["under_way"] > 0:
            time.sleep(0.01)
        get = server.connect()
        get.request("GET", "/__brownout/journal")
        self.assertEqual(get.getresponse().read(), b"")

    def test_it_tells_every_kind_of_client_where_to_go(self):
        server = Serving(self)
        url = f"http://127.0.0.1:{server.port}"
        for client, base in (("OpenAI", url + "/v1"), ("Anthropic", url), ("Azure", url),
                             ("Gemini", url)):
            self.assertRegex(server.banner, rf"(?m)^ .* {client} +{re.escape(base)}$")

    def test_the_result_can_be_written_like_that_of_a_run(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        files = {form: folder / form for form in ("json", "junit", "html", "markdown")}
        options = [text for form, path in files.items() for text in ("--" + form, path)]
        server = Serving(self, "--expect", *options, timeline=[{"phase": "all", "until": "2m", "faults": [
            {"on": "*", "sequence": ["overloaded", {"wire": "reset"}, "success"]}]}])
        self.assertEqual(server.chat()[0].status, 503)
        with self.assertRaises(ConnectionError):
            server.chat()
        self.assertEqual(server.chat()[0].status, 200)
        code, out, _ = server.end()
        self.assertEqual(code, 1, out)  # three attempts, one was allowed
        document = json.loads(files["json"].read_text())
        schema = json.loads(pathlib.Path("scenarios/schema/result.schema.json").read_text())
        jsonschema.validate(document, schema)
        [run] = document["runs"]
        self.assertEqual(run["verdict"], "failed")
        self.assertEqual((run["stage"], run["speed"]), ("http", 1))
        self.assertNotEqual(run["scenario_digest"], "0" * 16)
        self.assertEqual(run["total"]["attempts"], 3)
        self.assertEqual([fault["injected"] for fault in run["faults"]], [2])
        self.assertIn('failures="1"', files["junit"].read_text())
        self.assertIn("<html", files["html"].read_text())
        self.assertIn("of its clients", files["markdown"].read_text())

    def test_results_alone_do_not_decide_the_exit_code(self):
        server = Serving(self, "--json", "-", "--start", "storm")
        server.chat()
        code, out, err = server.end()
        self.assertEqual(code, 0, err)
        self.assertEqual(json.loads(out)["runs"][0]["verdict"], "failed")

    def test_what_only_a_client_can_know_is_listed_and_not_judged(self):
        server = Serving(self, "--expect", expect=["calls >= 1", "hedges == 0"])
        server.chat()
        code, out, _ = server.end()
        self.assertEqual(code, 0, out)
        self.assertIn("not judged, because only a client can know: hedges == 0", out)

    def test_what_is_printed_is_what_it_exits_with(self):
        for code, word, verdict, calls, expect in (
                (0, "PASS", "passed", 1, ["calls >= 1", "hedges == 0"]),
                (0, "PASS", "passed", 1, []),  # nothing was expected, as of every run
                (1, "FAIL", "failed", 0, ["calls >= 1"]),
                (4, "NO VERDICT", "undecided", 1, ["hedges == 0", "breaker(primary).opened == 0"]),
                (4, "NO VERDICT", "undecided", 0, ["failed == 0"]),
                (4, "NO VERDICT", "undecided", 0, ["availability >= 90%"])):
            with self.subTest(expect=expect, calls=calls):
                path = pathlib.Path(tempfile.mkdtemp()) / "result.json"
                server = Serving(self, "--expect", "--json", path, expect=expect)
                for _ in range(calls):
                    server.chat()
                ended, out, _ = server.end()
                self.assertRegex(out, rf"(?m)^{word}  small")
                self.assertEqual(ended, code)
                self.assertEqual(json.loads(path.read_text())["runs"][0]["verdict"], verdict)

    def test_of_tries_that_race_the_first_to_succeed_ends_the_call(self):
        # try 1  |----------- 40 s -----------|
        # try 2     |- 1 s -|
        model = scenario()["providers"]["openai"]["models"]["gpt-4"]
        models = {"gpt-4": {**model, "ttft": "40s"}, "gpt-5": {**model, "ttft": "1s"}}
        server = Serving(self, "--expect", "--speed", "20",
                         providers={"openai": {"dialect": "openai", "models": models}},
                         expect=["calls == 1", "attempts == 2", "latency.p99 < 30s"])
        first = threading.Thread(target=lambda: server.chat(headers={"x-brownout-call": "1"}))
        first.start()
        server.wait_until(self, lambda: server.admin("GET", "state")["attempts"] == 1)
        server.chat(headers={"x-brownout-call": "1"}, model="gpt-5")
        first.join()
        code, out, _ = server.end()
        self.assertEqual(code, 0, out)

    def test_the_seed_is_the_one_that_was_used(self):
        path = pathlib.Path(tempfile.mkdtemp()) / "result.json"
        server = Serving(self, "--expect", "--json", path)
        server.admin("POST", "seed", {"seed": 9})
        server.chat()
        _, out, _ = server.end()
        self.assertRegex(out, r"(?m)^  seed 9$")
        self.assertEqual(json.loads(path.read_text())["runs"][0]["seed"], 9)

    def test_all_numbers_are_of_all_sessions(self):
        path = pathlib.Path(tempfile.mkdtemp()) / "result.json"
        server = Serving(self, "--json", path, timeline=[{"phase": "all", "until": "2m", "faults": [
            {"on": "*", "sequence": ["authentication", "success"]}]}])
        for test in ({}, {"x-brownout-test": "a"}, {"x-brownout-test": "b"}):
            for _ in range(2):
                server.chat(headers=test)
        self.assertEqual(server.admin("GET", "findings?test=a")["calls"], 1)
        _, out, _ = server.end()
        self.assertIn("3 calls in 6 attempts", out)
        self.assertIn("finding: retried_non_retryable 3", out)
        [run] = json.loads(path.read_text())["runs"]
        self.assertEqual((run["total"]["calls"], run["total"]["attempts"]), (3, 6))
        self.assertEqual([(fault["matched"], fault["injected"]) for fault in run["faults"]], [(6, 3)])

    def test_requests_that_never_reach_the_script_are_told_of(self):
        server = Serving(self)
        for _ in range(2):
            self.assertEqual(server.chat(model="gpt-9")[0].status, 404)
        self.assertEqual(server.chat(model="gpt-9", headers={"x-brownout-test": "a"})[0].status, 404)
        self.assertEqual(server.chat(headers={"authorization": ""})[0].status, 401)
        findings = server.admin("GET", "findings")
        self.assertEqual((findings["calls"], findings["refused"]), (0, {"401": 1, "404": 2}))
        _, out, _ = server.end()
        self.assertIn("0 calls in 0 attempts\n"
                      "  4 requests were refused before the script: 401 ×1, 404 ×3\n", out)

    def test_guesses_are_told_of(self):
        server = Serving(self, "--start", "storm")
        for _ in range(3):
            server.chat()
        server.chat("other", headers={"x-brownout-call": "1"})
        server.chat("other", headers={"x-brownout-call": "1"})
        self.assertEqual(server.admin("GET", "findings")["retries_by_content"], 2)
        _, out, _ = server.end()
        self.assertIn("2 calls in 5 attempts\n"
                      "  2 retries were told by content alone; send x-brownout-call to be sure\n", out)

    def test_content_tells_retries_for_a_minute_of_the_clients(self):
        server = Serving(self, "--start", "storm", "--speed", "1000", duration="2h",
                         timeline=[{"phase": "storm", "until": "2h", "faults": [
                             {"on": "*", "error": "server_error", "share": 1}]}])
        server.chat()
        time.sleep(0.2)  # minutes of the scenario
        server.chat()
        self.assertEqual(server.admin("GET", "findings")["calls"], 1)

    def test_moving_the_clock_makes_nothing_under_way_longer(self):
        # ttft 1 s of real time; the clock moves meanwhile, first forward, then back.
        model = {**scenario()["providers"]["openai"]["models"]["gpt-4"], "ttft": "1s"}
        for start, phase in (("calm", "late"), ("late", "calm")):
            with self.subTest(phase):
                server = Serving(self, "--start", start, "--expect", duration="2h",
                                 providers={"openai": {"dialect": "openai", "models": {"gpt-4": model}}},
                                 timeline=[{"phase": "calm", "until": "1h"},
                                           {"phase": "late", "until": "2h"}],
                                 expect=["latency.max < 30m", "calls during late <= 1"])
                under_way = threading.Thread(target=server.chat)
                under_way.start()
                server.wait_until(self, lambda: server.admin("GET", "state")["under_way"] == 1)
                server.admin("POST", "phase", {"phase": phase})
                under_way.join()
                self.assertEqual(server.chat("more")[0].status, 200)
                code, out, _ = server.end()
                self.assertEqual(code, 0, out)
                entry = server.journal()[0]
                self.assertEqual(entry["phase"], start)
                self.assertGreaterEqual(entry["ended_ns"], 1e9)
                self.assertLess(entry["ended_ns"], 60e9)
                self.assertLess(entry["bytes"]["last_sent_ns"], 60e9)

    def test_retries_across_a_move_of_the_clock_are_tries_of_one_call(self):
        server = Serving(self, "--expect", duration="2h", timeline=[
            {"phase": "storm", "until": "1h", "faults": [
                {"on": "*", "error": "server_error", "share": 1}]},
            {"phase": "calm", "until": "2h"}],
            expect=["calls during storm == 1", "calls == 1", "attempts == 2", "latency.max < 30m"])
        self.assertEqual(server.chat()[0].status, 500)
        server.admin("POST", "phase", {"phase": "calm"})
        self.assertEqual(server.chat()[0].status, 200)
        code, out, _ = server.end()
        self.assertEqual(code, 0, out)

    def test_findings(self):
        server = Serving(self, timeline=[{"phase": "all", "until": "2m", "faults": [
            {"on": "*", "sequence": ["authentication", "success"]}]}])
        first = server.chat(headers={"x-stainless-retry-count": "0"})[0]
        second = server.chat(headers={"x-stainless-retry-count": "1"})[0]
        self.assertEqual((first.status, second.status), (401, 200))
        self.assertEqual(server.admin("GET", "findings")["amplification"], 2)
        _, out, _ = server.end()
        self.assertIn("1 calls in 2 attempts", out)
        self.assertIn("finding: retried_non_retryable 1", out)
        first, second = server.journal()
        self.assertEqual(first["call"], second["call"])
        self.assertEqual(second["attempt"], 2)
        self.assertEqual(second["correlated_by"], "x-stainless-retry-count")

    def test_speed_compresses_time_and_what_is_told_of_it(self):
        limits = {"rpm": 1}
        model = {"ttft": "10s", "inter_token": "0ms", "limits": limits, "error_latency": "1s"}
        server = Serving(self, "--speed", "100", providers={
            "openai": {"dialect": "openai", "models": {"gpt-4": model}}},
            timeline=[{"phase": "all", "until": "2m"}])
        self.assertRegex(server.console.readline(),
                         "100 times as fast: .*; the clients' own backoff and timeouts are not")
        begun = time.monotonic()
        self.assertEqual(server.chat()[0].status, 200)
        self.assertLess(time.monotonic() - begun, 5)  # not 10
        refused = server.chat("more")[0]
        self.assertEqual(refused.status, 429)
        self.assertLessEqual(float(refused.headers["retry-after-ms"]), 600)  # a minute is 600 ms
        time.sleep(0.65)
        self.assertEqual(server.chat("more")[0].status, 200)
        self.assertEqual(server.end()[0], 0)

    def test_the_clock_moves_by_the_admin_api(self):
        server = Serving(self)
        self.assertEqual(server.admin("POST", "phase", {"phase": "storm"})["phase"], "storm")
        self.assertEqual(server.chat()[0].status, 500)
        self.assertEqual(server.admin("POST", "phase", {"phase": "calm"})["phase"], "calm")
        self.assertEqual(server.chat()[0].status, 200)
        self.assertEqual(server.admin("POST", "seed", {"seed": 7})["seed"], 7)
        self.assertEqual(server.admin("GET", "state")["requests"], 0)

    def test_many_clients_at_once(self):
        server = Serving(self)
        bad = []

        def work(number):
            connection = server.connect()
            for i in range(10):
                reply, _ = server.chat(f"{number} {i}", connection)
                if reply.status != 200:
                    bad.append(reply.status)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(bad, [])
        server.end()
        self.assertEqual(len({entry["call"] for entry in server.journal()}), 200)

    def test_it_ends_by_itself(self):
        server = Serving(self, "--for", "1m", "--speed", "200")
        self.assertEqual(server.wait()[0], 0)

    def test_bad_options(self):
        server = Serving(self)
        path = server.folder / "scenario.json"

        def run(*options):
            done = subprocess.run([BROWNOUT, "serve", path, *options], capture_output=True,
                                  text=True, timeout=PATIENCE)
            return done.returncode, done.stderr

        code, err = run("--port", str(server.port))
        self.assertEqual(code, 5)
        self.assertIn("cannot listen at 127.0.0.1 port", err)
        code, err = run("--start", "strom")
        self.assertEqual(code, 2)
        self.assertIn('did you mean "storm"?', err)
        self.assertEqual(run("--speed", "0")[0], 2)
        self.assertEqual(run("--speed", "nan")[0], 2)
        written = path.read_bytes()
        self.assertEqual(run("--journal", str(path))[0], 2)
        self.assertEqual(run("--json", str(path))[0], 2)
        other = str(server.folder / "other")
        self.assertEqual(run("--journal", other, "--json", other)[0], 2)
        self.assertEqual(run("--journal", "-", "--json", "-")[0], 2)
        self.assertEqual(path.read_bytes(), written)
        self.assertEqual(run("--for", "soon")[0], 2)
        self.assertEqual(run("--host", "nowhere.example")[0], 5)

    def test_a_command_that_cannot_serve_leaves_all_files_as_they_were(self):
        server = Serving(self)
        path = server.folder / "policed.json"
        path.write_text(json.dumps(scenario(policy="policy.json")))
        policy = server.folder / "policy.json"
        old = server.folder / "old.jsonl"
        for file in (policy, old):
            file.write_text("precious")
        for code, *options in ((5, "--journal", old, "--port", str(server.port)),
                               (5, "--journal", old, "--json", server.folder / "no" / "x"),
                               (2, "--journal", old, "--json", old),
                               (2, "--journal", policy, "--port", "0"),
                               (2, "--json", policy, "--port", "0"),
                               (2, "--journal", old, "--start", "nowhere")):
            with self.subTest(options):
                done = subprocess.run([BROWNOUT, "serve", path, "--for", "1ms",
                                       *options], capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(policy.read_text(), "precious")
                self.assertEqual(old.read_text(), "precious")

    def test_listening_to_the_world_is_warned_of(self):
        server = Serving(self, "--host", "0.0.0.0")
        _, _, err = server.end()
        self.assertIn("warning: listening at 0.0.0.0", err)

    def test_without_files_for_more_clients_it_waits_in_peace(self):
        server = Serving(self, "--start", "storm", timeline=[
            {"phase": "calm", "until": "1m"},
            {"phase": "storm", "until": "2m", "faults": [{"on": "*", "hang": True}]}])
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (24, 24))
        clients = []
        for _ in range(60):
            client = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
            self.addCleanup(client.close)
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k\r\n"
                           b"content-length: 31\r\n\r\n" + b'{"model":"gpt-4","messages":[]}')
            clients.append(client)

        def busy():
            stat = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().split()
            return (int(stat[13]) + int(stat[14])) / os.sysconf("SC_CLK_TCK")

        before = busy()
        time.sleep(1)
        self.assertLess(busy() - before, 0.5)
        for client in clients:
            client.close()
        server.admin("POST", "phase", {"phase": "calm"})
        self.assertEqual(server.chat()[0].status, 200)


class Journals(unittest.TestCase):
    def test_a_full_disk_is_told_of_at_once_and_at_the_end(self):
        server = Serving(self, journal="/dev/full")
        self.assertEqual(server.chat()[0].status, 200)
        self.assertIn("error: cannot write all of /dev/full: No space left on device",
                      server.process.stderr.readline())
        self.assertEqual(server.chat()[0].status, 200)
        self.assertEqual(server.end()[0], 5)

    def pipe(self):
        path = pathlib.Path(tempfile.mkdtemp()) / "pipe"
        os.mkfifo(path)
        return path

    def test_a_reader_who_has_gone_keeps_nobody_waiting(self):
        path = self.pipe()
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        server = Serving(self, journal=path)
        self.assertEqual(server.chat()[0].status, 200)
        os.close(reader)
        self.assertEqual(server.chat()[0].status, 200)
        self.assertIn("Broken pipe", server.process.stderr.readline())
        self.assertEqual(server.chat()[0].status, 200)
        self.assertEqual(server.end()[0], 5)

    def test_a_reader_who_sleeps_keeps_nobody_waiting_and_misses_nothing(self):
        path = self.pipe()
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        server = Serving(self, journal=path)
        connection = server.connect()
        for number in range(300):  # several times what a pipe holds
            self.assertEqual(server.chat(str(number), connection, max_tokens=1)[0].status, 200)
        os.set_blocking(reader, True)
        server.process.send_signal(signal.SIGTERM)
        with open(reader, encoding="utf-8") as lines:
            self.assertEqual(len([json.loads(line) for line in lines]), 300)
        self.assertEqual(server.wait()[0], 0)

    def test_a_pipe_that_nobody_opens_can_be_given_up(self):
        process = subprocess.Popen([BROWNOUT, "serve", self.scenario(), "--port", "0", "--journal",
                                    self.pipe()], stderr=subprocess.DEVNULL)
        self.addCleanup(process.kill)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE), 5)

    def scenario(self):
        path = pathlib.Path(tempfile.mkdtemp()) / "scenario.json"
        path.write_text(json.dumps(scenario()))
        return path


OUTAGE = [{"on": "*", "outage": True}]
THREE = {"timeline": [{"phase": "calm", "until": "1m"},
                      {"phase": "down", "until": "2m", "faults": OUTAGE},
                      {"phase": "up", "until": "3m"}], "duration": "3m"}


class BeforeAccept(unittest.TestCase):
    def test_an_outage_of_every_model_refuses_connections(self):
        server = Serving(self, "--admin-port", "0", **THREE)
        self.assertNotEqual(server.port, server.admin_port)
        self.assertEqual(server.curl(), 0)
        for _ in range(3):
            server.admin("POST", "phase", {"phase": "down"})
            self.assertTrue(server.refuses())
            self.assertEqual(server.curl(), 7)
            self.assertTrue(server.admin("GET", "state")["server"]["refusing"])
            server.admin("POST", "phase", {"phase": "up"})
            self.assertFalse(server.refuses())
            self.assertEqual(server.curl(), 0)
        self.assertEqual(server.end()[0], 0)
        self.assertEqual([entry["decision"]["outcome"] for entry in server.journal()],
                         ["success"] * 4)  # nobody has seen the refused ones

    def test_the_clock_closes_and_opens_the_port(self):
        server = Serving(self, "--admin-port", "0", "--speed", "60", **THREE)
        self.assertFalse(server.refuses())
        server.wait_until(self, server.refuses)
        self.assertEqual(server.admin("GET", "state")["phase"], "down")
        server.wait_until(self, lambda: not server.refuses())
        self.assertEqual(server.admin("GET", "state")["phase"], "up")
        self.assertEqual(server.curl(), 0)

    def test_a_flapping_outage_does_so_again_and_again(self):
        flap = {"flap": {"on": "10s", "off": "10s"}}
        server = Serving(self, "--admin-port", "0", "--speed", "100", timeline=[
            {"phase": "all", "until": "2m", "faults": [{**OUTAGE[0], "share": flap}]}])
        for _ in range(3):
            server.wait_until(self, server.refuses)
            server.wait_until(self, lambda: not server.refuses())

    def test_it_can_begin_with_the_outage(self):
        server = Serving(self, "--admin-port", "0", "--start", "down", **THREE)
        self.assertEqual(server.curl(), 7)

    def test_an_injected_outage_ends_by_itself_or_is_taken_back(self):
        server = Serving(self, "--admin-port", "0", "--speed", "10")
        server.admin("POST", "faults", {"fault": {"on": "*", "wire": "refuse"}, "for": "10s"})
        self.assertTrue(server.refuses())
        server.wait_until(self, lambda: not server.refuses())
        self.assertEqual(server.curl(), 0)
        server.admin("POST", "faults", {"fault": OUTAGE[0], "for": "1h"})
        self.assertTrue(server.refuses())
        server.admin("DELETE", "faults")
        self.assertEqual(server.curl(), 0)
        server.admin("POST", "faults", {"fault": OUTAGE[0], "for": "1h"})
        server.admin("POST", "reset")
        self.assertEqual(server.curl(), 0)

    def test_a_connection_that_is_there_goes_on_and_is_reset(self):
        server = Serving(self, "--admin-port", "0", **THREE)
        kept = server.connect()
        self.assertEqual(server.chat(connection=kept)[0].status, 200)
        server.admin("POST", "phase", {"phase": "down"})
        self.assertTrue(server.refuses())
        with self.assertRaises(ConnectionError):
            kept.request("POST", "/v1/chat/completions", '{"model":"gpt-4","messages":[]}', KEY)
            kept.getresponse()
        server.end()
        self.assertEqual(server.journal()[-1]["closed_by"], "server_reset")

    def test_who_could_still_be_answered_is_let_in(self):
        model = scenario()["providers"]["openai"]["models"]["gpt-4"]
        two = {"openai": {"dialect": "openai", "models": {"gpt-4": model, "gpt-5": model}}}
        for faults in ([{"on": "openai/gpt-4", "outage": True}],
                       [{"on": "*", "outage": True, "share": 0.999}],
                       [{"on": "*", "outage": True, "first": 9}],
                       [{"on": "*", "sequence": ["success"]}, *OUTAGE],
                       [{"on": "*", "wire": "reset", "at": "after_accept"}]):
            with self.subTest(faults):
                server = Serving(self, "--admin-port", "0", providers=two, timeline=[
                    {"phase": "all", "until": "2m", "faults": faults}])
                self.assertFalse(server.refuses())
                server.end()

    def test_without_a_port_for_the_admin_api_it_is_reset_once_it_is_read(self):
        server = Serving(self, "--start", "down", **THREE)
        self.assertEqual(server.curl(), 56)
        self.assertFalse(server.admin("GET", "state")["server"]["refusing"])

    def test_the_admin_api_is_at_its_port_alone(self):
        server = Serving(self, "--admin-port", "0")
        connection = server.connect()
        connection.request("GET", "/__brownout/state", headers=KEY)
        self.assertEqual(connection.getresponse().status, 404)
        connection = server.connect(server.admin_port)
        connection.request("POST", "/v1/chat/completions", "{}", KEY)
        reply = connection.getresponse()
        self.assertEqual(reply.status, 404)
        self.assertIn(b"GET /__brownout/state", reply.read())

    def test_a_port_that_is_taken_meanwhile_ends_it(self):
        server = Serving(self, "--admin-port", "0", "--start", "down", **THREE)
        with socket.socket() as thief:
            with self.assertRaises(OSError):
                thief.bind(("127.0.0.1", server.port))  # it is held, as far as that goes
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind(("127.0.0.1", server.port))
            thief.listen()
            connection = server.connect(server.admin_port)
            connection.request("POST", "/__brownout/phase", '{"phase": "up"}')
            code, out, err = server.wait()
        self.assertEqual(code, 5)
        self.assertRegex(err, "cannot listen at 127.0.0.1 port .* again: Address already in use")
        self.assertIn("served 0 requests", out)


if __name__ == "__main__":
    BROWNOUT = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=1, warnings="ignore")
