"""Downloads happen when asked for, are checked, and are kept."""

import hashlib
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.helpers.loaders import refusal
from twin.data import mnist, published


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        """Nothing: pytest shows it as an error's output."""


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A source whose one file a server on this machine has, and the server."""
    pytest.importorskip("pooch")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "TWIN_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "file.gz").write_bytes(b"what is published")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=tmp_path / "web"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sha256 = hashlib.sha256(b"what is published").hexdigest()
    yield published.Source("small", f"http://127.0.0.1:{server.server_port}/", {"file.gz": sha256}), server
    server.shutdown()
    server.server_close()


def test_a_download_happens_when_asked_for_and_is_kept(served):
    source, server = served
    assert "no files found" in refusal(source.locate, download=False)
    (path,), words = source.locate(download=True)
    assert path.read_bytes() == b"what is published"
    assert words == f"real, downloaded from {source.url}"
    server.shutdown()
    assert source.locate(download=True)[0] == [path]


def test_a_download_of_another_file_is_refused_and_not_kept(served, tmp_path):
    source, _ = served
    (tmp_path / "web" / "file.gz").write_bytes(b"something else")
    assert "cannot download from" in refusal(source.locate, download=True)
    assert not list((tmp_path / "cache").rglob("file.gz"))


def test_a_download_without_a_connection_is_refused(served):
    source, server = served
    server.shutdown()
    server.server_close()
    assert "cannot download from" in refusal(source.locate, download=True)


def test_a_download_without_pooch_says_what_to_install(monkeypatch):
    monkeypatch.delenv("TWIN_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert "pip install pooch" in refusal(mnist.load, download=True)
