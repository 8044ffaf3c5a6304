"""The HTTP/2 half of faultd: frames by hand, so that they can be wrong.

Scenario `h2` of a listener. A connection that does not begin with HTTP/2's preface gets HTTP/1.1, unless `http1=0`.
The setting `open=NAME` says how the first `first=N` connections begin (OPENINGS below); later ones are honest. What a
request gets is said by its path: /attack/NAME?key=value (BYTES and SLOW below); with times=N only the first N times.
Any other path is answered with its own target.

The log has, for each connection, what the client said: the code of its GOAWAY, its RST_STREAMs, PINGs, the answers to
our SETTINGS and PINGs, the number of bytes; and its requests as for HTTP/1.1.
"""
import select
import struct
import sys
import threading
import urllib.parse

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, whichever python3 runs us
import hpack  # noqa: E402

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 1, 1, 4, 8, 32
TABLE_SIZE, ENABLE_PUSH, STREAMS, INITIAL_WINDOW, FRAME_SIZE, LIST_SIZE = range(1, 7)
FORBIDDEN = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"}
CHUNK = 1 << 16


# --- bytes


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def number(value, bits, first=0):
    """An HPACK integer."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out = [first | most]
    value -= most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def text(value):
    value = value.encode("latin-1") if isinstance(value, str) else value
    return number(len(value), 7) + value


def field(name, value):
    """A literal that is not indexed."""
    return b"\x00" + text(name) + text(value)


def fields(*pairs):
    return b"".join(field(name, value) for name, value in pairs)


OK = field(":status", "200")


def headers(stream, block=OK, end=False, flags=END_HEADERS):
    return frame(HEADERS, flags | (END_STREAM if end else 0), stream, block)


def data(stream, payload=b"", end=False):
    return frame(DATA, END_STREAM if end else 0, stream, payload)


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", key, value) for key, value in pairs))


def rst(stream, code):
    return frame(RST, 0, stream, struct.pack(">I", code))


def goaway(last, code=0, debug=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + debug)


def window(stream, more):
    return frame(WINDOW, 0, stream, struct.pack(">I", more))


def block_in_frames(stream, block, end=True):
    """HEADERS and as many CONTINUATIONs as are needed."""
    pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)] or [b""]
    out = b""
    for index, piece in enumerate(pieces):
        last = END_HEADERS if index == len(pieces) - 1 else 0
        first = (END_STREAM if end else 0) if index == 0 else 0
        out += frame(HEADERS if index == 0 else CONTINUATION, last | first, stream, piece)
    return out


# --- attacks that are bytes: sent where the response should be


def answer(stream, *extra):
    """A response whose head also has these fields."""
    return headers(stream, OK + fields(*extra)) + data(stream, b"body", True)


def bomb(name, count):
    """One field of 4,000 bytes put into the table, and then referred to with one byte each time."""
    def make(stream, _):
        return block_in_frames(stream, OK + b"\x40" + text(name) + text(b"b" * 3900) + b"\xbe" * count)
    return make


PUSHED = fields((":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/pushed"))

# By name: what is sent, of the request's stream and the arguments.
BYTES = {
    # SETTINGS
    "settings_frame_size_0": lambda s, a: settings((FRAME_SIZE, 0)),
    "settings_frame_size_too_small": lambda s, a: settings((FRAME_SIZE, 16383)),
    "settings_frame_size_too_large": lambda s, a: settings((FRAME_SIZE, 1 << 24)),
    "settings_push_1": lambda s, a: settings((ENABLE_PUSH, 1)),
    "settings_push_2": lambda s, a: settings((ENABLE_PUSH, 2)),
    "settings_window_too_large": lambda s, a: settings((INITIAL_WINDOW, 1 << 31)),
    "settings_length_5": lambda s, a: frame(SETTINGS, 0, 0, b"\0" * 5),
    "settings_on_a_stream": lambda s, a: frame(SETTINGS, 0, s),
    "settings_ack_with_payload": lambda s, a: frame(SETTINGS, ACK, 0, b"\0" * 6),
    "settings_huge": lambda s, a: settings(*[(0xF000 + i % 100, i) for i in range(2700)]),
    # Flow control
    "window_update_0": lambda s, a: window(0, 0),
    "window_update_overflow": lambda s, a: window(0, 0x7FFFFFFF),
    "window_update_0_of_the_stream": lambda s, a: window(s, 0),
    "window_update_overflow_of_the_stream": lambda s, a: window(s, 0x7FFFFFFF),
    "window_update_length_3": lambda s, a: frame(WINDOW, 0, 0, b"\0" * 3),
    "window_update_on_an_idle_stream": lambda s, a: window(s + 100, 1),
    # Frames where they may not be
    "data_on_stream_0": lambda s, a: data(0, b"x"),
    "data_on_an_idle_stream": lambda s, a: data(s + 100, b"x"),
    "data_on_an_even_stream": lambda s, a: data(2, b"x"),
    "headers_on_stream_0": lambda s, a: headers(0),
    "headers_on_an_idle_stream": lambda s, a: headers(s + 100),
    "headers_on_an_even_stream": lambda s, a: headers(2),
    "rst_on_stream_0": lambda s, a: rst(0, 8),
    "rst_on_an_idle_stream": lambda s, a: rst(s + 100, 8),
    "rst_length_3": lambda s, a: frame(RST, 0, s, b"\0" * 3),
    "goaway_on_a_stream": lambda s, a: frame(GOAWAY, 0, s, b"\0" * 8),
    "goaway_length_7": lambda s, a: frame(GOAWAY, 0, 0, b"\0" * 7),
    "ping_on_a_stream": lambda s, a: frame(PING, 0, s, b"\0" * 8),
    "ping_length_7": lambda s, a: frame(PING, 0, 0, b"\0" * 7),
    "priority_length_4": lambda s, a: frame(PRIORITY, 0, s, b"\0" * 4),
    "frame_too_large": lambda s, a: headers(s) + data(s, b"x" * 16385),
    "push_promise": lambda s, a: frame(PUSH, END_HEADERS, s, struct.pack(">I", 2) + PUSHED),
    "padding_of_data_too_long": lambda s, a: headers(s) + frame(DATA, PADDED, s, b"\x06xxxxx"),
    "padding_of_headers_too_long": lambda s, a: frame(HEADERS, END_HEADERS | PADDED, s, b"\xff" + OK),
    "continuation_alone": lambda s, a: frame(CONTINUATION, END_HEADERS, s, OK),
    "continuation_of_another_stream": lambda s, a: headers(s, flags=0) + frame(CONTINUATION, END_HEADERS, s + 2, OK),
    "headers_interrupted_by_a_ping": lambda s, a: headers(s, OK, flags=0) + frame(PING, 0, 0, b"\0" * 8),
    # HPACK
    "hpack_index_0": lambda s, a: headers(s, OK + b"\x80"),
    "hpack_index_beyond_the_table": lambda s, a: headers(s, OK + number(100, 7, 0x80)),
    "hpack_integer_overflow": lambda s, a: headers(s, OK + b"\xff" + b"\xff" * 10 + b"\x01"),
    "hpack_literal_that_ends_early": lambda s, a: headers(s, OK + b"\x00\x0aabc"),
    "hpack_table_size_too_large": lambda s, a: headers(s, number(1 << 20, 5, 0x20) + OK),
    "hpack_table_size_after_a_field": lambda s, a: headers(s, OK + number(0, 5, 0x20)),
    "hpack_huffman_eos": lambda s, a: headers(s, OK + b"\x00\x84\xff\xff\xff\xff\x01x"),
    "hpack_huffman_padding_of_zeros": lambda s, a: headers(s, OK + b"\x00\x81\x18\x01x"),
    "hpack_bomb": bomb("x-bomb", 60000),
    "hpack_bomb_of_cookie_crumbs": bomb("cookie", 60000),
    "headers_too_large": lambda s, a: block_in_frames(s, OK + fields(*[("x-a", "v" * 1000)] * 100)),
    "headers_too_many": lambda s, a: block_in_frames(s, OK + fields(*[("x-a", "v")] * 500)),
    # GOAWAY
    "goaway_with_increasing_last": lambda s, a: goaway(s, 0) + goaway(s + 100, 0),
    "goaway_with_an_unknown_code": lambda s, a: goaway(s, 0xDEADBEEF) + answer(s),
    "goaway_with_huge_debug_data": lambda s, a: goaway(s, 0, b"d" * 16000) + answer(s),
    "goaway_twice": lambda s, a: goaway(0x7FFFFFFF) + goaway(s) + goaway(s) + answer(s),
    "goaway_then_rst": lambda s, a: goaway(s) + rst(s, 2),
    "goaway_below": lambda s, a: goaway(0),
    "goaway_calm": lambda s, a: goaway(0, 11, b"too_many_pings"),
    "goaway_inadequate_security": lambda s, a: goaway(0, 12),
    "error_and_then_more": lambda s, a: window(0, 0) + (frame(PING, 0, 0, b"\0" * 8) + answer(s)) * 500,
    # The response
    "uppercase_name": lambda s, a: answer(s, ("X-Upper", "v")),
    "name_with_a_space": lambda s, a: answer(s, ("x a", "v")),
    "name_with_a_colon": lambda s, a: answer(s, ("x:a", "v")),
    "empty_name": lambda s, a: answer(s, ("", "v")),
    "value_with_cr": lambda s, a: answer(s, ("x-a", "a\rb")),
    "value_with_lf": lambda s, a: answer(s, ("x-a", "a\nb: c")),
    "value_with_nul": lambda s, a: answer(s, ("x-a", "a\0b")),
    "no_status": lambda s, a: headers(s, field("x-a", "b")) + data(s, b"body", True),
    "two_statuses": lambda s, a: headers(s, OK + OK) + data(s, b"body", True),
    "status_of_letters": lambda s, a: headers(s, field(":status", "2x0")) + data(s, b"body", True),
    "status_of_four_digits": lambda s, a: headers(s, field(":status", "2000")) + data(s, b"body", True),
    "status_after_a_field": lambda s, a: headers(s, field("x-a", "b") + OK) + data(s, b"body", True),
    "status_101": lambda s, a: headers(s, field(":status", "101")) + answer(s),
    "pseudo_field_of_a_request": lambda s, a: answer(s, (":path", "/")),
    "pseudo_field_unknown": lambda s, a: answer(s, (":made-up", "v")),
    "pseudo_field_in_trailers": lambda s, a: headers(s) + headers(s, OK, True),
    "connection_field": lambda s, a: answer(s, ("connection", "close")),
    "keep_alive_field": lambda s, a: answer(s, ("keep-alive", "timeout=5")),
    "proxy_connection_field": lambda s, a: answer(s, ("proxy-connection", "close")),
    "transfer_encoding_field": lambda s, a: answer(s, ("transfer-encoding", "chunked")),
    "upgrade_field": lambda s, a: answer(s, ("upgrade", "h2c")),
    "content_length_too_long": lambda s, a: answer(s, ("content-length", "5")),
    "content_length_too_short": lambda s, a: answer(s, ("content-length", "3")),
    "content_length_and_no_body": lambda s, a: headers(s, OK + field("content-length", "3"), True),
    "two_content_lengths": lambda s, a: answer(s, ("content-length", "4"), ("content-length", "5")),
    "content_length_negative": lambda s, a: answer(s, ("content-length", "-4")),
    "content_length_of_letters": lambda s, a: answer(s, ("content-length", "four")),
    "data_before_headers": lambda s, a: data(s, b"body", True),
    "informational_that_ends": lambda s, a: headers(s, field(":status", "103"), True),
    "trailers_without_end": lambda s, a: headers(s) + headers(s, field("x-a", "b")),
    # The end of one stream
    "rst": lambda s, a: rst(s, int(a.get("code", 8))),
    "rst_after_headers": lambda s, a: headers(s) + data(s, b"some") + rst(s, int(a.get("code", 8))),
    "rst_no_error_after_the_response": lambda s, a: answer(s) + rst(s, 0),
    "data_after_the_end": lambda s, a: answer(s) + data(s, b"x" * 16384) * 3,
    "ignored_frames": lambda s, a: frame(0xFE, 0xFF, s, b"?" * 100) + frame(PRIORITY, 0, s, b"\0\0\0\0\x10")
    + frame(0x0A, 0, s, b"\0\0") + settings((0xF000, 1)) + answer(s),
}


# --- attacks that take their time


def flood(unit, before=None):
    """The same frames over and over, n= of them at most, then the answer; reads what the client says meanwhile."""

    def run(session, stream, arguments):
        if before:
            session.send(before(stream))
        once = unit(stream)
        left = int(arguments.get("n", 200000))
        while left > 0:
            count = min(left, max(1, CHUNK // len(once)))
            session.send(once * count)
            session.listen()
            left -= count
        if not before:
            session.send(answer(stream))

    return run


def deaf_flood(session, stream, arguments):
    """PINGs to be answered, and SETTINGS; what the client says is left in the socket until it has given up."""
    batch = (frame(PING, 0, 0, b"\0" * 8) + settings((STREAMS, 100))) * 1000
    for _ in range(int(arguments.get("n", 1000))):
        session.send(batch)


def endless_block(piece):
    """A header block that never ends, n= CONTINUATIONs at most."""
    return flood(lambda stream: frame(CONTINUATION, 0, stream, piece), lambda stream: headers(stream, OK, flags=0))


def beyond_the_window(session, stream, arguments):
    """DATA without regard for any window: size= bytes."""
    session.send(headers(stream))
    for _ in range(int(arguments.get("size", 32 << 20)) // 16384):
        session.send(data(stream, b"x" * 16384))
        session.listen()
    session.send(data(stream, b"", True))


def full(session, stream, arguments):
    """size= bytes within the windows; pad= bytes of padding and piece= of payload in each frame."""
    left, pad, piece = int(arguments["size"]), int(arguments.get("pad", 0)), int(arguments.get("piece", 16000))
    session.send(headers(stream, OK + field("content-length", str(left))))
    while left > 0:
        size = min(left, piece)
        cost = size + (pad + 1 if pad else 0)
        while min(session.window, session.windows.get(stream, 0)) < cost:
            session.read_frame()
            if stream not in session.windows:
                return
        session.window -= cost
        session.windows[stream] -= cost
        left -= size
        payload = (bytes([pad]) if pad else b"") + b"x" * size + b"\0" * pad
        session.send(frame(DATA, (PADDED if pad else 0) | (END_STREAM if left == 0 else 0), stream, payload))
        session.listen()


def crumbs(session, stream, arguments):
    """size= bytes, one in each DATA frame, with an empty one after each: slow work, but nothing wrong with it."""
    session.send(headers(stream))
    for _ in range(int(arguments.get("size", 1000))):
        session.send(data(stream, b"x"))
    session.send(data(stream, b"", True))


def late_data(session, stream, arguments):
    """Bytes for a stream that the client has reset: head and a piece, then, after its RST_STREAM, size= more."""
    session.send(headers(stream) + data(stream, b"x" * 1000))
    while stream in session.windows:
        session.read_frame()
    for _ in range(int(arguments.get("size", 65536)) // 8192):
        while session.window < 8192:
            session.read_frame()
        session.window -= 8192
        session.send(data(stream, b"y" * 8192))


def during_upload(session, stream, arguments):
    """RST_STREAM with code= when `after` bytes of the request's body are there; status=: behind a whole response."""
    while session.bodies[stream]["body_bytes"] < int(arguments.get("after", 1)):
        session.read_frame()
    session.windows.pop(stream, None)
    if "status" in arguments:
        session.send(headers(stream, field(":status", arguments["status"]), True))
    session.send(rst(stream, int(arguments["code"])))


