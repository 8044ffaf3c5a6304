#!/usr/bin/env python3
"""`trunkline metrics check` beside two other readers of the same formats: metrics_cli_test.py PATH_TO_TRUNKLINE [test...]

promtool (Debian's prometheus) says what is valid text, python3-prometheus-client what both formats mean. Where we differ
from them, we do so on purpose, and DIFFERENCES says why.
"""
import gzip
import http.server
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

TRUNKLINE = ""

VALID_TEXT = [
    "",
    "\n",
    "a 1\n",
    "a{} 1\n",
    'a{x="1"}2\n',
    ' \ta { x = "1" , y="2", }\t5\t7\n',
    "# HELP a Some help.\n# TYPE a gauge\na 1\n",
    "# TYPE a Gauge\na 1\n",
    "# a comment\n#\n#x\n# HELP\n# TYPE a\na 1\n",
    "a +Inf\nb -Inf\nc NaN\nd nan\ne infinity\nf 1e-400\ng .5\nh 5.\ni +1E3\nj -0\n",
    'a{p="C:\\\\x\\n\\"y\\"",q="\u00e4\u4e2d"} 1 -3982045\n',
    "# HELP a one\\ntwo\\\\three\na 1\n",
    '# TYPE h histogram\nh_bucket{le="0.5"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n',
    '# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 3\ns_count 2\n',
    "# TYPE a_total counter\na_total 1027 1395066363000\n",
    "# TYPE b untyped\nb 1\n",
    "h_count 1\n# TYPE h histogram\nh_sum 1\n",
    "a:b:c 1\n_x 2\n:y 3\n",
]

INVALID_TEXT = [
    "a\n",
    "a \n",
    "a 1",
    "a x\n",
    "1a 1\n",
    "a 1 2 3\n",
    "a 1 2.5\n",
    "a 1 x\n",
    "a 1e400\n",
    "a 1_000\n",
    "a 0x10\n",
    "a 1\r\n",
    "a{\n",
    "a{x} 1\n",
    "a{x=1} 1\n",
    'a{x="1} 1\n',
    'a{x="1" y="2"} 1\n',
    'a{x="1",,} 1\n',
    "a{,} 1\n",
    'a{0="1"} 1\n',
    'a{x="1",x="2"} 1\n',
    'a{__name__="b"} 1\n',
    'a{x="\\q"} 1\n',
    'a{x="\udcff"} 1\n',
    '{x="1"} 1\n',
    'a 1 # {x="1"} 1\n',
    "# TYPE a meter\na 1\n",
    "# TYPE a counter \na 1\n",
    "# TYPE a gauge\n# TYPE a gauge\na 1\n",
    "a 1\n# TYPE a gauge\n",
    "# HELP a x\n# HELP a y\na 1\n",
    "# HELP a \\q\na 1\n",
    "# HELP 1 x\n",
    '# TYPE h histogram\nh_bucket{le="x"} 1\n',
    '# TYPE s summary\ns{quantile="x"} 1\n',
]

# Body, is it valid for us, and why not as promtool says.
DIFFERENCES = [
    ("a 0x1p-2\n", True, "the format is defined by Go's ParseFloat, which reads it; promtool keeps to an older Go's"),
    ('{"a.b"} 1\n', True, "names in quotes came with Prometheus 3"),
    ('# HELP a "\\""\na 1\n', True, "the escape is OpenMetrics', and newer versions of Go's parser take it"),
    ("a 1 \n", True, "blanks at the end: Prometheus reads them, exporters write them"),
    ("a 1\na 2\n", False, "the format says that each line has labels of its own; Prometheus drops the second"),
    ("# TYPE h histogram\nh_bucket 1\n", False, "a bucket without a bound counts for nothing"),
    ("a+1\n", False, "a blank ends the name"),
    ("# HELP a \udcff\na 1\n", False, "the format is UTF-8, help too; Prometheus refuses it"),
]

VALID_OPENMETRICS = [
    "# EOF\n",
    "a 1\n# EOF\n",
    "# TYPE a counter\n# HELP a help\na_total 1\na_created 1.5\n# EOF\n",
    "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds h\na_seconds 1 123.456\n# EOF\n",
    '# TYPE a histogram\na_bucket{le="1.0"} 0\na_bucket{le="+Inf"} 3\na_count 3\na_sum 2\n# EOF\n',
    '# TYPE a gaugehistogram\na_bucket{le="1.0"} 0\na_bucket{le="+Inf"} 3\na_gcount 3\na_gsum 2\n# EOF\n',
    '# TYPE a summary\na{quantile="0.5"} 1\na_count 3\na_sum 2\n# EOF\n',
    '# TYPE a info\na_info{v="1"} 1\n# EOF\n',
    '# TYPE a stateset\na{a="x"} 0\na{a="y"} 1\n# EOF\n',
    '# TYPE a unknown\na{x="\\n\\\\\\"\u00e4"} NaN\n# EOF\n',
    '# TYPE a counter\na_total 1 123 # {t="x"} 0.5 123.5\n# EOF\n',
    '# TYPE a histogram\na_bucket{le="+Inf"} 3 # {} 0.5\na_count 3\na_sum 2\n# EOF\n',
]

