"""One server process: start, readiness, drain."""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import uvicorn

from pidgr import interpreter
from pidgr.rpc.server.config import ServerConfig

logger = logging.getLogger("pidgr.rpc.server")

ON_DRAIN = "pidgr.on_drain"
"""Where an app may leave a callable in its lifespan state, to end what would never end by itself
before the open calls are waited for."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_POLL_SECONDS = 0.05
_UNWIND_SECONDS = 2.0


class ServerProcess(uvicorn.Server):
    """Uvicorn's server with our way out: farewell first, bounded drain, then the app's shutdown.

    ``on_started`` is called in the event loop once connections are accepted. ``stop_signals`` are
    handled when it runs in the main thread.
    """

    config: ServerConfig

    def __init__(
        self,
        config: ServerConfig,
        on_started: Callable[[], None],
        stop_signals: Sequence[signal.Signals] = STOP_SIGNALS,
    ) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._stop_signals = stop_signals

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, accept connections, tell that we are ready."""
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, let open calls finish within the drain time, then stop the app.

        A second signal ends the wait, and then the app's own shutdown is skipped too.
        """
        logger.info("draining: no new connections, open calls have a while to finish")
        self.config.draining = True
        if (on_drain := self.lifespan.state.get(ON_DRAIN)) is not None:
            on_drain()
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._drain()
        if not self.force_exit:
            await self.lifespan.shutdown()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Drain at the first signal, leave at the second."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the stop signals while serving; afterwards the process goes on as before.

        Uvicorn raises the signals again at the end, which would kill the process before the code
        behind ``serve`` has closed what it opened.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in self._stop_signals}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    async def _drain(self) -> None:
        state = self.server_state
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.config.options.drain_seconds
        while (state.connections or state.tasks) and not self.force_exit:
            if loop.time() >= deadline:
                break
            await asyncio.sleep(_POLL_SECONDS)
        if state.tasks:
            logger.warning("cutting %d calls that did not finish in time", len(state.tasks))
        for connection in list(state.connections):
            connection.transport.abort()
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_UNWIND_SECONDS)


def run_process(
    config: ServerConfig,
    sockets: list[socket.socket],
    on_started: Callable[[], None],
    stop_signals: Sequence[signal.Signals] = STOP_SIGNALS,
) -> None:
    """Serve on the bound sockets until a signal comes; blocks.

    Raises SystemExit with status 3 if the app cannot be built or does not start (the log says why).
    """
    interpreter.share_one_heap()

    def started() -> None:
        interpreter.tune_garbage_collector()
        on_started()

    ServerProcess(config, started, stop_signals).run(sockets)
