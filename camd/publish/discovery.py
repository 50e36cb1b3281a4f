"""Cameras as Home Assistant is told of them: one message a device, with all that it has.

Pure: what is known of a camera becomes topics and JSON. Names of cameras may have dots, Home
Assistant's may not: a dot becomes ``D``, as no camera's name has capitals.
"""

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from camd import __version__
from camd.config import wanted
from camd.offered import offered_to
from camd.photo import CameraId

PRESS = "PRESS"

EVENTS = ("alert", "over", "found", "silent", "back", "poor", "good")
"""What the event entity of a camera may tell."""

SHOWN = (
    "framesize", "quality", "brightness", "contrast", "saturation", "ae_level", "led_intensity",
    "interval", "flash", "vflip", "hmirror", "awb", "agc", "aec",
)  # fmt: skip
"""The settings that become entities; all others can be set by ``…/set``."""

_MEASURED: Mapping[str, tuple[str, str, str]] = {
    "rssi": ("Signal", "signal_strength", "dBm"),
    "vbat": ("Battery", "voltage", "V"),
    "temp": ("Temperature", "temperature", "°C"),
}
_ORIGIN = {"name": "camd", "sw": __version__}


@frozen
class Topics:
    """Where what is said.

    :ivar prefix: the first part of all. *instance*: this camd's part. *discovery*: the first part
        of Home Assistant's own.
    """

    prefix: str
    instance: str
    discovery: str

    @property
    def base(self) -> str:
        return f"{self.prefix}/{self.instance}"

    @property
    def status(self) -> str:
        """``online`` or ``offline``: camd itself."""
        return f"{self.base}/status"

    @property
    def birth(self) -> str:
        """Where Home Assistant says that it is there."""
        return f"{self.discovery}/status"

    def of(self, camera: CameraId | None, last: str) -> str:
        """*last* of a camera's, or camd's own."""
        return f"{self.base}/{last}" if camera is None else f"{self.base}/{camera}/{last}"

    def config(self, camera: CameraId | None) -> str:
        return f"{self.discovery}/device/{self.device(camera)}/config"

    def device(self, camera: CameraId | None) -> str:
        """A name fit for Home Assistant, never the same for two: the last capital between
        underscores parts camd's name from the camera's."""
        if camera is None:
            return f"camd_{self.instance}_H"
        return f"camd_{self.instance}_C_{camera.replace('.', 'D')}"


def slug(label: str) -> str:
    """A class's name, fit for topics and templates, never the same for two."""
    return "".join(
        sign if sign.isascii() and (sign.islower() or sign.isdigit() or sign in "_-")
        else "".join(f"X{byte:02x}" for byte in sign.encode("utf-8", "surrogatepass"))
        for sign in label
    )  # fmt: skip


@frozen
class Device:
    """What is to be known of a camera to tell of it.

    :ivar measured: the names of what it measures. *labels*: the classes that were seen.
    :ivar settings: whether it takes commands.
    """

    camera: CameraId
    name: str
    model: str
    fw: str
    protocol: str
    measured: tuple[str, ...]
    labels: tuple[str, ...]
    photos: bool
    url: str

    @property
    def takes_commands(self) -> bool:
        return self.protocol in ("v2", "pull")


def document(topics: Topics, device: Device) -> dict[str, Any]:
    """The message that tells of a camera."""
    name = topics.device(device.camera)
    state = topics.of(device.camera, "state")
    parts: dict[str, dict[str, Any]] = {
        "last_photo": _sensor("Last photo", "last_photo", device_class="timestamp"),
        "last_seen": _sensor(
            "Last seen", "last_seen", device_class="timestamp", entity_category="diagnostic"
        ),
        "photos_today": _sensor(
            "Photos today", "photos_today", state_class="total_increasing",
            icon="mdi:image-multiple",
        ),
        "problem": {
            "p": "binary_sensor", "name": "Problem", "device_class": "problem",
            "value_template": "{{ value_json.problem }}", "json_attributes_topic": state,
            "json_attributes_template": "{{ value_json.problems | to_json }}",
        },
        "connected": {
            "p": "binary_sensor", "name": "Connected", "device_class": "connectivity",
            "value_template": "{{ value_json.connected }}", "entity_category": "diagnostic",
        },
    }  # fmt: skip
    parts |= _measured(device)
    for each in parts.values():
        each["state_topic"] = state
    if device.photos:
        parts["photo"] = {
            "p": "image", "name": "Photo", "image_topic": topics.of(device.camera, "image"),
            "content_type": "image/jpeg",
        }  # fmt: skip
    parts["event"] = {
        "p": "event", "name": "Event", "event_types": list(EVENTS),
        "state_topic": topics.of(device.camera, "event"), "icon": "mdi:bell",
    }  # fmt: skip
    if device.takes_commands:
        parts |= _commands(topics, device, state)
    for key, part in parts.items():
        part["unique_id"] = f"{name}_{key}"
    about = {
        "ids": [name], "name": device.name or device.camera, "mdl": device.model or "camera",
        "sw": device.fw or None, "cu": device.url or None, "via_device": topics.device(None),
    }  # fmt: skip
    return {
        "dev": {key: value for key, value in about.items() if value},
        "o": _ORIGIN,
        "cmps": parts,
        "availability": [{"topic": topics.status}],
    }


