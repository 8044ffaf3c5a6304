#!/usr/bin/env python3
"""`trunkline scrape` from outside, and the examples of docs/scrape.md: scrape_cli_test.py PATH_TO_TRUNKLINE [test...]"""
import http.server
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import unittest

TRUNKLINE = ""
DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs" / "scrape.md"
BODY = b'# TYPE jobs gauge\njobs{queue="a"} 3\nother 1\n'
EXACT = b'seen 12345678901234\nshare 0.1234567890123456\nnothing NaN\nmost +Inf\n'


class Exporter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = 404 if self.path == "/nothing" else 200
        body = EXACT if self.path == "/exact" else BODY
        self.server.seen.append(dict(self.headers))
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def setup(self):
        self.timeout = self.server.keep_alive
        super().setup()

    def log_message(self, *_):
        pass


class ScrapeTest(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
        self.server.daemon_threads = True
        self.server.seen, self.server.keep_alive = [], None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.place = f"127.0.0.1:{self.server.server_port}"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def scrape(self, *arguments, code=0, **environment):
        command = [TRUNKLINE, "scrape", *map(str, arguments)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60,
                              env=os.environ | environment)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_json_tells_every_cycle_and_the_sum(self):
        lines = self.scrape(self.place, "--interval", "2s", "--cycles", 3, "--json", "--want", "jobs").stdout.split("\n")
        cycles, summary = [json.loads(line) for line in lines[:3]], json.loads(lines[3])["summary"]
        target = cycles[1]["targets"][0]
        self.assertEqual([cycle["dials"] for cycle in cycles], [1, 0, 0])
        self.assertEqual([cycle["reused"] for cycle in cycles], [0, 1, 1])
        self.assertEqual((target["state"], target["up"], target["connection"]), ("fresh", True, "reused"))
        self.assertEqual((target["bytes"], target["samples"], target["status"]), (len(BODY), 2, 200))
        self.assertEqual(target["wanted"], [{"name": "jobs", "labels": {"queue": "a"}, "value": 3}])
        self.assertEqual(summary["dials"], {"first": 1})
        self.assertEqual(summary["cycles"], 3)

    def test_values_come_out_as_they_were_sent(self):
        arguments = (f"http://{self.place}/exact", "--interval", "2s", "--cycles", 1)
        arguments += tuple(part for name in ("seen", "share", "nothing", "most") for part in ("--want", name))
        wanted = json.loads(self.scrape(*arguments, "--json").stdout.split("\n")[0])["targets"][0]["wanted"]
        self.assertEqual({one["name"]: one["value"] for one in wanted},
                         {"seen": 12345678901234, "share": 0.1234567890123456, "nothing": "NaN", "most": "+Inf"})
        self.assertIn("share 0.1234567890123456\n", self.scrape(*arguments).stdout)

    def test_the_table_says_why_a_target_is_missing_and_so_does_the_exit_code(self):
        done = self.scrape(f"http://{self.place}/nothing", self.place, "--interval", "2s", "--cycles", 1, code=1)
        self.assertIn("refused: it answered 404", done.stdout)
        self.assertIn("1 fresh, 0 late, 1 missing", done.stdout)

    def test_credentials_are_sent_and_shown_nowhere(self):
        done = self.scrape(self.place, "-u", "me:hush", "--interval", "2s", "--cycles", 1)
        self.assertEqual(self.server.seen[0]["Authorization"], "Basic bWU6aHVzaA==")
        self.assertNotIn("hush", done.stdout + done.stderr)

    def test_a_lost_connection_is_opened_ahead_of_the_scrape(self):
        self.server.keep_alive = 0.7  # seconds, so that each scrape but the first finds its connection closed
        arguments = (self.place, "--interval", "2s", "--cycles", 3, "--json")

        def connections(*more):
            lines = self.scrape(*arguments, *more).stdout.split("\n")[1:3]
            return [json.loads(line)["targets"][0]["connection"] for line in lines]

        self.assertFalse(any(one.startswith("warmed") for one in connections()))
        warmed = connections("--prewarm", "300ms")
        self.assertTrue(any(one.startswith("warmed") for one in warmed), warmed)

    def test_targets_that_do_not_fit_are_told_with_the_arithmetic(self):
        arguments = (self.place, "127.0.0.2:1", "127.0.0.3:1", "--interval", "2s", "--cycles", 1)
        self.assertEqual(self.scrape(*arguments, code=1, TRUNKLINE_SOCKETS="3").stderr, "")
        said = self.scrape(*arguments, code=1, TRUNKLINE_SOCKETS="2").stderr
        self.assertIn("3 targets need a connection each, and there is room for 2", said)
        self.assertIn("set TRUNKLINE_SOCKETS=3", said)

    def test_mistakes_are_told_before_anything_is_sent(self):
        self.assertIn("name targets", self.scrape(code=2).stderr)
        for arguments in (["--interval", "soon"], ["--cycles", "0"], ["--targets", "none.json"], ["--concurrency", "0"],
                          ["--prewarm", "soon"], ["http://me:hush@host/"]):
            done = self.scrape(self.place, *arguments, code=2)
            self.assertIn("trunkline scrape", done.stderr)
            self.assertNotIn("hush", done.stderr)
        self.assertEqual(self.server.seen, [])

    def test_the_examples_of_the_page_do_what_it_says(self):
        text = DOCS.read_text()
        groups = json.loads(re.search(r"```json\n(.*?)```", text, re.S)[1])
        for group in groups:
            group["targets"] = [self.place for _ in group["targets"]]
        (self.folder / "fleet.json").write_text(json.dumps(groups))
        examples = re.findall(r"^\$ trunkline scrape (.*)$", text, re.M)
        self.assertGreaterEqual(len(examples), 2)
        for example in examples:
            # A busy machine may not get round to a cycle of a second.
            self.assertIn("--interval 1s", example)
            here = example.replace("127.0.0.1:9090", self.place).replace("--interval 1s", "--interval 5s")
            done = self.scrape(*shlex.split(here))
            self.assertIn("1 fresh, 0 late, 0 missing; 0 dials, 1 reused", done.stdout, example)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    TRUNKLINE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    names = [f"test_{name.removeprefix('test_')}" for name in sys.argv[1:]]
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(map(ScrapeTest, names)) if names else loader.loadTestsFromTestCase(ScrapeTest)
    sys.exit(not unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful())
