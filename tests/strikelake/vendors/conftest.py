"""A vendor on loopback that answers what it is told."""

import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

RESET = "reset"


class FakeVendor(ThreadingHTTPServer):
    """Answers with what it was given, in order and the last for ever, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, object, dict[str, str]]] = []
        self.asked: list[str] = []
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def will_answer(self, *pages: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.answers = []
        self.then_answer(*pages, status=status, headers=headers)

    def then_answer(self, *pages: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        bodies = [p if isinstance(p, bytes) or p == RESET else json.dumps(p).encode() for p in pages]
        self.answers += [(status, body, headers or {}) for body in bodies]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: FakeVendor = self.server
        server.asked.append(self.path)
        if not server.answers:
            server.release.wait(120)
            return
        status, body, headers = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body == RESET:
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"status": "OK", ')
            self.wfile.flush()
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def vendor():
    server = FakeVendor()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()
