# Who runs against whom, with how many requests, and what must come out. A workload is a list of runs; a round does all
# of them once, in this order, so that what is compared stands side by side.
import dataclasses
import functools
import pathlib
import shutil

import nghttpd
from server import (CA, ECHO, FLEET, H2C, H2_TLS, HOP, HOP_H2C, IDENTITY, MUTUAL_TLS, NGHTTPD, OWN_HOP, PLAIN, ROOT, STREAMS,
                    TLS_PORT, URL, WORK, echo_module)

RELEASE = ROOT / "build" / "release" / "bench"
PROGRAMS = {"client_bench": RELEASE / "client_bench", "floor": RELEASE / "floor", "curl_bench": RELEASE / "curl_bench",
            "go_peer": WORK / "peers" / "go_peer", "rust_peer": WORK / "peers" / "rust_peer",
            "wrk": shutil.which("wrk") or "wrk", "floor_http2": RELEASE / "floor_http2",
            "h2load": shutil.which("h2load") or "h2load", "websocket_bench": RELEASE / "websocket_bench",
            "floor_websocket": RELEASE / "floor_websocket", "beast_bench": RELEASE / "beast_bench",
            "scrape_bench": RELEASE / "scrape_bench", "go_scrape": WORK / "peers" / "go_scrape",
            "ws_peer": WORK / "peers" / "node" / "ws_peer.js"}
PORTS = {"plain": PLAIN, "tls": TLS_PORT, "mutual": MUTUAL_TLS, "h2c": H2C, "h2-tls": H2_TLS, "hop": HOP,
         "hop-h2c": HOP_H2C, "nghttpd": NGHTTPD, "echo": ECHO, "fleet": FLEET, "own-hop": OWN_HOP}
TLS_SETTINGS = {"tls": CA, "h2-tls": CA, "mutual": IDENTITY}


@functools.cache
def why_no_server(wire):
    """What this machine lacks to serve this wire, or nothing."""
    if wire == "nghttpd" and not nghttpd.path():
        return "nghttpd"
    return "echo module of nginx" if wire in ("hop", "hop-h2c") and not echo_module() else ""


def body_file(size):
    """h2load takes a body from a file only."""
    path = WORK / f"body-{size}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * size)
    return str(path)


@dataclasses.dataclass
class Run:
    peer: str
    program: str
    mode: str
    concurrency: int
    total: int
    wire: str = "plain"
    environment: dict = dataclasses.field(default_factory=dict)
    snapshots: list = dataclasses.field(default_factory=list)  # seconds between further looks at the sockets
    streams: int = 0  # on the wire "nghttpd": how many one connection may have

    def missing(self):
        return why_no_server(self.wire) or ("" if pathlib.Path(PROGRAMS[self.program]).exists() else self.program)

    def command(self):
        program = str(PROGRAMS[self.program])
        if self.program == "ws_peer":
            return ["node", "--expose-gc", program, self.mode, URL[self.wire], str(self.concurrency), str(self.total)]
        if self.program == "wrk":
            connections = f"-c{self.concurrency}"
            return [program, "-t1", connections, f"-d{self.total}s", "--latency", URL[self.wire]]
        if self.program == "h2load":
            connections = int(self.environment.get("CONNECTIONS", 1))
            body = ["-d", body_file(int(self.environment["BODY"]))] if "BODY" in self.environment else []
            return [program, "-t1", f"-c{connections}", f"-m{self.concurrency // connections}", f"-n{self.total}", *body,
                    URL[self.wire]]
        return [program, self.mode, URL[self.wire], str(self.concurrency), str(self.total)]

    def to_json(self):
        return {"peer": self.peer, "concurrency": self.concurrency, "command": self.command(),
                "kind": self.program if self.program in ("wrk", "h2load") else "client", "port": PORTS[self.wire],
                "environment": TLS_SETTINGS.get(self.wire, {}) | self.environment, "snapshots": self.snapshots,
                "streams": self.streams}


@dataclasses.dataclass
class Target:
    """Within one round: `metric` of `peer`, divided by that of `against` if there is one, is at most `limit`."""
    concurrency: int
    peer: str
    metric: str
    limit: float
    against: str = ""
    at_least: bool = False
    difference: bool = False  # `against` is taken off, instead of being divided by


