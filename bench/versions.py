# What was measured with what: for the page, so that a figure can be repeated.
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess

from server import ROOT, nginx_path


def first_line(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
        return done.stdout.splitlines()[0].strip() if done.stdout else ""
    except OSError:
        return ""


def locked_crate(name):
    lock = (ROOT / "bench" / "peers" / "rust" / "Cargo.lock").read_text()
    found = re.search(rf'name = "{name}"\nversion = "([^"]+)"', lock)
    return f"{name} {found[1]}" if found else ""


def locked_ws():
    lock = json.loads((ROOT / "bench" / "peers" / "node" / "package-lock.json").read_text())
    return lock["packages"]["node_modules/ws"]["version"]


def boost():
    header = pathlib.Path("/usr/include/boost/version.hpp")
    found = re.search(r'define BOOST_LIB_VERSION "([\d_]+)"', header.read_text()) if header.exists() else None
    return found[1].replace("_", ".") if found else ""


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{os.cpu_count()} x {model[1] if model else platform.machine()}, {gigabytes:.0f} GB, "
            f"Linux {platform.release().split('-')[0]}")


def when():
    changed = " with changes" if first_line("git", "status", "--porcelain", "--untracked-files=no") else ""
    return f"at {first_line('git', 'rev-parse', '--short', 'HEAD')}{changed}, {datetime.date.today().isoformat()}"


def collect():
    tools = [first_line("g++", "--version"), first_line(nginx_path(), "-v"), first_line("openssl", "version"),
             "libcurl " + first_line("curl-config", "--version").removeprefix("libcurl "),
             first_line("wrk", "--version").split(" [")[0], first_line("h2load", "--version"), first_line("go", "version"), first_line("rustc", "--version"),
             "node " + first_line("node", "--version"), "ws " + locked_ws(), "Boost " + boost(),
             *(locked_crate(name) for name in ("hyper", "hyper-util", "h2", "reqwest", "tokio"))]
    return {"when": when(), "machine": machine(),
            "versions": [tool for tool in tools if tool.split(" ")[-1] != "libcurl" and tool]}
