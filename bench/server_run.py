#!/usr/bin/env python3
"""What a request costs the server, in processor time, beside the least server that could do it and beside others:
server_run.py [h1] [h2c] [websocket] [idle] [slow] [--rounds N] [--seconds S] [--clients N]

Each server has one thread on CPU 1, the load CPU 0. In a round every server has its turn, in an order that changes with
the round, so that what else the machine does falls on all alike. Ratios are of medians. Figures for docs/BENCHMARKS.md
are taken on a quiet machine, with `--rounds 9 --seconds 5`; the default is a short look.

`idle` is the memory that a WebSocket takes which says nothing, before and after it has said something; `slow` is what
clients that send half a request and stop do to the 99th percentile of those who do not."""
import argparse
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import time

import nghttpd
import server

PROGRAMS = server.ROOT / "build" / "release" / "bench"
PORT = 18480


class Program(nghttpd.Nghttpd):
    """One of our own servers."""

    def __init__(self, name, *arguments):
        super().__init__(PORT, 0, 1)
        self.name, self.arguments = name, arguments

    def __enter__(self):
        self.directory = server.WORK / "none"  # keeps no files
        server.raise_descriptor_limit()
        self.start([str(PROGRAMS / self.name), str(PORT), *self.arguments])
        return self


class Nginx(server.Server):
    def __init__(self, port):
        super().__init__(1)
        self.port = port


class Nghttpd(nghttpd.Nghttpd):
    def __init__(self):
        super().__init__(PORT, server.STREAMS, 1)


# Of each kind: the load, the servers, and what must hold of ours beside the others (issue 5).
KINDS = {
    "h1": ({"floor": lambda: Program("server_floor"), "trunkline": lambda: Program("server_trunkline"),
            "nginx": lambda: Nginx(server.PLAIN)}, {"floor": 1.25, "nginx": 1.0}),
    "h2c": ({"floor": lambda: Program("server_floor_http2"), "trunkline": lambda: Program("server_trunkline", "300"),
             "nghttpd": Nghttpd, "nginx": lambda: Nginx(server.H2C)}, {"floor": 1.25, "nghttpd": 1.0, "nginx": 0.3}),
    "websocket": ({"floor": lambda: Program("echo_server"), "trunkline": lambda: Program("server_trunkline"),
                   "beast": lambda: Program("server_beast")}, {"floor": 1.15, "beast": 1.0}),
}


def run(command):
    pin = ["taskset", "-c", "0"] if os.cpu_count() > 1 else []
    done = subprocess.run(pin + [str(word) for word in command], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise SystemExit(f"no {pattern} in:\n{text}")
    return int(found[1])


def load(kind, name, port, seconds):
    """Puts load on the server for about so long, and returns how many requests were answered. None may fail."""
    if kind == "h1":
        text = run(["wrk", "-t1", "-c64", f"-d{seconds}s", f"http://127.0.0.1:{port}/"])
        if "Socket errors" in text or "Non-2xx" in text:
            raise SystemExit(f"{name}: {text}")
        return number(r"(\d+) requests in", text)
    if kind == "h2c":
        text = run(["h2load", "-t1", "-c4", "-m50", "-n", 40_000 * seconds, f"http://127.0.0.1:{port}/"])
        if number(r"(\d+) failed", text) or number(r"(\d+) errored", text):
            raise SystemExit(f"{name}: {text}")
        return number(r"(\d+) succeeded", text)
    total = 40_000 * seconds
    run([PROGRAMS / "floor_websocket", "epoll", f"ws://127.0.0.1:{port}/", 64, total])
    return total


def one(kind, name, make, seconds):
    """Microseconds of the server's processor time for a request."""
    with make() as peer:
        load(kind, name, peer.port, 1)  # warm
        before, begun = peer.cpu_seconds(), time.monotonic()
        requests = load(kind, name, peer.port, seconds)
        used, took = peer.cpu_seconds() - before, time.monotonic() - begun
    return {"microseconds": used / requests * 1e6, "per_second": requests / took}


def measure(kind, rounds, seconds):
    servers, limits = KINDS[kind]
    results = {name: [] for name in servers}
    names = list(servers)
    for turn in range(rounds):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            results[name].append(one(kind, name, servers[name], seconds))
    cost = {name: statistics.median(each["microseconds"] for each in runs) for name, runs in results.items()}
    print(f"{kind}: {rounds} rounds of {seconds} s")
    for name in names:
        spread = [each["microseconds"] for each in results[name]]
        print(f"  {name:10} {cost[name]:7.2f} us of processor time a request ({min(spread):.2f} to {max(spread):.2f})")
    met = True
    for name, limit in limits.items():
        ratio = cost["trunkline"] / cost[name]
        met = met and ratio <= limit
        print(f"  trunkline / {name}: {ratio:.2f}, wanted at most {limit}{'' if ratio <= limit else ': MISSED'}")
    folder = server.WORK / "results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"server_{kind}.json").write_text(json.dumps(results))
    return met


def crowd(count, port, greeting, answer_end=None):
    """So many connections that have said `greeting`; with `answer_end`, each has been answered to there."""
    connections = []
    for begin in range(0, count, 100):
        some = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(min(100, count - begin))]
        for connection in some:
            connection.sendall(greeting)
        for connection in some if answer_end else []:
            answer = b""
            while answer_end not in answer:
                piece = connection.recv(4096)
                if not piece:
                    raise SystemExit(f"the server closed after {answer!r}")
                answer += piece
        connections += some
    return connections


