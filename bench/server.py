# The server of nearly every run: one nginx worker that answers 1 KB from memory, in clear and over TLS, and counts what
# it accepts; and a hop, which takes a POST and answers 300 bytes a millisecond later. (nghttpd.py and echo.py have the others.)
# Ports are fixed, because each run has a network namespace of its own.
import ctypes
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
TLS = WORK / "tls"

PLAIN, TLS_PORT, MUTUAL_TLS, STATUS = 8080, 8443, 8444, 8090
H2C, H2_TLS, HOP, HOP_H2C, NGHTTPD, ECHO, FLEET, OWN_HOP = 8081, 8445, 8082, 8083, 8084, 8086, 8087, 8088
URL = {"plain": f"http://127.0.0.1:{PLAIN}/", "tls": f"https://127.0.0.1:{TLS_PORT}/",
       "mutual": f"https://127.0.0.1:{MUTUAL_TLS}/", "h2c": f"http://127.0.0.1:{H2C}/",
       "h2-tls": f"https://127.0.0.1:{H2_TLS}/", "hop": f"http://127.0.0.1:{HOP}/",
       "hop-h2c": f"http://127.0.0.1:{HOP_H2C}/", "own-hop": f"http://127.0.0.1:{OWN_HOP}/",
       "nghttpd": f"http://127.0.0.1:{NGHTTPD}/",
       "echo": f"ws://127.0.0.1:{ECHO}/", "fleet": f"http://127.0.0.1:{FLEET}/metrics"}
CA = {"CA": str(TLS / "ca.pem")}
IDENTITY = CA | {"CERT": str(TLS / "client.pem"), "KEY": str(TLS / "client.key")}
BODY = "".join(f"{i:07d} " for i in range(128))  # 1,024 bytes
STREAMS = 250  # of one HTTP/2 connection, here and at nghttpd
BIG_BYTES = 2**30

CONFIGURATION = """
{echo_module}{user}worker_processes 1; daemon off; pid {directory}/pid; error_log {directory}/error.log crit;
events {{ worker_connections 19500; }}
http {{
  access_log off; default_type text/plain; tcp_nodelay on;
  keepalive_timeout 900s; keepalive_requests 1000000000;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  map $connection_requests $first {{ 1 1; default 0; }}
  log_format handshake '$ssl_session_reused';
  ssl_certificate {tls}/server.pem; ssl_certificate_key {tls}/server.key; ssl_client_certificate {tls}/ca.pem;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:sessions:10m;
  server {{ listen 127.0.0.1:{plain} backlog=65535; location / {{ return 200 "{body}"; }} }}
  server {{ listen 127.0.0.1:{tls_port} ssl backlog=65535; access_log {directory}/handshakes handshake if=$first;
            location / {{ return 200 "{body}"; }} }}
  server {{ listen 127.0.0.1:{mutual} ssl backlog=65535; access_log {directory}/handshakes handshake if=$first;
            ssl_verify_client on; location / {{ return 200 "{body}"; }} }}
  http2_max_concurrent_streams {streams};
  server {{ listen 127.0.0.1:{h2c} http2 backlog=65535; root {directory};
            location / {{ return 200 "{small}"; }} location = /big {{ }} }}
  server {{ listen 127.0.0.1:{h2_tls} ssl http2 backlog=65535; location / {{ return 200 "{small}"; }} }}
  {hop}
  server {{ listen 127.0.0.1:{status}; location / {{ stub_status; }} }}
}}
"""
# A timer of nginx, so that a thousand requests wait at once without a thread. The body has been read before it starts.
HOP_CONFIGURATION = """server {{ listen 127.0.0.1:{hop} backlog=65535; listen 127.0.0.1:{hop_h2c} http2 backlog=65535;
            location / {{ echo_read_request_body; echo_sleep 0.001; echo -n "{small}"; }} }}"""


def make_certificates():
    if (TLS / "client.pem").exists():
        return
    TLS.mkdir(parents=True, exist_ok=True)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=TLS, check=True, stderr=subprocess.DEVNULL)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-days", "3650", "-subj", "/CN=bench-ca", "-keyout", "ca.key", "-out", "ca.pem")
    for name, extension in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        (TLS / f"{name}.ext").write_text(extension)
        openssl("req", *curve, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "3650", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def namespace_command():
    """What to put before a command so that it has a network of its own; empty when that is not permitted."""
    permitted = shutil.which("unshare") and subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL)
    return ["unshare", "-n"] if permitted and permitted.returncode == 0 else []


def bring_up_loopback():
    subprocess.run(["ip", "link", "set", "lo", "up"], stderr=subprocess.DEVNULL)


def die_with_parent():
    """For preexec_fn: whatever ends a run, nothing of it stays behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def raise_descriptor_limit():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def echo_module():
    """nginx's module that can wait (Debian's libnginx-mod-http-echo), or None."""
    told = subprocess.run([nginx_path(), "-V"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    folder = re.search(r"--modules-path=(\S+)", told)
    module = pathlib.Path(folder[1] if folder else "/usr/lib/nginx/modules") / "ngx_http_echo_module.so"
    return module if module.exists() else None


def end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Server:
    """nginx, pinned to one CPU, as a context manager."""

    def __init__(self, cpu=None):
        self.pin = ["taskset", "-c", str(cpu)] if cpu is not None and os.cpu_count() > 1 else []
        self.questions = 0

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
        with open(self.directory / "big", "w") as big:
            big.truncate(BIG_BYTES)  # no blocks: it takes no room
        module, small = echo_module(), BODY[:300]
        configuration = CONFIGURATION.format(
            user="user root; " if os.getuid() == 0 else "", directory=self.directory, tls=TLS, body=BODY, plain=PLAIN,
            tls_port=TLS_PORT, mutual=MUTUAL_TLS, status=STATUS, h2c=H2C, h2_tls=H2_TLS, streams=STREAMS, small=small,
            echo_module=f"load_module {module};\n" if module else "",
            hop=HOP_CONFIGURATION.format(hop=HOP, hop_h2c=HOP_H2C, small=small) if module else "")
        (self.directory / "nginx.conf").write_text(configuration)
        command = [nginx_path(), "-p", str(self.directory), "-c", str(self.directory / "nginx.conf")]
        self.process = subprocess.Popen(self.pin + command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        for _ in range(250):
            if self.process.poll() is not None:
                raise SystemExit(f"nginx ended with {self.process.returncode}")
            try:
                self.accepted()
                break
            except OSError:
                time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self):
        end(self.process)

    def accepted(self):
        """Connections accepted so far, these questions excluded."""
        with socket.create_connection(("127.0.0.1", STATUS), 5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        self.questions += 1
        return int(answer.split(b"requests\n")[1].split()[0]) - self.questions

    def cpu_seconds(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])
                   for pid in [self.process.pid, *children]) / 1e9

    def handshakes(self):
        """TLS connections that carried a request, and how many of them were resumed. Known after the server has ended."""
        log = self.directory / "handshakes"
        lines = log.read_text().split() if log.exists() else []
        return len(lines), lines.count("r")


def nginx_path():
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin") or "nginx"
