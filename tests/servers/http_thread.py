"""A small HTTP server in a thread of the test process, for the servers that we write ourselves.

A subclass answers in `respond`; every request is kept in `requests`. A response of `None` closes
the connection without a word.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRequest:
    """One request as it came; header names are lower-case."""

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What to answer. `chunk_bytes` and `delay_s` make the body drip.

    `cut` promises more than the body and closes the connection after it: unlike silence, that is
    never taken for a stale connection on which the client may ask again by itself.
    """

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    chunk_bytes: int | None = None
    delay_s: float = 0.0
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tls:
    certificate: Path
    key: Path


@dataclass(slots=True, kw_only=True)
class _Open:
    """The connections that stand open, so that `stop` can close them."""

    sockets: set[socket.socket] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


class HttpThread:
    """A threaded HTTP/1.1 server on a free loopback port, with keep-alive."""

    def __init__(self, *, certificate: Path | None = None, key: Path | None = None) -> None:
        self._tls = _Tls(certificate=certificate, key=key) if certificate and key else None
        self._server: _Listener | None = None
        self._thread: threading.Thread | None = None
        self._port = 0
        self.requests: list[SeenRequest] = []
        self.stopping = threading.Event()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def start(self) -> None:
        """Listen; a second start after `stop` takes the same port."""
        self.stopping.clear()
        self._server = _Listener(self._port, self)
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._tls.certificate, self._tls.key)
            self._server.tls = context
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every open connection."""
        server, self._server = self._server, None
        self.stopping.set()
        if server is None or self._thread is None:
            return
        server.shutdown()
        self._thread.join()
        server.server_close()
        server.close_connections()

    def respond(self, request: SeenRequest) -> Response | None:
        raise NotImplementedError

    def count(self, method: str | None = None, path_part: str = "") -> int:
        """Return how many requests came with this method whose path holds `path_part`."""
        return sum(
            1
            for each in self.requests
            if (method is None or each.method == method) and path_part in each.path
        )

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than the server lives."""
        self.stopping.wait(seconds)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, port: int, owner: HttpThread) -> None:
        self.owner = owner
        self.tls: ssl.SSLContext | None = None
        self._open = _Open()
        super().__init__(("127.0.0.1", port), _Handler)

    def finish_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        with self._open.lock:
            self._open.sockets.add(request)
        try:
            if self.tls is not None:
                with self.tls.wrap_socket(request, server_side=True) as wrapped:
                    with self._open.lock:
                        self._open.sockets.add(wrapped)
                    _Handler(wrapped, client_address, self)
            else:
                _Handler(request, client_address, self)
        finally:
            with self._open.lock:
                self._open.sockets = {each for each in self._open.sockets if each.fileno() != -1}
                self._open.sockets.discard(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away in the middle are what some tests are about."""

    def close_connections(self) -> None:
        with self._open.lock:
            for each in self._open.sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _handle(self) -> None:
        assert isinstance(self.server, _Listener)
        owner = self.server.owner
        body = self._read_body()
        parts = urlsplit(self.path)
        request = SeenRequest(
            method=self.command,
            path=parts.path,
            raw_query=parts.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        owner.requests.append(request)
        response = owner.respond(request)
        if response is not None:
            self._send(owner, response)
            self.wfile.flush()
        if response is None or response.cut:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, owner: HttpThread, response: Response) -> None:
        self.send_response(response.status)
        names = {name.lower() for name, _ in response.headers}
        for name, value in response.headers:
            self.send_header(name, value)
        empty = response.status in {204, 304}
        if "content-length" not in names and not empty:
            self.send_header(
                "Content-Length", str(len(response.body) + (64 if response.cut else 0))
            )
        self.end_headers()
        if self.command == "HEAD" or empty:
            return
        step = response.chunk_bytes or max(len(response.body), 1)
        for start in range(0, len(response.body), step):
            self.wfile.write(response.body[start : start + step])
            self.wfile.flush()
            if response.delay_s:
                owner.pause(response.delay_s)
                if owner.stopping.is_set():
                    return

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(_chunks(self.rfile))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - their names

    def log_message(self, *arguments: object) -> None:
        """Keep quiet; `requests` tells all."""

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)
        self.send_header("Date", self.date_time_string(int(time.time())))


def _chunks(stream: BufferedIOBase) -> list[bytes]:
    found = []
    while size := int(stream.readline().split(b";")[0], 16):
        found.append(stream.read(size))
        stream.readline()
    stream.readline()
    return found
