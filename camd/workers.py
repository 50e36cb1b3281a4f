"""Threads for what blocks: files, thumbnails, long looks into the catalog, passwords.

They begin when there is first something to do, and give way to the reactor.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from camd.store.catalog import CatalogReader
from camd.store.commit import CallFromThread, yield_to_the_reactor

T = TypeVar("T")


class BusyError(Exception):
    """So much waits already that nothing more is taken."""


@define(eq=False)
class Workers:
    """Does one thing after the other in each of its threads.

    :ivar waiting: how many may wait, asked anew each time.
    """

    name: str
    threads: int
    waiting: Callable[[], int]
    _call_from_thread: CallFromThread
    _queue: "deque[Callable[[], None]]" = field(factory=deque)
    _wake: threading.Condition = field(factory=threading.Condition)
    _running: list[threading.Thread] = field(factory=list)
    _idle: int = 0
    _over: bool = False

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """What *work* gives; fails with `BusyError` where too much waits."""
        done: Deferred[T] = Deferred()

        def task() -> None:
            try:
                result: Any = work()
            except Exception:
                failure = Failure()
                self._call_from_thread(lambda: done.errback(failure))
            else:
                self._call_from_thread(lambda: done.callback(result))

        with self._wake:
            if self._over or len(self._queue) >= self.waiting():
                done.errback(BusyError("too much waits already"))
                return done
            self._queue.append(task)
            if not self._idle and len(self._running) < self.threads:
                self._start()
            else:
                self._wake.notify()
        return done

    def _start(self) -> None:
        number = len(self._running)
        thread = threading.Thread(target=self._work, name=f"{self.name}-{number}", daemon=True)
        self._running.append(thread)
        thread.start()

    def _work(self) -> None:
        yield_to_the_reactor()
        while True:
            with self._wake:
                while not self._queue and not self._over:
                    self._idle += 1
                    self._wake.wait()
                    self._idle -= 1
                if self._over:
                    return
                task = self._queue.popleft()
            task()

    def stop(self, timeout: float) -> None:
        """What waits is not done any more; blocks until what is being done is, *timeout* seconds
        at most."""
        with self._wake:
            self._over = True
            self._queue.clear()
            self._wake.notify_all()
        for thread in self._running:
            thread.join(timeout)


@define(eq=False)
class Looks:
    """Long looks into the catalog, in a thread and through a connection of their own.

    :ivar caught_up: fires when the catalog knows what whoever asks may have been told of.
    """

    catalog: Callable[[], CatalogReader]
    caught_up: "Callable[[], Deferred[None]]"
    _workers: Workers
    _reader: CatalogReader | None = None

    def ask(self, work: Callable[[CatalogReader], T]) -> "Deferred[T]":
        """What *work* finds, of what was in the catalog when it began."""
        return self.caught_up().addCallback(lambda _: self._workers.run(lambda: work(self._open())))

    def _open(self) -> CatalogReader:
        if self._reader is None:
            self._reader = self.catalog()
        return self._reader

    def stop(self, timeout: float) -> None:
        self._workers.stop(timeout)
        if self._reader is not None:
            self._reader.close()
