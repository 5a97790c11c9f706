"""Several processes on one port, for machines with more cores than one process can use."""

import asyncio
import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType

from pidgr.rpc.server.config import ServerConfig
from pidgr.rpc.server.lifecycle import STOP_SIGNALS, run_process
from pidgr.rpc.server.options import AppFactory, ServerOptions

logger = logging.getLogger("pidgr.rpc.server")

# A fresh interpreter for each worker: a fork would copy locks and database connections that other
# threads of the parent hold.
_spawning = multiprocessing.get_context("spawn")

_LOOK_SECONDS = 0.2
_RESTART_PAUSE_SECONDS = 1.0
_KILL_MARGIN_SECONDS = 10.0


class Supervisor:
    """Keeps ``options.workers`` processes serving on the same bound sockets.

    A worker that dies is replaced. One that does not even start ends the whole server, unless all
    have been serving before: then what it needs may come back.
    """

    def __init__(
        self,
        app_factory: AppFactory,
        options: ServerOptions,
        sockets: list[socket.socket],
        on_ready: Callable[[], None],
    ) -> None:
        self._app_factory = app_factory
        self._options = options
        self._sockets = sockets
        self._on_ready = on_ready
        self._signals = 0
        self._workers: dict[BaseProcess, Connection | None] = {}

    def run(self) -> None:
        """Serve until a signal comes, then drain all workers; blocks.

        Raises SystemExit with status 3 if a worker does not start.
        """
        before = {sig: signal.signal(sig, self._count_signal) for sig in STOP_SIGNALS}
        try:
            for _ in range(self._options.workers):
                self._start_worker()
            failed = self._watch()
            self._stop_workers()
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)
        if failed:
            raise SystemExit(3)

    def _count_signal(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._signals += 1

    def _start_worker(self) -> None:
        starting, report = _spawning.Pipe(duplex=False)
        worker = _spawning.Process(
            target=_work, args=(self._app_factory, self._options, self._sockets, report)
        )
        worker.start()
        report.close()
        self._workers[worker] = starting

    def _watch(self) -> bool:
        told = False
        while not self._signals:
            starting = [pipe for pipe in self._workers.values() if pipe is not None]
            wait([*starting, *(w.sentinel for w in self._workers)], timeout=_LOOK_SECONDS)
            for worker, pipe in list(self._workers.items()):
                if pipe is not None and pipe.poll() and self._has_started(worker, pipe):
                    self._workers[worker] = None
                if not worker.is_alive():
                    if self._workers.pop(worker) is not None and not told:
                        logger.error("a worker did not start; stopping")
                        return True
                    logger.error(
                        "worker %s died (%s); starting another", worker.pid, worker.exitcode
                    )
                    time.sleep(_RESTART_PAUSE_SECONDS)
                    self._start_worker()
            if not told and all(pipe is None for pipe in self._workers.values()):
                told = True
                self._on_ready()
        return False

    @staticmethod
    def _has_started(worker: BaseProcess, pipe: Connection) -> bool:
        try:
            pipe.recv()
        except EOFError:
            worker.join(_LOOK_SECONDS)
            return False
        logger.info("worker %s is serving", worker.pid)
        return True

    def _stop_workers(self) -> None:
        # First our own copies: while one is open the kernel goes on queueing connections.
        for listening in self._sockets:
            listening.close()
        forwarded = 0
        deadline = time.monotonic() + self._options.drain_seconds + _KILL_MARGIN_SECONDS
        while alive := [worker for worker in self._workers if worker.is_alive()]:
            # The first signal drains the workers, a second one makes them leave.
            if forwarded < min(max(self._signals, 1), 2):
                forwarded += 1
                for worker in alive:
                    worker.terminate()
            if time.monotonic() > deadline:
                for worker in alive:
                    worker.kill()
            wait([worker.sentinel for worker in alive], timeout=_LOOK_SECONDS)


def _work(
    app_factory: AppFactory,
    options: ServerOptions,
    sockets: list[socket.socket],
    report: Connection,
) -> None:
    # Ctrl+C reaches the whole process group; the supervisor alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def started() -> None:
        report.send(True)
        report.close()
        parent = multiprocessing.parent_process()
        if parent is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(parent.sentinel, _leave_with_parent, loop, parent.sentinel)

    run_process(ServerConfig(app_factory, options), sockets, started, (signal.SIGTERM,))


def _leave_with_parent(loop: asyncio.AbstractEventLoop, sentinel: int) -> None:
    loop.remove_reader(sentinel)
    logger.error("the supervising process is gone; draining")
    signal.raise_signal(signal.SIGTERM)
