"""A v2 board: named, keyed or not, its photos checked and answered one by one.

The talk of one connection: the opening, photos within the window, measurements, commands. In a
sealed session nothing is answered that nobody has vouched for.
"""

import secrets
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.fleet import Camera, Command, CommandError
from camd.ingest.commands import Answer, Commands
from camd.photo import Boot, CameraId, Door, Photo, Reason, Receipt, Refused
from camd.store.schema import CatalogError
from camd.wire import jpeg, messages, v2
from camd.wire.errors import LocalProtocolError, WireError
from camd.wire.line import Line
from camd.wire.messages import Frame, Hello
from camd.wire.seal import Opening, Seal

if TYPE_CHECKING:
    from camd.ingest.protocol import CameraProtocol

log = Logger()

MOST_IN_A_TURN = 200
"""Lines of one board that are looked at before the others get their turn."""


class BoardV2:
    """What is said on a connection of a board with our firmware."""

    __slots__ = (
        "_camera",
        "_commands",
        "_head",
        "_hello",
        "_key",
        "_keys",
        "_line_since",
        "_opening",
        "_payload_got",
        "_payload_since",
        "_pings",
        "_protocol",
        "_reader",
        "_refuse",
        "_unanswered",
        "_writer",
        "boot",
        "name",
        "protocol",
    )

    def __init__(self, protocol: "CameraProtocol") -> None:
        self.protocol = "v2"
        self.name = CameraId("")
        self.boot = Boot("")
        self._protocol = protocol
        most = protocol.factory.config().wire.max
        self._reader = v2.Reader(4 * most)
        self._writer = v2.Writer()
        self._hello: Hello | None = None
        self._opening: Opening | None = None
        self._key: bytes | None = None  # the one that fitted
        self._keys: tuple[bytes, ...] = ()
        self._camera: Camera | None = None  # None until WELCOME
        self._unanswered = 0
        self._head: Frame | None = None  # of the payload under way, where it is known already
        self._refuse: Reason | None = None  # why the payload under way is not kept
        self._payload_since = 0.0
        self._payload_got = 0
        self._line_since = protocol.factory.clock.seconds()  # its end is awaited already
        self._pings = 0
        self._commands: Commands | None = None  # made for the first: most have none

    # ---- bytes

    def received(self, data: bytes) -> None:
        self._reader.receive_data(data)
        self._pings = 0
        self._payload_got += len(data)
        self.more()

    def go_on(self) -> None:
        if self._protocol.paused:
            self._protocol.resume()
        self.more()

    def more(self) -> None:
        """What has been received, line by line, as far as the window allows."""
        protocol, reader = self._protocol, self._reader
        window = protocol.factory.config().wire.window
        turn = 0
        try:
            while not protocol.closing and not protocol.factory.frozen:
                turn += 1
                if turn > MOST_IN_A_TURN and not protocol.paused:
                    protocol.pause()  # others come first
                    protocol.factory.clock.callLater(0, self._next_turn)
                    break
                if self._unanswered >= window:
                    if reader.held:
                        protocol.pause()
                    break
                event = reader.next_event()
                if event is None:
                    break
                self._happened(event)
        except WireError as error:
            self._give_up(error)
        except LocalProtocolError:
            log.failure("{camera}: a mistake of ours; hanging up", camera=self.name)
            protocol.hang_up()
        if protocol.closing:
            return
        if protocol.factory.stopping and not self.busy:
            protocol.hang_up()
            return
        if not self._hold() and reader.in_payload and self._refuse is None:
            self._refuse = Reason.BUSY
            reader.skip()
            self._hold()
        if not protocol.paused:
            self._mind_the_time()

    def _next_turn(self) -> None:
        if self._protocol.closing or self._protocol.factory.frozen:
            return
        self.go_on()

    def _hold(self) -> bool:
        return self._protocol.hold(self._reader.held)

    def _mind_the_time(self) -> None:
        protocol, reader = self._protocol, self._reader
        times = protocol.factory.config().times
        if reader.in_payload:
            self._line_since = 0.0
            now = protocol.factory.clock.seconds()
            spent = now - self._payload_since
            if spent > times.slow_after and self._payload_got < times.slowest * spent:
                self._hang_up("slow")
            else:
                protocol.expect(times.progress)
        elif reader.in_line:
            if not self._line_since:
                now = self._line_since = protocol.factory.clock.seconds()
                # A challenge serves once, and not for ever: what arrives does not move its end.
                left = times.line if self._opening is None else protocol.due - now
                protocol.expect(min(times.line, left))
        else:
            self._line_since = 0.0
            if self._camera is not None:
                protocol.expect(times.ping)

    def _happened(self, event: v2.Event) -> None:
        self._line_since = 0.0
        if isinstance(event, v2.Message):
            if self._camera is None:
                self._open(event.line)
            elif event.payload is not None and event.line.verb == "FRAME":
                self._frame(event.line, event.payload)
            else:
                self._said(event.line, event.payload)
        elif isinstance(event, v2.Header):
            self._announced(event)
        else:
            self._oversized(event.line)

    # ---- the opening

    def _open(self, line: Line) -> None:
        if self._hello is None:
            if line.verb != "HELLO":
                raise WireError("order", "HELLO comes first")
            self._greeted(messages.parse_hello(line))
        elif line.verb != "AUTH":
            raise WireError("order", "only AUTH may be said here")
        else:
            self._authenticate(messages.parse_auth(line))

    def _greeted(self, hello: Hello) -> None:
        factory = self._protocol.factory
        self._hello = hello
        self.name, self.boot = hello.camera, hello.boot
        if factory.barred(self._protocol.address):
            factory.count("barred")
            raise WireError("auth", "too many wrong keys came from this address")
        keys = factory.keys(hello.camera)
        if keys is None and factory.config().cameras.unknown == "accept":
            if not factory.may_exist(hello.camera):
                raise WireError("busy", "there are too many cameras without a key")
            self._welcome(None)
            return
        self._keys = keys or ()
        challenge = secrets.token_hex(16)
        self._opening = Opening(hello.camera, hello.boot, hello.nonce, challenge)
        self._send(messages.challenge(challenge))
        self._protocol.expect(factory.config().times.auth)

    def _authenticate(self, said: str) -> None:
        opening = self._opening
        assert opening is not None, "HELLO came"
        if self._protocol.due < self._protocol.factory.clock.seconds():
            raise _late()
        fitting = [key for key in self._keys if opening.auth_fits(key, said)]
        if not self._keys:
            opening.auth_fits(bytes(32), said)  # as long as with a key
        if not fitting:
            factory = self._protocol.factory
            factory.wrong_key(self._protocol.address, self.name)
            raise WireError("auth", "a wrong key")
        self._welcome(fitting[0])

    def _welcome(self, key: bytes | None) -> None:
        protocol, hello, opening = self._protocol, self._hello, self._opening
        factory = protocol.factory
        assert hello is not None, "HELLO came"
        try:
            last = factory.intake.store.last(self.name, self.boot)
        except CatalogError as error:
            raise WireError("busy", f"the catalog cannot be read: {error}") from None
        proof = None
        if key is not None and opening is not None:
            proof = opening.proof(key)
            if not protocol.secure:
                session = opening.session_key(key)
                self._writer.seal = Seal(session, "camd", 0)
                self._reader.seal = Seal(session, "board", 1)
        self._opening = None
        self._key = key
        self._keys = ()
        self._line_since = 0.0
        wire = factory.config().wire
        self._reader.payloads = True
        # The connection before this one is told to go first: its photos stay its own.
        self._camera = factory.fleet.arrived(self.name, self, protocol.address, hello)
        self._send(
            messages.welcome(messages.Welcome(factory.now(), last, wire.window, wire.max, proof))
        )
        protocol.proven()
        if factory.live.watched(self.name):
            self.watched(True)

    # ---- photos

    def _announced(self, header: v2.Header) -> None:
        """A payload is about to come: is it wanted?"""
        factory = self._protocol.factory
        self._payload_since = factory.clock.seconds()
        self._payload_got = 0
        self._refuse = None
        self._head = None
        if header.verb == "FRAME":
            if header.line is not None:  # what is wrong is said before the payload comes
                self._head = messages.parse_frame(header.line)
            if header.length > factory.config().wire.max:
                self._refuse = Reason.SIZE
            elif factory.stopping:
                self._refuse = Reason.STOPPING
            elif not factory.budget.room(header.length):
                self._refuse = Reason.BUSY
            if self._refuse is not None:
                self._reader.skip()
        elif header.verb != "VIEW" or header.length > factory.config().wire.max:
            self._reader.skip()

    def _oversized(self, line: Line) -> None:
        if line.verb == "FRAME":
            self._refused(messages.parse_frame(line), Reason.SIZE)
            self._protocol.part()
            return
        raise WireError("syntax", "a payload that is too long")

    def _frame(self, line: Line, payload: v2.Payload) -> None:
        factory = self._protocol.factory
        head, self._head = self._head or messages.parse_frame(line), None
        refuse, self._refuse = self._refuse, None
        if refuse is None and payload.crc != head.crc:
            refuse = Reason.CRC
        if refuse is not None:
            self._refused(head, refuse)
            return
        try:
            width, height = jpeg.measure(payload.chunks)
        except jpeg.NotAJpegError as error:
            self._no_picture(head, str(error), payload.chunks)
            return
        photo = Photo(
            self.name, head.boot or self.boot, head.seq, payload.chunks, payload.size, head.crc,
            width, height, factory.now(), Door.V2, head.taken, head.trigger,
        )  # fmt: skip
        self._unanswered += 1
        self._hold()  # no more of this payload: it is the store's until it is through
        stored = factory.budget.until(factory.intake.accept(photo), payload.size)
        stored.addBoth(self._settled, head).addErrback(self._mistake)

    def _no_picture(self, head: Frame, why: str, chunks: tuple[bytes | bytearray, ...]) -> None:
        """Where another photo is stored under its name, that is what is wrong with it."""
        store = self._protocol.factory.intake.store
        try:
            stored = store.find((self.name, head.boot or self.boot, head.seq))
        except CatalogError as error:
            self._refused(head, Reason.IO, str(error))
            return
        taken = stored is not None and stored.crc != head.crc
        self._refused(head, Reason.CONFLICT if taken else Reason.JPEG, why, chunks)

    def _refused(
        self,
        head: Frame,
        reason: Reason,
        detail: str = "",
        chunks: tuple[bytes | bytearray, ...] = (),
    ) -> None:
        """Refused at the door: the store has not seen it."""
        intake = self._protocol.factory.intake
        intake.refuse(self.name, reason, detail, chunks)
        if reason.final:
            intake.store.settled((self.name, head.boot or self.boot, head.seq))
        self._no(head, reason)

    def _no(self, head: Frame, reason: Reason, retry: float | None = None) -> None:
        self._send(messages.nak(head.seq, reason, retry, head.boot))

    def _settled(self, result: Receipt | Failure, head: Frame) -> None:
        self._unanswered -= 1
        if isinstance(result, Receipt):
            self._protocol.answer(self._writer.line(messages.ack(head.seq, head.boot)))
        else:
            error = result.value
            if not isinstance(error, Refused):
                result.raiseException()
            self._no(head, error.reason, error.retry)
        protocol = self._protocol
        if protocol.closing:
            return
        if protocol.paused:
            protocol.resume()
            self.more()
        if protocol.half_closed:
            if not self._unanswered:
                protocol.hang_up()
        elif protocol.factory.stopping and not self.busy:
            protocol.hang_up()

    def _mistake(self, failure: Failure) -> None:
        log.failure("{camera}: a mistake of ours", failure, camera=self.name)
        self._protocol.hang_up()

    # ---- the rest

    def _said(self, line: Line, payload: v2.Payload | None) -> None:
        factory, camera = self._protocol.factory, self._camera
        assert camera is not None, "WELCOME was said"
        verb = line.verb
        if verb == "STAT":
            factory.fleet.told(camera, messages.parse_stat(line))
        elif verb == "PING":
            self._send(messages.pong(messages.parse_ping(line)))
        elif verb == "PONG":
            messages.parse_ping(line)
        elif verb == "DONE":
            done = messages.parse_done(line)
            if self._commands is not None:
                self._commands.succeeded(done.command, dict(done.values))
        elif verb == "FAIL":
            failed = messages.parse_fail(line)
            if self._commands is not None:
                self._commands.failed(failed.command, failed.reason)
        elif verb == "BYE":
            factory.fleet.sleeps(camera, messages.parse_bye(line))
        elif verb == "VIEW":
            self._view(line, payload)
        elif verb == "FRAME":
            messages.parse_frame(line)  # without a payload: says what is missing
        elif verb in messages.BOARD_VERBS:
            raise WireError("order", f"{verb} has been said")
        else:
            self._send(messages.err("verb"))

    def _view(self, line: Line, payload: v2.Payload | None) -> None:
        crc = messages.parse_view(line)
        if payload is None or payload.skipped or payload.crc != crc:
            return
        try:
            jpeg.measure(payload.chunks)
        except jpeg.NotAJpegError:
            return
        self._protocol.factory.intake.show(self.name, payload.chunks)

    # ---- the fleet's session

    def command(self, command: Command) -> "Deferred[Answer]":
        protocol = self._protocol
        factory = protocol.factory
        if protocol.closing:
            return fail(CommandError(command.name, self.name, "it is being hung up on"))
        if self._commands is None:
            self._commands = Commands(
                self.name, factory.clock, self._writer.line, factory.next_command
            )
        config = factory.config()
        try:
            line, done = self._commands.ask(
                command, config.times.command, config.limits.commands_in_flight
            )
        except CommandError as error:
            return fail(error)
        protocol.send(line)
        return done

    def watched(self, watched: bool) -> None:
        """Somebody watches this camera, or nobody any more."""
        fps = self._protocol.factory.fps if watched else 0
        self.command(Command("stream", {"fps": fps})).addErrback(
            lambda failure: log.info("{why}", why=failure.getErrorMessage())
        )

    def still_welcome(self) -> bool:
        """Whether it would be let in again as it was."""
        factory = self._protocol.factory
        keys = factory.keys(self.name)
        if self._key is None:
            return keys is None and factory.config().cameras.unknown == "accept"
        return keys is not None and self._key in keys

    def take_over(self) -> None:
        self._give_up(WireError("taken", "another connection of this camera has come"))

    def kick(self) -> None:
        self._protocol.hang_up()

    # ---- the connection

    @property
    def busy(self) -> bool:
        return self._unanswered > 0 or (
            self._reader.in_payload and self._refuse is not Reason.STOPPING
        )

    def finished_sending(self) -> bool:
        return self._unanswered > 0

    def overdue(self) -> None:
        times = self._protocol.factory.config().times
        if self._reader.in_payload:
            self._hang_up("stalled")
        elif self._opening is not None:
            self._give_up(_late())
        elif self._line_since or self._camera is None:
            self._hang_up("stalled")
        elif self._pings >= times.pings:
            self._hang_up("silent")
        else:
            self._pings += 1
            self._send(messages.ping())
            self._protocol.expect(times.ping)

    def drain(self) -> None:
        if not self.busy:
            self._protocol.hang_up()

    def forget_commands(self, why: str) -> None:
        if self._commands is not None:
            self._commands.forget(why)

    def out_of_time(self) -> None:
        """The connection's end says it: the board sends the photo again."""

    def lost(self) -> None:
        self.forget_commands("its connection is gone")
        if self._camera is not None:
            self._protocol.factory.fleet.left(self._camera, self)

    def _send(self, line: bytes) -> None:
        if not self._protocol.closing:
            self._protocol.send(self._writer.line(line))

    def _give_up(self, error: WireError) -> None:
        """Tell the board what is wrong, and hang up."""
        protocol = self._protocol
        protocol.factory.count(error.code)
        protocol.factory.say(
            "{address} {camera}: ERR {code}: {why}",
            address=protocol.address, camera=self.name, code=error.code, why=error.detail,
        )  # fmt: skip
        self._send(messages.err(error.code))
        protocol.part()

    def _hang_up(self, why: str) -> None:
        protocol = self._protocol
        protocol.factory.count(why)
        protocol.factory.say("{camera}: {why}; hanging up", camera=self.name, why=why,
                             address=protocol.address)  # fmt: skip
        protocol.hang_up()


def _late() -> WireError:
    return WireError("auth", "AUTH came too late")
