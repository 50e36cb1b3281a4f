"""The thread that the catalog belongs to.

Receipts are entered many at a time, a moment after their photos are safe: the catalog is on
nobody's way. Whatever else wants to write to it, or to look through much of it, is done here too,
one thing after the other.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.photo import Receipt
from camd.plural import count
from camd.store.catalog import Catalog
from camd.store.commit import CallFromThread, yield_to_the_reactor
from camd.store.level import DirtyList
from camd.store.schema import CatalogError

log = Logger()

T = TypeVar("T")

GATHER = 0.1
"""Seconds for which receipts are gathered into one transaction."""

AT_ONCE = 2000
"""Receipts in one transaction at most."""

COMPLAIN = 60.0
"""Seconds between two lines about a catalog that cannot be written."""

RETRY = 5.0
"""Seconds until what could not be entered is tried again."""

_Task = Callable[[], None]


@define(eq=False)
class Keeper:
    """Enters receipts into the catalog, and does other work on it in between.

    :ivar entered: called in the reactor's thread with receipts that the catalog has now.
    """

    catalog: Catalog
    dirty: DirtyList
    _call_from_thread: CallFromThread
    entered: Callable[[list[Receipt]], None]
    behind: int = 0
    _queue: "queue.SimpleQueue[Receipt | _Task | None]" = field(factory=queue.SimpleQueue)
    _pending: list[Receipt] = field(factory=list)
    _thread: threading.Thread | None = None
    _over: bool = False
    _complained: float = 0.0
    _given: int = 0
    _waiting: "deque[tuple[int, Deferred[None]]]" = field(factory=deque)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="camd-catalog", daemon=True)
        self._thread.start()

    def enter(self, receipt: Receipt) -> None:
        """*receipt* will be in the catalog soon."""
        self.behind += 1
        self._given += 1
        self._queue.put(receipt)

    def caught_up(self) -> "Deferred[None]":
        """Fires when all that was handed over by now is in the catalog."""
        done: Deferred[None] = Deferred()
        if self.behind:
            self._waiting.append((self._given, done))
        else:
            done.callback(None)
        return done

    def run(self, work: Callable[[Catalog], T]) -> "Deferred[T]":
        """What *work* gives, which is done in the catalog's thread behind all that waits."""
        done: Deferred[T] = Deferred()

        def task() -> None:
            try:
                result: Any = work(self.catalog)
            except Exception:
                failure = Failure()
                self._call_from_thread(lambda: done.errback(failure))
            else:
                self._call_from_thread(lambda: done.callback(result))

        self._queue.put(task)
        return done

    def shorten(self) -> "Deferred[bool]":
        """What was dirty before the last `DirtyList.turn` is in the catalog on the disk, and no
        longer listed; every photo from before it must have been handed to `enter`. False where
        a reader was in the way."""

        def work(catalog: Catalog) -> bool:
            self._enter_queued()
            if self._pending or not catalog.checkpoint():
                return False
            self.dirty.clear()
            return True

        return self.run(work)

    def stop(self, timeout: float) -> bool:
        """Enters all that waits, and ends; blocks. Whether it could."""
        self._queue.put(None)
        assert self._thread is not None
        self._thread.join(timeout)
        return not self._thread.is_alive() and not self._pending

    def _run(self) -> None:
        yield_to_the_reactor()
        while not self._over:
            try:
                first = self._queue.get(timeout=RETRY if self._pending else None)
            except queue.Empty:
                self._enter()
                continue
            if isinstance(first, Receipt):
                self._pending.append(first)
                time.sleep(GATHER)
                self._enter_queued()
            else:
                self._do(first)

    def _enter_queued(self) -> None:
        """Take receipts off the queue and enter them; a task among them comes in its turn."""
        while True:
            for _ in range(AT_ONCE):
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    self._enter()
                    return
                if not isinstance(item, Receipt):
                    self._enter()
                    self._do(item)
                    return
                self._pending.append(item)
            self._enter()

    def _do(self, task: _Task | None) -> None:
        if task is None:
            self._enter()
            self._over = True
        else:
            task()

    def _enter(self) -> None:
        while self._pending:
            some = self._pending[:AT_ONCE]
            try:
                self.catalog.add_many(some)
            except Exception as error:  # whatever it is, the photos are safe, and this thread lives
                self._complain(error)
                time.sleep(GATHER)
                return
            self._complained = 0.0
            del self._pending[:AT_ONCE]
            self._call_from_thread(partial(self._told, some))

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now < self._complained + COMPLAIN and self._complained:
            return
        self._complained = now
        write = log.error if isinstance(error, CatalogError) else log.failure
        write(
            "the catalog cannot be written; {photos}, safe on the disk, must wait for it: {error}",
            photos=count(len(self._pending), "photo"),
            error=error,
        )

    def _told(self, receipts: list[Receipt]) -> None:
        self.behind -= len(receipts)
        self.entered(receipts)
        while self._waiting and self._waiting[0][0] <= self._given - self.behind:
            self._waiting.popleft()[1].callback(None)
