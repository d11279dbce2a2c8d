#!/usr/bin/python3
"""brownout new: what it writes runs as it is, and teaches something.

usage: new_test.py BROWNOUT
"""

import json
import sys

import program

TEMPLATES = ("outage", "rate-limit", "latency", "storm")

# What people write first: many tries, at once, whatever the failure, and patience.
NAIVE = {
    "kind": "policy", "version": 1, "name": "naive", "route": "gpt-4", "to": "openai/gpt-4",
    "pipeline": [
        {"retry": {"max_attempts": 5, "retry_after": "ignore", "on": ["any"],
                   "wait": {"exponential": {"multiplier": "1ms", "max": "1ms", "jitter": "none"}}}},
        {"timeout": {"attempt": "60s"}}]}


class New(program.InAnEmptyFolder):
    def write(self, name, content):
        (self.folder / name).write_text(json.dumps(content), encoding="utf-8")

    def read(self, name):
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def verdicts(self, *arguments):
        """Of each expectation, by its text."""
        result = self.brownout("run", *arguments, "--json", "-")
        return {expectation["expression"]: expectation["verdict"]
                for run in json.loads(result.stdout)["runs"] for expectation in run["expectations"]}

    # ---------------------------------------------------------------- templates

    def test_every_template_runs_as_it_is_whatever_the_seed(self):
        for template in TEMPLATES:
            self.passes("new", "my-" + template, "--template", template)
            written = ["my-" + template + ".json", "my-" + template + "-policy.json"]
            self.assertEqual(self.passes("check", *written),
                             "".join(f"ok  {file}\n" for file in written))
            for seed in ("1", "2", "3", "20", "300"):
                self.passes("run", written[0], "--seed", seed)

    def test_every_template_fails_a_naive_policy(self):
        self.write("naive.json", NAIVE)
        for template in TEMPLATES:
            self.passes("new", template, "--template", template)
            self.fails(1, "run", template + ".json", "--policy", "naive.json")

    def test_each_template_teaches_something_of_its_own(self):
        self.write("naive.json", NAIVE)
        lessons = {"outage": "attempts_per_call during outage <= 1.3",
                   "rate-limit": "attempts_per_call during busy <= 2.2",
                   "latency": "latency.p99 during stalls <= 25s",
                   "storm": "attempts_per_call during down <= 1.3"}
        self.assertEqual(sorted(lessons), sorted(TEMPLATES))
        for template, expectation in lessons.items():
            self.passes("new", template, "--template", template)
            verdicts = self.verdicts(template + ".json", "--policy", "naive.json")
            self.assertEqual(verdicts[expectation], "failed", verdicts)
        # What breaks in the others stays whole in each.
        self.assertEqual(self.verdicts("latency.json", "--policy", "naive.json")
                         ["availability >= 99.5%"], "passed")

    def test_retries_without_patience_let_a_storm_outlast_its_minute(self):
        stubborn = json.loads(json.dumps(NAIVE))
        stubborn["pipeline"][0]["retry"].update(
            max_attempts=30,
            wait={"exponential": {"multiplier": "1s", "max": "1s", "jitter": "none"}})
        self.write("stubborn.json", stubborn)
        self.passes("new", "storm", "--template", "storm")
        verdicts = self.verdicts("storm.json", "--policy", "stubborn.json")
        for expectation in ("attempts_per_call during back <= 1.1", "latency.p99 during back <= 20s",
                            "max_in_flight(gpt-4) during back <= 120"):
            self.assertEqual(verdicts[expectation], "failed", verdicts)

    def test_the_description_says_what_to_look_at_and_what_to_change(self):
        for template in TEMPLATES:
            self.passes("new", template, "--template", template)
            description = self.read(template + ".json")["description"]
            self.assertIn("Look at: ", description)
            self.assertIn("Change: ", description)

    # ---------------------------------------------------------------- what is written

    def test_it_says_what_it_wrote_and_what_comes_next(self):
        self.assertEqual(self.passes("new", "mine"),
                         "wrote mine-policy.json\nwrote mine.json\n"
                         f"next: {self.program} run mine.json\n")
        self.assertEqual(self.files(), ["mine-policy.json", "mine.json"])
        self.assertEqual(self.read("mine.json")["name"], "mine")
        self.assertEqual(self.read("mine.json")["policy"], "mine-policy.json")
        self.assertEqual(self.read("mine-policy.json")["name"], "mine-policy")

    def test_without_a_template_it_is_an_outage(self):
        self.passes("new", "a")
        self.passes("new", "b", "--template", "outage")
        self.assertEqual(self.read("a.json")["description"], self.read("b.json")["description"])

    def test_a_name_may_be_a_path_and_end_in_json(self):
        (self.folder / "sub").mkdir()
        self.passes("new", "sub/mine.json")
        self.assertEqual(self.files(), ["sub/mine-policy.json", "sub/mine.json"])
        self.passes("run", "sub/mine.json")
        self.passes("new", str(self.folder / "sub/other"))
        self.passes("run", "sub/other.json")

    def test_a_policy_that_is_there_is_kept_and_flown(self):
        self.passes("new", "mine")
        policy = self.read("mine-policy.json")
        policy["name"] = "changed"
        self.write("mine-policy.json", policy)
        (self.folder / "mine.json").unlink()
        self.assertIn("kept mine-policy.json, which was there\n", self.passes("new", "mine"))
        self.assertIn("with policy changed", self.passes("run", "mine.json"))

    def test_policy_names_another_and_none_is_written(self):
        self.passes("new", "mine")
        (self.folder / "sub").mkdir()
        self.passes("new", "sub/other", "--policy", "mine-policy.json")
        self.assertEqual(self.files(), ["mine-policy.json", "mine.json", "sub/other.json"])
        self.assertEqual(self.read("sub/other.json")["policy"], "../mine-policy.json")
        self.passes("run", "sub/other.json")
        absolute = str(self.folder / "mine-policy.json")
        self.passes("new", "third", "--policy", absolute)
        self.assertEqual(self.read("third.json")["policy"], absolute)

    def test_expectations_ask_about_the_route_the_policy_has(self):
        policy = {**NAIVE, "route": "theirs"}
        self.write("theirs.json", policy)
        self.passes("new", "mine", "--policy", "theirs.json")
        self.assertIn("share(theirs) during outage <= 5%", self.read("mine.json")["expect"])
        self.fails(1, "run", "mine.json")

    def test_a_policy_may_name_its_models_by_role(self):
        policy = {**NAIVE, "role": "primary"}
        del policy["to"]
        self.write("role.json", policy)
        self.passes("new", "mine", "--policy", "role.json")

    # ---------------------------------------------------------------- refusals

    def test_nothing_is_overwritten_without_force(self):
        self.passes("new", "mine")
        before = (self.folder / "mine.json").read_bytes()
        self.assertEqual(self.fails(2, "new", "mine", "--template", "storm"),
                         "error: mine.json is already there; --force overwrites it\n")
        self.assertEqual((self.folder / "mine.json").read_bytes(), before)
        self.passes("new", "mine", "--template", "storm", "--force")
        self.assertNotEqual((self.folder / "mine.json").read_bytes(), before)
        self.passes("run", "mine.json")

    def test_force_does_not_overwrite_the_policy_that_is_to_fly(self):
        self.write("mine.json", NAIVE)
        self.assertEqual(self.fails(2, "new", "mine", "--policy", "mine.json", "--force"),
                         "error: mine.json would overwrite the policy it is to fly\n")
        self.assertEqual(self.read("mine.json"), NAIVE)

    def test_a_folder_that_is_not_there_is_5(self):
        self.assertEqual(self.fails(5, "new", "no/where/mine"),
                         "error: there is no folder no/where to write mine.json into\n")
        self.assertEqual(self.files(), [])

    def test_what_cannot_be_a_name_is_2(self):
        for name in ("my outage", "", ".", "..", "a/", "caf\u00e9", "a\nb"):
            self.assertRegex(self.fails(2, "new", name), "^error: ", name)
        self.assertEqual(self.files(), [])

    def test_a_template_that_is_not_there_is_2_and_all_are_named(self):
        error = self.fails(2, "new", "mine", "--template", "strom")
        for template in TEMPLATES:
            self.assertIn(template, error)
        self.assertEqual(self.files(), [])

    def test_a_policy_that_does_not_load_or_fit_is_refused_before_anything_is_written(self):
        self.assertIn("cannot read", self.fails(5, "new", "mine", "--policy", "nowhere.json"))
        self.write("broken.json", {**NAIVE, "pipelin": []})
        self.assertIn("pipelin", self.fails(2, "new", "mine", "--policy", "broken.json"))
        self.write("elsewhere.json", {**NAIVE, "to": "elsewhere/model"})
        self.assertIn("elsewhere/model", self.fails(2, "new", "mine", "--policy", "elsewhere.json"))
        self.assertEqual(self.files(), ["broken.json", "elsewhere.json"])

    def test_a_folder_that_cannot_be_written_is_5_and_nothing_is_left(self):
        (self.folder / "mine.json").mkdir()
        self.fails(5, "new", "mine", "--force")
        self.assertEqual(self.files(), [])


if __name__ == "__main__":
    program.main(sys.argv)
