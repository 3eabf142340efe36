"""A server on this machine that has files as publishers' servers have them, and fails as they do."""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """Answers GET.

    Attributes:
        files: content by name.
        asked: the path and the Range header ("" without) of every request.
        cuts: of the next answers, after how many bytes the connection ends; None for a whole one.
        status: answered to everything, where it is set.
        has_ranges: whether it answers a Range; without, with the whole file.
        version: the ETag of all files; "" for none.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.asked, self.cuts = {}, [], []
        self.status, self.has_ranges, self.version = None, True, '"1"'

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802 (the name that http.server calls)
        server, wanted = self.server, self.headers.get("Range", "")
        server.asked.append((self.path, wanted))
        content = server.files.get(self.path.rpartition("/")[2])
        if server.status or content is None:
            self.send_error(server.status or 404)
            return
        start = self._start(wanted)
        if start is not None and start >= len(content):
            self.send_error(416)
            return
        self.send_response(200 if start is None else 206)
        self.send_header("Content-Length", str(len(content) - (start or 0)))
        if server.version:
            self.send_header("ETag", server.version)
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else None
        with contextlib.suppress(ConnectionError):  # the other side may have seen enough
            self.wfile.write(content[start or 0 :][:cut])

    def _start(self, wanted):
        """The first byte that is asked for; None for the whole file, as of another version than the asker has."""
        if not wanted or not self.server.has_ranges or self.headers.get("If-Range") != self.server.version:
            return None
        return int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def file_server(**files):
    """Serves files, whose names have `__` for a dot, until the end of the block."""
    server = FileServer()
    server.files = {name.replace("__", "."): content for name, content in files.items()}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
