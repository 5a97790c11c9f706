"""A server in a thread of this process, for tests and for the demo."""

import threading
from types import TracebackType
from typing import Self

from pidgr.rpc.server.config import ServerConfig
from pidgr.rpc.server.lifecycle import ServerProcess
from pidgr.rpc.server.listening import listen
from pidgr.rpc.server.options import AppFactory, ServerOptions


class BackgroundServer:
    """Serves from its own thread and event loop while the ``with`` block runs.

    Entering returns once connections are accepted; ``url``, ``internal_url`` and ``port`` then tell
    where. Leaving
    drains like SIGTERM does. ``options.workers`` must be 1.

    Raises OSError if it cannot listen and RuntimeError if the app does not start.
    """

    def __init__(self, app_factory: AppFactory, options: ServerOptions) -> None:
        if options.workers != 1:
            raise ValueError("a server in the background has one worker")
        listening = listen(options)
        self._sockets = listening.sockets
        self.url = listening.url
        self.internal_url = listening.internal_url
        self.port: int = listening.public[0].getsockname()[1]
        self._settled = threading.Event()
        self._failure: BaseException | None = None
        self._server = ServerProcess(
            ServerConfig(app_factory, listening.options), self._settled.set
        )
        self._thread = threading.Thread(target=self._run, name="pidgr-server", daemon=True)

    def start(self) -> None:
        """Start and wait until connections are accepted."""
        self._thread.start()
        self._settled.wait()
        if self._failure is not None:
            raise RuntimeError(f"the server did not start: {self._failure!r}") from self._failure

    def stop(self) -> None:
        """Drain, stop the app and wait for the end of the thread."""
        self._server.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._server.run(self._sockets)
        except (Exception, SystemExit) as failure:  # noqa: BLE001 - handed to the starting thread
            self._failure = failure
        finally:
            for listening in self._sockets:
                listening.close()
            self._settled.set()
