"""Pages and feeds by address: bounded in bytes and time, refused in a sentence."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from event_impact.base.errors import DataError
from event_impact.reading import ingest


@pytest.fixture
def server():
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/missing":
                self.send_error(404)
                return
            if self.path == "/elsewhere":
                self.send_response(302)
                self.send_header("Location", "file:///etc/hostname")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            if self.path == "/hang":
                self.wfile.write(b"begun")
                self.wfile.flush()
                released.wait(30)
            else:
                self.wfile.write(b"x" * 5000)

        def log_message(self, *_: object) -> None: ...

    held = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.daemon_threads = False
    thread = threading.Thread(target=held.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{held.server_port}"
    released.set()
    held.shutdown()
    thread.join()
    held.server_close()


def test_an_address_is_read_up_to_the_limit(server):
    assert ingest.read_source(f"{server}/page", 100_000) == b"x" * 5000
    assert len(ingest.read_source(f"{server}/page", 1000)) == 1001


@pytest.mark.parametrize(
    ("place", "words"), [("/missing", "404"), ("/elsewhere", "not allowed"), ("/hang", "timed out")], ids=str
)
def test_what_cannot_be_read_is_said(server, monkeypatch, place, words):
    monkeypatch.setattr(ingest, "ANSWER_S", 0.6)
    with pytest.raises(DataError, match=words) as caught:
        ingest.read_source(server + place, 1000)
    assert caught.value.exit_code == 3


def test_nobody_there_is_said():
    with pytest.raises(DataError, match="cannot be read"):
        ingest.read_source("http://127.0.0.1:9/feed.xml", 1000)
