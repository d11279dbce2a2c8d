#!/usr/bin/python3
"""Ten thousand clients that mean no good to brownout serve, and one that does.

usage: serve_hostile_test.py BROWNOUT        from the root of the repository
"""

import http.client
import json
import os
import pathlib
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE = 60
CLIENTS = 10_000
SCENARIO = {
    "kind": "scenario", "version": 1, "name": "besieged", "duration": "1h", "seed": 1,
    "roles": {"primary": "openai/gpt-4"},
    "providers": {"openai": {"dialect": "openai", "models": {
        "gpt-4": {"ttft": "1ms", "inter_token": "0ms"}}}},
    "timeline": [{"phase": "all", "until": "1h"}],
    "workload": {"arrivals": {"poisson": "5/s"}, "input_tokens": 100, "output_tokens": 20}}
POST = b"POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k\r\n"


def garbage(draws):
    """What one of them sends before it does nothing more, or leaves."""
    return draws.choice([
        b"",
        b"\r\n",
        POST,
        POST + b"content-length: 100\r\n\r\n{",
        POST + b"content-length: 4\r\n\r\n\xff\xfe{}",
        POST + b"content-length: 999999999999\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\nfffffffff\r\n",
        POST + b"x: " + b"x" * 40_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n" * 20 + b"oops\r\n\r\n",
        draws.randbytes(200),
    ])


def open_files(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def resident_megabytes(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def chat(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("POST", "/v1/chat/completions",
                       json.dumps({"model": "gpt-4", "messages": []}),
                       {"authorization": "Bearer k"})
    status = connection.getresponse().status
    connection.close()
    return status


def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    clients = min(CLIENTS, most - 200)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "scenario.json"
        path.write_text(json.dumps(SCENARIO))
        process = subprocess.Popen([sys.argv[1], "serve", path, "--port", "0"],
                                   stdout=subprocess.PIPE, text=True)
        try:
            port = int(process.stdout.readline().rsplit(":", 1)[1])
            besiege(process, port, clients)
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, process.returncode
            print(out)
        finally:
            process.kill()


def besiege(process, port, clients):
    draws = random.Random(1)
    assert chat(port) == 200
    time.sleep(0.3)
    before = open_files(process)
    slowest = 0
    crowd = []
    for number in range(clients):
        client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        try:
            client.sendall(garbage(draws))
        except OSError:
            pass  # it has been told to go already
        crowd.append(client)
        if number % 250 == 249:
            begun = time.monotonic()
            assert chat(port) == 200
            slowest = max(slowest, time.monotonic() - begun)
    print(f"{clients} clients, {open_files(process)} files open, "
          f"{resident_megabytes(process):.0f} MiB; the slowest answer took {slowest:.3f} s")
    for client in crowd:
        client.close()
    patience = time.monotonic() + PATIENCE
    while open_files(process) > before and time.monotonic() < patience:
        time.sleep(0.1)
    assert open_files(process) <= before, f"{open_files(process)} files open, {before} before"
    assert chat(port) == 200
    assert slowest < 5


if __name__ == "__main__":
    main()
