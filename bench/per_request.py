# Counts per request that no timing disturbs: what 6,000 requests need beyond 2,000, divided by 4,000. Start-up, dials and
# the end of the program cancel out.
import contextlib
import os
import sys

import nghttpd
import server
from echo import EchoServer
from workloads import Run

FEW, MANY = 2_000, 6_000

PEERS = [("floor", "floor", "epoll", 64, "plain"), ("trunkline", "client_bench", "callback", 64, "plain"),
         # It asks for coded bodies; the server codes none.
         ("trunkline-decompress", "client_bench", "callback", 64, "plain"),
         ("curl-multi", "curl_bench", "multi", 64, "plain"),
         ("floor-http2", "floor_http2", "epoll", 200, "nghttpd"),
         ("trunkline-http2", "client_bench", "callback", 200, "nghttpd"),
         # nginx compresses fewer headers by reference, so that there is more to read.
         ("floor-http2-nginx", "floor_http2", "epoll", 200, "h2c"),
         ("trunkline-http2-nginx", "client_bench", "callback", 200, "h2c"),
         ("floor-tls", "floor", "tls", 64, "tls"), ("trunkline-tls", "client_bench", "callback", 64, "tls"),
         ("floor-blocking", "floor", "blocking", 1, "plain"), ("trunkline-blocking", "client_bench", "blocking", 1, "plain"),
         # One message and its echo.
         ("floor-websocket", "floor_websocket", "epoll", 100, "echo"),
         ("trunkline-websocket", "websocket_bench", "callback", 100, "echo"),
         ("beast-websocket", "beast_bench", "callback", 100, "echo")]


def enter_namespace():
    """Starts this script again inside a network namespace, when that is permitted, and prepares its network."""
    prefix = server.namespace_command()
    if prefix and "TRUNKLINE_BENCH_NAMESPACE" not in os.environ:
        os.environ["TRUNKLINE_BENCH_NAMESPACE"] = "1"
        os.execvp(prefix[0], [*prefix, sys.executable, *sys.argv])
    server.bring_up_loopback()
    server.make_certificates()


@contextlib.contextmanager
def servers(cpu=None):
    """All that the peers may ask for. An idle one costs the others nothing."""
    with server.Server(cpu), EchoServer(server.ECHO, cpu), (nghttpd.Nghttpd(server.NGHTTPD, server.STREAMS, cpu) if nghttpd.path()
                              else contextlib.nullcontext()):
        yield


def chosen(names):
    """Runs of FEW and of MANY requests for each peer whose program is there."""
    for peer, program, mode, concurrency, wire in PEERS:
        environment = {"H2C": "1", "OPEN": "1"} if wire in ("h2c", "nghttpd") else {}
        if peer.endswith("-decompress"):
            environment["DECOMPRESS"] = "1"
        runs = [Run(peer, program, mode, concurrency, total, wire, environment) for total in (FEW, MANY)]
        if names and peer not in names:
            continue
        if runs[0].missing():
            print(f"bench: no {runs[0].missing()}: {peer} is left out", file=sys.stderr)
            continue
        yield peer, concurrency, [run.to_json() for run in runs]


def difference(few, many):
    return (many - few) / (MANY - FEW)