INVALID_OPENMETRICS = [
    "",
    "a 1\n",
    "a 1\n# EOF\na 2\n",
    "\n# EOF\n",
    "a  1\n# EOF\n",
    "a 1 \n# EOF\n",
    "a\n# EOF\n",
    "a x\n# EOF\n",
    "a 1 NaN\n# EOF\n",
    "a{x=\"1\"\n# EOF\n",
    "a{x=\"1\",x=\"2\"} 1\n# EOF\n",
    "# TYPE a counter\na 1\n# EOF\n",
    "# TYPE a counter\na_total -1\n# EOF\n",
    "# TYPE a counter\na_total NaN\n# EOF\n",
    "# TYPE a meter\n# EOF\n",
    "# TYPE a gauge\n# TYPE a gauge\n# EOF\n",
    "# TYPE a gauge\na 1\n# HELP a h\n# EOF\n",
    "# UNIT a seconds\n# EOF\n",
    "# a comment\n# EOF\n",
    '# TYPE a histogram\na_bucket{le="1.0"} 1\n# EOF\n',
    '# TYPE a histogram\na_bucket 1\n# EOF\n',
    '# TYPE a info\na_info 2\n# EOF\n',
    '# TYPE a stateset\na{a="x"} 2\n# EOF\n',
    '# TYPE a gauge\na 1 # {t="x"} 1\n# EOF\n',
    '# TYPE a counter\na_total 1 # {t="' + 200 * "x" + '"} 1\n# EOF\n',
    '# TYPE a summary\na{quantile="2"} 1\n# EOF\n',
]


def as_bytes(body):
    return body.encode("utf-8", "surrogateescape")


def check(*arguments, body=None):
    return subprocess.run([TRUNKLINE, "metrics", "check", *arguments], capture_output=True, timeout=60,
                          input=None if body is None else as_bytes(body))


def promtool_reads(body):
    """3 is its word for a body that it reads and would have written otherwise."""
    return subprocess.run(["promtool", "check", "metrics"], input=as_bytes(body), capture_output=True,
                          timeout=60).returncode in (0, 3)


def our_samples(body, form):
    answer = check("--json", "--format", form, body=body)
    return [json.loads(line) for line in answer.stdout.decode().splitlines()]


def number(value):
    return {"NaN": math.nan, "+Inf": math.inf, "-Inf": -math.inf}.get(value, value)


def comparable(name, labels, value, timestamp):
    value = float(number(value))
    return (name, sorted(labels.items()), "NaN" if math.isnan(value) else value,
            None if timestamp is None else round(float(timestamp), 6))


