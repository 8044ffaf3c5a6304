#!/usr/bin/env python3
"""`trunkline run`, `config`, `status` and `explain` from outside: run_test.py PATH_TO_TRUNKLINE [test...]"""
import http.client
import http.server
import json
import os
import pathlib
import queue
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TRUNKLINE = ""
TESTS = pathlib.Path(__file__).resolve().parent
WAIT = 30  # seconds for what takes milliseconds, on a machine that has other things to do


class Exporter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"# TYPE jobs gauge\njobs 3\n"
        self.server.seen.append((self.path, dict(self.headers), self.client_address))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Process:
    """A `trunkline run`, its log as JSON, line by line as it comes."""

    def __init__(self, test, file, environment=None):
        command = [TRUNKLINE, "run", "-c", str(file), "--log", "json"]
        self.child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                                      env={**os.environ, **(environment or {})})
        self.lines = queue.Queue()
        self.seen = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        test.addCleanup(self._end)

    def _read(self):
        for line in self.child.stderr:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def _end(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.reader.join()
        self.child.stderr.close()

    def until(self, *events):
        """The next log entry of one of these events."""
        while True:
            entry = self.lines.get(timeout=WAIT)
            assert entry is not None, f"it ended without {events}: {self.seen}"
            self.seen.append(entry)
            if entry["event"] in events:
                return entry

    def start(self):
        self.address = self.until("listening")["address"]
        self.until("ready")
        return self

    def signal(self, which):
        self.child.send_signal(which)

    def ended(self):
        return self.child.wait(timeout=WAIT)

    def get(self, path, **headers):
        connection = http.client.HTTPConnection(self.address, timeout=WAIT)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, name):
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith((name + " ", name + "{")):
                return float(line.rsplit(" ", 1)[1])
        return None


