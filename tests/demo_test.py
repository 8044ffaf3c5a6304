#!/usr/bin/env python3
"""`trunkline demo`, short and without a terminal: demo_test.py PATH_TO_TRUNKLINE [test...]"""
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

TRUNKLINE = ""


def free_ports():
    """The first of 64 ports of which none is in use just now."""
    begin = os.getpid() % 100  # not where another process begins at the same moment
    for block in range(100):
        first = 26000 + (begin + block) % 100 * 64
        try:
            for port in range(first, first + 64):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise RuntimeError("no free ports")


class DemoTest(unittest.TestCase):
    def setUp(self):
        self.first_port = free_ports()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def command(self, *arguments):
        return [TRUNKLINE, "demo", "--first-port", str(self.first_port), "--listen", "127.0.0.1:0", *arguments]

    def environment(self):
        return dict(os.environ, TMPDIR=str(self.folder))

    def backends(self):
        """Processes that listen at our ports: command lines from /proc."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"backend" in words[1:2] and any(
                    word.startswith(b"127.0.0.1:") and self.first_port <= int(word[10:]) < self.first_port + 64
                    for word in words):
                found.append(entry.name)
        return found

    def assert_nothing_is_left(self):
        self.assertEqual(self.backends(), [])
        self.assertEqual(list(self.folder.iterdir()), [])

    def run_demo(self, *arguments):
        done = subprocess.run(self.command("--json", *arguments), capture_output=True, text=True, timeout=100,
                              cwd=self.folder, env=self.environment())
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assert_nothing_is_left()
        return json.loads(done.stdout)

    def test_replicas_follow_a_wave_and_no_scrape_dials_without_a_reason(self):
        summary = self.run_demo("--seconds", "45")
        asked = [(point["at_seconds"], point["asked"]) for point in summary["fleet"]["replicas"]]
        top = max(count for _, count in asked)
        self.assertGreaterEqual(top, 5, asked)
        self.assertLessEqual(asked[-1][1], top - 3, asked)  # the first wave is over
        self.assertLessEqual(summary["fleet"]["reversals"], 3, asked)
        scrapes, requests, websockets = summary["scrapes"], summary["requests"], summary["websockets"]
        self.assertEqual(scrapes["collectors"], 4)
        self.assertEqual((scrapes["dials_steady"], scrapes["steady_by_reason"]), (0, {}))
        self.assertGreater(scrapes["reuse_ratio"], 0.7)
        self.assertGreater(requests["answered"], 1000)
        self.assertEqual(requests["failed"], 0)
        self.assertEqual(requests["answered"], requests["reused"] + requests["dials"])
        self.assertGreater(requests["reuse_ratio"], 0.9)
        self.assertGreater(websockets["sent_away"], 0)  # by backends that left
        self.assertGreater(websockets["messages"], 1000)
        self.assertIsNone(summary["pool"]["broken_law"])
        # Each WebSocket needs a connection of its own; besides them there are few.
        self.assertGreaterEqual(summary["pool"]["dials_by_reason"]["forced"], websockets["connects"])
        self.assertLess(summary["pool"]["dials"] - summary["pool"]["dials_by_reason"]["forced"], 100)
        self.assertGreaterEqual(summary["gaps"]["made"], 2)
        self.assertEqual(summary["gaps"]["moved_by_gap"], 0)
        self.assertEqual(summary["gaps"]["decisions"], summary["gaps"]["survived"])

    def test_naive_clients_dial_for_every_request(self):
        summary = self.run_demo("--seconds", "8", "--naive", "--traffic", "steady")
        self.assertTrue(summary["naive"])
        self.assertEqual(summary["requests"]["reused"], 0)
        self.assertGreater(summary["requests"]["dials"], 100)
        self.assertGreater(summary["process"]["time_wait_most"], 100)

    def test_ctrl_c_ends_it_in_order(self):
        process = subprocess.Popen(self.command("--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   cwd=self.folder, env=self.environment())
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.wait_for_backends()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual((process.returncode, err), (0, ""))
        self.assertIn("replicas", json.loads(out)["fleet"])
        self.assert_nothing_is_left()

    def test_backends_die_with_it_when_it_is_killed(self):
        process = subprocess.Popen(self.command("--json"), stdout=subprocess.PIPE, cwd=self.folder,
                                   env=self.environment())
        self.addCleanup(process.communicate)
        self.wait_for_backends()
        process.kill()
        process.wait()
        end = time.monotonic() + 20
        while self.backends():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        self.assert_nothing_is_left()

    def test_on_a_terminal_a_line_lives_and_a_table_comes_at_the_end(self):
        parent, child = pty.openpty()
        self.addCleanup(os.close, parent)
        process = subprocess.Popen(self.command("--seconds", "4"), stdout=child, stderr=child, cwd=self.folder,
                                   env=self.environment())
        os.close(child)
        text, address, page = b"", None, b""
        while select.select([parent], [], [], 60)[0]:
            try:
                text += os.read(parent, 10000)
            except OSError:  # the terminal's other end is closed
                break
            if not address and (found := re.search(rb"http://([\d.:]+)/", text)):
                address = found[1].decode()
                page = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read()
        self.assertEqual(process.wait(10), 0)
        self.assertRegex(text, rb"\r +\d+s +\d+/\d+ +WebSockets +\d+/\d+ replicas")
        self.assertRegex(text, rb"moved by a gap +0\r\n")
        self.assertRegex(text, rb"trunkline demo: (all|not all) went well: \d+ requests over \d+ dials and [^\r]* gaps\r\n$")
        self.assertIn(b"trunkline_", page)
        self.assert_nothing_is_left()

    def test_says_what_is_wrong_and_starts_nothing(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            place = f"127.0.0.1:{taken.getsockname()[1]}"
            for arguments, words in ((["--seconds", "soon"], "--seconds"), (["--traffic", "wave"], "--traffic"),
                                     (["--listen", place], place),
                                     (["--listen", "0.0.0.0:0"], "other machines could read all that is shown"),
                                     (["--listen", "0.0.0.0:0", "--login", "/nowhere"], "/nowhere cannot be read")):
                done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr)
        self.assert_nothing_is_left()

    def wait_for_backends(self):
        end = time.monotonic() + 30
        while not self.backends():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)


if __name__ == "__main__":
    TRUNKLINE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=2)
