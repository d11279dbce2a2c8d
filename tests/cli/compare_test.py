#!/usr/bin/python3
"""brownout compare as its users meet it.

usage: compare_test.py BROWNOUT
"""

import json
import pathlib
import signal
import subprocess
import sys
import time

import program

HEALTHY = pathlib.Path("scenarios/healthy.json").resolve()
POLICIES = pathlib.Path("scenarios/policies").resolve()
RECOMMENDED = POLICIES / "recommended.json"
NAIVE = POLICIES / "no-resilience.json"


class Compare(program.InAnEmptyFolder):
    def write(self, name, content):
        (self.folder / name).write_text(json.dumps(content), encoding="utf-8")
        return name

    def scenario(self, name="s", **changes):
        content = json.loads(HEALTHY.read_text(encoding="utf-8"))
        content.pop("$schema", None)
        content.pop("policy", None)
        content.update(name=name, duration="2m", timeline=[{"phase": "all", "until": "2m"}],
                       expect=["availability >= 50%"], **changes)
        return self.write(f"{name}.json", content)

    def test_a_matrix_and_scores_with_every_policy(self):
        out = self.passes("compare", "--policies", RECOMMENDED, NAIVE, "--scenarios",
                          self.scenario())
        self.assertIn("[1]", out)
        self.assertIn("recommended", out)
        self.assertIn("no-resilience", out)

    def test_all_forms_are_the_same_for_every_number_of_jobs(self):
        self.scenario("a")
        self.scenario("b")
        for jobs in ("1", "3"):
            self.passes("compare", "--policies", RECOMMENDED, NAIVE, "--scenarios", ".", "--seeds",
                        "1..3", "--jobs", jobs, "--html", f"{jobs}.html", "--json", f"{jobs}.out",
                        "--markdown", f"{jobs}.md")
        for form in ("html", "out", "md"):
            self.assertEqual((self.folder / f"1.{form}").read_bytes(),
                             (self.folder / f"3.{form}").read_bytes())
        cells = json.loads((self.folder / "1.out").read_text())["cells"]
        self.assertEqual([cell["runs"] for cell in cells], [3] * 4)

    def test_pages_of_pairs_are_linked_relative_to_the_comparison(self):
        (self.folder / "site").mkdir()
        self.passes("compare", "--policies", RECOMMENDED, "--scenarios", self.scenario(), "--html",
                    "site/index.html", "--reports", "site/runs")
        self.assertTrue((self.folder / "site/runs/recommended/s.html").is_file())
        self.assertIn('href="runs/recommended/s.html"',
                      (self.folder / "site/index.html").read_text(encoding="utf-8"))

    def test_two_of_one_name_are_told_apart_by_their_paths(self):
        policy = json.loads(RECOMMENDED.read_text(encoding="utf-8"))
        policy.pop("$schema", None)
        self.write("old.json", policy)
        self.write("new.json", policy)
        out = self.passes("compare", "--policies", "old.json", "new.json", "--scenarios",
                          self.scenario())
        self.assertIn("old.json", out)
        self.assertIn("new.json", out)

    def test_what_cannot_be_flown_is_a_cell_with_a_reason(self):
        policy = {"kind": "policy", "version": 1, "name": "elsewhere", "route": "only",
                  "to": "nobody/nothing", "pipeline": []}
        self.write("elsewhere.json", policy)
        out = self.passes("compare", "--policies", "elsewhere.json", RECOMMENDED, "--scenarios",
                          self.scenario(), "--json", "c.json")
        self.assertIn("-", out)
        cells = json.loads((self.folder / "c.json").read_text())["cells"]
        self.assertIn("nobody/nothing", cells[0]["refused"])
        self.assertEqual(cells[1]["runs"], 1)

    def test_expectations_about_routes_of_another_policy_are_left_out(self):
        name = self.scenario()
        content = json.loads((self.folder / name).read_text())
        content["expect"] = ["share(backup) >= 99%", "availability >= 50%"]
        self.write(name, content)
        self.passes("compare", "--policies", NAIVE, RECOMMENDED, "--scenarios", name, "--json",
                    "c.json")
        cells = json.loads((self.folder / "c.json").read_text())["cells"]
        self.assertEqual((cells[0]["passed"], cells[1]["failed"]), (1, 1))

    def test_nothing_to_compare_is_3(self):
        (self.folder / "none").mkdir()
        self.assertIn("nothing to compare", self.fails(
            3, "compare", "--policies", RECOMMENDED, "--scenarios", "none"))

    def test_bad_usage_and_files_are_2_and_nothing_is_written(self):
        self.write("broken.json", {"kind": "policy"})
        name = self.scenario()
        for arguments in (["--policies", RECOMMENDED],
                          ["--policies", "broken.json", "--scenarios", name, "--html", "c.html"],
                          ["--policies", RECOMMENDED, "--scenarios", name, "--seeds", "3..1"],
                          ["--policies", RECOMMENDED, "--scenarios", name, "--reports", "r"]):
            self.fails(2, "compare", *arguments)
        self.assertEqual(self.files(), ["broken.json", "s.json"])

    def test_what_cannot_be_written_is_5(self):
        self.fails(5, "compare", "--policies", RECOMMENDED, "--scenarios", self.scenario(),
                   "--html", "no/such/folder/c.html")
        (self.folder / "file").write_text("")
        self.fails(5, "compare", "--policies", RECOMMENDED, "--scenarios", "s.json", "--html",
                   "c.html", "--reports", "file/below")

    def test_an_interrupt_is_130_and_writes_nothing(self):
        name = self.scenario("long", workload={"arrivals": {"poisson": "2000/s"},
                                               "input_tokens": 100, "output_tokens": 20})
        content = json.loads((self.folder / name).read_text())
        content.update(duration="300d", timeline=[{"phase": "all", "until": "300d"}])
        self.write(name, content)
        with subprocess.Popen([self.program, "compare", "--policies", RECOMMENDED, "--scenarios",
                               name, "--html", "c.html"], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            time.sleep(1)
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=program.PATIENCE)
            self.assertEqual(running.returncode, 130)
        self.assertEqual(self.files(), ["long.json"])


if __name__ == "__main__":
    program.main(sys.argv)
