"""What is known of a connection, as plain values, and a connection of which it is known.

For another process to go on with it. Values as in `camd.wire.carried`, secrets among them.
Durations are relative to when the values were taken: no time runs in between.
"""

from collections import deque
from typing import Any

from attrs import asdict
from twisted.internet import tcp, unix

from camd.ingest.board_v1 import BoardV1, _Answer
from camd.ingest.board_v2 import BoardV2
from camd.ingest.factory import CameraFactory
from camd.ingest.protocol import CameraProtocol
from camd.photo import Boot, CameraId, Reason
from camd.wire import carried
from camd.wire.carried import CannotBeCarriedError, State
from camd.wire.messages import Hello
from camd.wire.seal import Opening

__all__ = ["CannotBeCarriedError", "bare", "state_of", "take_over", "take_over_unknown"]

_LATER = 5.0
"""Seconds that viewers of the former process get to come back, until a board that was asked for
live pictures is told to stop."""


def bare(protocol: CameraProtocol) -> Any:
    """The socket's own transport, below what a proxy's header needs.

    :raises CannotBeCarriedError: it is TLS, or its proxy has not said yet who is behind it.
    """
    transport = protocol.transport
    if isinstance(transport, tcp.Connection | unix.Server):
        return transport
    below = getattr(transport, "transport", None)
    if protocol.secure or not protocol.address or not isinstance(below, tcp.Connection):
        raise CannotBeCarriedError
    return below


def state_of(protocol: CameraProtocol) -> State:
    """All of it; the connection stays as it is. It is frozen, and its photos are through.

    :raises CannotBeCarriedError: it has to end with this process.
    """
    if protocol.closing or protocol.half_closed or protocol.secure:
        raise CannotBeCarriedError
    transport = bare(protocol)
    talk = protocol._talk
    state: State = {
        "address": protocol.address,
        "first": protocol._first,
        "paused": protocol.paused,
        "left": protocol._left,
        "heard": protocol.heard,
        "said": protocol.said,
        "unsent": bytes(transport.dataBuffer[transport.offset :])
        + b"".join(transport._tempDataBuffer),
        "protocol": "",
    }
    if isinstance(talk, BoardV1):
        state |= {"protocol": "v1", **_v1(talk)}
    elif isinstance(talk, BoardV2):
        state |= {"protocol": "v2", **_v2(talk)}
    return state


def take_over(protocol: CameraProtocol, state: State) -> None:
    """*protocol*, just connected, goes on as the one whose `state_of` that was."""
    protocol.heard, protocol.said = state["heard"], state["said"]
    _place(protocol, state["address"])
    protocol._first = state["first"]
    talk: BoardV1 | BoardV2 | None = None
    if state["protocol"] == "v1":
        talk = BoardV1(protocol)
        _restore_v1(talk, state)
    elif state["protocol"] == "v2":
        talk = BoardV2(protocol)
        _restore_v2(talk, state)
    protocol._talk = talk
    protocol.expect_nothing()
    if state["left"] is not None:
        protocol.expect(state["left"])
    if state["paused"]:
        protocol.pause()
    if state["unsent"]:
        protocol.transport.write(state["unsent"])
    if talk is not None:
        protocol.factory.clock.callLater(0, talk.go_on)


def take_over_unknown(
    protocol: CameraProtocol,
    address: str,
    heard: int,
    said: int,
    *,
    owed: bool | None,
    photo: tuple[Boot, int] | None,
) -> None:
    """*protocol*, just connected, is a v1 board's, of which no process is left that knows more.

    :param owed: as `BoardV1.adopted` has it; *photo* likewise.
    """
    protocol.heard, protocol.said = heard, said
    _place(protocol, address)
    talk = BoardV1(protocol)
    protocol._talk = talk
    talk.adopted(owed, photo)


def _place(protocol: CameraProtocol, address: str) -> None:
    protocol.address = address
    if address:
        protocol.factory.carried(address)


def _reason(value: str | None) -> Reason | None:
    return None if value is None else Reason(value)


# ---- v1


def _v1(board: BoardV1) -> State:
    now = board._protocol.factory.clock.seconds()
    if any(answer.line is None for answer in board._answers):
        raise CannotBeCarriedError
    return {
        "boot": board._boot,
        "seq": board._seq,
        "answers": [
            [answer.line, max(0.0, answer.at - now), now - answer.since]
            for answer in board._answers
        ],
        "photos": [answer.seq for answer in board._answers],
        "reason": None if board._reason is None else board._reason.value,
        "stale": board._stale,
        "lost": board._lost,
        "bytes": board._heard,
        "spent": now - board._started,
        "known": board._camera is not None,
        "present": board._camera is not None and board._camera.session is board,
        "decoder": carried.decoder_state(board._decoder),
    }


def _restore_v1(board: BoardV1, state: State) -> None:
    now = board._protocol.factory.clock.seconds()
    board._boot = Boot(state["boot"])
    board._seq = state["seq"]
    photos = state.get("photos", [0] * len(state["answers"]))
    board._answers = deque(
        _Answer(line, now + left, now - since, seq)
        for (line, left, since), seq in zip(state["answers"], photos, strict=True)
    )
    board._reason = _reason(state["reason"])
    board._stale = state["stale"]
    board._lost = state["lost"]
    board._heard = state["bytes"]
    board._started = now - state["spent"]
    board._decoder = carried.decoder(state["decoder"])
    if state["known"]:
        board.goes_on(state.get("present", True))
    board.await_word()


# ---- v2


def _v2(board: BoardV2) -> State:
    factory: CameraFactory = board._protocol.factory
    now = factory.clock.seconds()
    if board._unanswered:
        raise CannotBeCarriedError
    opening = board._opening
    return {
        "camera": board.name,
        "boot": board.boot,
        "hello": None if board._hello is None else asdict(board._hello),
        "opening": None if opening is None else asdict(opening),
        "key": board._key,
        "keys": list(board._keys),
        "reader": carried.reader_state(board._reader),
        "seal": carried.seal_state(board._writer.seal),
        "welcomed": board._camera is not None,
        "reason": None if board._refuse is None else board._refuse.value,
        "got": board._payload_got,
        "spent": now - board._payload_since,
        "line": now - board._line_since if board._line_since else None,
        "pings": board._pings,
        "number": factory.commands,
        "watched": factory.live.watched(board.name),
    }


def _restore_v2(board: BoardV2, state: State) -> None:
    factory: CameraFactory = board._protocol.factory
    now = factory.clock.seconds()
    board.name, board.boot = CameraId(state["camera"]), Boot(state["boot"])
    hello = state["hello"]
    if hello is not None:
        board._hello = Hello(**{**hello, "caps": tuple(hello["caps"])})
    board._opening = None if state["opening"] is None else Opening(**state["opening"])
    board._key = state["key"]
    board._keys = tuple(state["keys"])
    board._reader = carried.reader(state["reader"])
    board._writer.seal = carried.seal(state["seal"])
    board._refuse = _reason(state["reason"])
    board._payload_got = state["got"]
    board._payload_since = now - state["spent"]
    board._line_since = 0.0 if state["line"] is None else now - state["line"]
    board._pings = state["pings"]
    factory.commands = max(factory.commands, state["number"])
    if state["welcomed"]:
        board._protocol.proven()
        board._camera = factory.fleet.carried_over(board.name, board, board._protocol.address)
    if state["watched"]:
        factory.clock.callLater(_LATER, _unwatched, board)


def _unwatched(board: BoardV2) -> None:
    if not board._protocol.factory.live.watched(board.name):
        board.watched(False)