def window_goes_negative(session, stream, arguments):
    """Takes back a window that the client has used, gives it back bit by bit, and wants the whole upload."""
    while session.bodies[stream]["body_bytes"] < 10000:
        session.read_frame()
    session.send(settings((INITIAL_WINDOW, 0)))
    session.send(settings((INITIAL_WINDOW, 1)) + settings((INITIAL_WINDOW, 30000)))
    while not session.bodies[stream]["complete"]:
        session.read_frame()
    session.send(headers(stream) + data(stream, str(session.bodies[stream]["body_bytes"]).encode(), True))


def limit_flaps(session, stream, arguments):
    """MAX_CONCURRENT_STREAMS 100, 1, 0, 5, each once; then the answer."""
    session.send(b"".join(settings((STREAMS, limit)) for limit in (100, 1, 0, 5)) + answer(stream))


class Held:
    """A request that waits for the test's word; it stands in the listener's list beside connections that do."""

    def __init__(self, session, stream):
        self.session, self.stream = session, stream

    def order(self, name):
        if name == "go":
            self.session.send(answer(self.stream))


def hold(session, stream, arguments):
    """Answers when released; other requests go on meanwhile."""
    listener = session.connection.listener
    with listener.changed:
        if not listener.gate_open:
            listener.held.append(Held(session, stream))
            listener.changed.notify_all()
            return
    session.send(answer(stream))


