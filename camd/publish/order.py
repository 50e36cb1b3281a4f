"""Commands as they come by MQTT: a topic's end and a payload, made into what a camera is asked."""

import json
import re
from typing import Any

from camd.offered import checked
from camd.publish.discovery import PRESS

_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
_WORDS = {"ON": 1, "OFF": 0, "on": 1, "off": 0, "true": 1, "false": 0}


def read_order(order: str, payload: bytes) -> tuple[str, dict[str, Any]]:
    """The command, and its arguments.

    :param order: ``snap``, ``set`` or ``set/`` and a setting's name.
    :raises ValueError: it is none; its text is for people.
    """
    try:
        said = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is no text") from None
    if order == "snap":
        if said in ("", PRESS):
            return "snap", {}
        if _object(said) == {"flash": True}:
            return "snap", {"flash": True}
        raise ValueError('a snap is PRESS or {"flash": true}')
    if order == "set":
        return "set", checked(_object(said))
    value: Any = _WORDS.get(said, said)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    return "set", checked({order.removeprefix("set/"): value})


def _object(said: str) -> Any:
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
