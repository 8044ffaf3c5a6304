#!/usr/bin/env python3
"""The binary as users and scripts meet it: cli_test.py PATH_TO_TRUNKLINE [name of a test...]

Every claim about connections is checked against faultd's log. Prints lines as GoogleTest does, so that script/test counts
each of these as one test.
"""
import base64
import gzip
import http.server
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parent
TRUNKLINE = ""


class Faultd:
    """One process, any number of listeners; see faultd.py."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, TESTS / "faultd" / "faultd.py"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        ports = json.loads(self.process.stdout.readline())
        self.control = socket.create_connection(("127.0.0.1", ports["control"]))
        self.lines = self.control.makefile("rw", encoding="utf-8")

    def ask(self, op, **arguments):
        self.lines.write(json.dumps({"op": op, **arguments}) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        assert "error" not in answer, answer
        return answer

    def close(self):
        self.lines.close()
        self.control.close()
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Server:
    def __init__(self, faultd, scenario="http", tls=None, **settings):
        self.faultd = faultd
        self.port = faultd.ask("listen", scenario=scenario, settings=settings, tls=tls)["port"]
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def url(self, path="/"):
        return self.origin + path

    def log(self):
        return self.faultd.ask("log", port=self.port)

    def requests(self):
        return self.log()["requests"]


class QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # a client that closes an idle connection is no news


class CliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.faultd = Faultd()
        cls.directory = tempfile.TemporaryDirectory(prefix="trunkline-cli-test-")
        cls.files = pathlib.Path(cls.directory.name)
        cls.make_certificates()

    @classmethod
    def tearDownClass(cls):
        cls.faultd.close()
        cls.directory.cleanup()

    @classmethod
    def make_certificates(cls):
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=cls.files, check=True, capture_output=True)

        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "1", "-subj", "/CN=cli test")
        (cls.files / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        for name in ("server", "client"):
            openssl("req", "-new", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                    "1", "-extfile", "names", "-out", f"{name}.pem")

    def serve(self, scenario="http", tls=False, client_ca=False, **settings):
        material = {"certificate": str(self.files / "server.pem"), "key": str(self.files / "server.key")} if tls else None
        if client_ca:
            material["client_ca"] = str(self.files / "ca.pem")
        return Server(self.faultd, scenario, material, **settings)

    def run_cli(self, *arguments, code=0, stdin="", env=None):
        done = subprocess.run([TRUNKLINE, *map(str, arguments)], input=stdin.encode(), capture_output=True, timeout=120,
                              env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, f"{arguments}\nstdout: {done.stdout[:2000]!r}\nstderr: {done.stderr[:2000]!r}")
        return done

    def fetch(self, *arguments, **more):
        return self.run_cli("fetch", *arguments, **more)

    def fetch_json(self, *arguments, **more):
        """The objects of the requests, and the counters."""
        lines = [json.loads(line) for line in self.fetch("--json", *arguments, **more).stdout.splitlines()]
        self.assertEqual(list(lines[-1]), ["counters"])
        return lines[:-1], lines[-1]["counters"]

    # --- fetch

    def test_fetch_writes_the_body_to_stdout(self):
        server = self.serve()
        self.assertEqual(self.fetch(server.url("/hello?x")).stdout, b"/hello?x")

    def test_fetch_json_has_every_field_of_the_contract(self):
        server = self.serve()
        [one, two], counters = self.fetch_json("--repeat", 2, "--include-body", server.url("/a"))
        for key in ("url", "status", "protocol", "headers", "body_bytes", "body", "connection", "times", "retries", "error"):
            self.assertIn(key, one)
        self.assertEqual(one["url"], server.url("/a"))
        self.assertEqual((one["status"], one["protocol"], one["body"], one["body_bytes"]), (200, "http/1.1", "/a", 2))
        self.assertIn(["Content-Length", "2"], one["headers"])
        self.assertIsNone(one["error"])
        self.assertEqual(one["retries"], 0)
        self.assertEqual(set(one["connection"]) & {"id", "reused", "reuse_miss", "dial_reason", "requests"},
                         {"id", "reused", "reuse_miss", "dial_reason", "requests"})
        self.assertEqual((one["connection"]["reused"], two["connection"]["reused"]), (False, True))
        self.assertEqual((one["connection"]["reuse_miss"], one["connection"]["dial_reason"]), ("first_for_key", "first"))
        self.assertEqual(two["connection"]["requests"], 2)
        self.assertEqual(one["connection"]["id"], two["connection"]["id"])
        for key in ("queue", "resolve", "connect", "tls", "first_byte", "total"):
            self.assertIn(key, one["times"])
        self.assertIsInstance(counters, dict)
        self.assertEqual(server.log()["accepts"], 1)

    def test_fetch_json_gives_bytes_that_are_no_text_in_base64(self):
        server = self.serve()
        raw = base64.urlsafe_b64encode(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\x00\xfe").decode()
        [one], _ = self.fetch_json("--include-body", server.url(f"/scenario/raw?b64={raw}"))
        self.assertEqual(base64.b64decode(one["body"]), b"\xff\x00\xfe")

    def test_fetch_knows_curls_flags(self):
        server = self.serve()
        target = self.files / "out"
        self.fetch("-X", "PUT", "-H", "X-One: 1", "-H", "X-Two: 2", "-d", "a=b", "-o", target, "-s", server.url("/form"))
        self.assertEqual(target.read_text(), "/form")
        [request] = server.requests()
        self.assertEqual((request["method"], request["body"]), ("PUT", "a=b"))
        self.assertIn("X-One: 1\r\nX-Two: 2", request["head"])
        self.fetch("-d", "c=d", server.url())
        self.assertEqual(server.requests()[-1]["method"], "POST")
        shown = self.fetch("-i", server.url("/shown")).stdout
        self.assertTrue(shown.startswith(b"HTTP/1.1 200 OK\r\n"), shown)
        self.assertTrue(shown.endswith(b"\r\n\r\n/shown"), shown)

    def test_fetch_asks_for_compressed_bodies_only_when_told_and_decodes_them(self):
        server = self.serve()
        reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        coded = gzip.compress(b"a text")
        bytes_sent = base64.urlsafe_b64encode(reply % (len(coded), coded)).decode()
        url = server.url(f"/scenario/raw?b64={bytes_sent}")
        self.assertEqual(self.fetch(url).stdout, coded)
        self.assertNotIn("accept-encoding", server.requests()[-1]["head"].lower())
        self.assertEqual(self.fetch("--compressed", url).stdout, b"a text")
        self.assertIn("Accept-Encoding: gzip, deflate, br, zstd", server.requests()[-1]["head"])

    def test_fetch_resolves_as_told(self):
        server = self.serve()
        url = f"http://name.test:{server.port}/x"
        self.assertEqual(self.fetch("--resolve", f"name.test:{server.port}:127.0.0.1", url).stdout, b"/x")
        self.assertIn(f"Host: name.test:{server.port}", server.requests()[0]["head"])

    def test_fetch_speaks_tls_as_told(self):
        server = self.serve(tls=True, client_ca=True)
        ca, cert, key = (self.files / name for name in ("ca.pem", "client.pem", "client.key"))
        self.assertEqual(self.fetch("--cacert", ca, "--cert", cert, "--key", key, server.url("/in")).stdout, b"/in")
        self.assertEqual(server.log()["connections"][0]["client"], "client")
        plain = self.serve(tls=True)
        self.fetch(plain.url(), code=12)
        self.fetch("-k", plain.url())
        [one], _ = self.fetch_json("--cacert", ca, plain.url())
        self.assertIn("TLS", one["connection"]["tls"])

    def test_fetch_uses_a_proxy_only_when_told(self):
        proxy, server = self.serve("proxy"), self.serve()
        environment = {name: proxy.origin for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy")}
        self.fetch(server.url(), env=environment)
        self.assertEqual(proxy.log()["accepts"], 0)
        self.fetch("-x", proxy.origin, "http://origin.example/")
        self.assertEqual(proxy.requests()[0]["target"], "http://origin.example/")

    def test_fetch_follows_redirects_only_when_told(self):
        server = self.serve()
        there = server.url(f"/scenario/ok?status=302&header=Location:/there")
        [one], _ = self.fetch_json(there)
        self.assertEqual(one["status"], 302)
        [one], _ = self.fetch_json("-L", there)
        self.assertEqual(one["status"], 200)
        self.assertEqual(server.requests()[-1]["target"], "/there")

    def test_fetch_follows_redirects_with_credentials_of_their_origin_only(self):
        there = self.serve()
        here = self.serve()
        away = here.url(f"/scenario/ok?status=302&header=Location:{there.url('/away')}")
        for way in ([], ["--parallel", 2, "--repeat", 2]):
            [one, *_], _ = self.fetch_json("-L", "-u", "me:secret", "-H", "X-Key: s3cret", "--secret-header", "x-key",
                                           *way, away)
            self.assertEqual((one["status"], one["redirects"], one["final_url"]), (200, 1, there.url("/away")))
        self.assertIn("s3cret", here.requests()[-1]["head"])
        for request in there.requests():
            self.assertNotIn("s3cret", request["head"])
            self.assertNotIn("Authorization", request["head"])
        loop = here.url("/scenario/ok?status=302&header=Location:/scenario/ok%3Fstatus=302%26header=Location:/x")
        [one], _ = self.fetch_json("-L", "--max-redirs", 1, loop, code=15)
        self.assertEqual((one["error"]["code"], one["status"]), ("limit_exceeded", 302))

    # --- retries

    def flaky(self, *statuses):
        """Answers with these statuses in turn, and with 200 after them."""
        left, seen = list(statuses), []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen.append((self.command, self.path, body))
                self.send_response(left.pop(0) if left else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        server = QuietServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/", seen

    def test_fetch_retries_what_may_pass_as_often_as_told(self):
        url, seen = self.flaky(503, 500)
        [one], _ = self.fetch_json("--retry", 2, "--retry-delay", "10ms", url)
        self.assertEqual((one["status"], one["retries"], len(seen)), (200, 2, 3))
        url, seen = self.flaky(503, 503, 503)
        self.fetch("-f", "--retry", 1, "--retry-delay", "10ms", url, code=22)
        self.assertEqual(len(seen), 2)
        url, seen = self.flaky(404)
        self.fetch("-f", "--retry", 3, "--retry-delay", "10ms", url, code=22)
        self.assertEqual(len(seen), 1)
        url, seen = self.flaky(503, 503)
        objects, _ = self.fetch_json("--retry", 2, "--retry-delay", "10ms", "--parallel", 2, "--repeat", 2, url)
        self.assertEqual([each["status"] for each in objects], [200, 200])
        self.assertEqual(len(seen), 4)
        self.assertEqual(sum(each["retries"] for each in objects), 2)

    def test_fetch_repeats_a_post_only_when_told(self):
        url, seen = self.flaky(503)
        self.fetch("-f", "--retry", 2, "--retry-delay", "10ms", "-d", "x", url, code=22)
        self.assertEqual(seen, [("POST", "/", b"x")])
        for told in (["--retry-all-errors"], ["--idempotent"], ["-H", "Idempotency-Key: 1"]):
            url, seen = self.flaky(503)
            self.fetch("-f", "--retry", 2, "--retry-delay", "10ms", *told, "-d", "x", url)
            self.assertEqual(seen, [("POST", "/", b"x")] * 2)
        url, seen = self.flaky(404)
        self.fetch("-f", "--retry", 2, "--retry-delay", "10ms", "--retry-all-errors", url)
        self.assertEqual(len(seen), 2)

    def test_fetch_begins_no_retry_later_than_told(self):
        url, seen = self.flaky(*[503] * 9)
        self.fetch("-f", "--retry", 9, "--retry-delay", "1m", "--retry-max-time", "1s", url, code=22)
        self.assertEqual(len(seen), 1)
        self.fetch("--retry-delay", "1s", url, code=2)
        self.fetch("--retry", -1, url, code=2)

    def test_fetch_retries_a_server_that_is_not_there(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        [one], _ = self.fetch_json("--retry", 2, "--retry-delay", "10ms", f"http://127.0.0.1:{port}/", code=12)
        self.assertEqual((one["retries"], one["error"]["code"]), (2, "connect_failed"))

    # --- server-sent events

    def test_fetch_prints_events_as_they_come(self):
        release = threading.Event()
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.headers.get("Accept"))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                self.wfile.write(b": hello\nid: 7\ndata: one\ndata: two\n\n")
                release.wait(60)
                self.wfile.write(b"event: add\ndata: three\n\n")

            def log_message(self, *_):
                pass

        server = QuietServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}/"
        client = subprocess.Popen([TRUNKLINE, "fetch", "--sse", "--json", url], stdout=subprocess.PIPE)
        first = json.loads(client.stdout.readline())  # there before the second one has been sent
        release.set()
        rest = [json.loads(line) for line in client.communicate(timeout=60)[0].splitlines()]
        self.assertEqual(client.returncode, 0)
        self.assertEqual(first, {"request": 1, "event": "message", "data": "one\ntwo", "id": "7", "encoding": "utf-8"})
        self.assertEqual(rest[0], {"request": 1, "event": "add", "data": "three", "id": "7", "encoding": "utf-8"})
        self.assertEqual((rest[1]["status"], rest[1]["body_bytes"]), (200, len("one\ntwo") + len("three")))
        self.assertEqual(list(rest[2]), ["counters"])
        self.assertEqual(asked, ["text/event-stream"])
        self.assertEqual(self.fetch("--sse", url).stdout, b"one\ntwo\nthree\n")
        objects = [json.loads(line) for line in
                   self.fetch("--sse", "--json", "--parallel", 2, url, url).stdout.splitlines()]
        self.assertEqual(sorted(each["request"] for each in objects if "event" in each), [1, 1, 2, 2])

    def test_fetch_says_what_is_no_event_stream(self):
        server = self.serve()
        done = self.fetch("--sse", server.url(), code=15)
        self.assertIn(b"Content-Type is not text/event-stream", done.stderr)
        self.fetch("--sse", "-f", server.url("/scenario/ok?status=404"), code=22)
        self.fetch("--sse", "-o", "file", server.url(), code=2)
        self.fetch("--sse", "--parallel", 2, server.url(), server.url(), code=2)

    # --- many requests

    def test_fetch_in_parallel_reuses(self):
        server = self.serve()
        objects, _ = self.fetch_json("--parallel", 4, "--repeat", 40, server.url())
        self.assertEqual(len(objects), 40)
        self.assertTrue(all(each["status"] == 200 for each in objects))
        self.assertLessEqual(server.log()["accepts"], 4)

    def test_S4_recreated_clients_share_and_isolated_ones_do_not(self):
        server = self.serve()
        self.fetch_json("--repeat", 20, "--recreate-client", server.url())
        self.assertEqual(server.log()["accepts"], 1)
        naive = self.serve()
        self.fetch_json("--repeat", 20, "--recreate-client", "--isolated", naive.url())
        self.assertEqual(naive.log()["accepts"], 20)

    def test_F5_fetch_survives_a_server_that_closes_idle_connections(self):
        server = self.serve(idle="0.1")
        objects, _ = self.fetch_json("--repeat", 10, "--delay", "0.15", server.url())
        self.assertTrue(all(each["status"] == 200 for each in objects))

    def test_fetch_retries_a_stale_connection_unless_told_otherwise(self):
        url = "/scenario/unanswered?on=reused"
        server = self.serve()
        [_, two], _ = self.fetch_json(server.url(), server.url(url))
        self.assertEqual((two["status"], two["retries"]), (200, 1))
        self.assertEqual(two["connection"]["reuse_miss"], "stale_on_write")
        objects, _ = self.fetch_json("--no-retry", server.url(), server.url(url), code=13)
        self.assertEqual(objects[1]["error"]["code"], "connection_closed")
        self.assertEqual(objects[1]["error"]["maybe_processed"], "unknown")

    def test_fetch_bounds_the_body(self):
        server = self.serve()
        self.fetch("--max-body", 1000, server.url("/scenario/big?size=1000"))
        self.fetch("--max-body", 1000, server.url("/scenario/big?size=1001"), code=15)

    def test_fetch_traces(self):
        server = self.serve()
        [one], _ = self.fetch_json("--trace", server.url())
        self.assertIn("connected", json.dumps(one["trace"]))

    # --- exit codes: one for each class

    def test_exit_codes_tell_the_class_of_the_error(self):
        server, silent, closed = self.serve(), self.serve("tarpit"), self.serve("bound")
        refused = {
            10: ["http://a b/"],
            12: [closed.url()],
            13: [server.url("/scenario/unanswered")],
            14: ["--max-time", "0.2", silent.url()],
            15: [server.url("/scenario/raw?b64=" + base64.urlsafe_b64encode(b"nonsense\r\n\r\n").decode())],
            22: ["--fail", server.url("/scenario/ok?status=404")],
            2: ["--no-such-flag", server.url()],
        }
        for code, arguments in refused.items():
            with self.subTest(code=code):
                self.fetch(*arguments, code=code)
        self.fetch(server.url("/scenario/ok?status=500"))
        self.fetch("--connect-timeout", "5", closed.url(), code=12)

    def test_errors_in_json_say_code_phase_and_whether_it_was_processed(self):
        closed = self.serve("bound")
        [one], _ = self.fetch_json(closed.url(), code=12)
        self.assertIsNone(one["status"])
        self.assertEqual((one["error"]["code"], one["error"]["phase"], one["error"]["maybe_processed"]),
                         ("connect_failed", "connect", "no"))
        self.assertTrue(one["error"]["message"])

    def test_help_lists_the_exit_codes(self):
        text = self.fetch("--help").stdout.decode()
        for word in ("rejected", "overloaded", "unreachable", "disconnected", "timed_out", "broken_peer", "cancelled"):
            self.assertIn(word, text)

    # --- verbose: what happened, and no secret

    def test_verbose_shows_connections_and_hides_credentials(self):
        server = self.serve()
        done = self.fetch("-v", "-H", "Authorization: Bearer s3cret-token", "-H", "Cookie: session=s3cret-token", "-H",
                          "X-Open: shown", server.url())
        text = done.stderr.decode()
        self.assertIn("X-Open: shown", text)
        self.assertIn("Authorization", text)
        self.assertNotIn("s3cret-token", text)
        self.assertNotIn("s3cret-token", done.stdout.decode())
        self.assertIn("s3cret-token", server.requests()[0]["head"])

    def test_verbose_hides_credentials_of_urls_proxies_and_responses(self):
        proxy = self.serve("proxy")
        for arguments in (["-x", f"http://user:s3cret@127.0.0.1:{proxy.port}", "http://origin.example/"],
                          [f"http://user:s3cret@127.0.0.1:{self.serve('bound').port}/"],
                          [self.serve().url("/scenario/ok?header=Set-Cookie:s3cret")[:-6] + "s3cret"]):
            done = subprocess.run([TRUNKLINE, "fetch", "-v", *arguments], capture_output=True, timeout=60)
            shown = done.stderr.decode().replace(arguments[-1], "") if "scenario" in arguments[-1] else done.stderr.decode()
            lines = [line for line in shown.splitlines() if "s3cret" in line and "/scenario/" not in line]
            self.assertEqual(lines, [], shown)

    def test_closed_standard_descriptors_do_not_become_sockets(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            command = f"exec '{TRUNKLINE}' fetch -v http://127.0.0.1:{listener.getsockname()[1]}/ <&- >&- 2>&-"
            child = subprocess.Popen(["sh", "-c", command])
            connection, _ = listener.accept()
            connection.settimeout(60)
            heard = b""
            while b"\r\n\r\n" not in heard:
                heard += connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
            while more := connection.recv(65536):
                heard += more
            connection.close()
            self.assertEqual(child.wait(60), 23)
        self.assertTrue(heard.endswith(b"\r\n\r\n"), heard)
        config = subprocess.run(["sh", "-c", f"exec '{TRUNKLINE}' config check - <&-"], capture_output=True, timeout=60)
        self.assertIn(b"stdin: is closed", config.stderr)

    def test_mistyped_words_are_told_with_the_nearest_one(self):
        for arguments, says in ((["metrics", "chek", "x"], 'trunkline metrics: there is no subcommand "chek", did you mean "check"?'),
                                (["config", "chekc"], 'trunkline config: there is no subcommand "chekc", did you mean "check"?'),
                                (["autoscale", "shw"], 'trunkline autoscale: there is no subcommand "shw", did you mean "show"?'),
                                (["autoscale"], "Usage: trunkline autoscale"), (["metrics"], "Usage: trunkline metrics"),
                                (["fetch", "--includ", "http://h/"], 'there is no flag --includ, did you mean "--include"?'),
                                (["doctor", "--pid", "0"], "--pid: "),
                                (["scrape", "-m", "1s", "--timeout-scrape", "1s", "h:1"], "give one of them")):
            self.assertIn(says, self.run_cli(*arguments, code=2).stderr.decode())

    def test_output_never_carries_control_characters_of_a_server(self):
        server = self.serve()
        raw = base64.urlsafe_b64encode(b"HTTP/1.1 200 OK\r\nX-Evil: \x1b[2J\r\n\r\n").decode()
        done = self.fetch("-v", server.url(f"/scenario/raw?b64={raw}"), code=15)
        self.assertNotIn(b"\x1b", done.stderr)

    # --- batch

    def test_batch_runs_in_order_over_one_pool_and_groups_together(self):
        server = self.serve()
        lines = [
            {"url": server.url("/1")},
            {"method": "POST", "url": server.url("/2"), "headers": [["X-A", "b"]], "body": "text"},
            {"method": "PUT", "url": server.url("/3"), "body_size": 100000},
            {"url": server.url("/scenario/ok?delay=0.3&token=g1"), "parallel_group": "g"},
            {"url": server.url("/scenario/ok?delay=0.3&token=g2"), "parallel_group": "g"},
            {"url": server.url("/4"), "delay": 0.1},
        ]
        from_ = time.monotonic()
        objects, counters = self.fetch_json("--batch", "-", stdin="\n".join(map(json.dumps, lines)))
        self.assertGreaterEqual(time.monotonic() - from_, 0.4)
        self.assertEqual([each["status"] for each in objects], [200] * 6)
        log = server.log()
        self.assertEqual(log["accepts"], 2)
        targets = [each["target"] for each in log["requests"]]
        self.assertEqual([targets[0], targets[1], targets[2], targets[5]], ["/1", "/2", "/3", "/4"])
        self.assertEqual(log["requests"][1]["body"], "text")
        self.assertIn("X-A: b", log["requests"][1]["head"])
        self.assertEqual(log["requests"][2]["body_bytes"], 100000)

    def test_batch_reads_a_file_and_refuses_a_wrong_line_before_sending_anything(self):
        server = self.serve()
        path = self.files / "batch.jsonl"
        path.write_text(json.dumps({"url": server.url()}) + "\n{not json}\n")
        done = self.fetch("--json", "--batch", path, code=2)
        self.assertIn(b"2", done.stderr)
        self.assertEqual(server.log()["accepts"], 0)
        path.write_text(json.dumps({"url": server.url()}) + "\n" + json.dumps({"url": server.url("/scenario/unanswered")}) + "\n")
        objects, _ = self.fetch_json("--batch", path, code=13)
        self.assertEqual([each["error"] is None for each in objects], [True, False])

    # --- url

    def test_url_prints_the_parts_or_why_not(self):
        parts = json.loads(self.run_cli("url", "--json", "http://User:pw@EXAMPLE.org:80/a?b=c#d").stdout)
        self.assertEqual((parts["scheme"], parts["host"], parts["port"], parts["path"], parts["query"], parts["target"]),
                         ("http", "example.org", 80, "/a", "b=c", "/a?b=c"))
        self.assertNotIn("pw", json.dumps(parts))
        resolved = json.loads(self.run_cli("url", "../c", "--base", "http://h/a/b", "--json").stdout)
        self.assertEqual(resolved["path"], "/c")
        done = self.run_cli("url", "http://0x7f.1/", code=10)
        self.assertIn(b"IPv4", done.stderr)

    # --- load

    def test_fetch_sends_websocket_messages_and_prints_the_replies(self):
        server = self.serve()
        said = base64.urlsafe_b64encode(b"\x81\x03one\x81\x03two").decode()
        url = server.url(f"/scenario/websocket?b64={said}").replace("http://", "ws://")
        out = self.fetch(url, "--ws-message", "first", "--ws-message", "second")
        self.assertEqual(out.stdout, b"one\ntwo\n")
        self.assertEqual(server.requests()[-1]["body"], "text first\ntext second\nclose 1000\n")
        refused = server.url("/scenario/ok?status=403").replace("http://", "ws://")
        done = self.fetch(refused, "--ws-message", "x", code=10)
        self.assertIn(b"403", done.stderr)
        self.fetch(server.url(), "--ws-message", "x", code=2)
        self.fetch(url, "--json", code=2)

    def test_websockets_go_over_tls_through_proxies_and_with_typed_credentials(self):
        said = base64.urlsafe_b64encode(b"\x81\x03one").decode()
        path = f"/scenario/websocket?b64={said}"
        ca = self.files / "ca.pem"
        secure = self.serve(tls=True)
        wss = secure.url(path).replace("https://", "wss://")
        self.assertEqual(self.fetch("--cacert", ca, wss, "--ws-message", "x").stdout, b"one\n")
        self.fetch(wss, "--ws-message", "x", code=12)
        clear, proxy = self.serve(), self.serve("proxy")
        typed = clear.url(path).replace("http://", "ws://user:pass@")
        self.assertEqual(self.fetch("--proxy", proxy.origin, typed, "--ws-message", "x").stdout, b"one\n")
        self.assertEqual(proxy.log()["accepts"], 1)
        self.assertIn("Authorization: Basic dXNlcjpwYXNz", clear.requests()[-1]["head"])

    def test_load_reports_rates_dials_and_sockets(self):
        server = self.serve()
        report = json.loads(self.run_cli("load", server.url(), "-c", 4, "-n", 200, "--json").stdout.splitlines()[-1])
        self.assertEqual((report["completed"], report["failed"]), (200, 0))
        log = server.log()
        self.assertEqual(len(log["requests"]), 200)
        self.assertLessEqual(log["accepts"], 4)
        isolated = self.serve()
        self.run_cli("load", isolated.url(), "-c", 2, "-n", 30, "--mode", "isolated", "--json")
        self.assertEqual(isolated.log()["accepts"], 30)
        recreated = self.serve()
        self.run_cli("load", recreated.url(), "-c", 2, "-n", 30, "--mode", "recreate", "--json")
        self.assertLessEqual(recreated.log()["accepts"], 2)
        table = self.run_cli("load", server.url(), "-c", 2, "-n", 20).stdout.decode()
        for word in ("requests/s", "us/request", "p99", "dials", "reuse"):
            self.assertIn(word, table)


class LikeGoogleTest(unittest.TextTestResult):
    @staticmethod
    def name_of(test):
        return f"{type(test).__name__.removesuffix('Test')}.{test._testMethodName[5:]}"

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()
        self.bad_before = len(self.failures) + len(self.errors)
        print(f"[ RUN      ] {self.name_of(test)}", flush=True)

    def stopTest(self, test):
        super().stopTest(test)
        bad = len(self.failures) + len(self.errors) > self.bad_before
        took = int((time.monotonic() - self.started) * 1000)
        print(f"[  FAILED  ] {self.name_of(test)} ({took} ms)" if bad else
              f"[       OK ] {self.name_of(test)} ({took} ms)", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    TRUNKLINE = sys.argv.pop(1)
    names = [f"test_{name.removeprefix('test_')}" for name in sys.argv[1:]]
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(map(CliTest, names)) if names else loader.loadTestsFromTestCase(CliTest)
    outcome = unittest.TextTestRunner(resultclass=LikeGoogleTest, verbosity=0).run(suite)
    sys.exit(not outcome.wasSuccessful())
