"""Downloads from a server on this machine."""

import dataclasses
import hashlib
import http.server
import json
import threading

import pytest

from gaborscope.backbones import published
from gaborscope.data import downloads
from gaborscope.errors import InputError

CONTENT = bytes(range(256)) * 4000  # 1 MB: several chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve CONTENT with ranges, with the faults that the server object asks for."""

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if self.path == "/missing":
            return self.send_error(404)
        if self.path == "/page":
            return self.reply(200, b"<html>confirm</html>", {"Content-Type": "text/html"})
        first = 0
        asked = self.headers.get("Range")
        if asked and server.ranges and self.headers.get("If-Range") == server.tag:
            first = int(asked.removeprefix("bytes=").rstrip("-"))
        if first >= len(server.content):
            return self.send_error(416)
        body = server.content[first:]
        headers = {"Content-Type": "application/octet-stream", "ETag": server.tag}
        if first:
            span = f"bytes {first}-{len(server.content) - 1}/{len(server.content)}"
            headers["Content-Range"] = span
        self.reply(206 if first else 200, body, headers)

    def reply(self, status, body, headers):
        server = self.server
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(server.claimed or len(body)))
        self.end_headers()
        limit = server.breaks.pop(0) if server.breaks else None
        self.wfile.write(body if limit is None else body[:limit])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE_S", 0.0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.tag, server.ranges = CONTENT, '"one"', True
    server.asked, server.breaks, server.claimed = [], [], None
    server.url = f"http://127.0.0.1:{server.server_address[1]}/file.bin"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_good_file_comes_whole_and_alone(server, tmp_path):
    path = downloads.fetch(server.url, tmp_path / "w.bin", sha256=SHA256)
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["w.bin"]


def test_git_names_a_file_as_git_does(server, tmp_path):
    # printf 'hello\n' | git hash-object --stdin
    server.content = b"hello\n"
    blob = "ce013625030ba8dba906f756967f9e9ca394464a"
    assert downloads.fetch(server.url, tmp_path / "w", git_blob=blob).read_bytes() == b"hello\n"


def test_file_that_is_there_is_not_fetched_again(server, tmp_path):
    for _ in range(2):
        downloads.fetch(server.url, tmp_path / "w.bin", sha256=SHA256)
    assert len(server.asked) == 1


def test_file_that_was_damaged_later_is_noticed(server, tmp_path):
    path = downloads.fetch(server.url, tmp_path / "w.bin", sha256=SHA256)
    path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(InputError, match="fetched from .* before.*remove it"):
        downloads.fetch(server.url, path, sha256=SHA256)


def test_wrong_file_is_refused_and_not_kept(server, tmp_path):
    with pytest.raises(InputError, match=f"its sha256 is {SHA256}, not {'0' * 64}"):
        downloads.fetch(server.url, tmp_path / "w.bin", sha256="0" * 64)
    assert left(tmp_path) == []


def test_digest_of_the_first_fetch_holds_ever_after(server, tmp_path):
    path = downloads.fetch(server.url, tmp_path / "w.bin")
    assert (tmp_path / "w.bin.sha256").read_text().startswith(SHA256)
    path.unlink()
    server.content = CONTENT[::-1]
    with pytest.raises(InputError, match=f"not {SHA256}"):
        downloads.fetch(server.url, path)
    assert not path.exists()


def test_truncated_file_is_never_taken_for_whole(server, tmp_path):
    server.claimed, server.ranges = len(CONTENT) + 5, False
    with pytest.raises(InputError, match="broke off after .* bytes.*run again"):
        downloads.fetch(server.url, tmp_path / "w.bin")
    assert not (tmp_path / "w.bin").exists()


def test_broken_connection_is_taken_up_where_it_stopped(server, tmp_path):
    server.breaks = [600_000]
    path = downloads.fetch(server.url, tmp_path / "w.bin", sha256=SHA256)
    assert path.read_bytes() == CONTENT
    assert server.asked[0] is None
    assert int(server.asked[1].removeprefix("bytes=").rstrip("-")) > 0


