"""What can be asked of one board, whichever of the known firmwares it has.

====================  ==========================================================================
CameraWebServer       the stock sketch: /status, /capture, /control, and /stream a port higher
easytarget            its fork: the same, with a name in its status and the stream at the root
ESPHome               a stream or a still at the root of a port of its own, and no settings
====================  ==========================================================================
"""

import json
import re
from collections.abc import Mapping
from enum import Enum
from urllib.parse import urlsplit

from attrs import define, field
from twisted.internet.defer import DeferredLock, TimeoutError

from camd.httpclient import AnswerError, BusyError, Client, Hold, Stream
from camd.plain import plain
from camd.pull.mixed import Mixed, MixedError, Shot, shot_of
from camd.wire.picture import Picture

STATUS_MOST = 16 * 1024
_NAME = re.compile(r"[a-z0-9_]{1,32}", re.ASCII)
_MOST_SETTINGS = 100
_LARGEST_NUMBER = 1e15
_LONGEST_TEXT = 64

Status = Mapping[str, int | float | str]


class Firmware(Enum):
    """What a board was found to have."""

    STOCK = "CameraWebServer"
    EASYTARGET = "easytarget"
    STILLS = "ESPHome, stills"
    STREAM = "ESPHome, stream"

    @property
    def has_settings(self) -> bool:
        return self in (Firmware.STOCK, Firmware.EASYTARGET)


class NotTakenError(AnswerError):
    """The board is there and does not do what it was asked."""


@define(eq=False)
class Board:
    """A board at *url*. Of its main port one thing is asked at a time: it serves no more.

    :ivar most: bytes of a picture at most. *seconds*: for a whole answer.
    :ivar firmware: None until `find_out`.
    """

    url: str
    client: Client
    most: int
    seconds: float
    firmware: Firmware | None = None
    name: str = ""
    _one: DeferredLock = field(factory=DeferredLock)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or self.url

    @property
    def stream_url(self) -> str | None:
        """Where its stream is; None where it has none."""
        parts = urlsplit(self.url)
        if self.firmware is Firmware.STREAM:
            return self.url
        if self.firmware is None or not self.firmware.has_settings:
            return None
        port = (parts.port or (443 if parts.scheme == "https" else 80)) + 1
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        path = "/stream" if self.firmware is Firmware.STOCK else "/"
        return f"{parts.scheme}://{host}:{port}{path}"

    async def find_out(self) -> Firmware:
        """Which firmware it has.

        :raises AnswerError: none of those that are known.
        """
        if urlsplit(self.url).path in ("", "/"):
            async with self._one:
                reply = await self.client.get(f"{self._base}/status", STATUS_MOST, self.seconds)
            status = _status(reply.text) if reply.status == 200 else None
            if status is not None and "framesize" in status:
                self.name = str(status.get("cam_name", ""))
                fork = "cam_name" in status
                self.firmware = Firmware.EASYTARGET if fork else Firmware.STOCK
                return self.firmware
        stream = await self.client.open(self.url, self.most, self.seconds)
        stream.stop()
        kind = stream.fields.get("content-type", "").lower()
        if stream.status == 200 and kind.startswith("multipart/x-mixed-replace"):
            self.firmware = Firmware.STREAM
        elif stream.status == 200 and kind.startswith("image/jpeg"):
            self.firmware = Firmware.STILLS
        else:
            raise NotTakenError("nothing there is a CameraWebServer, a picture or a stream")
        return self.firmware

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")

    async def status(self) -> Status:
        """What it says of itself; empty where it says nothing.

        :raises AnswerError:
        """
        if self.firmware is None or not self.firmware.has_settings:
            return {}
        async with self._one:
            reply = await self.client.get(f"{self._base}/status", STATUS_MOST, self.seconds)
        status = _status(reply.text) if reply.status == 200 else None
        if status is None:
            raise NotTakenError("its status cannot be read")
        return status

    async def control(self, name: str, value: int) -> None:
        """:raises AnswerError: it does not take that value."""
        async with self._one:
            reply = await self.client.get(
                f"{self._base}/control?var={name}&val={value}", STATUS_MOST, self.seconds
            )
        if reply.status != 200:
            raise NotTakenError(f"it does not take {name} = {value} ({reply.status})")

    async def still(self, hold: Hold) -> Shot:
        """A picture, which may be damaged.

        :raises AnswerError: there is none.
        """
        if self.firmware is Firmware.STREAM:
            return await self._from_stream(hold)
        path = "" if self.firmware is Firmware.STILLS else "/capture"
        async with self._one:
            reply = await self.client.get(f"{self._base}{path}", self.most, self.seconds, hold)
        if reply.status != 200:
            raise NotTakenError(f"it has no picture ({reply.status})")
        picture = Picture(self.most)
        for data in reply.body:
            picture.add(data)
        return shot_of(picture, reply.fields.get("x-timestamp"))

    async def _from_stream(self, hold: Hold) -> Shot:
        """The second picture of a stream that is opened for it: the first may be an old one."""
        async with self._one:
            stream = await self.open_stream()
            shots: list[Shot] = []
            mixed = Mixed(self.most)

            def heard(data: bytes) -> None:
                shots.extend(parsed(mixed, data))
                if not hold(mixed.held):
                    raise BusyError("there is no memory for its pictures")
                if len(shots) > 1:
                    stream.stop()

            try:
                stream.grant(3 * self.most)
                stream.follow(heard)
                await stream.done.addTimeout(self.seconds, self.client.reactor)
            except TimeoutError:
                raise AnswerError("no picture came out of its stream") from None
            finally:
                stream.stop()
                hold(0)
        return shots[1]

    async def open_stream(self) -> Stream:
        """:raises AnswerError: it does not let anybody follow it now."""
        url = self.stream_url
        if url is None:
            raise NotTakenError("it has no stream")
        stream = await self.client.open(url, self.most, self.seconds)
        kind = stream.fields.get("content-type", "").lower()
        if stream.status != 200 or not kind.startswith("multipart/x-mixed-replace"):
            stream.stop()
            raise NotTakenError(f"its stream is none ({stream.status})")
        return stream


def parsed(mixed: Mixed, data: bytes) -> list[Shot]:
    """:raises AnswerError: its stream is broken."""
    try:
        return mixed.feed(data)
    except MixedError as error:
        raise AnswerError(f"its stream is broken: {error}") from None


def _status(text: bytes) -> Status | None:
    """The flat object that a board's status is; None where it is none."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or len(values) > _MOST_SETTINGS:
        return None
    return {
        name: plain(value[:_LONGEST_TEXT]) if isinstance(value, str) else value
        for name, value in values.items()
        if _NAME.fullmatch(name) and (isinstance(value, str) or _is_number(value))
    }


def _is_number(value: object) -> bool:
    """Whether it is one that can be shown again: Python's JSON has others, too."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= _LARGEST_NUMBER
    )
