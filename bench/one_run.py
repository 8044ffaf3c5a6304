# One timed run, started by run.py inside a network namespace of its own: server on CPU 1, client on CPU 0. Reads the
# run as JSON from its argument and prints the result as JSON.
import json
import os
import pathlib
import re
import select
import subprocess
import sys
import time

import server
from echo import EchoServer
from fleet import Fleet
from nghttpd import Nghttpd
from own_hop import OwnHop

STATES = {1: "open", 2: "opening", 3: "opening", 4: "closing", 5: "closing", 6: "time_wait", 8: "half_closed",
          9: "closing", 11: "closing"}
LONGEST_RUN_SECONDS = 240


def machine_busy_seconds():
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return sum(int(fields[i]) for i in (1, 2, 3, 6, 7)) / os.sysconf("SC_CLK_TCK")


def process_seconds(pid):
    """User and system time of all its threads, those that have ended included."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_resident_kb(pid):
    """Not the client's own ru_maxrss: that one remembers what the process was before exec."""
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def sockets_to(port):
    """Sockets of the client towards the server, by state; TIME_WAIT of either side, since either may close first."""
    count = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            local, remote = (int(fields[i].split(":")[1], 16) for i in (1, 2))
            state = STATES.get(int(fields[3], 16))
            if state and (remote == port or (local == port and state == "time_wait")):
                count[state] = count.get(state, 0) + 1
    return count


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+|-?nan)(us|ms|s|m|h)", text).groups()
    return 0 if "nan" in number else float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9}[unit]


def read_wrk(text):
    requests, duration = re.search(r"(\d+) requests in (\S+),", text).groups()
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", text)
    return {"n": int(requests), "wall": microseconds(duration) / 1e6, "err": sum(map(int, errors.groups())) if errors else 0,
            "p50": microseconds(re.search(r"^ +50%\s+(\S+)", text, re.M)[1]),
            "p99": microseconds(re.search(r"^ +99%\s+(\S+)", text, re.M)[1])}


def read_h2load(text):
    """It tells no percentiles."""
    wall = microseconds(re.search(r"^finished in (\S+),", text, re.M)[1]) / 1e6
    done, succeeded = map(int, re.search(r"(\d+) done, (\d+) succeeded", text).groups())
    bad = done - int(re.search(r"^status codes: (\d+) 2xx", text, re.M)[1])
    return {"n": done, "wall": wall, "err": max(done - succeeded, bad)}


def run_tool(run, client, _port):
    """wrk and h2load tell no CPU time; the kernel does, for the whole process, its start included."""
    read, mark = {"wrk": (read_wrk, " requests in "), "h2load": (read_h2load, "finished in ")}[run["kind"]]
    text = client.stdout.read().decode()
    _, status, usage = os.wait4(client.pid, 0)
    client.returncode = os.waitstatus_to_exitcode(status)
    if client.returncode != 0 or mark not in text:
        return {"failure": f"{run['kind']} ended with {client.returncode}: {text.strip()[-200:]}"}
    return read(text) | {"ut": usage.ru_utime, "st": usage.ru_stime, "client_seconds": usage.ru_utime + usage.ru_stime}


def run_client(run, client, port):
    """Our clients print one line and keep their sockets until their standard input closes."""
    ready, _, _ = select.select([client.stdout], [], [], LONGEST_RUN_SECONDS)
    line = client.stdout.readline() if ready else b""
    if not line.strip():
        client.kill()
        return {"failure": "no result line"}
    result = json.loads(line) | {"client_seconds": process_seconds(client.pid), "sockets": [sockets_to(port)],
                                 "rss_kb": peak_resident_kb(client.pid)}
    for pause in run["snapshots"]:
        time.sleep(pause)
        result["sockets"].append(sockets_to(port))
    return result


def start(run, log):
    pin = ["taskset", "-c", "0"] if os.cpu_count() > 1 else []
    return subprocess.Popen(pin + run["command"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                            env=os.environ | run["environment"] | {"HOLD": "1"}, preexec_fn=server.die_with_parent)


def end(client):
    if client.returncode is None:
        client.stdin.close()
        try:
            client.wait(15)
        except subprocess.TimeoutExpired:
            client.kill()
            client.wait()


def measure(run, peer, log):
    accepted, served = peer.accepted(), peer.cpu_seconds()
    busy, began = machine_busy_seconds(), time.monotonic()
    client = start(run, log)
    result = (run_client if run["kind"] == "client" else run_tool)(run, client, run["port"])
    result["server_seconds"] = peer.cpu_seconds() - served
    others = machine_busy_seconds() - busy - result["server_seconds"] - result.pop("client_seconds", 0)
    result["other_cores"] = round(max(0, others) / max(time.monotonic() - began, 0.01), 3)
    result["dials"] = peer.accepted() - accepted
    if "TARGETS" in run["environment"]:
        result["targets"] = int(run["environment"]["TARGETS"])
    end(client)
    if client.returncode and "failure" not in result:
        result["failure"] = f"the client ended with {client.returncode} after its result"
    return result


def server_of(run):
    if run["port"] == server.FLEET:
        return Fleet(run["port"], int(run["environment"]["BODY_BYTES"]), cpu=1)
    if run["port"] == server.ECHO:
        return EchoServer(run["port"], cpu=1)
    if run["port"] == server.OWN_HOP:
        return OwnHop(run["port"], cpu=1)
    return Nghttpd(run["port"], run["streams"], cpu=1) if run["streams"] else server.Server(cpu=1)


def main():
    run = json.loads(sys.argv[1])
    server.bring_up_loopback()
    server.raise_descriptor_limit()
    with server_of(run) as peer:
        with open(peer.directory / "stderr", "w+") as log:
            result = measure(run, peer, log)
            log.seek(0)
            result["stderr"] = log.read(400).strip()
        peer.stop()
        result["handshakes"], result["resumed"] = peer.handshakes()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
