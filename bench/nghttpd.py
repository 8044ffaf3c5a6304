# The server that answers HTTP/2 fastest: nghttpd with one thread, 300 bytes from a file, no delay. What it has accepted
# is the kernel's count of the network namespace, which the run has for itself.
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import server

BODY_BYTES = 300


def path():
    return shutil.which("nghttpd") or shutil.which("nghttpd", path="/usr/sbin")


class Nghttpd:
    """With the interface of server.Server. `streams` is how many it permits on one connection."""

    def __init__(self, port, streams, cpu=None):
        self.port, self.streams = port, streams
        self.pin = ["taskset", "-c", str(cpu)] if cpu is not None and os.cpu_count() > 1 else []

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
        (self.directory / "index.html").write_text("x" * BODY_BYTES)
        command = [path(), "--no-tls", "-n", "1", "-m", str(self.streams), "-a", "127.0.0.1", "-d", str(self.directory),
                   str(self.port)]
        self.start(command)
        return self

    def start(self, command):
        self.process = subprocess.Popen(self.pin + command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        preexec_fn=server.die_with_parent)
        for _ in range(250):
            if self.process.poll() is not None:
                raise SystemExit(f"{command[0]} ended with {self.process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"{command[0]} does not answer")

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self):
        server.end(self.process)

    def accepted(self):
        """Connections accepted in this network namespace, whoever accepted them."""
        names, values = (line.split() for line in pathlib.Path("/proc/net/snmp").read_text().splitlines()
                         if line.startswith("Tcp:"))
        return int(values[names.index("PassiveOpens")])

    def cpu_seconds(self):
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def handshakes(self):
        return 0, 0
