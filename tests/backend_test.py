#!/usr/bin/python3
"""`trunkline backend` against clients that are not ours: backend_test.py PATH_TO_TRUNKLINE [test...]"""
import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import unittest
import urllib.error
import urllib.request

import websockets
from websockets.exceptions import ConnectionClosed

TRUNKLINE = ""
LOOP = asyncio.new_event_loop()


class Client:
    """A WebSocket of python3-websockets, for code that waits. Debian's version knows asyncio only."""

    def __init__(self, url):
        async def opened():
            return await websockets.connect(url, ping_interval=None)
        self.inner = self.wait(opened())

    def wait(self, coroutine, timeout=20):
        return asyncio.run_coroutine_threadsafe(coroutine, LOOP).result(timeout)

    def send(self, message):
        self.wait(self.inner.send(message))

    def recv(self):
        return self.wait(self.inner.recv())

    def close(self, code=1000, reason=""):
        self.wait(self.inner.close(code, reason))

    def vanish(self):  # without a close frame
        LOOP.call_soon_threadsafe(self.inner.transport.abort)


class BackendTest(unittest.TestCase):
    def start(self, *arguments):
        command = [TRUNKLINE, "backend", "--listen", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.process.communicate)
        self.addCleanup(self.process.kill)
        self.place = re.search(r"http://(\S+),", self.process.stdout.readline())[1]
        self.url = f"http://{self.place}"

    def get(self, path, method="GET", body=None, timeout=30, headers=None):
        request = urllib.request.Request(self.url + path, method=method, data=body, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def value(self, sample):
        page = self.get("/metrics")[1]
        found = re.search(rf"^{re.escape(sample)} (\S+)$", page, re.M)
        return float(found[1]) if found else None

    def gauge_becomes(self, wanted):
        end = time.monotonic() + 20
        while (now := self.value("active_ws_connections")) != wanted:
            self.assertLess(time.monotonic(), end, f"active_ws_connections is {now}, want {wanted}")
            time.sleep(0.01)

    def websocket(self):
        return Client(f"ws://{self.place}/ws")

    # --- answers

    def test_answers_echoes_and_ticks(self):
        self.start()
        self.assertIn(f"process {self.process.pid}", self.get("/")[1])
        self.assertEqual(self.get("/echo", "POST", b"hello"), (200, "hello"))
        self.assertEqual(self.get("/echo", "POST", b"x" * 2_000_000)[0], 413)
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))
        self.assertEqual(self.get("/ws")[0], 426)
        self.assertEqual(self.get("/nothing")[0], 404)
        curl = subprocess.run(["curl", "-sN", "--max-time", "2.8", self.url + "/events"], capture_output=True, text=True)
        ticks = [json.loads(line[6:])["tick"] for line in curl.stdout.splitlines() if line.startswith("data: ")]
        self.assertGreaterEqual(len(ticks), 2)
        self.assertEqual(ticks, list(range(ticks[0], ticks[0] + len(ticks))))

    def test_the_page_is_what_prometheus_reads(self):
        self.start()
        websocket = self.websocket()
        websocket.send("x")
        websocket.recv()
        self.get("/echo", "POST", b"1")
        page = self.get("/metrics")[1]
        promtool = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
        self.assertEqual((promtool.returncode, promtool.stdout + promtool.stderr), (0, ""))
        self.assertIn('backend_requests_total{route="/echo",status="200"} 1', page)
        self.assertIn("process_resident_memory_bytes", page)

    # --- the gauge

    def test_the_gauge_is_exact_after_every_kind_of_close(self):
        self.start()
        first = self.websocket()
        first.send("hello")
        self.assertEqual(first.recv(), "hello")
        first.send(b"\0\1")
        self.assertEqual(first.recv(), b"\0\1")
        self.gauge_becomes(1)
        others = [self.websocket() for _ in range(5)]
        self.gauge_becomes(6)
        first.close()
        self.gauge_becomes(5)
        others[0].close(1008, "a code of its own")
        self.gauge_becomes(4)
        others[1].vanish()
        self.gauge_becomes(3)
        with self.assertRaises(ConnectionClosed):  # a message beyond the bound: the backend closes
            others[2].send("x" * 100_000)
            others[2].recv()
        self.gauge_becomes(2)
        raw = socket.create_connection(self.place.split(":"))  # the handshake, and then no WebSocket
        raw.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        self.assertIn(b" 101 ", raw.recv(1000))
        self.gauge_becomes(3)
        raw.sendall(b"\xff\xff\xff\xff")
        self.gauge_becomes(2)
        raw.close()
        self.assertEqual(self.value('backend_websockets_closed_total{code="1008"}'), 1)
        self.assertEqual(self.value('backend_websockets_closed_total{code="1009"}'), 1)
        self.assertEqual(self.value("backend_websockets_opened_total"), 7)
        for other in others[3:]:
            other.close()
        self.gauge_becomes(0)

    def test_the_gauge_is_exact_after_a_client_was_killed(self):
        self.start()
        code = textwrap.dedent(f"""
            import asyncio, websockets
            async def main():
                kept = [await websockets.connect("ws://{self.place}/ws") for _ in range(3)]
                print("open", flush=True)
                await asyncio.sleep(100)
            asyncio.run(main())
        """)
        client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        self.addCleanup(client.communicate)
        self.assertEqual(client.stdout.readline(), "open\n")
        self.gauge_becomes(3)
        client.kill()
        self.gauge_becomes(0)

    def test_a_leak_is_what_was_asked_for(self):
        self.start("--leak", "0.5")
        for _ in range(4):
            self.websocket().close()
        self.gauge_becomes(2)

    def test_sheds_the_oldest_and_says_how_many(self):
        self.start()
        websockets = [self.websocket() for _ in range(4)]
        self.gauge_becomes(4)
        self.assertEqual(json.loads(self.get("/shed?count=2", "POST")[1]), {"shed": 2})
        for websocket in websockets[:2]:
            with self.assertRaises(ConnectionClosed) as closed:
                websocket.recv()
            self.assertEqual(closed.exception.rcvd.code, 1012)
        self.gauge_becomes(2)
        self.assertEqual(json.loads(self.get("/shed?count=99&code=1001", "POST")[1]), {"shed": 2})
        with self.assertRaises(ConnectionClosed) as closed:
            websockets[3].recv()
        self.assertEqual(closed.exception.rcvd.code, 1001)
        self.gauge_becomes(0)
        self.assertEqual(self.get("/shed?count=many", "POST")[0], 400)
        self.assertEqual(self.get("/shed?count=1&code=1000", "POST")[0], 400)
        self.assertEqual(self.get("/shed?count=1")[0], 405)
        self.assertEqual(self.get("/shed?count=1", "POST", headers={"Sec-Fetch-Site": "cross-site"})[0], 403)

    # --- slow and silent

    def test_is_as_slow_as_it_was_told(self):
        self.start("--latency", "200ms")
        at = time.monotonic()
        self.get("/")
        self.assertGreaterEqual(time.monotonic() - at, 0.2)
        websocket = self.websocket()
        at = time.monotonic()
        for number in "12":
            websocket.send(number)
        self.assertEqual([websocket.recv(), websocket.recv()], ["1", "2"])
        self.assertGreaterEqual(time.monotonic() - at, 0.2)

    def test_burns_the_cpu_time_that_it_was_told(self):
        self.start("--cpu", "50ms")
        before = self.value("process_cpu_seconds_total")
        for _ in range(4):
            self.get("/")
        self.assertGreaterEqual(self.value("process_cpu_seconds_total") - before, 0.19)

    def test_a_silence_is_for_scrapers_only_and_ends(self):
        self.start()
        self.assertEqual(self.get("/silence?seconds=60&how=fail", "POST")[0], 200)
        self.assertEqual(self.get("/metrics")[0], 503)
        self.assertEqual(self.get("/")[0], 200)
        self.get("/silence?seconds=60", "POST")
        with self.assertRaises((TimeoutError, urllib.error.URLError)):
            self.get("/metrics", timeout=0.3)
        self.assertEqual(self.get("/healthz")[0], 200)
        self.get("/silence?seconds=0", "POST")
        self.assertEqual(self.value("backend_silenced_scrapes_total"), 2)
        self.get("/silence?seconds=300ms", "POST")
        self.assertEqual(self.get("/metrics")[0], 200)  # answered when it is over
        self.assertEqual(self.get("/silence?seconds=long", "POST")[0], 400)
        self.assertEqual(self.get("/silence?seconds=1&how=softly", "POST")[0], 400)

    def test_a_silence_may_be_agreed_at_the_start(self):
        self.start("--silent-for", "1h", "--silence", "fail")
        self.assertEqual(self.get("/metrics")[0], 503)

    # --- the end

    def test_drains_on_sigterm(self):
        self.start("--latency", "1h")
        websocket = self.websocket()
        curl = subprocess.Popen(["curl", "-sN", self.url + "/events"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(curl.communicate)
        curl.stdout.readline()
        slow = subprocess.Popen(["curl", "-s", "-w", "%{http_code}", self.url + "/"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(slow.communicate)
        end = time.monotonic() + 20
        while self.value("backend_answers_waiting") != 1:
            self.assertLess(time.monotonic(), end)
        self.process.send_signal(signal.SIGTERM)
        with self.assertRaises(ConnectionClosed) as closed:
            websocket.recv()
        self.assertEqual(closed.exception.rcvd.code, 1001)
        self.assertTrue(slow.communicate(timeout=20)[0].endswith("200"))  # it was under way, so it is answered
        self.assertEqual(curl.wait(20), 0)  # the stream ended in order
        self.assertEqual(self.process.wait(20), 0)
        self.assertEqual(self.process.stderr.read(), "")

    def test_cuts_off_who_does_not_leave_and_says_so(self):
        self.start("--drain", "200ms")
        raw = socket.create_connection(self.place.split(":"))
        self.addCleanup(raw.close)
        raw.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        self.get("/")  # the backend has seen both
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(20), 1)
        self.assertIn("cut off after 200ms", self.process.stderr.read())

    def test_a_second_signal_ends_it_at_once(self):
        self.start("--drain", "1h")
        raw = socket.create_connection(self.place.split(":"))
        self.addCleanup(raw.close)
        raw.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        self.get("/")
        self.process.send_signal(signal.SIGINT)
        end = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
            self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(1), -signal.SIGINT)

    def test_says_what_is_wrong(self):
        for arguments, words in ((["--leak", "2"], "leak"), (["--latency", "soon"], "--latency"),
                                 (["--silent-after", "3s"], "silent-for"), (["--listen", "nowhere"], "nowhere"),
                                 (["--lisen", "x"], 'did you mean "--listen"')):
            done = subprocess.run([TRUNKLINE, "backend", *arguments], capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr)
        text = subprocess.run([TRUNKLINE, "backend", "--help"], capture_output=True, text=True, timeout=20).stdout
        for words in ("/shed?count=N", "--silent-after", "Exit codes"):
            self.assertIn(words, text)


if __name__ == "__main__":
    TRUNKLINE = sys.argv.pop(1)
    threading.Thread(target=LOOP.run_forever, daemon=True).start()
    unittest.main(verbosity=2)
