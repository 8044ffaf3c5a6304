#!/usr/bin/env python3
"""How long the autoscaler's engine takes to decide: bench/autoscale.py. Pure computing on CPU 0, no network.

Times are of the best of some rounds, or their median, so that what else the machine does shows little.
"""
import json
import os
import subprocess
import sys

import server
import versions
from report import table

PROGRAM = server.ROOT / "build" / "release" / "bench" / "autoscale_bench"


def main():
    pin = ["taskset", "-c", "0"] if os.cpu_count() > 1 else []
    done = subprocess.run([*pin, str(PROGRAM)], stdout=subprocess.PIPE, text=True, check=True)
    results = {result["bench"]: result for result in map(json.loads, done.stdout.splitlines())}
    policies, pods = results["policies"], results["pods"]
    judged = [(f"{policies['policies']:,} policies of {policies['pods_each']} pods, one decision each", policies["ms"], 1000),
              (f"one decision for {pods['pods']:,} pods", pods["median_ms"], 10)]
    rows = [[what, f"{value:.1f} ms", f"< {limit:,} ms", "met" if value < limit else "**missed**"]
            for what, value, limit in judged]
    text = ("## The autoscaler's engine\n\n`bench/autoscale.py`: one core, the WebSocket preset, every fiftieth pod silent; "
            f"{versions.when()}.\n\n" + table(["what", "measured", "target", ""], rows))
    print(text)
    folder = server.WORK / "results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "autoscale.md").write_text(text)
    sys.exit(0 if all(value < limit for _, value, limit in judged) else 1)


if __name__ == "__main__":
    main()