@dataclasses.dataclass
class Workload:
    title: str
    runs: list
    targets: list
    base: str = ""  # the peer that every row is divided by
    shape: str = "requests"  # which table report.py makes: requests, sockets, memory, or scrape
    rounds: int = 5


def w1():
    runs = []
    for c, n in ((1, 30_000), (8, 200_000), (64, 200_000), (200, 200_000)):
        runs += [Run("floor", "floor", "epoll", c, n), Run("trunkline", "client_bench", "callback", c, n),
                 Run("wrk", "wrk", "", c, 2),
                 Run("hyper", "rust_peer", "hyper", c, n // 2), Run("hyper-current", "rust_peer", "hyper-current", c, n // 2),
                 Run("reqwest", "rust_peer", "reqwest", c, n // 2),
                 Run("go-tuned", "go_peer", "tuned", c, n // 2), Run("go-default", "go_peer", "default", c, n // 4),
                 Run("curl-multi", "curl_bench", "multi", c, n // 4), Run("curl-easy", "curl_bench", "easy", c, n // 4),
                 Run("curl-easy-fresh", "curl_bench", "easy-fresh", c, 8_000)]
    at_64 = [Target(64, "trunkline", "cpu", limit, peer) for peer, limit in
             (("floor", 1.25), ("wrk", 1), ("hyper", 0.9), ("go-tuned", 0.5), ("curl-multi", 0.5), ("curl-easy", 1))]
    at_200 = [Target(200, "trunkline", "cpu", 0.9, "hyper"), Target(200, "trunkline", "cpu", 0.5, "go-tuned"),
              Target(200, "trunkline", "rate", 1.1, "hyper", at_least=True), Target(200, "trunkline", "dials", 200)]
    at_1 = [Target(1, "trunkline", "cpu", 1, "hyper")]
    return Workload("W1: requests over HTTP/1.1, 1 KB from nginx, one thread", runs, at_1 + at_64 + at_200, "floor")


def blocking():
    runs = []
    for c, n in ((1, 30_000), (8, 100_000)):
        runs += [Run("floor-blocking", "floor", "blocking", c, n), Run("trunkline", "client_bench", "blocking", c, n),
                 Run("curl-easy", "curl_bench", "easy", c, n)]
    targets = [Target(c, "trunkline", "cpu", limit, peer) for c in (1, 8)
               for peer, limit in (("floor-blocking", 1.3), ("curl-easy", 1))]
    return Workload("Blocking calls: each caller does its own I/O", runs, targets, "floor-blocking")


def tls():
    warm = {"WARM": "1280"}  # handshakes are W4's subject
    runs = [Run("floor", "floor", "epoll", 64, 200_000, environment=warm),
            Run("trunkline", "client_bench", "callback", 64, 200_000, environment=warm),
            Run("floor-tls", "floor", "tls", 64, 150_000, "tls", warm),
            Run("trunkline-tls", "client_bench", "callback", 64, 150_000, "tls", warm),
            Run("curl-multi-tls", "curl_bench", "multi", 64, 50_000, "tls", warm),
            Run("reqwest-tls", "rust_peer", "reqwest", 64, 100_000, "tls", warm),
            Run("go-tls", "go_peer", "cached", 64, 100_000, "tls", warm)]
    return Workload("Pooled requests over TLS, against the floor in clear", runs,
                    [Target(64, "trunkline-tls", "cpu", 1.65, "floor"), Target(64, "trunkline-tls", "cpu", 1, "go-tls"),
                     Target(64, "trunkline-tls", "cpu", 1, "reqwest-tls"),
                     Target(64, "trunkline-tls", "cpu", 1, "curl-multi-tls")], "floor")


def w4():
    runs = []
    for c, many in ((1, 10_000), (8, 40_000)):
        def add(peer, program, mode, total, c=c):
            runs.append(Run(peer, program, mode, c, total, "mutual"))
        add("trunkline-recreate", "client_bench", "recreate", many)
        add("trunkline-recreate-callback", "client_bench", "recreate-callback", many)
        add("curl-fresh+share", "curl_bench", "easy-share", many)
        add("go-cached", "go_peer", "cached", many)
        add("reqwest-cached", "rust_peer", "reqwest", many)
        add("curl-easy-reuse", "curl_bench", "easy", many)
        add("trunkline-isolated", "client_bench", "isolated", 1_000)
        add("curl-easy-fresh", "curl_bench", "easy-fresh", 500)
        add("curl-fresh+session", "curl_bench", "easy-session", 500)
        add("go-fresh-leak", "go_peer", "fresh", 1_000)
        add("go-fresh-close", "go_peer", "fresh-close", 1_000)
        add("reqwest-fresh", "rust_peer", "reqwest-fresh", 100)  # 47 ms each: it reads the system's CA bundle
    return Workload("W4: a client with client certificate built anew for each request", runs,
                    [Target(1, "trunkline-recreate", "cpu", 1, "curl-fresh+share"),
                     Target(1, "trunkline-recreate", "dials", 1),
                     Target(8, "trunkline-recreate-callback", "cpu", 0.8, "go-cached"),
                     Target(8, "trunkline-recreate", "cpu", 1, "curl-fresh+share"),
                     Target(8, "trunkline-recreate", "dials", 8)])


def w5():
    def run(peer, program, mode, environment=None, snapshots=(1,)):
        return Run(peer, program, mode, 500, 5_000, environment=environment or {}, snapshots=list(snapshots))
    runs = [run("trunkline", "client_bench", "callback"),
            run("trunkline-defaults", "client_bench", "callback", {"DEFAULTS": "1"}),
            run("trunkline-idle-2s", "client_bench", "callback", {"IDLE_MS": "2000"}, (1, 3)),
            run("curl-multi", "curl_bench", "multi"), run("hyper", "rust_peer", "hyper"),
            run("reqwest", "rust_peer", "reqwest"), run("go-tuned", "go_peer", "tuned"),
            run("go-default", "go_peer", "default"), run("go-fresh-leak", "go_peer", "fresh"),
            run("curl-easy-fresh", "curl_bench", "easy-fresh")]
    return Workload("W5: sockets left by 5,000 requests at concurrency 500", runs,
                    [Target(500, "trunkline", "open", 500), Target(500, "trunkline", "time_wait", 0),
                     Target(500, "trunkline-idle-2s", "open_last", 0)], shape="sockets")


def idle():
    runs = [Run(f"{peer}-{wire}", program, "idle", 4, 10_000, wire) for wire in ("plain", "tls")
            for peer, program in (("trunkline", "client_bench"), ("curl-multi", "curl_bench"))]
    return Workload("User memory of 10,000 idle connections", runs,
                    [Target(4, "trunkline-plain", "kilobytes", 1.5), Target(4, "trunkline-tls", "kilobytes", 24)],
                    shape="memory", rounds=3)


def http2_on(connections, words):
    """200 streams, GET of 300 bytes, no delay."""
    def run(peer, program, mode, total, streams=STREAMS, **environment):
        return Run(peer, program, mode, 200, total, "nghttpd", {"WARM": "2000"} | environment, streams=streams)
    each = str(connections)
    runs = [run("floor", "floor_http2", "epoll", 400_000, CONNECTIONS=each),
            run("trunkline", "client_bench", "callback", 400_000, H2C="1", OPEN="1", APART=each),
            run("h2load", "h2load", "", 400_000, CONNECTIONS=each),
            run("hyper", "rust_peer", "hyper-h2c", 200_000), run("hyper-current", "rust_peer", "hyper-h2c-current", 200_000),
            run("go", "go_peer", "h2c", 100_000)]
    if connections > 1:
        # Not compared: the pool dials again only when a request has waited 5 ms, and 100 at once leave none waiting so long.
        runs.append(run("trunkline-pool", "client_bench", "callback", 400_000, 200 // connections, H2C="1", OPEN=each))
    targets = [Target(200, "trunkline", "cpu", limit, peer) for peer, limit in
               (("floor", 1.25), ("h2load", 1.1), ("hyper", 1), ("hyper-current", 1), ("go", 1))]
    targets += [Target(200, "trunkline", "rate", limit, peer, at_least=True) for peer, limit in
                (("h2load", 0.9), ("hyper", 1), ("hyper-current", 1), ("go", 1))]
    targets += [Target(200, peer, "dials", connections) for peer in ("trunkline", "trunkline-pool")]
    return Workload(f"HTTP/2: 200 requests at once over {words}, 300 bytes from nghttpd", runs, targets, "floor")


def http2_one():
    return http2_on(1, "one connection")


def http2_two():
    return http2_on(2, "two connections")


def http2_tls():
    # libcurl is measured over TLS, because in clear its version in Debian 12 fails.
    runs = [Run("trunkline", "client_bench", "callback", 200, 200_000, "h2-tls", {"WARM": "2000", "OPEN": "1"}),
            Run("h2load", "h2load", "", 200, 200_000, "h2-tls"),
            Run("curl-multi", "curl_bench", "multi", 200, 50_000, "h2-tls", {"WARM": "2000", "STREAMS": str(STREAMS)}),
            Run("go", "go_peer", "h2", 200, 100_000, "h2-tls", {"WARM": "2000"})]
    targets = [Target(200, "trunkline", "cpu", 1, peer) for peer in ("curl-multi", "go")]
    targets += [Target(200, "trunkline", "rate", 1, peer, at_least=True) for peer in ("curl-multi", "go")]
    return Workload("HTTP/2 over TLS: 200 requests at once, 300 bytes from nginx", runs, targets, "h2load")


def hop_over(http1, h2c, far_end):
    """The same server on both wires: the clients are compared, and what HTTP/2 costs the server shows beside them."""
    def run(peer, program, mode, wire, **environment):
        return Run(peer, program, mode, 200, 100_000, wire, {"BODY": "300"} | environment)
    runs = [run("floor", "floor_http2", "epoll", h2c),
            run("trunkline", "client_bench", "callback", h2c, H2C="1"),
            run("h2load", "h2load", "", h2c),
            run("hyper", "rust_peer", "hyper-h2c", h2c), run("go", "go_peer", "h2c", h2c)]
    over_http1 = [run("trunkline-http1", "client_bench", "callback", http1),
                  run("trunkline-http1-defaults", "client_bench", "callback", http1, DEFAULTS="1"),
                  run("hyper-http1", "rust_peer", "hyper", http1), run("go-tuned-http1", "go_peer", "tuned", http1),
                  run("go-default-http1", "go_peer", "default", http1), run("curl-multi-http1", "curl_bench", "multi", http1)]
    targets = [Target(200, "trunkline", "p99", 1, run.peer) for run in over_http1]
    targets += [Target(200, "trunkline", "cpu", 0.85, "hyper"), Target(200, "trunkline", "cpu", 0.5, "go"),
                Target(200, "trunkline", "rate", 1.1, "hyper", at_least=True), Target(200, "trunkline", "dials", 1)]
    return Workload(f"W2: the hop to {far_end}: 100,000 POSTs of 300 bytes, 200 at once, answered after 1 ms",
                    runs + over_http1, targets, "floor")


def hop():
    return hop_over("hop", "hop-h2c", "nginx")


def hop_own():
    return hop_over("own-hop", "own-hop", "our server")


def unread():
    """Requests beside a response of 1 GiB that nobody reads, on one connection; the client checks that it still waits."""
    def run(peer, **environment):
        return Run(peer, "client_bench", "callback", 100, 100_000, "h2c",
                   {"H2C": "1", "OPEN": "1", "WARM": "1000"} | environment)
    return Workload("HTTP/2: 100 requests at once beside a response of 1 GiB that nobody reads",
                    [run("trunkline"), run("trunkline-unread", UNREAD=URL["h2c"] + "big")],
                    [Target(100, "trunkline-unread", "p99", 2, "trunkline"),
                     Target(100, "trunkline-unread", "rss", 1, "trunkline", difference=True),
                     Target(100, "trunkline-unread", "dials", 1)], "trunkline")


def websocket_of(size, words):
    """A message and its echo are one request here. Each connection has one under way."""
    def run(peer, program, mode, concurrency, total):
        return Run(peer, program, mode, concurrency, total, "echo", {"WARM": "2000", "SIZE": str(size)})
    runs = []
    for c, n in ((1, 60_000), (100, 200_000)):
        runs += [run("floor", "floor_websocket", "epoll", c, n), run("trunkline", "websocket_bench", "callback", c, n),
                 run("beast", "beast_bench", "callback", c, n), run("ws", "ws_peer", "callback", c, n // 2)]
    targets = [Target(c, "trunkline", "cpu", limit, peer) for c in (1, 100)
               for peer, limit in (("floor", 1.15), ("beast", 1))]
    # One at a time, most of it is the kernel's, waking two processes: the floor itself is above half of ws.
    targets += [Target(c, "trunkline", "cpu", limit, "ws") for c, limit in ((1, 1), (100, 0.5))]
    targets += [Target(c, "trunkline", "rate", limit, peer, at_least=True) for c in (1, 100)
                for peer, limit in (("floor", 0.87), ("beast", 1), ("ws", 1))]
    return Workload(f"WebSocket: {words} and their echoes", runs, targets, "floor")


def websocket_small():
    return websocket_of(64, "messages of 64 bytes")


def websocket_large():
    return websocket_of(4096, "messages of 4 KiB")


def websocket_idle():
    runs = [Run(peer, program, "idle", 1, 10_000, "echo") for peer, program in
            (("trunkline", "websocket_bench"), ("beast", "beast_bench"), ("ws", "ws_peer"))]
    return Workload("User memory of 10,000 idle WebSockets", runs,
                    [Target(1, "trunkline", "kilobytes", 1.5), Target(1, "trunkline", "kilobytes", 0.5, "beast"),
                     Target(1, "trunkline", "kilobytes", 0.5, "ws")], shape="memory", rounds=3)


def scrape_of(body_bytes, words):
    """5,000 hosts, one connection to each: a cycle asks all of them, 64 at once, and the next one begins at once. What the
    first cycle takes is the cold start."""
    targets, cycles = 5_000, 10
    environment = {"TARGETS": str(targets), "WARM": str(targets), "BODY_BYTES": str(body_bytes), "OPEN": "1"}

    def run(peer, program, mode):
        return Run(peer, program, mode, 64, targets * cycles, "fleet", environment)
    runs = [run("trunkline", "client_bench", "callback"), run("hyper", "rust_peer", "hyper"),
            run("hyper-current", "rust_peer", "hyper-current"), run("go-tuned", "go_peer", "tuned"),
            run("go-default", "go_peer", "default"), run("curl-multi", "curl_bench", "multi")]
    goals = [Target(64, "trunkline", "cpu", 0.9, "hyper"), Target(64, "trunkline", "cpu", 0.5, "go-tuned"),
             Target(64, "trunkline", "warm_dials", 0), Target(64, "trunkline", "cold_ms", 1, "hyper"),
             Target(64, "trunkline", "cold_cpu", 1, "hyper"), Target(64, "trunkline", "rss", 1.5, "curl-multi")]
    return Workload(f"W3: 5,000 targets scraped cycle after cycle, bodies of {words}", runs, goals, shape="scrape")


def scrape():
    return scrape_of(1_024, "1 KB")


def scrape_large():
    return scrape_of(20_000, "20 KB")


def scrape_spread():
    """1,000 targets, each at its own moment of 5 s. The collector parses and hands out; Go's client fetches alone."""
    targets, cycles = 1_000, 3
    environment = {"TARGETS": str(targets), "INTERVAL_MS": "5000", "BODY_BYTES": "20000"}
    runs = [Run("trunkline-collector", "scrape_bench", "collect", 256, targets * cycles, "fleet", environment),
            Run("go-spread", "go_scrape", "spread", 256, targets * cycles, "fleet", environment)]
    return Workload("The collector: 1,000 targets spread over 5 s, bodies of 20 KB, fetched and parsed", runs,
                    [Target(256, "trunkline-collector", "cpu", 1, "go-spread"),
                     Target(256, "trunkline-collector", "warm_dials", 0)], shape="scrape", rounds=3)


WORKLOADS = {"w1": w1, "blocking": blocking, "tls": tls, "w4": w4, "w5": w5, "idle": idle, "http2_one": http2_one,
             "http2_two": http2_two, "http2_tls": http2_tls, "hop": hop, "hop_own": hop_own, "unread": unread,
             "websocket_small": websocket_small, "websocket_large": websocket_large, "websocket_idle": websocket_idle,
             "scrape": scrape, "scrape_large": scrape_large, "scrape_spread": scrape_spread}
