# bench/echo_server.cc: sends every WebSocket message back. What it has accepted is the kernel's count of the network
# namespace, which the run has for itself.
import pathlib
import tempfile

import nghttpd
import server

PROGRAMS = server.ROOT / "build" / "release" / "bench"


class EchoServer(nghttpd.Nghttpd):
    """With the interface of server.Server."""

    program = "echo_server"

    def __init__(self, port, cpu=None):
        super().__init__(port, 0, cpu)

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
        server.raise_descriptor_limit()
        self.start([str(PROGRAMS / self.program), str(self.port)])
        return self
