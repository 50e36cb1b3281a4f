"""Waiting for what is to come, however busy the machine is, and not for ever."""

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater

reactor: Any = _reactor


async def true(what: Callable[[], object], seconds: float = 20.0, why: str = "") -> None:
    """Waits until *what* says so."""
    end = reactor.seconds() + seconds
    while not what():
        if reactor.seconds() > end:
            raise AssertionError(f"not within {seconds:g} s: {why}")
        await deferLater(reactor, 0.01)
