# Thousands of targets in one process: `scrape_bench serve`, which answers on all of 127.0.0.0/8, so that each address is
# a host of its own. What it has accepted is the kernel's count of the network namespace.
import pathlib
import tempfile

import nghttpd
import server

PROGRAM = server.ROOT / "build" / "release" / "bench" / "scrape_bench"


class Fleet(nghttpd.Nghttpd):
    """With the interface of server.Server. Each body has about so many bytes."""

    def __init__(self, port, body_bytes, cpu=None):
        super().__init__(port, 0, cpu)
        self.body_bytes = body_bytes

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
        server.raise_descriptor_limit()
        self.start([str(PROGRAM), "serve", str(self.port), str(self.body_bytes)])
        return self
