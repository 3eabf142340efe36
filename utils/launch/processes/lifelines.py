"""Connections by which the workers of a job know at once that one of them is gone.

MindSpore's scheduler misses a dead worker after 30 seconds. Here worker 0 has a connection, a lifeline, to each other
worker. The kernel ends it with its process, whatever that one was doing, and asks the other host for a sign of life
every two seconds: nothing has to beat while a compilation holds Python's lock. A worker that misses another one says so
and ends, since a sum over the workers would wait for ever.
"""

import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from utils.launch.processes.lifeline_meeting import meet, own_address
from utils.launch.processes.process_search import HOSTS_VARIABLE, children
from utils.launch.processes.scheduler import PORT_VARIABLE
from utils.model_utils.command import Terminated
from utils.model_utils.workers import Workers

DONE, STOPPED, FAILED, DIED, SILENT = "done", "stopped", "failed", "died", "silent"  # what became of a worker
# A cut cable that is whole again within 20 seconds costs nothing, also with a probe lost. Above 30, MindSpore's own
# scheduler has given the worker up.
SILENT_SECONDS, PROBE_SECONDS = 28, 2
# How long a worker may still take to end by itself, in seconds: to finish a file that it writes; where all fail at the
# same step, to say why; where all are asked to stop, as long as a launcher waits for them.
PATIENCE: Final = {DIED: 2.0, SILENT: 0.0, FAILED: 10.0, STOPPED: 60.0}
_MESSAGE_BYTES = 64  # "RANK WORD HOST", filled with spaces: an IPv6 address has at most 45 letters
_ENDS = {
    STOPPED: "was asked to stop, and the others were not",
    FAILED: "has failed, see its log",
    DIED: "has died",
    SILENT: f"has not been heard of for {SILENT_SECONDS} s: its host is down, or the network is cut",
}


@contextmanager
def held_lifelines(workers: Workers) -> Iterator[None]:
    """Ends this process when another worker of the job is lost while the block runs, in which they wait for each other.

    Nothing is done for a worker alone, nor where all have one launcher on this host, which watches them itself.
    """
    if workers.count == 1 or PORT_VARIABLE not in os.environ or os.environ.get(HOSTS_VARIABLE) == "1":
        yield
        return
    lifelines = Lifelines(workers.rank, meet(workers, own_address()))
    word = FAILED
    try:
        yield
        word = DONE
    except (KeyboardInterrupt, Terminated):
        word = STOPPED
        raise
    finally:
        lifelines.leave(word)


class Lifelines:
    """One worker's connections, watched in a thread until it leaves.

    Args:
        rank: of this worker.
        connections: to all others for worker 0, to worker 0 for the others, by rank.
        patience: seconds that this worker may take to leave by itself, for each end of another one.
    """

    def __init__(
        self, rank: int, connections: Mapping[int, socket.socket], patience: Mapping[str, float] = PATIENCE
    ) -> None:
        self._rank, self._connections, self._patience = rank, dict(connections), patience
        self._hosts = {rank: _host(connection) for rank, connection in self._connections.items()}
        self._has_left = threading.Event()
        for connection in self._connections.values():
            _ask_for_signs(connection)
        os.register_at_fork(after_in_child=self._close)  # a loader that outlives this process must not stand for it
        self._thread = threading.Thread(target=self._watch, daemon=True, name="lifelines")
        self._thread.start()

    def leave(self, word: str) -> None:
        """Tells the others how this worker ends, and watches no more.

        Args:
            word: DONE where nobody waits for this worker any longer, else STOPPED or FAILED.
        """
        self._has_left.set()
        self._tell(self._rank, word, "")
        for connection in self._connections.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join(timeout=1.0)

    def _watch(self) -> None:
        """Waits for the first worker that is lost."""
        with selectors.DefaultSelector() as selector:
            for rank, connection in self._connections.items():
                selector.register(connection, selectors.EVENT_READ, rank)
            while selector.get_map() and not self._has_left.is_set():
                for key, _ in selector.select():
                    rank, word, host = _news(self._connections[key.data], key.data)
                    if word != DONE:
                        self._end(rank, word, host or self._hosts[key.data])
                        return
                    selector.unregister(key.fileobj)
        self._close()

    def _end(self, rank: int, word: str, host: str) -> None:
        """Tells the others of a lost worker, and ends this process unless it ends by itself."""
        if self._has_left.is_set():
            return
        self._tell(rank, word, host)
        if self._has_left.wait(self._patience[word]):
            return
        print(
            f"error: rank {rank} on {host} {_ENDS[word]}; rank {self._rank} ends with it: start again with "
            "--resume=auto, which goes on from the last checkpoint, also with fewer workers",
            file=sys.stderr,
            flush=True,
        )
        for pid in children():  # processes that load images; the scheduler, where a platform has started the workers
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os._exit(1)

    def _tell(self, rank: int, word: str, host: str) -> None:
        for connection in self._connections.values():
            with suppress(OSError):
                connection.send(_message(rank, word, host), socket.MSG_DONTWAIT)

    def _close(self) -> None:
        for connection in self._connections.values():
            connection.close()


def _ask_for_signs(connection: socket.socket) -> None:
    """Has the kernel ask the other host for a sign of life; without one, the connection fails."""
    connection.setblocking(True)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, SILENT_SECONDS // PROBE_SECONDS - 1)


def _message(rank: int, word: str, host: str) -> bytes:
    return f"{rank} {word} {host}".encode().ljust(_MESSAGE_BYTES)


def _host(connection: socket.socket) -> str:
    """Returns the address at the other end of a connection, which may have failed already."""
    try:
        return connection.getpeername()[0]
    except OSError:
        return "its host"


def _news(connection: socket.socket, peer: int) -> tuple[int, str, str]:
    """Returns rank, end and host of the worker that a connection tells of; the host is "" where it is the other end."""
    try:
        content = connection.recv(_MESSAGE_BYTES, socket.MSG_WAITALL)
    except ConnectionResetError:
        return peer, DIED, ""
    except OSError:
        return peer, SILENT, ""
    if not content:
        return peer, DIED, ""
    rank, word, host = content.decode().split(" ", 2)
    return int(rank), word, host.strip()
