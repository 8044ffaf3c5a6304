#!/usr/bin/env python3
"""System calls per request: bench/system_calls.py [PEER...]

Counted by perf's tracepoints at nearly full speed; where those are missing, by strace, which slows the client so much
that it batches more than it would.
"""
import collections
import os
import re
import shutil
import subprocess
import sys

import per_request
import server
import versions
from report import table

NAMED = ["read", "recvfrom", "recvmsg", "readv", "write", "sendto", "sendmsg", "writev", "epoll_wait", "epoll_pwait",
         "epoll_ctl", "poll", "ppoll", "futex", "setsockopt"]
GROUPS = {"receive": NAMED[:4], "send": NAMED[4:8], "epoll_wait": NAMED[8:10], "epoll_ctl": ["epoll_ctl"],
          "poll": ["poll", "ppoll"], "futex": ["futex"], "setsockopt": ["setsockopt"]}


def by_perf(run):
    events = ",".join(["raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{name}" for name in NAMED)])
    text = run_under(["perf", "stat", "-x,", "-e", events], run)
    counts = collections.Counter({name: int(value) for value, name in
                                  re.findall(r"^(\d+),[^,]*,syscalls:sys_enter_(\w+)", text, re.M)})
    counts["all"] = int(re.search(r"^(\d+),[^,]*,raw_syscalls", text, re.M)[1])
    return counts


def by_strace(run):
    text = run_under(["strace", "-f", "-c", "-U", "calls,name"], run)
    counts = collections.Counter({name: int(value) for value, name in re.findall(r"^\s*(\d+)\s+(\w+)$", text, re.M)})
    counts["all"] = counts.pop("total")
    return counts


def run_under(tool, run):
    pin = ["taskset", "-c", "0"] if os.cpu_count() > 1 else []
    done = subprocess.run([*tool, *pin, *run["command"]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, env=os.environ | run["environment"])
    if done.returncode != 0 or '"err":0' not in done.stdout:
        sys.exit(f"bench/system_calls.py: FAILED: {done.stdout}{done.stderr[-600:]}")
    return done.stderr


def choose_counter():
    probe = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "true"]
    if shutil.which("perf") and re.match(r"\d+,", subprocess.run(probe, stderr=subprocess.PIPE, text=True).stderr):
        return "perf", by_perf
    if shutil.which("strace"):
        return "strace", by_strace
    sys.exit("bench/system_calls.py: FAILED: neither perf's tracepoints nor strace are here (apt-get install strace)")


def main():
    per_request.enter_namespace()
    tool, count = choose_counter()
    rows = []
    with per_request.servers(cpu=1):
        for peer, concurrency, (few, many) in per_request.chosen(sys.argv[1:]):
            before, after = count(few), count(many)
            per = {name: per_request.difference(before[name], after[name]) for name in after}
            groups = [sum(per.get(name, 0) for name in names) for names in GROUPS.values()]
            rows.append([peer, str(concurrency), *(f"{value:.2f}" for value in groups),
                         f"{max(0, per['all'] - sum(groups)):.2f}", f"{per['all']:.2f}"])
            print(f"{peer}: {per['all']:.2f} system calls per request", file=sys.stderr, flush=True)
    text = (f"## System calls per request\n\n`bench/system_calls.py`: counted by {tool}, (6,000 requests - 2,000 requests) "
            f"/ 4,000; {versions.when()}.\n\n" + table(["client", "concurrency", *GROUPS, "others", "all"], rows))
    print(text)
    if len(sys.argv) == 1:
        (server.WORK / "results" / "system_calls.md").write_text(text)


if __name__ == "__main__":
    main()
