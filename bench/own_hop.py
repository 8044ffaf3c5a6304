# bench/hop_server.cc: our own server as the far end of a hop. What it has accepted is the kernel's count of the network
# namespace, which the run has for itself.
import pathlib
import tempfile

import nghttpd
import server

PROGRAM = server.ROOT / "build" / "release" / "bench" / "hop_server"


class OwnHop(nghttpd.Nghttpd):
    """With the interface of server.Server."""

    def __init__(self, port, cpu=None):
        super().__init__(port, 0, cpu)

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
        server.raise_descriptor_limit()
        self.start([str(PROGRAM), str(self.port)])
        return self
