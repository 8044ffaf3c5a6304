#!/usr/bin/env python3
"""`trunkline doctor` finds programs that dial for every call: doctor_cli_test.py PATH_TO_TRUNKLINE [test...]

All of it runs in a network of its own where the machine permits that, so that nobody else's sockets are in the way.
"""
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TRUNKLINE = ""
INSIDE = "TRUNKLINE_TEST_NAMESPACE"

CHURN = """
import socket, sys, time
address = ("127.0.0.1", int(sys.argv[1]))
while True:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        answer = b""
        while not answer.endswith(b"hello"):  # with bytes unread the close would be a reset, which leaves no TIME_WAIT
            answer += connection.recv(4096)
        time.sleep(0.002)
    time.sleep(0.01)
"""
STEADY = """
import http.client, sys, time
connections = [http.client.HTTPConnection("127.0.0.1", int(sys.argv[1])) for _ in range(8)]
while True:
    for connection in connections:
        connection.request("GET", "/")
        connection.getresponse().read()
    print("cycle", flush=True)
    time.sleep(0.02)
"""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.accepted = 0
        self.password = False
        self.may_explain = threading.Event()
        self.may_explain.set()
        self.transport = None
        self.differences = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def process_request(self, request, client_address):
        self.accepted += 1
        super().process_request(request, client_address)

    def handle_error(self, *_):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"hello"
        if self.path == "/api/v1/transport":
            body = self.server.transport or b""
        elif self.path.startswith("/api/v1/pools/differences"):
            self.server.may_explain.wait(60)
            body = self.server.differences.get(self.path.partition("?")[2], b"")
        self.send_response(401 if self.server.password else 200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class DoctorTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.place = f"127.0.0.1:{self.server.server_port}"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def doctor(self, *arguments, code=0):
        command = [TRUNKLINE, "doctor", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def program(self, command, **options):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)

        def end():
            process.kill()
            process.wait()
            process.stdout.close()

        self.addCleanup(end)
        return process

    def python(self, name, source):
        (self.folder / name).write_text(source)
        return self.program([sys.executable, str(self.folder / name), str(self.server.server_port)])

    def wait_for_dials(self, count):
        goal = self.server.accepted + count
        waited = threading.Event()
        while self.server.accepted < goal:
            waited.wait(0.01)

    def report_that_caught(self, pid, *arguments):
        """What lives for a millisecond is caught by looking often: where many want the processors, not in every interval.
        With it what the server accepted meanwhile."""
        for _ in range(15):
            before = self.server.accepted
            done = subprocess.run([TRUNKLINE, "doctor", "--json", *map(str, arguments)], capture_output=True, text=True,
                                  timeout=60)
            report = json.loads(done.stdout)
            if any(f"pid {pid})" in finding["sentence"] for finding in report["findings"] if finding["code"] == "churn"):
                self.assertEqual(done.returncode, 1)
                break
        return report, self.server.accepted - before

    def use_of(self, report):
        return next(use for use in report["destinations"] if use["destination"] == self.place)

    def churn_in(self, report):
        return next(finding for finding in report["findings"] if finding["code"] == "churn")

    def test_a_python_program_without_reuse_is_found_and_named(self):
        program = self.python("churn.py", CHURN)
        self.wait_for_dials(20)
        report, dialled = self.report_that_caught(program.pid, "--interval", "2s")
        use, finding = self.use_of(report), self.churn_in(report)
        self.assertIn(program.pid, finding["pids"])
        self.assertIn(f"churn.py (pid {program.pid}) dials {self.place} ", finding["sentence"])
        self.assertEqual(finding["destination"], self.place)
        # The server's own count took longer than the two looks: the doctor's start and end.
        self.assertGreater(use["dialled"], 10)
        self.assertLessEqual(use["dialled"], dialled + 1)
        self.assertAlmostEqual(use["dials_per_second"], use["dialled"] / report["seconds"], 1)
        self.assertGreaterEqual(report["dials_in_all"] + 2, use["dialled"], "two tables, read one after the other")
        if os.environ.get(INSIDE):
            # Nobody else dials in the namespace, so that the kernel's count is exact.
            self.assertAlmostEqual(use["dialled"], report["dials_in_all"], delta=2)
            # The client closes first here, and the namespace gives no port back early.
            self.assertIn("28,232 ports / 60 s = 470 dials a second is the ceiling", finding["sentence"])
            self.assertGreaterEqual(use["ports_held"], use["closed_again"])
            share = round(use["dials_per_second"] / (28232 / 60) * 100)
            self.assertIn(f"this is {share} % of it", finding["sentence"])

    def test_curl_in_a_loop_is_named_with_the_shell_that_starts_it(self):
        url = f"http://me:hush@{self.place}/"
        shell = self.program(["bash", "-c", f"while :; do curl -s -o /dev/null {url}; done"])
        self.wait_for_dials(3)
        report, _ = self.report_that_caught(shell.pid, "--pid", shell.pid, "--interval", "5s")
        finding = self.churn_in(report)
        self.assertRegex(finding["sentence"], rf"^curl \(.*started by bash, pid {shell.pid}\) dials {self.place} ")
        self.assertEqual([use["destination"] for use in report["destinations"]], [self.place])
        self.assertNotIn("hush", json.dumps(report), "arguments hold passwords")

    def test_a_program_that_keeps_its_connections_is_let_alone(self):
        program = self.python("steady.py", STEADY)
        program.stdout.readline()
        done = self.doctor("--pid", program.pid, "--interval", "500ms")
        self.assertIn("Nothing to say", done.stdout)
        row = next(line for line in done.stdout.split("\n") if line.startswith(self.place))
        self.assertRegex(row, rf"^{self.place} +8 +0 +0\.0 +8 \(0 %\) +\S+ steady\.py \(pid {program.pid}\)")

    def test_a_busy_port_range_is_told_before_it_is_gone(self):
        if not os.environ.get(INSIDE):
            self.skipTest("needs a network of its own, since the range of local ports is the machine's")
        path = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
        usual = path.read_text()
        self.addCleanup(path.write_text, usual)
        path.write_text("42000 42099")
        with contextlib.ExitStack() as stack:
            for _ in range(45):  # the kernel gives to dials every second port only, as long as it can
                stack.enter_context(socket.create_connection(("127.0.0.1", self.server.server_port)))
            for _ in range(40):
                stack.enter_context(socket.create_connection(("127.0.0.1", self.server.server_port)))
            report = json.loads(self.doctor("--json", "--pid", os.getpid(), "--interval", "100ms", code=1).stdout)
        finding = next(finding for finding in report["findings"] if finding["code"] == "ports_low")
        self.assertEqual(finding["severity"], "critical")
        self.assertIn(f"Of 100 local ports, 85 (85 %) are taken towards {self.place}: 85 open", finding["sentence"])

    def test_watch_goes_on_and_ends_with_an_interrupt(self):
        watch = self.program([TRUNKLINE, "doctor", "--watch", "--json", "--interval", "200ms"])
        reports = [json.loads(watch.stdout.readline()) for _ in range(3)]
        seconds = [report["seconds"] for report in reports]
        self.assertTrue(all(0.2 <= each < 2 for each in seconds), seconds)
        watch.send_signal(2)
        reports += [json.loads(line) for line in watch.stdout.read().splitlines()]
        # Other tests' sockets may still be on their way out, so that there is something to warn of.
        warned = any(finding["severity"] != "note" for finding in reports[-1]["findings"])
        self.assertEqual(watch.wait(10), 1 if warned else 0)

    def test_a_running_trunkline_adds_its_reasons(self):
        self.server.transport = json.dumps({
            "routes": [{"route": "http://backend:80", "protocol": "http/1.1", "open": 2, "advice": "raise \x1b[1mit",
                        "dials_by_reason": {"first": 1, "expired": 7, "busy": 0},
                        "closed_by_reason": {"idle_timeout": 7}, "misses": {"none": 3, "idle_expired": 7}}]
        }).encode()
        done = self.doctor("--pid", os.getpid(), "--interval", "100ms", "--url", f"http://{self.place}/")
        self.assertIn(f"Trunkline at http://{self.place}\n  http://backend:80 http/1.1, 2 open\n"
                      "    dials:  expired 7 first 1\n    closes: idle_timeout 7\n    misses: idle_expired 7\n"
                      "    advice: raise \\x1b[1mit\n", done.stdout)
        lines = self.doctor("--pid", os.getpid(), "--json", "--interval", "100ms", "--url", f"http://{self.place}").stdout
        self.assertEqual(json.loads(lines)["trunkline"]["transport"], json.loads(self.server.transport))
        self.server.transport = b"[]"
        self.assertIn("not the JSON of a transport", self.doctor("--url", f"http://{self.place}", code=15).stderr)

    def test_it_says_which_options_keep_two_pools_apart(self):
        route = {"protocol": "http/1.1", "open": 1, "advice": "", "dials_by_reason": {}, "closed_by_reason": {}, "misses": {}}
        keys = ("0a1b", "0a1b", "2c3d", "4e5f", "../evil")
        self.server.transport = json.dumps({
            "routes": [route | {"route": "http://backend:80", "key": key} for key in keys] +
                      [route | {"route": "http://alone:80", "key": "2c3d"}]
        }).encode()
        self.server.differences["a=0a1b&b=2c3d"] = json.dumps(
            [{"option": "proxy", "a": "unset", "b": "http://p:1 with credentials"},
             {"option": "tls.ca_file", "a": "/a\x1b.pem", "b": "/b.pem"}]).encode()
        done = self.doctor("--pid", os.getpid(), "--interval", "100ms", "--url", f"http://{self.place}/")
        said = [line for line in done.stdout.splitlines() if "two pools" in line]
        self.assertEqual(said, [
            "  http://backend:80 is dialled by two pools that share nothing, 0a1b and 2c3d, because their options differ: "
            "proxy is unset and http://p:1 with credentials; tls.ca_file is /a\\x1b.pem and /b.pem",
            "  http://backend:80 is dialled by two pools that share nothing, 0a1b and 4e5f; why is not known: "
            "/api/v1/pools/differences was answered with status 404"])
        lines = self.doctor("--pid", os.getpid(), "--json", "--interval", "100ms", "--url", f"http://{self.place}").stdout
        splits = json.loads(lines)["trunkline"]["splits"]
        self.assertEqual([(split["a"], split["b"], len(split["options"])) for split in splits],
                         [("0a1b", "2c3d", 2), ("0a1b", "4e5f", 0)])

    def test_one_that_hangs_holds_nothing_up_for_long(self):
        route = {"protocol": "http/1.1", "open": 1, "advice": "", "dials_by_reason": {}, "closed_by_reason": {}, "misses": {}}
        self.server.transport = json.dumps({
            "routes": [route | {"route": "http://backend:80", "key": f"{key:04x}"} for key in range(12)]}).encode()
        self.server.may_explain.clear()
        self.addCleanup(self.server.may_explain.set)
        before = time.monotonic()
        done = self.doctor("--pid", os.getpid(), "--interval", "100ms", "--url", f"http://{self.place}/")
        self.assertLess(time.monotonic() - before, 8, "2 s for all of its answers, not for each of ten")
        said = [line for line in done.stdout.splitlines() if "why is not known" in line]
        self.assertEqual(len(said), 10)
        self.assertIn("the time for its answers was over", said[-1])

    def test_at_the_usual_place_it_says_why_nothing_was_told_there(self):
        if not os.environ.get(INSIDE):
            self.skipTest("needs a network of its own, since there is one usual place on a machine")
        alone = self.doctor("--pid", os.getpid(), "--interval", "100ms")
        self.assertNotIn("9600", alone.stdout + alone.stderr)
        wanted = self.doctor("--pid", os.getpid(), "--interval", "100ms", "--login", __file__, code=10)
        self.assertIn("is not one line with user:password or a token", wanted.stderr)
        (self.folder / "token").write_text("t0ken")
        login = ("--login", self.folder / "token")
        self.assertIn("not seen: whether a Trunkline at http://127.0.0.1:9600 dials: ",
                      self.doctor("--pid", os.getpid(), "--interval", "100ms", *login).stdout, "a login is for somebody")
        with socket.create_server(("127.0.0.1", 9600)):
            silent = self.doctor("--pid", os.getpid(), "--interval", "100ms", "--json")
            self.assertIn("http://127.0.0.1:9600", json.loads(silent.stdout)["unseen"][-1])
        usual = Server(9600)
        self.addCleanup(usual.server_close)
        self.addCleanup(usual.shutdown)
        usual.password = True
        refused = self.doctor("--pid", os.getpid(), "--interval", "100ms")
        self.assertIn("not seen: whether a Trunkline at http://127.0.0.1:9600 dials: it asks for a password or a token: give it "
                      "in a file, --login FILE\n", refused.stdout)
        usual.password = False
        usual.transport = b'{"routes": []}'
        answered = self.doctor("--pid", os.getpid(), "--interval", "100ms")
        self.assertIn("Trunkline at http://127.0.0.1:9600\n", answered.stdout)
        self.assertNotIn("not seen: whether", answered.stdout)

    def test_mistakes_are_told(self):
        for arguments, sentence in ((["--interval", "1h"], "from 100ms to 60s"), (["--pid", "2147483647"], "no process"),
                                    (["--pid", "1", "--all"], "--all"), (["--pid", "-1"], "--pid"),
                                    (["extra"], "one argument too many")):
            self.assertIn(sentence, self.doctor(*arguments, code=2).stderr)


def enter_namespace():
    """Runs this program again in a network of its own; returns where that cannot be had."""
    command = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    prepare = "ip link set lo up && echo 0 > /proc/sys/net/ipv4/tcp_tw_reuse"
    if not shutil.which("unshare") or subprocess.run([*command, "sh", "-c", prepare], capture_output=True).returncode:
        return
    os.environ[INSIDE] = "1"
    again = f'{prepare} && exec "$0" "$@"'
    os.execvp("unshare", [*command, "sh", "-c", again, sys.executable, *sys.argv])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if not os.environ.get(INSIDE):
        enter_namespace()
    TRUNKLINE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    names = [f"test_{name.removeprefix('test_')}" for name in sys.argv[1:]]
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(map(DoctorTest, names)) if names else loader.loadTestsFromTestCase(DoctorTest)
    sys.exit(not unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful())
