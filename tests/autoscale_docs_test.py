#!/usr/bin/env python3
"""docs/autoscale.md does what it says: autoscale_docs_test.py PATH_TO_TRUNKLINE

The tutorial is run from top to bottom in a folder of its own: blocks with a file's name are written, and each command must
print what stands below it. `...` stands for anything, on a line of its own for any lines. In a block marked `live` time
goes by: there a command is asked again until it says what is written, and columns may be of another width. The table of
failures names tests, and each of them must be there.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

from cli_test import LikeGoogleTest, TESTS
from run_test import WAIT, free_ports

TRUNKLINE = ""
ROOT = TESTS.parent
PAGE = (ROOT / "docs" / "autoscale.md").read_text()


def pattern_of(shown, live):
    """What a command prints, as it is shown in the text, as an expression that matches it."""
    lines = []
    for line in shown:
        if line == "...":
            lines.append(r"(?:.*\n)*?")
            continue
        words = [re.escape(part) for part in line.split("...")]
        if live:
            words = [re.sub(r"(?:\\ )+", " +", word) for word in words]
        lines.append(".*".join(words) + r"\n")
    return re.compile("".join(lines))


def commands_of(block):
    """[(command, the lines below it)]"""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


class AutoscaleDocsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="trunkline-autoscale-docs-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "trunkline").symlink_to(TRUNKLINE)
        self.environment = {**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        # Ports that are free here instead of those of the text: one for the admin listener, the others for pods.
        first, last = (int(port) for port in free_ports(61).split("-"))
        self.admin = f"127.0.0.1:{last}"
        self.moved = {"20000-20059": f"{first}-{last - 1}", ":20000": f":{first}"}

    def here(self, text):
        for there, here in self.moved.items():
            text = text.replace(there, here)
        return text

    def run_in_background(self, command):
        child = subprocess.Popen(["/bin/sh", "-c", "exec " + command], cwd=self.folder, env=self.environment,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def end():
            child.terminate()
            self.assertEqual(child.wait(timeout=WAIT), 0, f"{command} does not end in order")
        self.addCleanup(end)

    def says(self, command, shown, live):
        expected, until = pattern_of(shown, live), time.monotonic() + (WAIT if live else 0)
        if re.match(r"trunkline (explain|status)", command):
            command += f" --url http://{self.admin}"
        while True:
            done = subprocess.run(command, shell=True, cwd=self.folder, env=self.environment, capture_output=True,
                                  text=True, timeout=WAIT)
            if expected.fullmatch(done.stdout):
                return
            if time.monotonic() >= until:
                self.fail(f"$ {command}\n{done.stdout}{done.stderr}\nis not what the page shows:\n" + "\n".join(shown))
            time.sleep(0.1)

    def test_the_tutorial_does_what_it_says(self):
        ran = 0
        for info, block in re.findall(r"^```([^\n]*)\n(.*?)^```$", PAGE, re.M | re.S):
            kind, _, name = info.partition(" ")
            if kind == "yaml" and name:
                admin = f'admin: {{listen: "{self.admin}"}}\n' if name == "trunkline.yaml" else ""
                (self.folder / name).write_text(admin + self.here(block))
            if kind != "console":
                continue
            for command, shown in commands_of(block):
                ran += 1
                if command.endswith(" &"):
                    self.run_in_background(command[:-2])
                else:
                    self.says(self.here(command), shown, name == "live")
        self.assertGreaterEqual(ran, 10, "the page has lost its tutorial")

    def test_every_failure_names_tests_that_are_there(self):
        rows = re.findall(r"^\| (F\d+) \| [^|]+ \| (.+) \|$", PAGE, re.M)
        self.assertEqual([number for number, _ in rows], [f"F{i}" for i in range(1, 27)])
        defined = set()
        for path in [*ROOT.glob("services/*/*_test.cc"), *ROOT.glob("src/*/*_test.cc"), *ROOT.glob("tests/*_test.cc")]:
            defined |= {".".join(each) for each in
                        re.findall(r"^TEST(?:_[FP])?\((\w+),\s*(\w+)\)", path.read_text(), re.M)}
        suites = {name.split(".")[0] for name in defined}
        for number, text in rows:
            named = re.findall(r"`([A-Z]\w+)\.(\w+|\*)`", text)
            self.assertTrue(named, f"{number} names no test")
            for suite, test in named:
                self.assertIn(suite if test == "*" else f"{suite}.{test}", suites if test == "*" else defined, number)


if __name__ == "__main__":
    TRUNKLINE = str(pathlib.Path(sys.argv[1]).resolve())
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(AutoscaleDocsTest)
    sys.exit(not unittest.TextTestRunner(resultclass=LikeGoogleTest, verbosity=0).run(tests).wasSuccessful())
