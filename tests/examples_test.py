#!/usr/bin/env python3
"""The examples of docs/proxies.md and docs/websocket.md: examples_test.py PROXIES_PROGRAM WEBSOCKET_PROGRAM

They do what the text says, and the text shows them as they are. Prints lines as GoogleTest does, so that script/test
counts each of these as one test.
"""
import os
import pathlib
import re
import subprocess
import sys
import unittest

from cli_test import Faultd, LikeGoogleTest, Server, TESTS

PROXIES = WEBSOCKET = ""
ROOT = TESTS.parent


def squeezed(text):
    return re.sub(r"\s+", " ", re.sub(r"(^|\s)//[^\n]*", "", text)).strip()


class ExamplesTest(unittest.TestCase):
    def run_example(self, *words, env=None):
        done = subprocess.run(words, capture_output=True, timeout=60, env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode().splitlines()

    def test_every_block_of_the_docs_stands_in_its_example(self):
        for page, example in (("proxies.md", "proxies.cc"), ("websocket.md", "websocket.cc")):
            code = squeezed((ROOT / "examples" / example).read_text())
            blocks = re.findall(r"```cpp\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
            self.assertGreaterEqual(len(blocks), 3, page)
            for block in blocks:
                self.assertIn(squeezed(block), code, f"docs/{page} shows what examples/{example} does not do")

    def test_proxies(self):
        faultd = Faultd()
        self.addCleanup(faultd.close)
        proxy, url = Server(faultd, "proxy"), "http://origin.example/x"
        lines = self.run_example(PROXIES, f"http://user:password@127.0.0.1:{proxy.port}", url,
                                 env={"http_proxy": proxy.origin})
        for way in ("one proxy", "a credential's proxy", "apart", "from the environment"):
            self.assertIn(f"{way}: {url}", lines)
        self.assertTrue(lines[-1].startswith("when it cannot be used: "), lines)
        log = proxy.log()
        self.assertEqual([each["target"] for each in log["requests"]], [url] * 4)
        # Equal options share a connection; the other no_proxy, the tenant and the missing login do not.
        self.assertEqual(log["accepts"], 4)

    def test_websocket(self):
        server = subprocess.Popen(["/usr/bin/python3", TESTS / "support" / "websocket_server.py"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            port = server.stdout.readline().decode().strip()
            lines = self.run_example(WEBSOCKET, f"ws://127.0.0.1:{port}/echo")
            self.assertEqual(lines, ["hello", "speaks chat", "by callbacks"])
        finally:
            server.stdin.close()
            server.wait()
            server.stdout.close()


if __name__ == "__main__":
    PROXIES, WEBSOCKET = (str(pathlib.Path(word).resolve()) for word in sys.argv[1:3])
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(ExamplesTest)
    sys.exit(not unittest.TextTestRunner(resultclass=LikeGoogleTest, verbosity=0).run(tests).wasSuccessful())
