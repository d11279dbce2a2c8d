"""Runs brownout's benchmarks and its peers', one after the other, and prints one table.

usage: report.py [--json] [--seconds S] [--bench BINARY] [--build DIRECTORY]

Each row is CPU time for a call, less and divided by the floor of its own world: for brownout a bare
trip of an attempt through the queue, for node an awaited async function, for Python a function
call; on the rejected path one that throws. What cannot be measured here is said on stderr, with
what to install; the exit code is then 3.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PATHS = ["retry", "breaker", "breaker_retry", "rejected"]
OURS = {
    "retry": "Policy/success/retry",
    "breaker": "Policy/success/breaker",
    "breaker_retry": "Policy/success/breaker_retry",
    "rejected": "Policy/rejected/breaker",
}
FLOOR = "Policy/floor/bare_trip"
ROUNDS = 5


class Missing(Exception):
    """Something that is not installed, and how to install it."""


def run(command, what, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Missing(f"{what} failed:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout


def brownout(binary, seconds):
    """The best of several repetitions, as the peers' scripts take it too."""
    names = "|".join([FLOOR, *OURS.values()])
    output = run(
        [binary, f"--benchmark_filter=^({names})$", f"--benchmark_min_time={seconds}",
         f"--benchmark_repetitions={ROUNDS}", "--benchmark_format=json"],
        "the benchmark binary", cwd=ROOT)
    best = {}
    for entry in json.loads(output)["benchmarks"]:
        if entry.get("run_type") != "iteration":
            continue
        name = entry["run_name"]
        best[name] = min(best.get(name, float("inf")), entry["cpu_time"])
    return {
        "runtime": "C++",
        "floor": best[FLOOR],
        "floor_rejected": best[FLOOR],
        "libraries": {"brownout": {path: best[name] for path, name in OURS.items()}},
    }


def node(build, seconds):
    for program in ["node", "npm"]:
        if shutil.which(program) is None:
            raise Missing(
                f"cockatiel and opossum were not measured: {program} is missing. Install it with\n"
                "    apt-get install --no-install-recommends nodejs npm")
    place = Path(build) / "peers"
    place.mkdir(parents=True, exist_ok=True)
    for name in ["package.json", "package-lock.json", ".npmrc"]:
        shutil.copy(HERE / name, place / name)
    run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], "npm ci", cwd=place)
    return json.loads(run(["node", HERE / "peers.mjs", place, str(seconds)], "peers.mjs"))


def python(seconds):
    # Debian's own, which has Debian's packages.
    interpreter = os.environ.get("BROWNOUT_PYTHON", "/usr/bin/python3")
    packages = ["tenacity", "circuitbreaker"]
    probe = subprocess.run([interpreter, "-c", "import " + ", ".join(packages)],
                           capture_output=True, check=False)
    if probe.returncode != 0:
        raise Missing(
            f"tenacity and circuitbreaker were not measured: {interpreter} lacks them. Install\n"
            "them with\n    apt-get install --no-install-recommends "
            + " ".join("python3-" + package for package in packages))
    return json.loads(run([interpreter, HERE / "peers.py", str(seconds)], "peers.py"))


def rows(worlds):
    for path in PATHS:
        for world in worlds:
            floor = world["floor_rejected" if path == "rejected" else "floor"]
            for library, figures in world["libraries"].items():
                if path not in figures:
                    continue
                yield {
                    "path": path,
                    "library": library,
                    "runtime": world["runtime"],
                    "ns": round(figures[path], 1),
                    "floor_ns": round(floor, 1),
                    "overhead_ns": round(figures[path] - floor, 1),
                    "times_floor": round(figures[path] / floor, 2),
                }


def print_table(table):
    head = f"{'path':<14} {'library':<31} {'runtime':<15} {'ns/call':>9} {'floor':>8} " \
           f"{'overhead':>9} {'x floor':>8} {'x ours':>8}"
    print(head)
    print("-" * len(head))
    ours = {row["path"]: row["ns"] for row in table if row["library"] == "brownout"}
    for row in table:
        print(f"{row['path']:<14} {row['library']:<31} {row['runtime']:<15} {row['ns']:>9.1f} "
              f"{row['floor_ns']:>8.1f} {row['overhead_ns']:>9.1f} {row['times_floor']:>8.2f} "
              f"{row['ns'] / ours[row['path']]:>8.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--seconds", type=float, default=0.2, help="for each round (default 0.2)")
    parser.add_argument("--bench", default=ROOT / "build/release/bench/brownout_bench")
    parser.add_argument("--build", default=ROOT / "build", help="where npm may install")
    arguments = parser.parse_args()
    worlds = []
    complete = True
    for measure in [lambda: brownout(arguments.bench, arguments.seconds),
                    lambda: node(arguments.build, arguments.seconds),
                    lambda: python(arguments.seconds)]:
        try:
            worlds.append(measure())
        except Missing as missing:
            print(f"bench peers: {missing}", file=sys.stderr)
            complete = False
            if not worlds:
                return 3
    table = list(rows(worlds))
    if arguments.json:
        print(json.dumps(table, indent=2))
    else:
        print_table(table)
    return 0 if complete else 3


if __name__ == "__main__":
    sys.exit(main())
