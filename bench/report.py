#!/usr/bin/env python3
"""Markdown tables from build/bench/results: bench/report.py [--write]

--write puts them into docs/BENCHMARKS.md, between its two markers; otherwise they are printed.
"""
import collections
import json
import statistics
import sys

import server
from workloads import WORKLOADS

RESULTS = server.WORK / "results"
PAGE = server.ROOT / "docs" / "BENCHMARKS.md"
BEGIN, END = "<!-- results: written by script/bench --write -->", "<!-- end of results -->"
WORDS = {"cpu": "CPU per request", "rate": "requests/s", "dials": "dials", "open": "open sockets", "kilobytes": "KB per connection",
         "warm_dials": "dials of warm cycles", "cold_ms": "ms of the first cycle", "cold_cpu": "CPU per scrape of the first cycle",
         "time_wait": "sockets in TIME_WAIT", "open_last": "open sockets at the end", "p99": "p99", "rss": "peak RSS in MB"}


def metrics_of(result):
    """The figures of one run; CPU in microseconds per request, user and system together."""
    if "after_kb" in result:
        count = max(1, result["n"])
        return {"kilobytes": (result["after_kb"] - result["before_kb"]) / count,
                "trimmed": (result["trimmed_kb"] - result["before_kb"]) / count,
                "connections": result["n"], "dials": result["dials"], "err": result["err"]}
    count = result["n"]
    metrics = {"cpu": (result["ut"] + result["st"]) * 1e6 / count, "rate": count / result["wall"],
               "server": result["server_seconds"] * 1e6 / count, "dials": result["dials"], "err": result["err"]}
    metrics |= {name: result[name] for name in ("p50", "p99") if name in result}
    if "rss_kb" in result:
        metrics["rss"] = result["rss_kb"] / 1024
    if "targets" in result:
        metrics |= {"cold_ms": result["cold_wall"] * 1e3, "cold_cpu": result["cold_cpu"] * 1e6 / result["targets"],
                    "warm_dials": max(0, result["dials"] - result["targets"])}
    if result["handshakes"]:
        metrics["handshakes"], metrics["resumed"] = result["handshakes"], result["resumed"]
    if "sockets" in result:
        metrics["open"], metrics["time_wait"] = (result["sockets"][0].get(state, 0) for state in ("open", "time_wait"))
        metrics["open_last"] = result["sockets"][-1].get("open", 0)
        metrics["time_wait_last"] = result["sockets"][-1].get("time_wait", 0)
    return metrics


class Measured:
    """The clean runs of one results file: figures by (concurrency, peer), one for each round."""

    def __init__(self, path):
        header, *lines = (json.loads(line) for line in path.read_text().splitlines())
        self.header = header
        self.rounds = collections.defaultdict(dict)
        self.lost = collections.Counter()
        self.tried = len(lines)
        # What else the machine does spoils timings, but makes nobody's memory larger.
        any_will_do = header["quick"] or WORKLOADS[header["workload"]]().shape == "memory"
        for line in lines:
            who = (line["concurrency"], line["peer"])
            self.rounds[who]  # listed even when no round was clean
            if "failure" in line:
                self.lost["failed"] += 1
            elif line["dirty"] and not any_will_do:
                self.lost["contended"] += 1
            else:
                self.rounds[who][line["round"]] = metrics_of(line)

    def values(self, who, metric):
        return [metrics[metric] for metrics in self.rounds[who].values() if metric in metrics]

    def pairs(self, who, against, metric):
        """Only of rounds in which both were clean."""
        mine, theirs = self.rounds.get(who, {}), self.rounds.get(against, {})
        return [(mine[n][metric], theirs[n][metric]) for n in mine if n in theirs and theirs[n].get(metric)]

    def ratios(self, who, against, metric):
        return [mine / theirs for mine, theirs in self.pairs(who, against, metric)]

    def differences(self, who, against, metric):
        return [mine - theirs for mine, theirs in self.pairs(who, against, metric)]