def last_words(session, stream, arguments):
    """When the test says so: a frame that nobody answers, and FIN, in one breath for a client that is busy."""
    session.connection.hold()
    session.send(window(0, 1))
    session.connection.finish()


def silence(session, stream, arguments):
    """No answer, ever; PINGs are answered."""


def close(session, stream, arguments):
    """FIN instead of an answer; rst=1: RST. No GOAWAY."""
    if arguments.get("rst"):
        session.connection.reset()
    session.connection.finish()


SLOW = {
    "ping_flood": flood(lambda s: frame(PING, 0, 0, b"\0" * 8)),
    "ping_ack_flood": flood(lambda s: frame(PING, ACK, 0, b"\0" * 8)),
    "settings_flood": flood(lambda s: settings()),
    "settings_ack_flood": flood(lambda s: frame(SETTINGS, ACK)),
    "settings_of_the_table_flap": flood(lambda s: settings((TABLE_SIZE, 0)) + settings((TABLE_SIZE, 4096))),
    "settings_of_the_window_flap": flood(
        lambda s: settings((INITIAL_WINDOW, 1)) + settings((INITIAL_WINDOW, 1 << 20))),
    "rst_flood": flood(lambda s: rst(s, 8), lambda s: answer(s)),
    "priority_flood": flood(lambda s: frame(PRIORITY, 0, s, b"\0\0\0\0\x10")),
    "priority_update_flood": flood(lambda s: frame(0x10, 0, 0, b"\0\0\0\x01u=1")),
    "empty_data_flood": flood(lambda s: data(s), lambda s: headers(s)),
    "padded_data_flood": flood(lambda s: frame(DATA, PADDED, s, b"\0"), lambda s: headers(s)),
    "window_update_flood": flood(lambda s: window(s, 1)),
    "connection_window_update_flood": flood(lambda s: window(0, 1)),
    "unknown_frame_flood": flood(lambda s: frame(0xFE, 0, 0, b"")),
    "altsvc_flood": flood(lambda s: frame(0x0A, 0, s, b"\0\0")),
    "informational_flood": flood(lambda s: headers(s, field(":status", "103"))),
    "goaway_flood": flood(lambda s: goaway(0x7FFFFFFF)),
    "data_after_the_end_flood": flood(lambda s: data(s, b""), lambda s: answer(s)),
    "deaf_flood": deaf_flood,
    "continuation_flood": endless_block(b"\x00" + text("x-a") + text("v" * 1000)),
    "continuation_flood_of_single_bytes": endless_block(b"\x88"),
    "continuation_flood_of_empty_ones": endless_block(b""),
    "data_beyond_the_window": beyond_the_window,
    "full": full,
    "crumbs": crumbs,
    "late_data": late_data,
    "during_upload": during_upload,
    "window_goes_negative": window_goes_negative,
    "limit_flaps": limit_flaps,
    "hold": hold,
    "last_words": last_words,
    "silence": silence,
    "close": close,
}


