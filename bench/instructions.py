#!/usr/bin/env python3
"""User instructions per request, by callgrind: bench/instructions.py [PEER...] [--functions]

The steadiest figure there is: it repeats within 1 %, whatever else the machine does. --functions shows where the
instructions of the larger run of each peer went.
"""
import os
import re
import subprocess
import sys

import per_request
import server
from report import table

LIMITS = {"trunkline": 6_000}


def count(run, name):
    output = server.WORK / f"callgrind.{name}"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", *run["command"]]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=os.environ | run["environment"])
    if done.returncode != 0 or '"err":0' not in done.stdout:
        sys.exit(f"bench/instructions.py: FAILED: {name}: {done.stdout}{done.stderr[-600:]}")
    return int(re.search(r"^(?:summary|totals): (\d+)", output.read_text(), re.M)[1])


def functions(name):
    text = subprocess.run(["callgrind_annotate", "--show-percs=yes", str(server.WORK / f"callgrind.{name}")],
                          stdout=subprocess.PIPE, text=True).stdout
    lines = [line for line in text.splitlines() if re.match(r"\s*[\d,]+ \(", line)]
    return "\n".join(line[:160] for line in lines[:40])


def main():
    names = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    per_request.enter_namespace()
    rows, met = [], True
    with server.Server():
        for peer, concurrency, (few, many) in per_request.chosen(names):
            value = per_request.difference(count(few, f"{peer}.few"), count(many, peer))
            limit = LIMITS.get(peer)
            met = met and (limit is None or value <= limit)
            rows.append([peer, str(concurrency), f"{value:,.0f}", "" if limit is None else f"<= {limit:,}",
                         "" if limit is None else "met" if value <= limit else "**missed**"])
            print(f"{peer}: {value:,.0f} instructions per request", file=sys.stderr, flush=True)
            if "--functions" in sys.argv:
                print(functions(peer))
    text = ("## User instructions per request\n\n`bench/instructions.py`: callgrind, (6,000 requests - 2,000 requests) / "
            "4,000.\n\n" + table(["client", "concurrency", "instructions", "target", ""], rows))
    print(text)
    if not names:
        (server.WORK / "results" / "instructions.md").write_text(text)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
