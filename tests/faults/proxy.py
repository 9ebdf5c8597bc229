"""A TCP proxy that can be cut: what a server looks like when it, or the network before it, goes away and comes back."""

import contextlib
import socket
import threading
from types import TracebackType


class Proxy:
    """Forwards connections of a free loopback port to a target port while it is not cut; `refused` counts those it did not."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = False
        self.refused = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.cut()
        end(self._listener)
        self._listener.close()

    def cut(self) -> None:
        """End every connection, and every new one at once."""
        with self._lock:
            self._is_cut = True
            for open_socket in self._sockets:
                end(open_socket)
            self._sockets.clear()

    def restore(self) -> None:
        """Forward again."""
        self._is_cut = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        with self._lock:
            if self._is_cut:
                self.refused += 1
                client.close()
                return
            server = socket.create_connection(self._target)
            self._sockets |= {client, server}
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        end(source)
        end(target)


def end(open_socket: socket.socket) -> None:
    """End a connection at both sides: close alone would leave a thread that waits in recv or accept."""
    with contextlib.suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
