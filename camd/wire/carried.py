"""What a decoder knows, as plain values, and a decoder that knows it: so that another process
goes on in the middle of a frame.

Plain values are None, bool, int, str, bytes, lists and dicts of these. They hold secrets where a
session is sealed.
"""

from typing import Any

from camd.wire.jpeg import JpegWalk
from camd.wire.jpeg import State as Place
from camd.wire.line import Line
from camd.wire.pieces import Pieces
from camd.wire.seal import Seal
from camd.wire.v1 import V1Decoder
from camd.wire.v2 import Reader

State = dict[str, Any]

_WALK = ("width", "height", "claimed", "_left", "_scans", "_segments")
_DECODER = (
    "_at", "_discard", "_done", "_endless", "_from", "_in", "_most", "_orphans", "_over", "_tail",
    "_total", "noise",
)  # fmt: skip
_READER = (
    "_at", "_crc", "_ended", "_in", "_left", "_mac", "_most", "_raw", "_size", "_skip", "payloads",
)  # fmt: skip


class CannotBeCarriedError(Exception):
    """What goes on here can only be finished by the process that began it."""


def _values(thing: object, names: tuple[str, ...]) -> State:
    return {name: getattr(thing, name) for name in names}


def _put(thing: object, names: tuple[str, ...], state: State) -> None:
    for name in names:
        setattr(thing, name, state[name])


def _kept(pieces: Pieces) -> bytes:
    """All of it, which stays where it is."""
    return b"".join(pieces._parts)


# ---- v1


def decoder_state(decoder: V1Decoder) -> State:
    """*decoder* itself stays as it is."""
    walk = decoder._walk
    state = _values(decoder, _DECODER)
    state["kept"] = _kept(decoder._kept)
    state["walk"] = None
    if walk is not None:
        state["walk"] = {
            **_values(walk, _WALK), "state": walk.state.name, "then": walk._then.name
        }  # fmt: skip
    return state


def decoder(state: State) -> V1Decoder:
    """The decoder whose `decoder_state` that was."""
    made = V1Decoder(state["_most"])
    _put(made, _DECODER, state)
    made._kept.add(state["kept"])
    inside = state["walk"]
    if inside is not None:
        walk = made._walk = JpegWalk()
        _put(walk, _WALK, inside)
        walk.state, walk._then = Place[inside["state"]], Place[inside["then"]]
    return made


# ---- v2


def seal_state(seal: Seal | None) -> State | None:
    """A seal between two lines, or in the midst of one; the latter is not told of."""
    if seal is None:
        return None
    return {"key": seal._key, "side": seal._side.decode("ascii"), "count": seal.count}


def seal(state: State | None) -> Seal | None:
    return None if state is None else Seal(state["key"], state["side"], state["count"])


def reader_state(reader: Reader) -> State:
    """*reader* itself stays as it is.

    :raises CannotBeCarriedError: a sealed payload is being read over, and what its mac is made of
        is gone already; or there was a mistake in what came.
    """
    if reader._error is not None or (
        reader.seal is not None and reader._kept is not None and reader._skip
    ):
        raise CannotBeCarriedError
    state = _values(reader, _READER)
    state["kept"] = None if reader._kept is None else _kept(reader._kept)
    state["seal"] = seal_state(reader.seal)
    line = reader._line
    state["line"] = None
    if line is not None:
        state["line"] = [line.verb, list(line.words), dict(line.values), line.length]
    return state


def reader(state: State) -> Reader:
    """The reader whose `reader_state` that was."""
    made = Reader(state["_most"])
    _put(made, _READER, state)
    made.seal = seal(state["seal"])
    line = state["line"]
    if line is not None:
        made._line = Line(line[0], tuple(line[1]), line[2], line[3])
    kept = state["kept"]
    if kept is not None:
        made._kept = Pieces()
        made._kept.add(kept)
        if made.seal is not None:
            # The mac goes over the line and the payload from its beginning.
            made.seal.count -= 1
            made.seal.begin(made._raw)
            made.seal.update(kept)
    return made