def test_interrupted_call_is_resumed_by_the_next(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    server.breaks = [600_000]
    with pytest.raises(InputError, match="run again"):
        downloads.fetch(server.url, tmp_path / "w.bin", sha256=SHA256)
    kept = (tmp_path / ".w.bin.part").stat().st_size
    assert 0 < kept <= 600_000
    path = downloads.fetch(server.url, tmp_path / "w.bin", sha256=SHA256)
    assert server.asked[-1] == f"bytes={kept}-"
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["w.bin"]


@pytest.mark.parametrize("change", ["other file", "no ranges"])
def test_part_that_does_not_fit_is_fetched_from_the_start(server, tmp_path, monkeypatch, change):
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    server.breaks = [600_000]
    with pytest.raises(InputError):
        downloads.fetch(server.url, tmp_path / "w.bin")
    if change == "other file":
        server.content, server.tag = CONTENT[::-1], '"two"'
    server.ranges = change == "other file"
    assert downloads.fetch(server.url, tmp_path / "w.bin").read_bytes() == server.content


def test_part_as_long_as_the_file_begins_again(server, tmp_path):
    (tmp_path / ".w.bin.part").write_bytes(b"x" * len(CONTENT))
    state = json.dumps({"url": server.url, "validator": server.tag})
    (tmp_path / ".w.bin.part.json").write_text(state)
    path = downloads.fetch(server.url, tmp_path / "w.bin", sha256=SHA256)
    assert path.read_bytes() == CONTENT


def test_no_server_is_one_sentence(server, tmp_path):
    url = server.url.replace(str(server.server_address[1]), "9")
    with pytest.raises(InputError, match=r"cannot be reached \(.*\).*save it as .*w\.bin") as error:
        downloads.fetch(url, tmp_path / "w.bin", sha256=SHA256)
    assert "\n" not in str(error.value)
    assert left(tmp_path) == []


def test_answer_of_the_server_is_told(server, tmp_path):
    with pytest.raises(InputError, match="missing answers 404"):
        downloads.fetch(server.url.replace("file.bin", "missing"), tmp_path / "w.bin")


def test_web_page_is_no_file(server, tmp_path):
    with pytest.raises(InputError, match=r"gives a web page.*save it as .*w\.bin"):
        downloads.fetch(server.url.replace("file.bin", "page"), tmp_path / "w.bin")
    assert left(tmp_path) == []


def test_full_disk_is_noticed_before_anything_is_written(server, tmp_path, monkeypatch):
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(InputError, match="1 MB and .* only 0 MB of free space"):
        downloads.fetch(server.url, tmp_path / "w.bin", sha256=SHA256)
    assert left(tmp_path) == []


def test_cache_lies_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("GABORSCOPE_CACHE", str(tmp_path))
    assert downloads.cache_folder() == tmp_path
    monkeypatch.delenv("GABORSCOPE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert downloads.cache_folder() == tmp_path / "gaborscope"


@pytest.mark.parametrize("name", ["unisal", "msinet"])
def test_published_weights_are_fetched_once_and_checked(server, tmp_path, monkeypatch, name):
    monkeypatch.setenv("GABORSCOPE_CACHE", str(tmp_path))
    source = published.SOURCES[name]
    assert (source.git_blob is None) == (name == "msinet")
    blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    local = dataclasses.replace(source, url=server.url, git_blob=source.git_blob and blob)
    monkeypatch.setitem(published.SOURCES, name, local)
    for _ in range(2):
        assert published.fetch(name).read_bytes() == CONTENT
    assert len(server.asked) == 1
    server.content = CONTENT[::-1]
    published.fetch(name).unlink()
    with pytest.raises(InputError, match="is not the expected file"):
        published.fetch(name)