# --- the session


class Session:
    """One connection, honest unless told otherwise."""

    def __init__(self, connection):
        self.connection = connection
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self.lock = threading.Lock()  # of sending
        self.window = 65535  # what we may send
        self.initial_window = 65535
        self.windows = {}  # of each open stream
        self.bodies = {}  # the log's record of each stream
        self.block = None  # (stream, flags, bytes) of a header block under way
        self.pending = []  # streams whose requests are not complete
        self.said = {"goaway": -1, "goaway_debug": "", "resets": [], "pings": 0, "ping_acks": 0, "settings": 0,
                     "settings_acks": 0, "received": 0, "streams": 0}
        connection.record["h2"] = self.said

    def send(self, bytes_):
        with self.lock:
            self.connection.send(bytes_)

    def note(self, **changes):
        with self.connection.listener.changed:
            self.said.update(changes)
            self.connection.listener.changed.notify_all()

    def need(self, size):
        while len(self.connection.buffer) < size:
            self.connection.fill()

    def listen(self):
        """Whatever the client has said by now."""
        sock = self.connection.sock
        while len(self.connection.buffer) >= 9 or select.select([sock], [], [], 0)[0]:
            self.read_frame()

    def read_frame(self):
        self.need(9)
        head = self.connection.buffer[:9]
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
        self.need(9 + length)
        payload = self.connection.buffer[9 : 9 + length]
        self.connection.buffer = self.connection.buffer[9 + length :]
        self.note(received=self.said["received"] + 9 + length)
        if kind == SETTINGS:
            self.on_settings(flags, payload)
        elif kind == PING:
            if flags & ACK:
                self.note(ping_acks=self.said["ping_acks"] + 1)
            else:
                self.note(pings=self.said["pings"] + 1)
                self.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            last, code = struct.unpack(">II", payload[:8])
            self.note(goaway=code, goaway_debug=payload[8:].decode("latin-1"))
        elif kind == RST:
            self.note(resets=self.said["resets"] + [[stream, int.from_bytes(payload, "big")]])
            self.windows.pop(stream, None)
        elif kind == WINDOW:
            more = int.from_bytes(payload, "big")
            if stream == 0:
                self.window += more
            elif stream in self.windows:
                self.windows[stream] += more
        elif kind == HEADERS:
            padding = payload[0] if flags & PADDED else 0
            skip = (1 if flags & PADDED else 0) + (5 if flags & PRIORITISED else 0)
            self.block = [stream, flags, payload[skip : len(payload) - padding]]
        elif kind == CONTINUATION:
            self.block[2] += payload
        elif kind == DATA:
            self.on_data(flags, stream, payload)
        if kind in (HEADERS, CONTINUATION) and flags & END_HEADERS:
            stream, first_flags, block = self.block
            self.block = None
            self.on_headers(stream, first_flags, block)

    def on_settings(self, flags, payload):
        if flags & ACK:
            self.note(settings_acks=self.said["settings_acks"] + 1)
            return
        for at in range(0, len(payload), 6):
            key, value = struct.unpack(">HI", payload[at : at + 6])
            if key == INITIAL_WINDOW:
                for stream in self.windows:
                    self.windows[stream] += value - self.initial_window
                self.initial_window = value
        self.note(settings=self.said["settings"] + 1)
        self.send(frame(SETTINGS, ACK))

    def on_data(self, flags, stream, payload):
        record = self.bodies.get(stream)
        if payload:
            self.send(window(0, len(payload)))
        if record is None:
            return
        body = payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
        with self.connection.listener.changed:
            record["body_bytes"] += len(body)
            record["body"] += body[: 65536 - len(record["body"])].decode("latin-1")
            record["complete"] = bool(flags & END_STREAM)
            self.connection.listener.changed.notify_all()
        if payload and stream in self.windows:
            self.send(window(stream, len(payload)))
        if record["complete"] and stream in self.pending:
            self.pending.remove(stream)
            self.answer_honestly(stream, record)

    def on_headers(self, stream, flags, block):
        lines = [(name, value) for name, value in self.decoder.decode(block, raw=True)]
        lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in lines]
        listener = self.connection.listener
        if stream in self.bodies:  # trailers
            with listener.changed:
                self.bodies[stream]["trailers"] = "\r\n".join(f"{name}: {value}" for name, value in lines)
                self.bodies[stream]["complete"] = True
                listener.changed.notify_all()
            if stream in self.pending:
                self.pending.remove(stream)
                self.answer_honestly(stream, self.bodies[stream])
            return
        pseudo = dict(line for line in lines if line[0].startswith(":"))
        head = "\r\n".join([f"{pseudo.get(':method')} {pseudo.get(':path')} HTTP/2"] + [f"{n}: {v}" for n, v in lines])
        with listener.changed:
            self.said["streams"] += 1
            self.connection.record["requests"] += 1
            record = {"connection": self.connection.record["id"], "number": self.connection.record["requests"],
                      "method": pseudo.get(":method", ""), "target": pseudo.get(":path", ""), "head": head,
                      "problems": problems(lines), "body_bytes": 0, "body": "", "trailers": "",
                      "complete": bool(flags & END_STREAM), "sent_bytes": 0}
            self.bodies[stream] = record
            self.windows[stream] = self.initial_window
            listener.log["requests"].append(record)
            listener.changed.notify_all()
        self.respond(stream, record)

    def respond(self, stream, record):
        url = urllib.parse.urlsplit(record["target"])
        arguments = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if url.path.startswith("/attack/") and self.attacks_again(record["target"], arguments):
            name = url.path.split("/")[2]
            if name in BYTES:
                self.send(BYTES[name](stream, arguments))
            else:
                SLOW[name](self, stream, arguments)
        elif record["complete"]:
            self.answer_honestly(stream, record)
        else:
            self.pending.append(stream)

    def attacks_again(self, target, arguments):
        """times=N: the first N times that it is asked for on this listener; then it is answered honestly."""
        listener = self.connection.listener
        with listener.changed:
            done = listener.log.setdefault("attacks", {})
            done[target] = done.get(target, 0) + 1
            return done[target] <= int(arguments.get("times", 1 << 30))

    def answer_honestly(self, stream, record):
        body = record["target"].encode()
        block = OK + field("content-length", str(len(body)))
        if record["method"] == "HEAD":
            self.send(headers(stream, block, True))
        else:
            self.send(headers(stream, block) + data(stream, body, True))

    def run(self, opening):
        try:
            opening(self)
            while True:
                self.read_frame()
        except Exception as error:
            if getattr(error, "by", "") not in ("server", "server_rst"):
                self.read_the_rest()
            raise
        finally:
            listener = self.connection.listener
            with listener.changed:
                listener.held[:] = [each for each in listener.held if getattr(each, "session", None) is not self]

    def read_the_rest(self):
        """What the client said before it left, while we were sending."""
        try:
            while True:
                self.read_frame()
        except Exception:  # its end
            pass


