"""Object storage on this machine for tests: moto's server, and a server before it that misbehaves on purpose."""

import contextlib
import http.client
import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ACCESS_KEY = "TESTACCESSKEY0123456"
SECRET_KEY = "test/secret+key/0123456789abcdefghijklmn"


def environment(endpoint: str) -> dict[str, str]:
    """Returns the variables with which a process reaches a server."""
    return {
        "OBS_ENDPOINT": endpoint,
        "OBS_ACCESS_KEY_ID": ACCESS_KEY,
        "OBS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


@contextlib.contextmanager
def running_moto() -> Iterator[str]:
    """Runs moto's server in a thread of this process; yields its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@dataclass(frozen=True)
class Bucket:
    """A bucket of moto's, and boto3's client for it."""

    client: object
    name: str

    @classmethod
    def new(cls, endpoint: str) -> "Bucket":
        """Makes an empty bucket."""
        import boto3

        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
        )
        bucket = cls(client, f"bucket-{uuid.uuid4().hex[:12]}")
        client.create_bucket(Bucket=bucket.name)
        return bucket

    def write(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def keys(self) -> list[str]:
        return sorted(item["Key"] for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", ()))


@dataclass
class Faults:
    """What the server before moto does wrong.

    Attributes:
        busy: requests that are still answered with 503.
        cuts: GET answers that are still cut in their middle.
        page: most keys in an answer to a listing; 0 leaves that to the server.
        denied: whether every request is answered with 403.
        spoken: the text of that answer.
        applies: says by method and path which requests are meant.
        seen: method and path of each request.
    """

    busy: int = 0
    cuts: int = 0
    page: int = 0
    denied: bool = False
    spoken: str = ""
    applies: Callable[[str, str], bool] = lambda _method, _path: True
    seen: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextlib.contextmanager
def misbehaving(target: str, faults: Faults) -> Iterator[str]:
    """Runs a server that passes requests on to `target`, faults aside; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            with faults.lock:
                faults.seen.append((self.command, self.path))
                applies = faults.applies(self.command, self.path)
                is_busy = applies and faults.busy > 0
                faults.busy -= is_busy
            if applies and faults.denied:
                self._send(403, {}, faults.spoken.encode())
                return
            if is_busy:
                self._send(503, {}, b"<Error><Code>SlowDown</Code></Error>")
                return
            connection = http.client.HTTPConnection(urlsplit(target).netloc, timeout=20)
            path = f"{self.path}&max-keys={faults.page}" if faults.page and "prefix=" in self.path else self.path
            connection.request(self.command, path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            with faults.lock:
                is_cut = applies and self.command == "GET" and faults.cuts > 0 and len(content) > 1000
                faults.cuts -= is_cut
            self._send(answer.status, dict(answer.getheaders()), content, is_cut)
            connection.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815

        def _send(self, status: int, headers: Mapping[str, str], content: bytes, is_cut: bool = False) -> None:
            self.send_response_only(status)
            length = headers.get("Content-Length", len(content)) if self.command == "HEAD" else len(content)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[: len(content) // 2] if is_cut else content)
            if is_cut:
                self.close_connection = True

        def log_message(self, *_arguments) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
