"""What a board was asked to do: a line with a number, and the answer that bears it.

Knows nothing of connections: whoever has one sends the line, and tells what came back.
"""

from collections.abc import Callable, Mapping

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from camd.fleet import Command, CommandError
from camd.photo import CameraId
from camd.wire import messages
from camd.wire.errors import LocalProtocolError

Answer = Mapping[str, str]


@define(eq=False)
class _Waiting:
    """One that waits for its DONE or FAIL."""

    name: str
    done: "Deferred[Answer]"
    timeout: IDelayedCall


@define(eq=False)
class Commands:
    """Those of one connection.

    :ivar finish: a line's bytes for the wire; raises `LocalProtocolError` where it is too long.
    :ivar number: a new one each time, which no connection had before: a board may carry out what it
        was asked for on one, and say so on the next.
    """

    camera: CameraId
    clock: IReactorTime
    finish: Callable[[bytes], bytes]
    number: Callable[[], int]
    _waiting: dict[int, _Waiting] = field(factory=dict)

    def ask(self, command: Command, seconds: float, most: int) -> "tuple[bytes, Deferred[Answer]]":
        """The bytes that ask for it, and what comes of it: it fails with `CommandError` where the
        board refuses, or does not answer within *seconds*.

        :param most: commands that may wait at once.
        :raises CommandError: too many wait already, or it cannot be said.
        """
        if len(self._waiting) >= most:
            raise self._error(command.name, "too many commands wait already")
        number = self.number()
        try:
            line = self.finish(compose(command, number))
        except (LocalProtocolError, KeyError, TypeError) as error:
            raise self._error(command.name, f"cannot be said: {error}") from None
        timeout = self.clock.callLater(
            seconds, self.failed, number, f"no answer within {seconds:g} s"
        )
        waiting = self._waiting[number] = _Waiting(command.name, Deferred(), timeout)
        return line, waiting.done

    def succeeded(self, number: int, values: Answer) -> None:
        waiting = self._ended(number)
        if waiting is not None:
            waiting.done.callback(values)

    def failed(self, number: int, why: str) -> None:
        waiting = self._ended(number)
        if waiting is not None:
            waiting.done.errback(self._error(waiting.name, why))

    def forget(self, why: str) -> None:
        """No answer will come any more, to any of them."""
        for number in tuple(self._waiting):
            self.failed(number, why)

    def _ended(self, number: int) -> _Waiting | None:
        """The one with that number, if it waits still: an answer may come late, or twice."""
        waiting = self._waiting.pop(number, None)
        if waiting is not None and waiting.timeout.active():
            waiting.timeout.cancel()
        return waiting

    def _error(self, name: str, why: str) -> CommandError:
        return CommandError(name, self.camera, why)


def compose(command: Command, number: int) -> bytes:
    """The line that asks a board for *command*.

    :raises LocalProtocolError: where it cannot be said.
    """
    arguments = command.arguments
    if command.name == "snap":
        return messages.snap(number, bool(arguments.get("flash", False)))
    if command.name == "set":
        return messages.settings(number, arguments)
    if command.name == "stream":
        return messages.stream(number, int(arguments["fps"]))
    if command.name == "reboot":
        return messages.reboot(number)
    if command.name == "update":
        return messages.update(number, str(arguments["url"]), str(arguments["sha256"]))
    raise LocalProtocolError(f"there is no command {command.name}")
