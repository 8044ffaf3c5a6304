# Counts per request that no timing disturbs: what 6,000 requests need beyond 2,000, divided by 4,000. Start-up, dials and
# the end of the program cancel out.
import os
import sys

import server
from workloads import Run

FEW, MANY = 2_000, 6_000

PEERS = [("floor", "floor", "epoll", 64, "plain"), ("trunkline", "client_bench", "callback", 64, "plain"),
         ("curl-multi", "curl_bench", "multi", 64, "plain"),
         ("floor-http2", "floor_http2", "epoll", 200, "h2c"), ("trunkline-http2", "client_bench", "callback", 200, "h2c"),
         ("floor-tls", "floor", "tls", 64, "tls"), ("trunkline-tls", "client_bench", "callback", 64, "tls"),
         ("floor-blocking", "floor", "blocking", 1, "plain"), ("trunkline-blocking", "client_bench", "blocking", 1, "plain")]


def enter_namespace():
    """Starts this script again inside a network namespace, when that is permitted, and prepares its network."""
    prefix = server.namespace_command()
    if prefix and "TRUNKLINE_BENCH_NAMESPACE" not in os.environ:
        os.environ["TRUNKLINE_BENCH_NAMESPACE"] = "1"
        os.execvp(prefix[0], [*prefix, sys.executable, *sys.argv])
    server.bring_up_loopback()
    server.make_certificates()


def chosen(names):
    """Runs of FEW and of MANY requests for each peer whose program is there."""
    for peer, program, mode, concurrency, wire in PEERS:
        environment = {"H2C": "1", "OPEN": "1"} if wire == "h2c" else {}
        runs = [Run(peer, program, mode, concurrency, total, wire, environment).to_json() for total in (FEW, MANY)]
        if names and peer not in names:
            continue
        if not os.path.exists(runs[0]["command"][0]):
            print(f"bench: no {program}: {peer} is left out", file=sys.stderr)
            continue
        yield peer, concurrency, runs


def difference(few, many):
    return (many - few) / (MANY - FEW)
