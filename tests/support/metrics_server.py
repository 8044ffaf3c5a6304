#!/usr/bin/env python3
# A pod: metrics_server.py PORT FOLDER. Serves /healthz and /metrics on 127.0.0.1; the load that it shows is the number in
# FOLDER/load. It does as files of that folder say: "slow-start" is not ready, "silent-PORT" answers no scrape, "stubborn"
# ignores SIGTERM, "crash-PORT" ends at once. Each start adds a line "PORT PID" to FOLDER/starts.
import http.server
import os
import signal
import socketserver
import sys
import time

port, folder = int(sys.argv[1]), sys.argv[2]


def there(name):
    return os.path.exists(os.path.join(folder, name))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/healthz":
            return self.answer(503 if there("slow-start") else 200, b"")
        if there(f"silent-{port}"):
            return self.answer(503, b"")
        with open(os.path.join(folder, "load"), "rb") as load:
            self.answer(200, b"# TYPE load gauge\nload " + load.read().strip() + b"\n")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        print("asked for", self.path, flush=True)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True


with open(os.path.join(folder, "starts"), "a") as starts:
    starts.write(f"{port} {os.getpid()}\n")
if there(f"crash-{port}"):
    sys.exit(3)
if there("stubborn"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = Server(("127.0.0.1", port), Handler)
if os.environ.get("PORT") != str(port):
    time.sleep(1)
    sys.exit(4)
server.serve_forever()
