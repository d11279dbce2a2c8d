#!/usr/bin/python3
"""No key is in anything that the program writes.

usage: keys_test.py BROWNOUT
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import unittest.mock

import program

SECRET = "sk-proj-0123456789abcdef"

SCENARIO = {
    "kind": "scenario", "version": 1, "name": "small", "duration": "10s", "seed": 1,
    "roles": {"primary": "openai/gpt-4"},
    "providers": {"openai": {"dialect": "openai", "models": {
        "gpt-4": {"ttft": "20ms", "inter_token": "1ms", "error_latency": "10ms"}}}},
    "timeline": [{"phase": "all", "until": "10s", "faults": [
        {"on": "*", "error": "authentication", "share": 0.5}]}],
    "workload": {"arrivals": {"constant": "2/s"}, "input_tokens": 100, "output_tokens": 20},
    "policy": "policy.json"}


class Keys(program.InAnEmptyFolder):
    def setUp(self):
        super().setUp()
        self.write("small.json", SCENARIO)
        self.write("policy.json", {"kind": "policy", "version": 1, "name": "bare",
                                   "to": "openai/gpt-4", "pipeline": []})

    def write(self, name, document):
        (self.folder / name).write_text(json.dumps(document))

    def assert_untold(self, *texts):
        for text in texts:
            self.assertNotIn("sk-proj", text)
        for name in self.files():
            if name != "connections.json":
                self.assertNotIn(b"sk-proj", (self.folder / name).read_bytes(), name)

    def test_no_output_of_a_flight_holds_what_the_environment_does(self):
        environment = {"OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": SECRET}
        outputs = ["json", "html", "junit", "markdown", "events", "metrics", "trace", "otlp"]
        with unittest.mock.patch.dict(os.environ, environment):
            for stage in ("sim", "http"):
                speed = ["--speed", "20"] if stage == "http" else []
                files = [part for name in outputs
                         for part in ("--" + name, f"{stage}-{name}.out")]
                result = self.brownout("run", "small.json", "--stage", stage, *speed, *files)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assert_untold(result.stdout, result.stderr)
            result = self.brownout("twin", "small.json", "--speed", "20")
            self.assert_untold(result.stdout, result.stderr)

    def test_a_server_writes_no_key_of_its_clients(self):
        server = subprocess.Popen(
            [self.program, "serve", "small.json", "--port", "0", "--journal", "journal.jsonl", "--expect"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(server.kill)
        port = int(re.search(r"127\.0\.0\.1:(\d+)", server.stdout.readline()).group(1))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=program.PATIENCE)
        self.addCleanup(connection.close)

        def ask(method, path, body=None, headers=None):
            connection.request(method, path, body, headers or {})
            return connection.getresponse().read().decode()

        chat = json.dumps({"model": "gpt-4", "messages": [{"role": "user", "content": "hi"}]})
        gemini = json.dumps({"contents": [{"parts": [{"text": "hi"}]}]})
        said = []
        for headers in ({"authorization": "Bearer " + SECRET}, {"x-api-key": SECRET},
                        {"api-key": SECRET}, {"authorization": "Basic " + SECRET},
                        {"authorization": "Bearer " + SECRET, "x-stainless-retry-count": "1"}):
            for path in ("/v1/chat/completions", "/v1/messages", "/nowhere"):
                said.append(ask("POST", path, chat, headers))
        for path in ("/v1beta/models/gpt-4:generateContent?key=" + SECRET,
                     "/v1/chat/completions?api_key=" + SECRET, "/nowhere?key=" + SECRET):
            said.append(ask("POST", path, gemini))
        said.append(ask("GET", "/__brownout/journal"))
        said.append(ask("GET", "/__brownout/state"))
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=program.PATIENCE)
        self.assertIn("served", out)
        self.assertGreater(len((self.folder / "journal.jsonl").read_text().splitlines()), 10)
        self.assert_untold(out, err, *said)

    def test_a_connections_file_with_a_key_in_it_is_not_quoted(self):
        for provider in ({"url": "https://x", "key": SECRET},
                         {"url": "https://x", "key_variable": SECRET},
                         {"url": "https://x", "api_key": SECRET},
                         {"url": "https://me:" + SECRET + "@x"},
                         {"url": "https://x/?key=" + SECRET},
                         {"url": "https://x", "headers": {"authorization": "Bearer " + SECRET}},
                         {"url": "https://x", "headers": {"x": SECRET}, "dialect": "opnai"}):
            self.write("connections.json", {"kind": "connections", "version": 1,
                                            "providers": {"openai": provider}})
            self.assert_untold(self.fails(2, "check", "connections.json"))

    def test_a_connections_file_that_cannot_be_read_as_one_is_not_quoted(self):
        provider = '{"url":"https://me:%s@x/v1"%s"headers":{"x-extra":"%s"%s"y":1}}'
        for start, comma, other in (('"kind":"connections",', " ", ","),
                                    ('"kind":"connections",', "\n", ","),
                                    ('"kind":"connections",', ",", " "),
                                    ('"kind":"conections",', ",", ","), ("", ",", ","),
                                    ('"kind":7,', ",", ","), ("kind:7,", ",", ",")):
            text = "{" + start + '"version":1,"providers":{"openai":' + provider % (
                SECRET, comma, SECRET, other) + "}}"
            (self.folder / "connections.json").write_text(text)
            for command in ("check", "run"):
                self.assert_untold(self.fails(2, command, "connections.json"))


if __name__ == "__main__":
    program.main(sys.argv)