def _measured(device: Device) -> dict[str, dict[str, Any]]:
    """Of what its board tells, and of what is on its photos, as far as there is any."""
    parts: dict[str, dict[str, Any]] = {}
    for key, (title, kind, unit) in _MEASURED.items():
        if key in device.measured:
            parts[key] = _sensor(
                title, f"measured.{key}", device_class=kind, unit_of_measurement=unit,
                state_class="measurement", entity_category="diagnostic",
            )  # fmt: skip
    if "queued" in device.measured:
        parts["queued"] = _sensor(
            "Queued photos", "measured.queued", state_class="measurement", icon="mdi:tray-full",
            entity_category="diagnostic",
        )  # fmt: skip
    for label in device.labels:
        parts[f"count_{slug(label)}"] = _sensor(
            f"{label} today", f"counts.get('{slug(label)}')", state_class="total_increasing",
            icon="mdi:bug",
        )  # fmt: skip
    return parts


def _commands(topics: Topics, device: Device, state: str) -> dict[str, dict[str, Any]]:
    camera = device.camera
    shared = {
        "availability": [{"topic": topics.status}, {"topic": topics.of(camera, "availability")}],
        "availability_mode": "all",
    }
    parts: dict[str, dict[str, Any]] = {
        "snap": {
            "p": "button", "name": "Take a photo", "command_topic": topics.of(camera, "snap"),
            "payload_press": PRESS, "icon": "mdi:camera", **shared,
        }
    }  # fmt: skip
    offered, _ = offered_to(device.protocol)
    for each in offered:
        name = each["name"]
        if name not in SHOWN or not is_taken(device.protocol, name):
            continue
        part = parts[f"set_{name}"] = {
            "name": name.replace("_", " ").capitalize(),
            "command_topic": topics.of(camera, f"set/{name}"), "state_topic": state,
            "value_template": f"{{{{ value_json.settings.{name} | default('None') }}}}",
            "entity_category": "config", **shared,
        }  # fmt: skip
        match each["kind"]:
            case "choice":
                part |= {"p": "select", "options": choices(device.protocol, each["choices"])}
            case "number":
                part |= {
                    "p": "number", "min": each["least"], "max": each["most"], "step": each["step"],
                    "mode": "box" if name == "interval" else "slider",
                }  # fmt: skip
            case _:
                part |= {"p": "switch", "payload_on": "1", "payload_off": "0"}
    return parts


def is_taken(protocol: str, name: str) -> bool:
    """Whether boards of that protocol know the setting *name*."""
    return protocol != "pull" or name in (*wanted.RANGES, "framesize", "interval")


def choices(protocol: str, offered: list[str]) -> list[str]:
    """Framesizes that boards of that protocol know."""
    return [each for each in offered if protocol != "pull" or each in wanted.FRAMESIZES]


def _sensor(name: str, value: str, **more: Any) -> dict[str, Any]:
    return {"p": "sensor", "name": name, "value_template": f"{{{{ value_json.{value} }}}}", **more}


def hub(topics: Topics, url: str) -> dict[str, Any]:
    """The message that tells of camd itself."""
    name, state = topics.device(None), topics.of(None, "state")
    parts: dict[str, dict[str, Any]] = {
        "running": {
            "p": "binary_sensor", "name": "Running", "device_class": "connectivity",
            "state_topic": topics.status, "payload_on": "online", "payload_off": "offline",
            "entity_category": "diagnostic",
        },
        "cameras": _sensor("Cameras connected", "connected", state_class="measurement",
                           state_topic=state, availability=[{"topic": topics.status}]),
        "event": {
            "p": "event", "name": "Event", "event_types": ["alert", "over"],
            "state_topic": topics.of(None, "event"), "icon": "mdi:bell",
        },
    }  # fmt: skip
    for key, part in parts.items():
        part["unique_id"] = f"{name}_{key}"
    about = {"ids": [name], "name": f"camd {topics.instance}", "mdl": "camd", "sw": __version__}
    if url:
        about["cu"] = url
    return {"dev": about, "o": _ORIGIN, "cmps": parts}


def without(before: Mapping[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """*now*, which also takes back what was told *before* and is no more."""
    parts = dict(now["cmps"])
    for key, part in before.get("cmps", {}).items():
        if key not in parts:
            parts[key] = {"p": part["p"]}
    return {**now, "cmps": parts}


def text(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, allow_nan=False).encode("ascii")
