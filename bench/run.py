#!/usr/bin/env python3
"""Runs a workload against its peers, in rounds, and prints the table: bench/run.py WORKLOAD [ROUNDS] [--only REGEX]
       [--quick]

Each run has a network namespace of its own (when the machine permits it), the server on CPU 1 and the client on CPU 0.
A run during which others used more than 0.15 cores is repeated up to twice, and then left out of the medians. Only one
run at a time is made on this machine: they hold a lock, $TRUNKLINE_BENCH_LOCK. Only whole workloads reach the page;
those cut short by --only or --quick are printed, and kept in build/bench/results/WORKLOAD.partial.
"""
import argparse
import dataclasses
import fcntl
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import report
import server
import versions
from one_run import machine_busy_seconds
from workloads import WORKLOADS

LOCK = os.environ.get("TRUNKLINE_BENCH_LOCK") or os.path.join(tempfile.gettempdir(), "trunkline-bench.lock")
RESULTS = server.WORK / "results"
CLEAN_CORES = 0.15


def wait_for_quiet(patience_seconds):
    for _ in range(patience_seconds * 4):
        before = machine_busy_seconds()
        time.sleep(0.25)
        if machine_busy_seconds() - before < 0.06:
            return


def attempt(run, prefix, patience_seconds):
    wait_for_quiet(patience_seconds)
    here = pathlib.Path(__file__).parent / "one_run.py"
    command = [*prefix, sys.executable, str(here), json.dumps(run.to_json())]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=400)
        result = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        result = {"failure": "took longer than 400 s"}
    except (IndexError, ValueError):
        result = {"failure": f"exit {done.returncode}: {(done.stderr.strip().splitlines() or ['said nothing'])[-1]}"}
    result["dirty"] = result.get("other_cores", 1) > CLEAN_CORES
    return result


def measure(run, prefix, quick):
    if quick:
        run = dataclasses.replace(run, total=1 if run.program == "wrk" else max(run.concurrency, run.total // 20))
    for _ in range(1 if quick else 3):
        result = attempt(run, prefix, 0 if quick else 5)
        if not result["dirty"] and "failure" not in result:
            break
    return result


def progress(run, result):
    who = f"{run.peer:27s} c={run.concurrency:<4d}"
    if "failure" in result:
        return f"{who} FAILED: {result['failure']} {result.get('stderr', '')}"
    metrics = report.metrics_of(result)
    figures = " ".join(f"{name}={value:.4g}" for name, value in metrics.items())
    return f"{who} {figures}{' (others were busy)' if result['dirty'] else ''} {result.get('stderr', '')}".rstrip()


def choose_runs(workload, only):
    """Those that match and whose program and server are there; what is missing is said once."""
    for what in sorted({run.missing() for run in workload.runs} - {""}):
        print(f"bench: no {what} on this machine: its rows are left out")
    return [run for run in workload.runs if not run.missing() and re.search(only, f"{run.peer}/{run.concurrency}")]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("workload", choices=WORKLOADS)
    arguments.add_argument("rounds", nargs="?", type=int)
    arguments.add_argument("--only", default="", metavar="REGEX", help="of PEER/CONCURRENCY, as in '^(floor|trunkline)/64$'")
    arguments.add_argument("--quick", action="store_true",
                           help="a twentieth of the requests, once, contended or not: shows that it runs, not how fast")
    given = arguments.parse_args()
    workload = WORKLOADS[given.workload]()
    rounds = given.rounds or (1 if given.quick else workload.rounds)
    server.make_certificates()
    RESULTS.mkdir(parents=True, exist_ok=True)
    prefix = server.namespace_command()
    if not prefix:
        print("bench: no network namespaces here: runs share their ports and TIME_WAIT with the machine")
    runs = choose_runs(workload, given.only)
    header = {"workload": given.workload, "rounds": rounds, "only": given.only, "quick": given.quick, "namespaces": bool(prefix),
              **versions.collect()}
    path = RESULTS / f"{given.workload}.{'partial' if given.quick or given.only else 'jsonl'}"
    with open(path, "w") as output, open(LOCK, "a") as lock:
        output.write(json.dumps(header) + "\n")
        for number in range(rounds):
            for run in runs:
                fcntl.flock(lock, fcntl.LOCK_EX)
                result = measure(run, prefix, given.quick)
                fcntl.flock(lock, fcntl.LOCK_UN)
                print(f"{given.workload} {number + 1}/{rounds} {progress(run, result)}", file=sys.stderr, flush=True)
                identity = {"peer": run.peer, "concurrency": run.concurrency, "round": number}
                output.write(json.dumps(identity | result) + "\n")
                output.flush()
    print(report.section(path))
    problems = report.problems(path)
    for problem in problems:
        print(f"bench: {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
