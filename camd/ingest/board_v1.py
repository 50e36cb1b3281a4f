"""A v1 board: it says a photo and waits for a line, for ever, and nothing but the line helps.

So every frame gets exactly one, in the frames' order, whatever happens to it. Holding the line
back is the only way to slow such a board down: that is its pace.
"""

import ipaddress
import secrets
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import define
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.fleet import Camera, Command, CommandError
from camd.photo import Boot, CameraId, Door, Photo, Reason, Receipt, Refused
from camd.store.schema import CatalogError
from camd.wire import v1
from camd.wire.picture import crc_of

if TYPE_CHECKING:
    from camd.ingest.protocol import CameraProtocol

log = Logger()

HELD_LONG = 0.3
"""Seconds of an answer's holding back after which the board's next picture counts as stale."""

MAX_UNANSWERED = 256
"""Frames that may wait for their answers; a board that waits for each has one."""


def camera_at(address: str) -> CameraId:
    """The name of a board that has none: its address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return CameraId("v1-local")
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return CameraId("v1-" + ip.exploded.replace(":", "-").replace(".", "-"))


@define(eq=False)
class _Answer:
    """A line that a frame is owed. *line*: None until it is known. *at*: when it may go out, on
    the reactor's clock. *seq*: that the store was given it under, 0 where it was not."""

    line: bytes | None = None
    at: float = 0.0
    since: float = 0.0
    seq: int = 0