class MetricsCheckTest(unittest.TestCase):
    def assert_verdict(self, body, form, valid):
        answer = check("--format", form, body=body)
        self.assertEqual(answer.returncode, 0 if valid else 1, (body, answer))
        self.assertEqual(b"stdin:" in answer.stderr, not valid, (body, answer))

    def test_says_of_text_what_promtool_says(self):
        for body in VALID_TEXT:
            self.assertTrue(promtool_reads(body), body)
            self.assert_verdict(body, "text", True)
        for body in INVALID_TEXT:
            self.assertFalse(promtool_reads(body), body)
            self.assert_verdict(body, "text", False)

    def test_differs_from_promtool_where_it_says_so(self):
        for body, valid, why in DIFFERENCES:
            self.assertNotEqual(promtool_reads(body), valid, (body, why))
            self.assert_verdict(body, "text", valid)

    def test_says_of_openmetrics_what_prometheus_client_says(self):
        for body in VALID_OPENMETRICS:
            list(read_openmetrics(body))
            self.assert_verdict(body, "openmetrics", True)
        for body in INVALID_OPENMETRICS:
            with self.assertRaises((ValueError, TypeError, IndexError, AttributeError), msg=body):
                list(read_openmetrics(body))
            self.assert_verdict(body, "openmetrics", False)

    def test_reads_the_samples_that_prometheus_client_reads(self):
        # That one knows types in small letters only, and no comment that begins as metadata does.
        for form, read, bodies in (("text", read_text, VALID_TEXT), ("openmetrics", read_openmetrics, VALID_OPENMETRICS)):
            for body in bodies:
                readable = body.replace("Gauge", "gauge").replace("# HELP\n# TYPE a\n", "")
                theirs = [comparable(sample.name, sample.labels, sample.value, sample.timestamp)
                          for family in read(readable) for sample in family.samples]
                ours = [comparable(s["name"], s["labels"], s["value"], s["timestamp"]) for s in our_samples(body, form)]
                self.assertEqual(sorted(ours, key=repr), sorted(theirs, key=repr), body)

    def test_names_the_type_of_the_family(self):
        types = [s["type"] for s in our_samples("# TYPE h histogram\nh_sum 1\nx 1\n", "text")]
        self.assertEqual(types, ["histogram", "untyped"])
        types = [s["type"] for s in our_samples("# TYPE i info\ni_info 1\nx 1\n# EOF\n", "openmetrics")]
        self.assertEqual(types, ["info", "unknown"])

    def test_writes_numbers_that_json_lacks_as_strings(self):
        values = [s["value"] for s in our_samples("a NaN\nb +Inf\nc -Inf\nd 1e300\n", "text")]
        self.assertEqual(values, ["NaN", "+Inf", "-Inf", 1e300])

    def test_a_reader_that_leaves_is_no_failure(self):
        process = subprocess.Popen([TRUNKLINE, "metrics", "check", "--json", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()  # as `head` does
        process.stdin.write(as_bytes("".join(f"a{i} 1\n" for i in range(10_000))))
        process.stdin.close()
        said = process.stderr.read()
        process.stderr.close()
        self.assertEqual((process.wait(60), said), (0, b""))

    def test_a_limit_is_the_only_problem_of_what_it_cuts_off(self):
        body = '# TYPE h histogram\nh_bucket{le="1"} 1\nx{y="' + "z" * 2_000_000 + '"} 1\n# EOF\n'
        answer = check("--format", "openmetrics", body=body)
        self.assertEqual((answer.returncode, len(answer.stderr.splitlines())), (1, 1), answer.stderr[:2000])

    def test_names_every_problem_with_line_and_column(self):
        answer = check(body='a 1\nb{x="1} 2\nc 3\nd x\n')
        self.assertEqual(answer.returncode, 1)
        self.assertEqual([line.split(b": ")[0] for line in answer.stderr.splitlines()], [b"stdin:2:5", b"stdin:4:3"])
        self.assertIn(b"2 families, 4 samples, 2 problems", answer.stdout)

    def test_guesses_the_format_of_a_file_by_its_end(self):
        with tempfile.TemporaryDirectory(prefix="trunkline-metrics-") as directory:
            file = pathlib.Path(directory) / "metrics"
            file.write_text("a 1\n# EOF\n")
            self.assertIn(b"OpenMetrics", check(str(file)).stdout)
            file.write_text("a 1\n")
            self.assertIn(b"Prometheus text", check(str(file)).stdout)
            self.assertEqual(check("--format", "openmetrics", str(file)).returncode, 1)
            missing = check(str(file) + ".no")
            self.assertEqual(missing.returncode, 2)
            self.assertIn(b"cannot open", missing.stderr)

    def test_fetches_a_url_and_believes_its_content_type(self):
        body = b"# TYPE a counter\na_total 1\n"

        class Exporter(http.server.BaseHTTPRequestHandler):
            asked = []

            def do_GET(self):
                self.asked.append(dict(self.headers))
                coded = gzip.compress(body)
                self.send_response(404 if self.path == "/no" else 200)
                self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(coded)))
                self.end_headers()
                self.wfile.write(coded)

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Exporter) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            origin = f"http://127.0.0.1:{server.server_port}"
            answer = check(origin + "/metrics")
            self.assertEqual(answer.returncode, 1)
            self.assertIn(b"without # EOF", answer.stderr)
            self.assertIn("application/openmetrics-text", Exporter.asked[0]["Accept"])
            self.assertEqual(check(origin + "/no").returncode, 15)
            server.shutdown()
        self.assertEqual(check(origin + "/metrics").returncode, 12)

    def test_teaches_those_who_misuse_it(self):
        group = subprocess.run([TRUNKLINE, "metrics"], capture_output=True, text=True, timeout=60)
        self.assertEqual(group.returncode, 2)
        self.assertIn("metrics check http", group.stderr)
        wrong = check("--format", "xml")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn(b"trunkline metrics check", wrong.stderr)
        help_text = check("--help").stdout
        for word in (b"Exit codes", b"--json", b"Examples"):
            self.assertIn(word, help_text)


class LikeGoogleTest(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.bad_before = len(self.failures) + len(self.errors)
        print(f"[ RUN      ] MetricsCheck.{test._testMethodName[5:]}", flush=True)

    def stopTest(self, test):
        super().stopTest(test)
        bad = len(self.failures) + len(self.errors) > self.bad_before
        print(f"[{'  FAILED  ' if bad else '       OK '}] MetricsCheck.{test._testMethodName[5:]}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    TRUNKLINE = sys.argv.pop(1)
    names = [f"test_{name.removeprefix('test_')}" for name in sys.argv[1:]]
    loader = unittest.TestLoader()
    suite = (unittest.TestSuite(map(MetricsCheckTest, names)) if names
             else loader.loadTestsFromTestCase(MetricsCheckTest))
    outcome = unittest.TextTestRunner(resultclass=LikeGoogleTest, verbosity=0).run(suite)
    sys.exit(not outcome.wasSuccessful())
