#!/usr/bin/env python3
"""`trunkline autoscale` as users and scripts meet it: autoscale_cli_test.py PATH_TO_TRUNKLINE [name of a test...]

Prints lines as GoogleTest does, so that script/test counts each of these as one test.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TRUNKLINE = ""

NATIVE = """
name: chat
bounds: {min: 1, max: 60}
metrics:
- name: streams
  target: {perPod: 20}
"""
# What omi ran: an average over the pods that answered, multiplied with those that are ready.
HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  minReplicas: 1
  maxReplicas: 60
  metrics:
  - type: Pods
    pods: {metric: {name: streams}, target: {type: AverageValue, averageValue: 20}}
"""


class AutoscaleCliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="trunkline-autoscale-test-")
        cls.files = pathlib.Path(cls.directory.name)
        cls.write("native.yaml", NATIVE)
        cls.write("hpa.yaml", HPA)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    @classmethod
    def write(cls, name, text):
        path = cls.files / name
        path.write_text(text)
        return str(path)

    def run_it(self, *arguments, code=0, stdin=None):
        done = subprocess.run([TRUNKLINE, "autoscale", *arguments], input=stdin, capture_output=True, text=True,
                              cwd=self.files, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def records(self, *arguments):
        return [json.loads(line) for line in self.run_it("simulate", "--json", *arguments).stdout.splitlines()]

    def test_simulate_prints_one_decision_record_a_line(self):
        records = self.records("--policy", "native.yaml", "--generate", "step", "--length", "30m")
        self.assertEqual(len(records), 121)
        for record in records:
            for field in ("t", "policy", "current", "desired", "action", "metrics", "stages", "pods"):
                self.assertIn(field, record)
        self.assertEqual(records[0]["t"], 0)
        self.assertEqual(records[1]["t"], 15)
        self.assertEqual(max(record["desired"] for record in records), 12)
        self.assertEqual({pod["state"] for record in records for pod in record["pods"]},
                         {"ready", "starting", "terminating"})
        for record in records:
            self.assertEqual(record["stages"][-1]["after"], record["desired"])

    def test_every_shape_runs_with_every_engine(self):
        for shape in ("step", "ramp", "spike", "sine", "gap", "rollout", "leak"):
            done = self.run_it("simulate", "--policy", "native.yaml", "--policy", "hpa.yaml", "--generate", shape,
                               "--length", "20m")
            self.assertIn("replica-min", done.stdout)
            self.assertIn("\nchat", done.stdout)
            self.assertIn("\nweb", done.stdout)
        self.run_it("simulate", "--policy", "native.yaml", "--generate", "stepp", code=2)

    def test_a_gap_moves_nothing(self):
        records = self.records("--policy", "native.yaml", "--generate", "gap", "--low", "30", "--high", "30")
        self.assertEqual({record["desired"] for record in records}, {30})
        self.assertIn("missing", {pod["state"] for record in records for pod in record["pods"]})

    def test_what_was_recorded_replays_to_the_same_decisions(self):
        made_up = self.records("--policy", "native.yaml", "--generate", "sine", "--record", "day.jsonl")
        replayed = self.records("--policy", "native.yaml", "--input", "day.jsonl")
        self.assertEqual(made_up, replayed)
        piped = self.run_it("simulate", "--policy", "native.yaml", "--input", "-", "--json",
                            stdin=(self.files / "day.jsonl").read_text()).stdout
        self.assertEqual([json.loads(line) for line in piped.splitlines()], made_up)

    def test_the_loop_of_a_recording_is_open_unless_asked(self):
        line = '{"t": %d, "current": 1, "pods": [{"name": "a", "values": {"streams": 60}}]}\n'
        self.write("flat.jsonl", "".join(line % (15 * i) for i in range(3)))
        opened = self.records("--policy", "native.yaml", "--input", "flat.jsonl")
        self.assertEqual([record["current"] for record in opened], [1, 1, 1])
        closed = self.records("--policy", "native.yaml", "--input", "flat.jsonl", "--closed-loop")
        self.assertEqual([record["current"] for record in closed], [1, 3, 3])

    def test_html_is_one_file_that_asks_nobody(self):
        self.run_it("simulate", "--policy", "native.yaml", "--policy", "hpa.yaml", "--generate", "spike", "--html",
                    "report.html")
        page = (self.files / "report.html").read_text()
        self.assertIn("prefers-color-scheme: dark", page)
        self.assertIn('"policy":"web"', page)
        self.assertNotIn("https:", page)

    def test_plot_and_table(self):
        done = self.run_it("simulate", "--policy", "native.yaml", "--generate", "ramp", "--plot")
        self.assertIn("\u2022 demand", done.stdout)
        self.assertIn("reason", done.stdout)

    def test_mistakes_name_the_place_and_the_nearest_name(self):
        self.write("wrong.yaml", NATIVE.replace("perPod", "perPood"))
        done = self.run_it("simulate", "--policy", "wrong.yaml", "--generate", "step", code=10)
        self.assertIn('wrong.yaml:6:12: metrics[0].target.perPood: there is no such field, did you mean "perPod"?',
                      done.stderr)
        self.write("wrong.jsonl", '{"t": 1, "current": 1, "podz": []}\n')
        done = self.run_it("simulate", "--policy", "native.yaml", "--input", "wrong.jsonl", code=10)
        self.assertIn('wrong.jsonl:1:24: podz: there is no such field, did you mean "pods"?', done.stderr)
        self.run_it("simulate", "--policy", "none.yaml", "--generate", "step", code=10)
        self.run_it("simulate", "--policy", "native.yaml", code=2)
        self.run_it("simulate", "--policy", "native.yaml", "--generate", "step", "--polic", code=2)
        self.run_it(code=2)
        done = self.run_it("simulate", "--policy", "native.yaml", "--generate", "step", "--compat", "hpa", code=10)
        self.assertIn("--compat asks for hpa", done.stderr)

    def test_a_manifest_is_a_policy_as_it_is(self):
        records = self.records("--policy", "hpa.yaml", "--compat", "hpa", "--generate", "step")
        self.assertEqual(max(record["desired"] for record in records), 12)
        self.assertIn("ScalingActive", {condition["type"] for condition in records[0]["conditions"]})

    def test_show_prints_what_reads_back_the_same(self):
        for name in ("native.yaml", "hpa.yaml"):
            shown = self.run_it("show", name).stdout
            self.assertEqual(self.run_it("show", "-", stdin=shown).stdout, shown)
        self.assertIn("minCoverage: 0.5", self.run_it("show", "native.yaml").stdout)

    def test_import_prints_a_native_policy_and_what_could_not_be_mapped(self):
        self.write("keda.yaml", "kind: ScaledObject\nmetadata: {name: q}\nspec:\n  pollingInterval: 30\n  triggers:\n"
                                "  - {type: prometheus, name: backlog, metadata: {query: sum(b), threshold: '5'}}\n")
        done = self.run_it("import", "keda.yaml")
        self.assertIn("keda.yaml:4:3: pollingInterval", done.stderr)
        self.assertIn("#   keda.yaml:4:3: pollingInterval", done.stdout)
        self.write("imported.yaml", done.stdout)
        self.assertIn("name: \"backlog\"", self.run_it("show", "imported.yaml").stdout)
        imported = self.run_it("import", "hpa.yaml").stdout
        self.assertIn("compat: native", imported)

    def test_lint_ends_with_1_when_it_finds_something(self):
        self.assertEqual(self.run_it("lint", "native.yaml").stdout, "")
        self.write("bad.yaml", NATIVE.replace("streams", "requests_total"))
        done = self.run_it("lint", "native.yaml", "bad.yaml", code=1)
        self.assertTrue(done.stdout.startswith("bad.yaml:5:3: counter-as-gauge: "), done.stdout)
        finding = json.loads(self.run_it("lint", "bad.yaml", "--json", code=1).stdout)
        self.assertEqual(finding["code"], "counter-as-gauge")
        self.run_it("lint", "native.yaml", "--server-keep-alive", "5s", code=1)
        self.write("no.yaml", "metrics: 3\n")
        self.run_it("lint", "no.yaml", code=10)

    def test_a_recording_that_is_read_is_not_written(self):
        self.run_it("simulate", "--policy", "native.yaml", "--generate", "step", "--record", "kept.jsonl")
        before = (self.files / "kept.jsonl").read_text()
        os.link(self.files / "kept.jsonl", self.files / "other-name.jsonl")
        for record in ("kept.jsonl", "other-name.jsonl", "./kept.jsonl"):
            done = self.run_it("simulate", "--policy", "native.yaml", "--input", "kept.jsonl", "--record", record,
                               code=2)
            self.assertIn("is a file that is read", done.stderr)
        self.run_it("simulate", "--policy", "native.yaml", "--generate", "step", "--html", "native.yaml", code=2)
        self.assertEqual((self.files / "native.yaml").read_text(), NATIVE)
        # Nor lost to what goes wrong before or while it is written.
        self.run_it("simulate", "--policy", "native.yaml", "--generate", "stepp", "--record", "kept.jsonl", code=2)
        self.run_it("simulate", "--policy", "native.yaml", "--input", "none.jsonl", "--record", "kept.jsonl", code=10)
        self.write("half.jsonl", '{"t": 1, "current": 1}\nnonsense\n')
        self.run_it("simulate", "--policy", "native.yaml", "--input", "half.jsonl", "--record", "kept.jsonl", code=10)
        self.assertEqual((self.files / "kept.jsonl").read_text(), before)
        self.assertEqual([path.name for path in self.files.glob("*.new")], [])

    def test_a_file_that_cannot_be_written_is_named(self):
        for flag in ("--html", "--record"):
            done = self.run_it("simulate", "--policy", "native.yaml", "--generate", "step", flag, "no/dir/x", code=23)
            self.assertIn("no/dir/x: cannot be written: No such file or directory", done.stderr)
        with open("/dev/full", "w") as full:
            done = subprocess.run([TRUNKLINE, "autoscale", "show", "native.yaml"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, cwd=self.files, timeout=60)
        self.assertEqual((done.returncode, "stdout cannot be written" in done.stderr), (23, True))
        # A device stays one.
        self.run_it("simulate", "--policy", "native.yaml", "--generate", "step", "--record", "/dev/null")

    def test_durations_that_overflow_a_clock_are_refused(self):
        for flag in ("--interval", "--length", "--startup"):
            for value in ("soon", "100000d"):
                self.run_it("simulate", "--policy", "native.yaml", "--generate", "step", flag, value, code=2)
        for flag in ("--interval", "--server-keep-alive"):
            for value in ("soon", "100000d"):
                self.assertIn(flag, self.run_it("lint", "native.yaml", flag, value, code=2).stderr)

    def test_a_manifests_name_writes_neither_lines_nor_escapes(self):
        self.write("evil.yaml", HPA.replace("{name: web}", '{name: "x\\nbounds: {min: 50}\\e[31m"}')
                   .replace("type: Pods", "type: External").replace("pods:", "external:"))
        done = self.run_it("import", "evil.yaml")
        self.assertNotIn("\nbounds: {min: 50}", done.stdout)
        self.assertIn("x\\nbounds", done.stdout.split("\n")[1])
        self.assertIn("x\\nbounds", done.stderr)
        self.assertNotIn("\x1b", done.stdout + done.stderr)

    def test_import_reads_lists(self):
        self.write("list.yaml", "kind: List\nitems:\n- kind: ScaledObject\n  metadata: {name: q}\n  spec:\n"
                                "    triggers:\n    - {type: prometheus, metadata: {query: sum(b), threshold: '5'}}\n")
        self.assertIn("ScaledObject q", self.run_it("import", "list.yaml").stdout)

    def test_stdin_is_bounded(self):
        done = self.run_it("show", "-", stdin="#" * (17 << 20), code=10)
        self.assertIn("stdin: is larger than 16MiB", done.stderr)

    def test_help_teaches(self):
        self.assertIn("Examples", self.run_it("simulate", "--help").stdout)
        for command in ("show", "import", "lint"):
            self.assertIn("Exit codes", self.run_it(command, "--help").stdout)


class LikeGoogleTest(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.bad_before = len(self.failures) + len(self.errors)
        print(f"[ RUN      ] AutoscaleCli.{test._testMethodName[5:]}", flush=True)

    def stopTest(self, test):
        super().stopTest(test)
        bad = len(self.failures) + len(self.errors) > self.bad_before
        print(f"[{'  FAILED  ' if bad else '       OK '}] AutoscaleCli.{test._testMethodName[5:]} (0 ms)", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    TRUNKLINE = os.path.abspath(sys.argv.pop(1))
    names = [f"test_{name.removeprefix('test_')}" for name in sys.argv[1:]]
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(map(AutoscaleCliTest, names)) if names else loader.loadTestsFromTestCase(AutoscaleCliTest)
    outcome = unittest.TextTestRunner(resultclass=LikeGoogleTest, verbosity=0).run(suite)
    sys.exit(not outcome.wasSuccessful())