class BoardV1:
    """What is said on a connection of a board with the tutorial's sketch."""

    __slots__ = (
        "_answers",
        "_boot",
        "_camera",
        "_decoder",
        "_ending",
        "_heard",
        "_lost",
        "_protocol",
        "_reason",
        "_release",
        "_seq",
        "_stale",
        "_started",
        "name",
        "protocol",
    )

    def __init__(self, protocol: "CameraProtocol") -> None:
        self.protocol = "v1"
        self._protocol = protocol
        factory = protocol.factory
        self.name = factory.config().named_address(protocol.address) or camera_at(protocol.address)
        self._decoder = v1.V1Decoder(factory.config().wire.max)
        self._camera: Camera | None = None  # None until its first frame
        self._boot = Boot(secrets.token_hex(8))
        self._seq = 0
        self._answers: deque[_Answer] = deque()
        self._reason: Reason | None = None  # why the frame under way will be refused
        self._release: IDelayedCall | None = None
        self._stale = False
        self._lost = False  # a process that is gone may owe it an answer
        self._ending = False  # camd hangs up once all that came is answered
        self._heard = 0
        self._started = 0.0
        protocol.expect(factory.config().times.first_mark)

    # ---- bytes

    def received(self, data: bytes) -> None:
        self._heard += len(data)
        self._decoder.receive_data(data)
        self.more()

    def go_on(self) -> None:
        self.more()
        self._flush()

    def more(self) -> None:
        """What has been received, frame by frame."""
        protocol, decoder = self._protocol, self._decoder
        while not protocol.closing and (event := decoder.next_event()) is not None:
            if isinstance(event, v1.Began):
                self._began()
            elif isinstance(event, v1.Ended):
                self._ended(event)
            elif isinstance(event, v1.Torn):
                self._make_up("torn")
            elif isinstance(event, v1.Endless):
                self._ending = True
                self._answer_now(v1.nak(self._refused(self._reason or Reason.SIZE)))
        if protocol.closing:
            return
        if not self._hold() and decoder.in_frame and self._reason is None:
            self._reason = Reason.BUSY
            decoder.discard()
            self._hold()
        self._mind_the_time()
        self._settle()

    def _hold(self) -> bool:
        return self._protocol.hold(self._decoder.held)

    def _mind_the_time(self) -> None:
        protocol, decoder = self._protocol, self._decoder
        times = protocol.factory.config().times
        if decoder.in_frame:
            if decoder.swallowed:
                clock = protocol.factory.clock
                clock.callLater(times.swallowed_mark, self._nothing_followed, self._heard)
            protocol.expect(times.progress)
            if self._too_slow():
                self._hang_up("slow")
        elif self._camera is not None:
            protocol.expect_nothing()

    def _too_slow(self) -> bool:
        factory = self._protocol.factory
        times = factory.config().times
        spent = factory.clock.seconds() - self._started
        return bool(spent > times.slow_after and self._heard < times.slowest * spent)

    def _nothing_followed(self, heard: int) -> None:
        """A mark that a segment claims was the last that came, a while ago."""
        protocol = self._protocol
        if protocol.closing or protocol.factory.frozen:
            return
        if heard == self._heard and self._decoder.swallowed:
            self._decoder.give_up_structure()
            self.more()

    # ---- frames

    def _began(self) -> None:
        protocol = self._protocol
        factory = protocol.factory
        self._heard = 0
        self._started = factory.clock.seconds()
        self._reason = None
        self._lost = False
        may_enter = factory.may_enter_v1(self.name, protocol.address)
        if self._camera is None:
            if may_enter:
                self._camera = factory.fleet.arrived(self.name, self, protocol.address)
            else:  # who has the key is that camera, and goes on
                self._camera = factory.fleet.camera(self.name)
            protocol.proven()
            if factory.witness is not None:
                factory.witness.came(protocol)
        elif self._camera.session is None and may_enter:
            self._camera.session = self  # it shares its address with a board that has left
        if factory.stopping:
            self._reason = Reason.STOPPING
        elif not may_enter:
            self._reason = Reason.DENIED
        elif len(self._answers) >= MAX_UNANSWERED:
            self._reason = Reason.BUSY
        if self._reason is not None:
            self._decoder.discard()

    def _ended(self, frame: v1.Ended) -> None:
        factory = self._protocol.factory
        if self._reason is not None:
            self._answer_now(v1.nak(self._refused(self._reason)))
        elif frame.verdict is v1.Verdict.WHOLE:
            self._whole(frame)
        else:
            reason = Reason.SIZE if frame.verdict is v1.Verdict.SIZE else Reason.JPEG
            detail = f"{frame.size} bytes that are no whole JPEG" if reason is Reason.JPEG else ""
            factory.intake.refuse(self.name, reason, detail, frame.kept)
            self._answer_now(v1.nak(reason.value))

    def _refused(self, reason: Reason) -> str:
        self._protocol.factory.intake.refuse(self.name, reason)
        return reason.value

    def _whole(self, frame: v1.Ended) -> None:
        """A picture: kept, or, where the camera's pace says so, only shown."""
        factory = self._protocol.factory
        camera = self._camera
        assert camera is not None, "a frame has begun"
        pace = factory.config().camera(self.name).pace
        now = factory.now()
        # A last one in the future was kept before the clock was set back.
        if pace and (self._stale or camera.kept_at <= now < camera.kept_at + pace):
            factory.intake.show(self.name, frame.chunks)
            stale, self._stale = self._stale, False
            wait = 0.0 if stale else min(pace, camera.kept_at + pace - now)
            self._pace(self._owe(v1.skip()), wait)
            return
        answer = self._owe()
        before, camera.kept_at = camera.kept_at, now
        self._hold()  # no more of this frame: it is the store's until it is through
        photo = self._photo(frame)
        answer.seq = photo.seq
        stored = factory.budget.until(factory.intake.accept(photo), frame.size)
        stored.addCallbacks(
            self._stored, self._failed, callbackArgs=(answer, pace),
            errbackArgs=(answer, pace, camera, before),
        ).addErrback(self._mistake)  # fmt: skip

    def _photo(self, frame: v1.Ended) -> Photo:
        self._seq += 1
        return Photo(
            self.name, self._boot, self._seq, frame.chunks, frame.size, crc_of(frame.chunks),
            frame.width, frame.height, self._protocol.factory.now(), Door.V1,
        )  # fmt: skip

    def _stored(self, _receipt: Receipt, answer: _Answer, pace: float) -> None:
        answer.line = v1.ack()
        self._pace(answer, pace - (self._protocol.factory.clock.seconds() - answer.since))

    def _failed(
        self, failure: Failure, answer: _Answer, pace: float, camera: Camera, before: float
    ) -> None:
        camera.kept_at = before
        error = failure.value
        if not isinstance(error, Refused):
            failure.raiseException()
        answer.line = v1.nak(error.reason.value)
        self._pace(answer, pace)

    def _mistake(self, failure: Failure) -> None:
        log.failure("{camera}: a mistake of ours", failure, camera=self.name)
        self._protocol.hang_up()

    # ---- answers

    def _owe(self, line: bytes | None = None) -> _Answer:
        answer = _Answer(line, since=self._protocol.factory.clock.seconds())
        self._answers.append(answer)
        return answer

    def _answer_now(self, line: bytes) -> None:
        self._owe(line)
        self._flush()

    def _pace(self, answer: _Answer, seconds: float) -> None:
        """The answer may go out after so many seconds, or as soon as somebody watches."""
        answer.at = self._protocol.factory.clock.seconds() + seconds
        self._flush()

    def _flush(self) -> None:
        """Send what may be sent, in the order of the frames."""
        protocol = self._protocol
        factory = protocol.factory
        hurry = (
            factory.stopping or self._ending or protocol.half_closed
            or factory.live.watched(self.name)
        )  # fmt: skip
        now = factory.clock.seconds()
        while self._answers:
            answer = self._answers[0]
            if answer.line is None:
                break
            if answer.at > now and not hurry:
                self._wait(answer.at - now)
                break
            self._answers.popleft()
            held = now - answer.since > HELD_LONG and answer.at > answer.since + HELD_LONG
            self._stale = self._stale or held
            self._settle(len(answer.line))
            protocol.send(answer.line)
        if self._ending and not self._answers:
            protocol.part()
        elif not self._answers and protocol.half_closed:
            protocol.hang_up()
        elif factory.stopping and not self.busy:
            factory.finished(protocol)

    def _settle(self, sending: int = 0) -> None:
        """Where nothing has begun, whoever keeps the connection knows whether something is owed.

        :param sending: bytes of the last answer, which is about to leave: said before it is, so
            that there is no moment in which it is owed no more and nobody knows.
        """
        witness = self._protocol.factory.witness
        if witness is None or self._camera is None or self._lost or not self._decoder.idle:
            return
        if self._answers:
            seq = self._answers[0].seq
            witness.owing(self._protocol, (self._boot, seq) if seq else None)
        else:
            witness.settled(self._protocol, self._protocol.said + sending)

    def _wait(self, seconds: float) -> None:
        if self._release is not None and self._release.active():
            self._release.reset(seconds)
        else:
            clock = self._protocol.factory.clock
            self._release = clock.callLater(seconds, self._flush)

    def watched(self) -> None:
        """Somebody watches this camera from now on."""
        self._flush()

    @property
    def known(self) -> bool:
        """Whether a frame has shown that a board is there."""
        return self._camera is not None

    # ---- behind a restart or a crash

    def goes_on(self, present: bool) -> None:
        """Its board was known before this process was.

        :param present: it stands for its camera, as one of those with that address, and that may
            come in, does.
        """
        factory, address = self._protocol.factory, self._protocol.address
        if present:
            self._camera = factory.fleet.carried_over(self.name, self, address)
        else:
            self._camera = factory.fleet.camera(self.name)
        self._protocol.proven()

    def adopted(self, owed: bool | None, photo: tuple[Boot, int] | None) -> None:
        """A process that is gone served it until now.

        :param owed: whether the board waits for an answer, nothing of its next frame having been
            read; None where nobody knows.
        :param photo: boot and seq under which the store was given what the answer is about.
        """
        protocol = self._protocol
        factory = protocol.factory
        self._decoder = v1.V1Decoder(factory.config().wire.max, orphans=True)
        self.goes_on(factory.may_enter_v1(self.name, protocol.address))
        protocol.expect_nothing()
        self._lost = owed is not False
        if owed:
            factory.clock.callLater(0, self._make_up, "restart", self._in_store(photo))
        else:
            self.await_word()

    def _in_store(self, photo: tuple[Boot, int] | None) -> bool:
        """Whether that photo is safe; its camera's pace counts from it then."""
        store = self._protocol.factory.intake.store
        try:
            receipt = None if photo is None else store.find((self.name, *photo))
        except CatalogError:
            return False
        if receipt is not None and self._camera is not None:
            self._camera.kept_at = max(self._camera.kept_at, receipt.received)
        return receipt is not None

    def await_word(self) -> None:
        """A board that may wait for a lost answer, and stays silent, does."""
        if self._lost:
            factory = self._protocol.factory
            seconds = factory.config().restart.lost_answer
            factory.clock.callLater(seconds, self._still_silent, self._protocol.heard)

    def _still_silent(self, heard: int) -> None:
        protocol = self._protocol
        if protocol.closing:
            return
        if heard == protocol.heard and not protocol.factory.frozen:
            self._make_up("restart")
        else:
            self.await_word()

    def _make_up(self, why: str, stored: bool = False) -> None:
        """The one line that the lost frame is owed. Where its end mark comes behind it, or twice,
        that is no frame of its own."""
        if self._lost:
            self._lost = False
            if not stored:
                self._protocol.factory.count(why)
            self._answer_now(v1.ack() if stored else v1.nak(why))

    # ---- the connection

    @property
    def busy(self) -> bool:
        return self._decoder.in_frame or bool(self._answers)

    def finished_sending(self) -> bool:
        if self._decoder.in_frame:
            self._reason = self._reason or Reason.JPEG
            self._answer_now(v1.nak(self._refused(self._reason)))
        self._flush()
        return bool(self._answers)

    def overdue(self) -> None:
        self._hang_up("stalled" if self._decoder.in_frame else "noise")

    def drain(self) -> None:
        self._flush()

    def out_of_time(self) -> None:
        if self._decoder.in_frame:
            self._reason = self._reason or Reason.STOPPING
            self._answer_now(v1.nak(self._refused(self._reason)))

    def lost(self) -> None:
        if self._release is not None and self._release.active():
            self._release.cancel()
        if self._decoder.in_frame and self._reason is None and not self._protocol.factory.stopping:
            self._protocol.factory.intake.refuse(self.name, Reason.JPEG, "cut off in mid-photo")
        self._answers.clear()
        if self._camera is not None:
            self._protocol.factory.fleet.left(self._camera, self)

    def _hang_up(self, why: str) -> None:
        self._protocol.factory.count(why)
        self._protocol.factory.say("{camera}: {why}; hanging up", camera=self.name, why=why)
        self._ending = True
        self._flush()

    # ---- the fleet's session

    def command(self, command: Command) -> "Deferred[Mapping[str, str]]":
        return fail(
            CommandError(command.name, self.name, "a v1 board takes no commands; reflash it")
        )

    def take_over(self) -> None:
        """Several boards may share an address, and an old connection may be half open: both are
        left to TCP keepalive."""

    def kick(self) -> None:
        self._protocol.hang_up()