def problems(lines):
    """What is wrong with a request's fields."""
    found = []
    names = [name for name, _ in lines]
    pseudo = [name for name in names if name.startswith(":")]
    if sorted(pseudo) != [":authority", ":method", ":path", ":scheme"]:
        found.append(f"pseudo-header fields {pseudo}")
    if names[: len(pseudo)] != pseudo:
        found.append("a pseudo-header field after a regular one")
    for name, value in lines:
        if name != name.lower():
            found.append(f"name {name!r} in capitals")
        if name in FORBIDDEN or (name == "te" and value != "trailers"):
            found.append(f"connection-specific field {name!r}")
        if any((ord(c) < 32 and c != "\t") or ord(c) == 127 for c in value) or value != value.strip():
            found.append(f"value {value!r}")
    if "host" in names:
        found.append("Host beside :authority")
    if names.count("content-length") > 1:
        found.append("two lengths")
    return found


# --- how a connection begins


def honest(session):
    session.send(settings((STREAMS, int(session.connection.settings.get("limit", 100)))))


def opening_bytes(make):
    def run(session):
        session.send(make())

    return run


def no_settings(session):
    """A PING where the SETTINGS should be."""
    session.send(frame(PING, 0, 0, b"\0" * 8))


def http1_answer(session):
    """What an HTTP/1.1 server says to the preface."""
    session.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    session.connection.finish()