def figure(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def middle(values, spread=False):
    if not values:
        return "-"
    text = figure(statistics.median(values))
    low, high = figure(min(values)), figure(max(values))
    return f"{text} ({low}-{high})" if spread and low != high else text


def ratio(values):
    return f"{statistics.median(values):.2f}" if values else "-"


def table(columns, rows):
    return "\n".join(["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns),
                      *("| " + " | ".join(row) + " |" for row in rows), ""])


def ours_in(measured, concurrency):
    return next((who for who in measured.rounds if who[0] == concurrency and who[1].startswith("trunkline")), None)


def requests_table(measured, workload, concurrency):
    base, ours = (concurrency, workload.base), ours_in(measured, concurrency)
    tls = any(measured.values(who, "handshakes") for who in measured.rounds)
    columns = ["client", "CPU µs/request", *([f"÷ {workload.base}"] if workload.base else []),
               *([f"{ours[1]} ÷ it"] if ours else []), "server CPU µs", "requests/s", "p50 µs", "p99 µs", "dials",
               *(["handshakes / resumed"] if tls else []), "errors", "peak RSS MB", "rounds"]
    rows = []
    for who in (who for who in measured.rounds if who[0] == concurrency):
        def median(metric, who=who, **options):
            return middle(measured.values(who, metric), **options)
        rows.append([who[1], median("cpu", spread=True),
                     *([ratio(measured.ratios(who, base, "cpu"))] if workload.base else []),
                     *([ratio(measured.ratios(ours, who, "cpu"))] if ours else []), median("server"), median("rate"),
                     median("p50"), median("p99"), median("dials", spread=True),
                     *([f"{median('handshakes')} / {median('resumed')}"] if tls else []), median("err"), median("rss"),
                     str(len(measured.rounds[who]))])
    return f"**concurrency {concurrency}**\n\n" + table(columns, rows)


def sockets_table(measured):
    columns = ["client", "dials", "open / TIME_WAIT after the burst", "open / TIME_WAIT at the last look", "CPU µs/request",
               "errors", "peak RSS MB", "rounds"]
    rows = []
    for who, rounds in measured.rounds.items():
        def median(metric, who=who, **options):
            return middle(measured.values(who, metric), **options)
        rows.append([who[1], median("dials", spread=True), f"{median('open', spread=True)} / {median('time_wait')}",
                     f"{median('open_last')} / {median('time_wait_last')}", median("cpu"), median("err"), median("rss"),
                     str(len(rounds))])
    return table(columns, rows)


def scrape_table(measured):
    columns = ["client", "CPU µs/scrape, warm", "trunkline ÷ it", "dials, warm", "first cycle ms", "CPU µs/scrape, first cycle",
               "server CPU µs", "p50 µs", "p99 µs", "errors", "peak RSS MB", "rounds"]
    ours = next(iter(measured.rounds))
    rows = []
    for who, rounds in measured.rounds.items():
        def median(metric, who=who, **options):
            return middle(measured.values(who, metric), **options)
        rows.append([who[1], median("cpu", spread=True), ratio(measured.ratios(ours, who, "cpu")), median("warm_dials"),
                     median("cold_ms"), median("cold_cpu"), median("server"), median("p50"), median("p99"), median("err"),
                     median("rss"), str(len(rounds))])
    return table(columns, rows)


def memory_table(measured):
    columns = ["client", "KB per idle connection", "after malloc_trim", "idle connections", "dials", "errors", "rounds"]
    rows = [[who[1], *(middle(measured.values(who, metric), spread=metric == "kilobytes")
                       for metric in ("kilobytes", "trimmed", "connections", "dials", "err")), str(len(rounds))]
            for who, rounds in measured.rounds.items()]
    return table(columns, rows)


def check(measured, target):
    """The figure a target speaks of, and whether it is met; None when it was not measured."""
    who = (target.concurrency, target.peer)
    compare = measured.differences if target.difference else measured.ratios
    values = (compare(who, (target.concurrency, target.against), target.metric) if target.against
              else measured.values(who, target.metric) if who in measured.rounds else [])
    if not values:
        return None, False
    # A comparison is judged by its median; a count must hold in every round.
    value = statistics.median(values) if target.against else max(values)
    return value, value >= target.limit if target.at_least else value <= target.limit


def targets_table(measured, workload):
    rows = []
    for target in workload.targets:
        value, met = check(measured, target)
        if value is None:
            continue
        sign = "-" if target.difference else "÷"
        what = f"{target.peer}{f' {sign} {target.against}' if target.against else ''}: {WORDS[target.metric]}"
        where = f"c={target.concurrency}" if workload.shape == "requests" else ""
        limit = f"{'>=' if target.at_least else '<='} {target.limit:g}"
        rows.append([what, where, limit, f"{value:.2f}".removesuffix(".00"), "met" if met else "**missed**"])
    return table(["target", "", "limit", "measured", ""], rows) if rows else ""


def problems(path):
    """Why this result is not a success, one sentence each."""
    measured = Measured(path)
    checked = [check(measured, target) for target in WORKLOADS[measured.header["workload"]]().targets]
    missed = sum(value is not None and not met for value, met in checked)
    found = [f"{missed} of {len(checked)} targets missed"] if missed else []
    if measured.lost["failed"]:
        found.append(f"{measured.lost['failed']} runs gave no result")
    for who in measured.rounds:
        if any(measured.values(who, "err")):
            found.append(f"{who[1]} at concurrency {who[0]}: failed requests")
    empty = [who[1] for who, rounds in measured.rounds.items() if not rounds]
    if empty:
        found.append(f"no clean run of {', '.join(sorted(set(empty)))}: is the machine busy?")
    return found


def section(path):
    measured = Measured(path)
    header, workload = measured.header, WORKLOADS[measured.header["workload"]]()
    lost = ", ".join(f"{count} {why}" for why, count in measured.lost.items())
    only = (f" --only '{header['only']}'" if header["only"] else "") + (" --quick" if header["quick"] else "")
    lines = [f"## {workload.title}", "",
             f"`bench/run.py {header['workload']} {header['rounds']}{only}` {header['when']}; "
             f"{measured.tried} runs{f', of which left out: {lost}' if lost else ''}.", ""]
    if workload.shape == "requests":
        lines += [requests_table(measured, workload, c) for c in sorted({c for c, _ in measured.rounds})]
    else:
        lines.append({"sockets": sockets_table, "memory": memory_table, "scrape": scrape_table}[workload.shape](measured))
    return "\n".join([*lines, targets_table(measured, workload)])


def counts_section(path):
    """What bench/instructions.py left: its lines are finished tables."""
    return path.read_text()


def whole_report():
    parts = [section(path) for name in WORKLOADS if (path := RESULTS / f"{name}.jsonl").exists()]
    parts += [counts_section(path) for path in sorted(RESULTS.glob("*.md"))]
    headers = [json.loads(path.open().readline()) for path in sorted(RESULTS.glob("*.jsonl"))]
    if not headers:
        sys.exit("bench/report.py: nothing measured yet: run script/bench")
    latest = max(headers, key=lambda header: header["when"][-len("2000-01-01"):])
    with_what = f"Machine: {latest['machine']}.\nVersions: {'; '.join(latest['versions'])}.\n"
    return "\n".join([with_what, *parts])


def main():
    report = whole_report()
    if "--write" not in sys.argv:
        print(report)
        return
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{report.rstrip()}\n\n{END}{rest.split(END)[1]}")
    print(f"bench/report.py: wrote {PAGE.relative_to(server.ROOT)}")


if __name__ == "__main__":
    main()
