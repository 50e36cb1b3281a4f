"""What is on its way to other programs, and what never arrived."""

import re
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred

from camd.access import May
from camd.web.answers import Answer, Problem, no_content, said
from camd.web.house import House, Publisher
from camd.web.routes import Ask, Route, route
from camd.workers import BusyError

_NOTHING: dict[str, Any] = {"targets": [], "dead": [], "alerts": [], "mqtt": None, "dropped": 0}
_NUMBER = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)


@define(eq=False)
class Publishing:
    """What is told of the outbox."""

    house: House

    def routes(self) -> list[Route]:
        one = "/api/v1/publish/{letter}"
        return [
            route("GET", "/api/v1/publish", May.READ, self.state),
            route("POST", f"{one}/retry", May.CONTROL, self.retry),
            route("DELETE", one, May.CONTROL, self.discard),
        ]

    async def state(self, ask: Ask) -> Answer:
        state: dict[str, Any] = dict(_NOTHING)
        if self.house.publisher is not None:
            state |= await self.house.publisher.state()
        return said({"enabled": bool(state["targets"] or state["mqtt"]), **state})

    async def retry(self, ask: Ask) -> Answer:
        """It is on its way once more."""
        publisher, number = self._asked(ask)
        return await _done(publisher.retry(number))

    async def discard(self, ask: Ask) -> Answer:
        publisher, number = self._asked(ask)
        return await _done(publisher.discard(number))

    def _asked(self, ask: Ask) -> tuple[Publisher, int]:
        """:raises Problem: there can be no such letter."""
        number = ask.names["letter"]
        if self.house.publisher is None or _NUMBER.fullmatch(number) is None:
            raise Problem(404, "there is no such letter")
        return self.house.publisher, int(number)


async def _done(asked: "Deferred[bool]") -> Answer:
    """:raises Problem: there was no such letter, or the outbox has no time for it."""
    try:
        found = await asked
    except BusyError as error:
        raise Problem(409, str(error)) from None
    if not found:
        raise Problem(404, "there is no such letter")
    return no_content()
