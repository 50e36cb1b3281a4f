"""How telling others goes, as JSON has it."""

from collections.abc import Mapping
from typing import Any

from camd.publish.broker import Broker
from camd.publish.courier import Lane
from camd.publish.outbox import Delivery

LONGEST = 4000
"""Characters of what could not be delivered that are shown."""


def targets(
    lanes: Mapping[str, Lane], waiting: Mapping[str, int], gone: Mapping[str, bool]
) -> list[dict[str, Any]]:
    """Who is told, and what keeps them from it. *waiting*: how much, by target. *gone*: of each
    hook, whether it wants nothing more."""
    return [
        _target(each, lanes.get(each), waiting.get(each, 0), gone.get(each, False))
        for each in sorted({*waiting, *lanes, *gone})
    ]


def _target(target: str, lane: Lane | None, waiting: int, gone: bool) -> dict[str, Any]:
    return {
        "target": target,
        "waiting": waiting,
        "delivered": 0 if lane is None else lane.delivered,
        "failures": 0 if lane is None else lane.failures,
        "why": None if lane is None else lane.why or None,
        "gone": gone,
    }


def dead(delivery: Delivery) -> dict[str, Any]:
    """One that was given up. Times are unix seconds."""
    return {
        "id": delivery.id, "name": delivery.name, "target": delivery.target,
        "kind": delivery.kind, "made": delivery.made_ms / 1000,
        "given_up": (delivery.dead_ms or 0) / 1000, "tries": delivery.tries, "why": delivery.why,
        "body": delivery.body[:LONGEST],
    }  # fmt: skip


def broker(mqtt: Broker | None) -> dict[str, Any] | None:
    """The connection to the broker, None where there is to be none."""
    if mqtt is None:
        return None
    return {"host": mqtt.host, "connected": mqtt.connected, "why": mqtt.why or None}