def http1_late(session):
    """The same when the test says so."""
    session.connection.hold()
    http1_answer(session)


def deaf(session):
    """Reads no more, ever: keeps the connection open until it is told to go."""
    session.connection.hold_blind()
    session.connection.finish()


def close_at_once(session):
    session.connection.finish()


def goaway_at_once(session):
    """A server that is going down: its first words are its last."""
    session.send(settings((STREAMS, 100)) + goaway(0))


OPENINGS = {
    "honest": honest,
    "no_settings": no_settings,
    "http1_answer": http1_answer,
    "http1_late": http1_late,
    "garbage": opening_bytes(lambda: b"SSH-2.0-OpenSSH_9.2\r\n" * 3),
    "close": close_at_once,
    "goaway": goaway_at_once,
    "goaway_calm": opening_bytes(lambda: settings((STREAMS, 100)) + goaway(0, 11, b"too_many_pings")),
    "settings_streams_0": opening_bytes(lambda: settings((STREAMS, 0))),
    "settings_ack_first": opening_bytes(lambda: frame(SETTINGS, ACK)),
    "silence": lambda session: None,
    "deaf": deaf,
}


def serve(connection, http1):
    while len(connection.buffer) < len(PREFACE) and PREFACE.startswith(connection.buffer):
        connection.fill()
    if not connection.buffer.startswith(PREFACE):
        if connection.settings.get("http1", "1") == "1":
            return http1(connection)
        connection.finish()
    connection.buffer = connection.buffer[len(PREFACE) :]
    hostile = connection.record["id"] <= int(connection.settings.get("first", 1))
    opening = connection.settings.get("open", "honest") if hostile else "honest"
    return Session(connection).run(OPENINGS[opening])