def eventually(condition):
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def alive(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def free_ports(count):
    for first in range(21000 + os.getpid() * 61 % 4000, 26000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for i, one in enumerate(sockets):
                one.bind(("127.0.0.1", first + i))
            return f"{first}-{first + count - 1}"
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise AssertionError("no ports are free")


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "trunkline.yaml"

    def exporter(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
        server.daemon_threads = True
        server.seen = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server, f"127.0.0.1:{server.server_port}"

    def write(self, scrape="{}", drain="5s", more=""):
        self.file.write_text(f"admin: {{listen: '127.0.0.1:0'}}\ndrain: {drain}\nscrape: {scrape}\n{more}")

    def run_it(self, environment=None):
        return Process(self, self.file, environment).start()

    def command(self, *arguments, code=0, text=None):
        done = subprocess.run([TRUNKLINE, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                              timeout=WAIT, input=text)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    # --- run

    def test_starts_becomes_ready_scrapes_and_ends_in_order(self):
        server, place = self.exporter()
        self.write(f"{{interval: 1s, jobs: [{{name: web, targets: ['{place}'], labels: {{tier: front}}}}]}}")
        process = self.run_it()
        self.assertEqual(process.get("/healthz"), (200, "alive\n"))
        status, body = process.get("/readyz")
        self.assertEqual((status, json.loads(body)["ready"]), (200, True))
        self.assertIn({"name": "scrape", "ready": True, "trouble": ""}, json.loads(body)["services"])
        self.assertTrue(eventually(lambda: process.metric('trunkline_requests_total{outcome="completed"}') >= 3))
        self.assertEqual(len({client for _, _, client in server.seen}), 1, "every scrape on the first connection")
        self.assertEqual(process.metric("trunkline_dials_total"), 1)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.ended(), 0)
        process.until("ended")
        self.assertEqual([entry["event"] for entry in process.seen], ["listening", "ready", "draining", "ended"])

    def test_a_low_soft_limit_of_descriptors_is_raised(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))  # as the child will find it
        try:
            _, place = self.exporter()
            self.write(f"{{jobs: [{{name: web, targets: ['{place}']}}]}}")
            process = self.run_it()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        most = 2**20 if hard == resource.RLIM_INFINITY else min(hard, 2**20)
        self.assertEqual(process.metric("process_max_fds"), most)

    def test_the_metrics_page_is_what_prometheus_wants(self):
        _, place = self.exporter()
        self.write(f"{{interval: 1s, jobs: [{{name: web, targets: ['{place}']}}]}}")
        process = self.run_it()
        self.assertTrue(eventually(lambda: (process.metric("trunkline_scrape_cycles_total") or 0) >= 1))
        page = process.get("/metrics")[1]
        check = subprocess.run(["promtool", "check", "metrics"], input=page, text=True, capture_output=True)
        self.assertEqual((check.returncode, check.stderr, check.stdout), (0, "", ""))
        for kind in ("HELP", "TYPE"):
            families = re.findall(rf"^# {kind} (\S+)", page, re.M)
            self.assertEqual(len(families), len(set(families)))
        for family in ("process_cpu_seconds_total", "trunkline_build_info", "trunkline_dials_total",
                       "trunkline_scrape_target_up", "trunkline_server_connections", "trunkline_ready",
                       "trunkline_config_last_reload_successful"):
            self.assertIn(f"# TYPE {family} ", page)
        checked = self.command("metrics", "check", "-", text=page)
        self.assertEqual(checked.stderr, "")

    def test_a_good_file_takes_effect_at_sighup_without_a_dial_more_for_what_stays(self):
        stays, place = self.exporter()
        joins, other = self.exporter()
        jobs = f"{{name: stays, targets: ['{place}']}}"
        self.write(f"{{interval: 1s, jobs: [{jobs}]}}")
        process = self.run_it()
        self.assertTrue(eventually(lambda: len(stays.seen) >= 2))
        self.write(f"{{interval: 1s, jobs: [{jobs}, {{name: joins, targets: ['{other}']}}]}}")
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        self.assertTrue(eventually(lambda: joins.seen))
        # Another rhythm is another collector, on the same connections.
        self.write(f"{{interval: 2s, jobs: [{jobs}]}}")
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        scrapes = len(stays.seen)
        self.assertTrue(eventually(lambda: len(stays.seen) >= scrapes + 3))
        self.assertEqual(len({client for _, _, client in stays.seen}), 1)
        self.assertEqual(process.metric("trunkline_config_last_reload_successful"), 1)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.ended(), 0)

    def test_a_wrong_file_changes_nothing_at_sighup_and_says_so(self):
        server, place = self.exporter()
        self.write(f"{{interval: 1s, jobs: [{{name: web, targets: ['{place}']}}]}}")
        process = self.run_it()
        good_at = process.metric("trunkline_config_last_reload_success_timestamp_seconds")
        self.write("{jobs: [{nam: web}]}")
        process.signal(signal.SIGHUP)
        self.assertIn("trunkline.yaml:3:", process.until("reload_refused")["message"])
        while "nothing has changed" not in process.until("reload_refused")["message"]:
            pass
        self.assertEqual(process.metric("trunkline_config_last_reload_successful"), 0)
        self.assertEqual(process.metric("trunkline_config_last_reload_success_timestamp_seconds"), good_at)
        scrapes = len(server.seen)
        self.assertTrue(eventually(lambda: len(server.seen) >= scrapes + 2))
        self.assertEqual(process.get("/readyz")[0], 200)

    def test_a_reload_for_which_no_descriptor_is_left_ends_nothing_and_the_next_makes_up_for_it(self):
        def fleets(names):
            policy = "bounds: {min: 1, max: 1}, metrics: [{name: load, target: {perPod: 10}}]"
            command = json.dumps([sys.executable, str(TESTS / "support" / "metrics_server.py"), "${port}", str(self.folder)])
            first = int(free_ports(2 * len(names)).split("-")[0])
            each = "".join(f"  - policy: {{name: {name}, {policy}}}\n    target: {{process: {{command: {command}, ports: "
                           f"{first + 2 * i}-{first + 2 * i + 1}, drain: 1s}}}}\n" for i, name in enumerate(names))
            self.write(more=f"autoscale:\n  interval: 1s\n  fleets:\n{each}")

        (self.folder / "load").write_text("1")
        self.write()
        process = self.run_it()
        if "san.so" in pathlib.Path(f"/proc/{process.child.pid}/maps").read_text():
            self.skipTest("UBSan opens a pipe to look at an object's type, and calls it wrong without one")
        usual = resource.prlimit(process.child.pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{process.child.pid}/fd"))
        for room in range(2, -9, -1):  # until it is too little: what was just open may be closed again
            fleets("abcd")
            resource.prlimit(process.child.pid, resource.RLIMIT_NOFILE, (used + room, usual[1]))
            process.signal(signal.SIGHUP)
            told = process.until("reload_incomplete", "reload_refused", "reloaded")  # refused: the file was not opened
            resource.prlimit(process.child.pid, resource.RLIMIT_NOFILE, usual)
            if told["event"] != "reloaded":
                break
            self.write()
            process.signal(signal.SIGHUP)
            process.until("reloaded")
        self.assertIn("oo many open files", told["message"])
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        self.assertEqual(process.metric("trunkline_config_last_reload_successful"), 1)
        for name in "abcd":
            self.assertTrue(eventually(lambda: process.metric(f'trunkline_autoscale_pods{{fleet="{name}",state="ready"}}') == 1))
        process.signal(signal.SIGTERM)
        self.assertEqual(process.ended(), 0)

    def test_another_address_takes_effect_at_sighup_and_one_that_is_taken_does_not(self):
        self.write()
        process = self.run_it()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.file.write_text(f"admin: {{listen: '127.0.0.1:{taken.getsockname()[1]}'}}\n")
            process.signal(signal.SIGHUP)
            self.assertIn("Address already in use", process.until("reload_refused")["message"])
            self.assertIn("nothing has changed", process.until("reload_refused")["message"])
            self.assertEqual(process.get("/healthz")[0], 200)
            own = process.address.rpartition(":")[2]
            self.file.write_text(f"admin: {{listen: '0.0.0.0:{own}', unprotected: true}}\n")
            process.signal(signal.SIGHUP)
            self.assertIn("this very process listens at", process.until("reload_refused")["message"])
            self.file.write_text(f"admin: {{listen: '127.0.0.1:{taken.getsockname()[1]}'}}\n")
            free = taken.getsockname()[1]
        stream = http.client.HTTPConnection(process.address, timeout=WAIT)
        stream.request("GET", "/api/v1/events")  # does not hold it up for long
        stream.getresponse().readline()
        process.signal(signal.SIGHUP)
        self.assertEqual(process.until("listening")["address"], f"127.0.0.1:{free}")
        process.until("reloaded")
        stream.close()
        with self.assertRaises(OSError):
            process.get("/healthz")
        process.address = f"127.0.0.1:{free}"
        self.assertEqual(process.get("/healthz")[0], 200)

    def test_ends_in_order_while_clients_keep_connections_open(self):
        self.write(drain="20s")
        process = self.run_it()
        idle = http.client.HTTPConnection(process.address, timeout=WAIT)
        idle.request("GET", "/healthz")
        idle.getresponse().read()
        began = time.monotonic()
        process.signal(signal.SIGINT)
        self.assertEqual(process.ended(), 0)
        self.assertLess(time.monotonic() - began, 15)
        idle.close()

    def test_a_stream_of_events_ends_in_order_and_holds_nothing_up(self):
        self.write(drain="20s")
        process = self.run_it()
        stream = http.client.HTTPConnection(process.address, timeout=WAIT)
        stream.request("GET", "/api/v1/events")
        events = stream.getresponse()
        self.assertEqual((events.status, events.getheader("Content-Type").split(";")[0]), (200, "text/event-stream"))
        self.assertTrue(events.readline())
        began = time.monotonic()
        process.signal(signal.SIGTERM)
        events.read()  # raises when it is cut off
        self.assertEqual(process.ended(), 0)
        self.assertLess(time.monotonic() - began, 15)
        stream.close()

    def test_the_console_stands_at_the_listener_unless_the_file_says_otherwise(self):
        self.write()
        process = self.run_it()
        status, page = process.get("/")
        self.assertEqual((status, page[:15].lower()), (200, "<!doctype html>"))
        self.assertEqual(json.loads(process.get("/api/v1/status")[1])["pid"], process.child.pid)
        self.assertIn(process.get("/api/v1/status", Host="evil.example")[0], (403, 421))
        self.assertEqual(process.get("/metrics", Host="evil.example")[0], 421)
        self.assertEqual(process.get("/metrics", Host="localhost")[0], 200)
        self.assertEqual(json.loads(process.get("/readyz", Host="evil.example")[1]), {"ready": True, "services": []})
        self.assertTrue(json.loads(process.get("/readyz")[1])["services"])
        self.file.write_text("admin: {listen: '127.0.0.1:0', hosts: [evil.example]}\n")
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        self.assertEqual(process.get("/api/v1/status", Host="evil.example")[0], 200)
        self.assertEqual(process.get("/metrics", Host="evil.example")[0], 200)
        self.file.write_text("admin: {listen: '127.0.0.1:0', console: false}\n")
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        self.assertEqual(process.get("/")[0], 404)
        self.assertEqual(process.get("/healthz")[0], 200)
        self.assertIn("console: false", self.command("status", "--url", process.address, code=22).stderr)

    def test_who_may_read_under_which_name_is_another_after_a_reload(self):
        token = {"Authorization": "Bearer t0ken"}
        self.file.write_text("admin: {listen: '127.0.0.1:0', bearer_token: t0ken}\n")
        process = self.run_it()
        self.assertEqual(process.get("/metrics", Host="trunkline.monitoring.svc", **token)[0], 200)
        self.file.write_text("admin: {listen: '127.0.0.1:0'}\n")
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        self.assertEqual(process.get("/metrics", Host="evil.example")[0], 421)
        self.assertFalse(json.loads(process.get("/readyz", Host="evil.example")[1])["services"])
        self.file.write_text("admin: {listen: '127.0.0.1:0', bearer_token: t0ken}\n")
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        self.assertEqual(process.get("/metrics", Host="trunkline.monitoring.svc", **token)[0], 200)
        self.assertEqual(process.get("/metrics", Host="trunkline.monitoring.svc")[0], 401)

    def test_says_what_it_cut_off_when_the_time_is_over(self):
        self.write(drain="200ms")
        process = self.run_it()
        host, port = process.address.split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n")  # and never the rest
            self.assertTrue(eventually(lambda: process.metric("trunkline_server_connections") == 2))
            process.signal(signal.SIGTERM)
            self.assertEqual(process.ended(), 1)
        process.until("cut_off")
        self.assertIn("200ms", process.until("ended")["message"])

    def test_a_second_signal_ends_at_once(self):
        self.write(drain="1h")
        process = self.run_it()
        host, port = process.address.split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n")
            self.assertTrue(eventually(lambda: process.metric("trunkline_server_connections") == 2))
            process.signal(signal.SIGTERM)
            process.until("draining")
            process.signal(signal.SIGINT)
            self.assertEqual(process.ended(), 128 + signal.SIGINT)

    def test_tells_systemd_how_it_goes(self):
        path = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(path))
            manager.settimeout(WAIT)
            self.write()
            process = self.run_it({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"})

            def told(start):
                while True:
                    message = manager.recv(4096).decode()
                    if message.startswith(start):
                        return message
            told("READY=1")
            told("WATCHDOG=1")
            told("WATCHDOG=1")
            process.signal(signal.SIGHUP)
            self.assertRegex(told("RELOADING=1"), r"\nMONOTONIC_USEC=\d+$")
            told("READY=1")
            process.signal(signal.SIGTERM)
            told("STOPPING=1")
            self.assertEqual(process.ended(), 0)

    def test_does_not_start_with_a_wrong_file_or_where_somebody_listens(self):
        self.file.write_text("admn: {}\n")
        wrong = Process(self, self.file)
        self.assertIn('did you mean "admin"?', wrong.until("refused")["message"])
        self.assertEqual(wrong.ended(), 10)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.file.write_text(f"admin: {{listen: '127.0.0.1:{taken.getsockname()[1]}'}}\n")
            process = Process(self, self.file)
            self.assertIn("127.0.0.1", process.until("not_started")["message"])
            self.assertEqual(process.ended(), 1)
        self.assertIn("a file is wanted", self.command("run", "-c", "-", code=2).stderr)

    def test_uses_secrets_and_shows_them_nowhere(self):
        server, place = self.exporter()
        (self.folder / "token").write_text("hush-hush\n")
        self.write(f"{{interval: 1s, jobs: [{{name: web, targets: ['{place}'], bearer_token: '${{file:token}}'}}]}}")
        process = self.run_it()
        self.assertTrue(eventually(lambda: server.seen))
        self.assertEqual(server.seen[0][1]["Authorization"], "Bearer hush-hush")
        self.assertNotIn("hush", process.get("/metrics")[1])
        printed = self.command("config", "print", self.file).stdout
        self.assertNotIn("hush", printed)
        self.assertIn('bearer_token: "${file:token}"', printed)

    def test_a_list_of_targets_that_cannot_be_read_is_told_in_the_log_and_in_a_metric(self):
        self.write("{interval: 1s, jobs: [{name: web, file: fleet.json}]}")
        process = self.run_it()
        self.assertIn("job web", process.until("trouble")["message"])
        self.assertEqual(process.metric('trunkline_service_troubled{service="scrape"}'), 1)
        (self.folder / "fleet.json").write_text("[]")
        self.assertEqual(process.until("trouble_over")["service"], "scrape")
        self.assertEqual(process.metric('trunkline_service_troubled{service="scrape"}'), 0)

    def test_targets_that_do_not_fit_are_told_at_a_reload_and_in_the_status(self):
        (_, one), (_, other) = self.exporter(), self.exporter()
        job = "{{interval: 1s, jobs: [{{name: web, targets: [{}]}}]}}"
        self.write(job.format(f"'{one}'"))
        process = self.run_it({"TRUNKLINE_SOCKETS": "1"})
        self.assertEqual(process.metric('trunkline_service_troubled{service="scrape"}'), 0)
        self.write(job.format(f"'{one}', '{other}'"))
        process.signal(signal.SIGHUP)
        said = process.until("trouble")
        self.assertEqual((said["service"], said["level"]), ("scrape", "warning"))
        self.assertIn("2 targets need a connection each, and there is room for 1", said["message"])
        self.assertIn("room for 1", self.command("status", "--url", process.address).stdout)
        self.write(job.format(f"'{one}'"))
        process.signal(signal.SIGHUP)
        process.until("trouble_over")

    # --- fleets

    def fleet(self, per_pod=10, more=""):
        """One of up to three processes whose load is what stands in the file `load`, the same for each."""
        policy = (f"{{name: web, bounds: {{min: 1, max: 3}}, metrics: [{{name: load, target: {{perPod: {per_pod}}}}}], "
                  "up: {stabilise: 0s}, down: {stabilise: 0s}, fast: {enabled: false}}")
        command = json.dumps([sys.executable, str(TESTS / "support" / "metrics_server.py"), "${port}", str(self.folder)])
        self.write(more=f"autoscale:\n  interval: 1s\n  state: state.json\n  fleets:\n  - policy: {policy}\n"
                        f"    target: {{process: {{command: {command}, ports: {self.ports}, drain: 5s}}}}\n{more}")

    def started(self):
        starts = self.folder / "starts"
        return [int(line.split()[1]) for line in starts.read_text().splitlines()] if starts.exists() else []

    def load(self, value):
        beside = self.folder / "load.new"
        beside.write_text(str(value))
        beside.rename(self.folder / "load")

    def test_a_process_of_a_fleet_has_the_limits_that_it_would_have_from_a_shell(self):
        self.ports = free_ports(4)
        self.fleet()
        self.load(10)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1000, before[1]))
        process = self.run_it()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        self.assertTrue(eventually(lambda: self.started()))

        def files(pid):
            return re.search(r"Max open files +(\d+)", pathlib.Path(f"/proc/{pid}/limits").read_text())[1]
        self.assertEqual(files(self.started()[0]), "1000")
        self.assertGreater(int(files(process.child.pid)), 1000)

    def test_a_fleet_follows_its_load_survives_reloads_and_leaves_no_process_behind(self):
        self.ports = free_ports(4)
        self.fleet()
        self.load(10)
        process = self.run_it()

        def ready():
            fleets = json.loads(process.get("/api/v1/fleets")[1])
            return fleets[0]["ready"] if fleets else None
        self.assertTrue(eventually(lambda: ready() == 1))
        self.load(30)
        self.assertTrue(eventually(lambda: ready() == 3))
        before = self.started()
        self.assertEqual(len(before), 3)
        scaled = process.until("scaled")
        self.assertEqual((scaled["fleet"], scaled["message"][:5]), ("web", "1 -> "))

        check = subprocess.run(["promtool", "check", "metrics"], input=process.get("/metrics")[1], text=True,
                               capture_output=True)
        self.assertEqual((check.returncode, check.stderr, check.stdout), (0, "", ""))
        self.assertEqual(process.metric("trunkline_autoscale_replicas"), 3)
        self.assertGreaterEqual(process.metric('trunkline_scrape_cycles_total{collector="fleets-1s"}'), 1)
        self.assertIn("web", self.command("status", "--url", process.address).stdout)
        explained = self.command("explain", "--url", process.address, "--last", 500).stdout
        self.assertRegex(explained, r"#\d+ \S+Z web: up, 1 -> [23]")
        self.assertRegex(explained, r"(?m)^  stage +before +after +reason$")
        one = json.loads(self.command("autoscale", "explain", "web", "--url", process.address, "--json").stdout)
        self.assertEqual(one["policy"], "web")

        # Now one process does for the load of three; those that stay were not touched by the new file.
        self.load(10)
        self.fleet(per_pod=30)
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        self.assertTrue(eventually(lambda: ready() == 1))
        self.assertTrue(eventually(lambda: sum(map(alive, before)) == 1))
        self.assertEqual(self.started(), before)

        process.signal(signal.SIGTERM)
        self.assertEqual(process.ended(), 0)
        self.assertFalse(any(map(alive, self.started())))
        self.assertTrue((self.folder / "state.json").exists())

    def test_a_fleet_that_falls_with_its_process_leaves_nothing_behind_either(self):
        self.ports = free_ports(4)
        self.fleet()
        self.load(10)
        process = self.run_it()
        self.assertTrue(eventually(lambda: self.started()))
        process.child.kill()
        process.ended()
        self.assertTrue(eventually(lambda: not any(map(alive, self.started()))))

    def test_config_check_finds_what_is_wrong_with_a_fleet(self):
        self.ports = "20000-20003"
        self.fleet(more="  - {policy_file: gone.yaml, target: {dry_run: {job: wbe}}}\n")
        self.file.write_text(self.file.read_text().replace("scrape: {}", "scrape: {jobs: [{name: web, targets: []}]}"))
        self.assertRegex(self.command("config", "check", self.file, code=10).stderr,
                         r'trunkline.yaml:\d+:\d+: autoscale.fleets\[1\].target.dry_run.job: there is no job wbe in '
                         r'scrape.jobs, did you mean "web"\?')
        self.file.write_text(self.file.read_text().replace("wbe", "web"))
        self.assertIn("gone.yaml: there is no such file", self.command("config", "check", self.file, code=10).stderr)
        self.fleet()
        printed = self.command("config", "print", self.file).stdout
        self.assertIn("${port}", printed)
        self.assertEqual(self.command("config", "print", "-", text=printed).stdout, printed)

    # --- config

    def test_config_check_tells_every_mistake_with_its_place(self):
        self.file.write_text("admin:\n  listen: nowhere\nscrape:\n  intervall: 15s\n  jobs:\n  - name: a\n    targets: 7\n")
        lines = self.command("config", "check", "trunkline.yaml", code=10).stderr.splitlines()
        self.assertEqual(len(lines), 3, lines)
        self.assertTrue(lines[0].startswith("trunkline.yaml:2:11: admin.listen: "), lines[0])
        self.assertIn("trunkline.yaml:7:14: scrape.jobs[0].targets: expected a list, got", "\n".join(lines))
        self.assertIn('trunkline.yaml:4:3: scrape.intervall: there is no such field, did you mean "interval"?', lines)
        self.assertEqual(self.command("config", "check", "-", text="{}").stdout, "stdin: good\n")
        self.assertIn("no such file", self.command("config", "check", "nothing.yaml", code=10).stderr)

    def test_config_check_tells_where_in_the_file_a_fleet_is_wrong_as_a_whole(self):
        fleet = ("  - policy: {name: NAME, metrics: [{name: a, target: {perPod: 1}}], bounds: {max: 2}}\n"
                 "    target: {process: {command: [x], ports: PORTS}}\n")
        fleets = [fleet.replace("NAME", name).replace("PORTS", ports)
                  for name, ports in (("a", "20000-20009"), ("a", "20010-20019"), ("b", "20005-20006"), ("c", "20030"))]
        self.file.write_text("autoscale:\n  fleets:\n" + "".join(fleets))
        lines = self.command("config", "check", "trunkline.yaml", code=10).stderr.splitlines()
        self.assertEqual([line.partition(": ")[0] for line in lines],
                         ["trunkline.yaml:5:5", "trunkline.yaml:7:5", "trunkline.yaml:9:5"], lines)
        self.assertIn("autoscale.fleets[1]: the fleet a is there twice", lines[0])
        self.assertIn("has ports that belong to a as well", lines[1])
        self.assertIn("may have 2 replicas, and has 1 port;", lines[2])

    def test_config_check_tells_what_the_machine_does_not_have(self):
        self.write("{jobs: [{name: a, targets: [], tls: {ca_file: gone.pem}}]}")
        checked = self.command("config", "check", self.file)
        self.assertRegex(checked.stderr, r"note: scrape.jobs\[0\].tls.ca_file: \S+gone.pem cannot be read now: No such file")
        self.assertIn("good", checked.stdout)
        self.file.write_text("admin: {tls: {certificate_file: gone.pem}}\n")
        self.assertIn("gone.pem cannot be used: No such file", self.command("config", "check", self.file, code=10).stderr)

    def test_config_print_reads_back_as_the_same(self):
        printed = self.command("config", "print", "-", text="scrape: {jobs: [{name: a, targets: ['h:1']}]}\n").stdout
        self.assertIn("interval: 15s", printed)
        self.assertEqual(self.command("config", "print", "-", text=printed).stdout, printed)

    # --- status and explain

    def test_status_shows_what_the_process_does(self):
        _, place = self.exporter()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            silent = f"127.0.0.1:{unused.getsockname()[1]}"
            self.write(f"{{interval: 1s, jobs: [{{name: web, targets: ['{place}', '{silent}']}}]}}")
            process = self.run_it()
            self.assertTrue(eventually(lambda: (process.metric("trunkline_scrape_cycles_total") or 0) >= 3))
            text = self.command("status", "--url", process.address).stdout
            everything = json.loads(self.command("status", "--url", process.address, "--json").stdout)
            each = self.command("status", "--connections", "--url", process.address).stdout
        self.assertIn(f"process {process.child.pid}, up for ", text)
        self.assertIn(": ready\n", text)
        self.assertRegex(text, r"Connections: 1 open, . in use, . idle; \d+ requests")
        self.assertRegex(text, rf"http://{place} +\S+ +1 ")
        self.assertRegex(text, r"Targets, cycle \d+: 1 fresh, 0 late, 1 missing")
        self.assertRegex(text, rf"http://{silent}/metrics +web +missing ")
        self.assertEqual(set(everything), {"status", "transport", "targets", "fleets"})
        self.assertEqual(everything["transport"]["pool"]["dials_succeeded"], 1)
        self.assertNotIn("Each connection", text)
        self.assertRegex(each, rf"http://{place} +http/1.1 +\S+ +\S+ +\S+ +\d+ +[01] +first +127.0.0.1:\d+ +{place}\n")
        self.assertIn("it scales no fleet", self.command("explain", "--url", process.address, code=1).stderr)
        self.assertIn("no fleet named no one", self.command("explain", "no one", "--url", process.address, code=1).stderr)

    def test_the_doctor_asks_it_what_its_pools_do_and_what_keeps_them_apart(self):
        _, place = self.exporter()
        self.write(f"{{interval: 1s, jobs: [{{name: web, targets: ['{place}']}}, "
                   f"{{name: other, targets: ['{place}'], tls: {{insecure_skip_verify: true}}}}]}}")
        process = self.run_it()
        self.assertTrue(eventually(lambda: (process.metric("trunkline_scrape_cycles_total") or 0) >= 3))
        asked = ("doctor", "--pid", str(process.child.pid), "--interval", "100ms", "--url", process.address)
        text = self.command(*asked).stdout
        self.assertRegex(text, rf"Trunkline at http://{process.address}\n  http://{place} http/1.1, 1 open\n    dials:  first 1\n")
        self.assertRegex(text, rf"  http://{place} is dialled by two pools that share nothing, [0-9a-f]+ and [0-9a-f]+, because "
                               r"their options differ: tls\.insecure_skip_verify is (true and false|false and true)\n")
        trunkline = json.loads(self.command(*asked, "--json").stdout)["trunkline"]
        self.assertEqual([split["options"][0]["option"] for split in trunkline["splits"]], ["tls.insecure_skip_verify"])
        self.assertEqual(trunkline["transport"]["pool"]["dials_succeeded"], 2)

    def test_what_other_machines_can_reach_asks_for_a_password(self):
        self.file.write_text("admin: {listen: '0.0.0.0:0'}\n")
        refused = self.command("config", "check", self.file, code=10)
        self.assertIn("admin.listen: other machines could read all that is shown", refused.stdout + refused.stderr)
        self.make_certificate("cert.pem", "key.pem")
        secrets = {"password": "s3cret password", "token": "t0ken", "login": "ann:s3cret password", "wrong": "ann:guessed"}
        for name, text in secrets.items():
            (self.folder / name).write_text(text + "\n")
        self.file.write_text("admin: {listen: '0.0.0.0:0', user: ann, password: '${file:password}', bearer_token: '${file:token}',"
                             " tls: {certificate_file: cert.pem, key_file: key.pem}}\n")
        process = self.run_it()
        self.assertFalse([entry for entry in process.seen if entry["event"] == "exposed"])
        url = "https://127.0.0.1:" + process.address.rpartition(":")[2]
        asked = ("--url", url, "--cacert", self.folder / "cert.pem")
        for command in (["status"], ["explain"], ["doctor", "--interval", "100ms", "--pid", str(os.getpid())]):
            code = 15 if command[0] == "doctor" else 22
            for more in ([], ["--login", self.folder / "wrong"]):
                self.assertIn("--login FILE", self.command(*command, *asked, *more, code=code).stderr)
        for login in ("login", "token"):
            self.assertIn(": ready", self.command("status", *asked, "--login", self.folder / login).stdout)
        self.assertIn("Trunkline at", self.command("doctor", "--interval", "100ms", "--pid", str(os.getpid()), *asked, "--login",
                                                   self.folder / "token").stdout)
        nothing = self.command("status", *asked, "--login", self.folder / "nowhere", code=10).stderr
        self.assertIn("nowhere cannot be read", nothing)

        def curl(path, *more):
            done = subprocess.run(["curl", "-s", "-w", "\n%{http_code}", "--cacert", self.folder / "cert.pem", *more, url + path],
                                  capture_output=True, text=True, timeout=WAIT)
            body, _, code = done.stdout.rpartition("\n")
            return int(code), body

        for path in ("/", "/metrics", "/api/v1/status", "/api/v1/events", "/assets/x.js", "/nowhere"):
            code, body = curl(path)
            self.assertEqual((path, code), (path, 401))
            self.assertNotIn("s3cret", body)
        self.assertEqual(curl("/metrics", "-u", "ann:s3cret password")[0], 200)
        self.assertEqual(curl("/healthz"), (200, "alive\n"))
        self.assertEqual(curl("/readyz"), (200, '{"ready":true,"services":[]}\n'))
        self.assertIn('"scrape"', curl("/readyz", "-u", "ann:s3cret password")[1])
        stream = subprocess.Popen(["curl", "-sN", "--cacert", self.folder / "cert.pem", "-H", "Authorization: Bearer t0ken",
                                   url + "/api/v1/events"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(stream.stdout.close)
        self.addCleanup(stream.kill)
        self.assertIn("retry", stream.stdout.readline())
        (self.folder / "token").write_text("another")
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        stream.communicate(timeout=WAIT)  # who has the old token hears nothing more
        self.assertEqual(curl("/metrics", "-H", "Authorization: Bearer t0ken")[0], 401)
        self.assertEqual(curl("/metrics", "-H", "Authorization: Bearer another")[0], 200)
        self.assertNotIn("s3cret", json.dumps(process.seen))

    def make_certificate(self, certificate, key):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.folder / key,
                        "-out", self.folder / certificate], check=True, capture_output=True)

    def test_a_renewed_certificate_that_cannot_be_used_is_told_and_the_old_one_stays(self):
        self.make_certificate("cert.pem", "key.pem")
        self.make_certificate("next.pem", "next-key.pem")
        self.file.write_text("admin: {listen: '127.0.0.1:0', tls: {certificate_file: cert.pem, key_file: key.pem}}\n")
        process = self.run_it()

        def serves(certificate):
            url = f"https://{process.address}/healthz"
            return subprocess.run(["curl", "-s", "--cacert", certificate, url], capture_output=True, timeout=WAIT).stdout == b"alive\n"

        shutil.copy(self.folder / "cert.pem", self.folder / "first.pem")
        shutil.copy(self.folder / "next.pem", self.folder / "cert.pem")  # the key is still the first one's
        told = process.until("listener_trouble")
        self.assertEqual(told["level"], "warning")
        self.assertIn("the old certificates stay in use", told["message"])
        self.assertIn(str(self.folder / "key.pem"), told["message"])
        self.assertTrue(serves(self.folder / "first.pem"))
        (self.folder / "cert.pem").write_text("no certificate")
        process.signal(signal.SIGHUP)
        self.assertIn(str(self.folder / "cert.pem"), process.until("reload_refused")["message"])
        self.assertTrue(serves(self.folder / "first.pem"))
        shutil.copy(self.folder / "next.pem", self.folder / "cert.pem")
        shutil.copy(self.folder / "next-key.pem", self.folder / "key.pem")
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        self.assertTrue(serves(self.folder / "next.pem"))
        self.assertFalse(serves(self.folder / "first.pem"))

    def test_status_and_explain_say_that_nobody_answers(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
            for command in ("status", "explain"):
                done = self.command(command, "--url", url, code=12)
                self.assertIn("is `trunkline run` running", done.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    TRUNKLINE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    names = [f"test_{name.removeprefix('test_')}" for name in sys.argv[1:]]
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(map(RunTest, names)) if names else loader.loadTestsFromTestCase(RunTest)
    sys.exit(not unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful())