def resident_bytes(pid):
    """What the process has touched of its own, without the pages of files."""
    return number(r"RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()) * 1024


def measure_idle(clients):
    handshake = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    with Program("server_trunkline") as peer:
        for connection in crowd(100, PORT, handshake, b"\r\n\r\n"):  # what the first ones cost is the server's
            connection.close()
        empty = resident_bytes(peer.process.pid)
        connections = crowd(clients, PORT, handshake, b"\r\n\r\n")
        silent = (resident_bytes(peer.process.pid) - empty) / clients
        for connection in connections:
            connection.sendall(b"\x82\xfe\x0f\xa0\0\0\0\0" + b"x" * 4000)
            left = 4004
            while left:
                left -= len(connection.recv(left))
        spoken = (resident_bytes(peer.process.pid) - empty) / clients
    print(f"idle: {clients} WebSockets, {silent:.0f} bytes each; after 4,000 bytes each way {spoken:.0f}; wanted 1,024")
    return max(silent, spoken) <= 1024


def percentile_99(port, seconds):
    """Microseconds."""
    text = run(["wrk", "-t1", "-c8", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}/"])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def looks_at_99(name, clients, rounds):
    """99th percentiles alone, and beside a crowd. The head's time limit is ten seconds, so the crowd is made anew for
    each round."""
    looks = 6
    alone, beside = [], []
    for _ in range(rounds):
        with Program(name) as peer:
            percentile_99(peer.port, 1)
            alone += [percentile_99(peer.port, 1) for _ in range(looks)]
            connections = crowd(clients, PORT, b"GET / HTTP/1.1\r\nHo")
            beside += [percentile_99(peer.port, 1) for _ in range(looks)]
            for connection in connections:
                connection.close()
    return alone, beside


def measure_slow(clients, rounds):
    """What else a machine does adds to a 99th percentile, and ten thousand connections are more work for its kernel: so
    there are many short looks, their lower quartiles are compared, and the least server shows what is the machine's."""
    ratios = {}
    for name in ("server_floor", "server_trunkline"):
        alone, beside = looks_at_99(name, clients, rounds)
        quartiles = [statistics.quantiles(each, n=4)[0] for each in (alone, beside)]
        ratios[name] = quartiles[1] / quartiles[0]
        print(f"slow: {name}: 99th percentile {quartiles[0]:.0f} us alone, {quartiles[1]:.0f} us beside {clients} slow "
              f"clients: {ratios[name]:.2f} (lower quartiles of {len(alone)} looks; medians "
              f"{statistics.median(alone):.0f} and {statistics.median(beside):.0f})")
    ratio = ratios["server_trunkline"] / max(1, ratios["server_floor"])
    print(f"slow: beyond what it costs the least server: {ratio:.2f}, wanted at most 1.5"
          f"{'' if ratio <= 1.5 else ': MISSED'}")
    return ratio <= 1.5


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="h1, h2c, websocket, idle, slow; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--clients", type=int, default=10_000, help="that are idle, or slow")
    arguments = parser.parse_args()
    everything = [*KINDS, "idle", "slow"]
    unknown = set(arguments.kinds) - set(everything)
    if unknown:
        parser.error(f"there is no kind {', '.join(sorted(unknown))}: {', '.join(everything)}")
    server.make_certificates()
    os.chdir(pathlib.Path(__file__).resolve().parent)
    server.raise_descriptor_limit()
    met = []
    for kind in arguments.kinds or everything:
        if kind == "idle":
            met.append(measure_idle(arguments.clients))
        elif kind == "slow":
            met.append(measure_slow(arguments.clients, arguments.rounds))
        else:
            met.append(measure(kind, arguments.rounds, arguments.seconds))
    sys.exit(not all(met))


if __name__ == "__main__":
    main()
