#!/usr/bin/env python3
"""User instructions per request, by callgrind: bench/instructions.py [PEER...] [--functions]

The steadiest figure there is: it repeats within 1 %, whatever else the machine does. --functions shows where they go.
"""
import collections
import os
import re
import subprocess
import sys

import per_request
import server
import versions
from report import table

LIMITS = {"trunkline": 6_000, "trunkline-decompress": 6_000, "trunkline-http2": 13_000}
SHOWN_FUNCTIONS = 45


def count(run, name):
    output = server.WORK / f"callgrind.{name}"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", *run["command"]]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=os.environ | run["environment"])
    if done.returncode != 0 or '"err":0' not in done.stdout:
        sys.exit(f"bench/instructions.py: FAILED: {name}: {done.stdout}{done.stderr[-600:]}")
    return int(re.search(r"^(?:summary|totals): (\d+)", output.read_text(), re.M)[1])


def by_function(name, inclusive):
    command = ["callgrind_annotate", "--auto=no", "--threshold=99.9", f"--inclusive={'yes' if inclusive else 'no'}",
               str(server.WORK / f"callgrind.{name}")]
    text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    costs = collections.Counter()
    for cost, where in re.findall(r"^\s*([\d,]+) \([\d. ]+%\)  (.*?)(?: \[.*)?$", text, re.M):
        costs[where.partition(":")[2] or where] += int(cost.replace(",", ""))
    return costs


def print_functions(peer):
    """Where the instructions of one request go: in the function itself, and with all that it calls."""
    for inclusive in (False, True):
        few, many = (by_function(name, inclusive) for name in (f"{peer}.few", peer))
        costs = collections.Counter({where: per_request.difference(few[where], cost) for where, cost in many.items()})
        print(f"\n{peer}, per request, {'with what it calls' if inclusive else 'in itself'}:")
        for where, cost in costs.most_common(SHOWN_FUNCTIONS):
            print(f"{cost:9,.1f}  {where[:140]}")


def main():
    names = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    per_request.enter_namespace()
    rows, met = [], True
    with per_request.servers():
        for peer, concurrency, (few, many) in per_request.chosen(names):
            value = per_request.difference(count(few, f"{peer}.few"), count(many, peer))
            limit = LIMITS.get(peer)
            met = met and (limit is None or value <= limit)
            rows.append([peer, str(concurrency), f"{value:,.0f}", "" if limit is None else f"<= {limit:,}",
                         "" if limit is None else "met" if value <= limit else "**missed**"])
            print(f"{peer}: {value:,.0f} instructions per request", file=sys.stderr, flush=True)
            if "--functions" in sys.argv:
                print_functions(peer)
    text = ("## User instructions per request\n\n`bench/instructions.py`: callgrind, (6,000 requests - 2,000 requests) / "
            f"4,000; {versions.when()}.\n\n" + table(["client", "concurrency", "instructions", "target", ""], rows))
    print(text)
    if not names:
        (server.WORK / "results" / "instructions.md").write_text(text)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
