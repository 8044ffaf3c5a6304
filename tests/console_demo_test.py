#!/usr/bin/env python3
"""The console over `trunkline demo`, live, in a browser: console_demo_test.py TRUNKLINE PACKAGES_FOLDER SCREENSHOTS_FOLDER"""
import json
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.request

import demo_test

PATIENCE = 60  # seconds, for what takes five on a quiet machine


def ask(url, path):
    with urllib.request.urlopen(url + path, timeout=PATIENCE) as response:
        return json.loads(response.read())


def has_something_to_show(url):
    """Requests have been carried, backends are ready, and the fleet has moved once."""
    fleets = ask(url, "api/v1/fleets")
    return ask(url, "api/v1/transport")["pool"]["reused"] > 0 and fleets and fleets[0]["ready"] > 1 and fleets[0]["ups"] > 0


def main():
    trunkline, packages, screenshots = sys.argv[1:]
    command = [trunkline, "demo", "--listen", "127.0.0.1:0", "--first-port", str(demo_test.free_ports())]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = re.fullmatch(r"console: (http://\S+/)\n", demo.stderr.readline())[1]
        until = time.monotonic() + PATIENCE
        while not has_something_to_show(url):
            if time.monotonic() > until:
                sys.exit(f"console_demo_test: FAILED: in {PATIENCE} s the demo has done nothing that could be looked at")
            time.sleep(0.2)  # it is asked again, and not waited for blindly
        browser = pathlib.Path(__file__).parent / "console_browser_test"
        done = subprocess.run([browser, url, packages, screenshots], check=False)
        demo.send_signal(signal.SIGTERM)
        code = demo.wait(PATIENCE)
    finally:
        if demo.poll() is None:
            demo.kill()
    if code != 0:
        print(f"console_demo_test: FAILED: the demo ended with {code}: {demo.stderr.read()}")
    sys.exit(done.returncode or code)


if __name__ == "__main__":
    main()
