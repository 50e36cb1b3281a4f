"""One connection that uploads: a head, a body, an answer, and, for a PUT, perhaps the next.

A POST is a sketch's and is forgiven much; behind its answer the connection is closed, since that
is what many of them wait for. A PUT is a program's, and is held to what it says.
"""

import hashlib
from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from camd.ingest.deadlines import NEVER
from camd.ingest.factory import address_of
from camd.parting import LINGER, part
from camd.photo import Boot, CameraId, Door, Photo, Reason, Receipt, Refused
from camd.upload import answer as answers
from camd.upload.answer import Answer, Declined
from camd.upload.body import Body, taken, trigger
from camd.upload.head import Head, HeadReader, route
from camd.wire.picture import crc_of

if TYPE_CHECKING:
    from camd.upload.factory import Caller, UploadFactory

log = Logger()

MOST = 1000
"""Photos on one connection, so that answers which nobody reads do not pile up."""


class State(Enum):
    """Where a connection stands."""

    HEAD = "waiting for a request"
    BODY = "reading its body"
    STORING = "its photo is on the way to the disk"
    OVER = "answered for the last time"


@implementer(IHalfCloseableProtocol)
class UploadProtocol(Protocol):
    """:ivar due: when it is overdue, on the reactor's clock. *address*: the peer's."""

    __slots__ = (
        "_answered",
        "_begun",
        "_body",
        "_caller",
        "_camera",
        "_half_closed",
        "_head",
        "_held",
        "_lingered",
        "_reader",
        "_state",
        "address",
        "connected",
        "due",
        "factory",
        "slot",
        "transport",
    )

    factory: "UploadFactory"
    transport: Any

    def __init__(self, factory: "UploadFactory") -> None:
        self.factory = factory
        self.address = ""
        self.due = NEVER
        self.slot = 0
        self._state = State.HEAD
        self._reader = HeadReader()
        self._head: Head | None = None
        self._caller: Caller | None = None
        self._camera: CameraId | None = None  # where it is known before the body
        self._body: Body | None = None
        self._begun = NEVER  # when the request's first byte came
        self._held = 0
        self._lingered = 0
        self._answered = 0
        self._half_closed = False

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._state in (State.BODY, State.STORING)

    # ---- Twisted

    def connectionMade(self) -> None:
        self.factory.connected(self)
        self._expect(self.factory.config().upload.idle)

    def dataReceived(self, data: bytes) -> None:
        if not self.address:
            self.address = address_of(self.transport.getPeer())
            self.factory.identified(self)
        try:
            if self._state is State.HEAD:
                self._reader.receive_data(data)
                self._read_head()
            elif self._state is State.BODY:
                self._read_body(data)
            elif self._state is State.STORING:
                self._reader.receive_data(data)  # reading is paused: no more than one piece
            else:
                self._linger(len(data))
        except Declined as declined:
            self._decline(declined)
        except Exception:
            log.failure("{address}: a mistake of ours; hanging up", address=self.address)
            self.abort()

    def readConnectionLost(self) -> None:
        self._half_closed = True
        if self._state is State.BODY:
            self._no_more("the upload was cut off")
        elif self._state is not State.STORING:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our side is closed, by `_part`: what the peer still sends is read, for a while."""

    def connectionLost(self, reason: Failure | None = None) -> None:
        unfinished = self._state is State.BODY
        self._state = State.OVER
        self.due = NEVER
        if unfinished and not self.factory.stopping:
            self._refused("cut off in mid-photo", Reason.JPEG)
        self._hold(0)
        self.factory.gone(self)

    # ---- time and memory

    def _expect(self, seconds: float) -> None:
        """`overdue` comes after so many seconds, or when the request has taken too long."""
        deadlines = self.factory.boards.deadlines
        limit = self._begun + self.factory.config().upload.request
        due = min(deadlines.seconds() + seconds, limit)
        if self.due == NEVER or due < self.due:
            deadlines.watch(self, due)
        else:
            self.due = due

    def overdue(self) -> None:
        """The deadline has passed."""
        self.due = NEVER
        if self._state is State.BODY:
            self._no_more("the upload came too slowly, or never to its end")
        elif self._state is State.HEAD and self._reader.begun:
            self._say(Answer(408, "the request came too slowly"), close=True)
        elif self._state is State.HEAD:
            self._state = State.OVER
            self.transport.loseConnection()
            self._expect(self.factory.config().times.hang_up)
        else:
            self.abort()

    def _hold(self, size: int) -> bool:
        """So many bytes wait here now; whether all doors together hold no more than they may."""
        before, self._held = self._held, size
        return self.factory.boards.budget.change(before, size)

    def abort(self) -> None:
        self._state = State.OVER if self._state is not State.BODY else self._state
        self.transport.abortConnection()

    def drain(self) -> None:
        """camd is about to stop."""
        if self._state is State.HEAD and not self._reader.begun:
            self._state = State.OVER
            self.transport.loseConnection()
        elif self._lingered > LINGER:
            self.abort()

    def last_words(self) -> None:
        """camd ends: what is not on its way to the disk will not be stored."""
        if self._state is State.BODY or (self._state is State.HEAD and self._reader.begun):
            self._decline(_stopping())

    # ---- the head

    def _read_head(self) -> None:
        if self._begun == NEVER and self._reader.begun:
            self._begun = self.factory.boards.deadlines.seconds()
            self._expect(self.factory.config().times.line)
        head = self._reader.next_head()
        if head is None:
            return
        self._head = head
        self._welcome(head)
        self._state = State.BODY
        self._expect(self.factory.config().times.progress)
        if head.waits:
            self.transport.write(answers.CONTINUE)
        self._read_body(self._reader.rest())

    def _welcome(self, head: Head) -> None:
        """What can be said against a request is said before its body is awaited."""
        factory = self.factory
        route(head)
        if factory.stopping:
            raise _stopping()
        caller = self._caller = factory.caller(head, self.address)
        if "origin" in head.fields and caller.token is None and caller.key is None:
            raise Declined(403, "another site's page may not upload through a browser")
        self._camera = factory.named(head, {}, caller)
        if self._camera is not None:
            factory.authorise(self._camera, caller)
        elif not factory.may_any(caller):
            raise Declined(401, "a token for uploads, or a camera's key, is wanted")
        self._body = Body(head, factory.config().upload.max)
        if not factory.boards.budget.room(head.length or 0):
            raise Declined(503, "not stored: busy", Reason.BUSY, retry=5.0)

    # ---- the body

    def _read_body(self, data: bytes) -> None:
        body = self._body
        assert body is not None, "the head was read"
        body.feed(data)
        if not self._hold(body.held):
            raise Declined(503, "not stored: busy", Reason.BUSY, retry=5.0)
        if body.over:
            self._finish()
        else:
            self._expect(body.patience(self.factory.config().times.progress))

    def _no_more(self, why: str) -> None:
        """Nothing more comes of the body: a sketch's picture that is whole is one nevertheless."""
        try:
            if self._is_put:
                raise Declined(400, f"not stored: {why}", Reason.JPEG)
            self._finish(why)
        except Declined as declined:
            self._decline(declined)

    @property
    def _is_put(self) -> bool:
        return self._head is not None and self._head.method == "PUT"

    def _finish(self, why: str = "") -> None:
        """The body is over: who sent it, and is there a whole picture in it?"""
        head, caller, body = self._head, self._caller, self._body
        factory = self.factory
        assert head is not None and caller is not None and body is not None, "the head was read"
        if self._camera is None:
            named = factory.named(head, body.words, caller)
            self._camera = named or factory.unnamed(self.address)
            factory.authorise(self._camera, caller)
        picture = body.picture
        if picture is None:
            raise Declined(400, f"not stored: {why or 'there is no JPEG in it'}", Reason.JPEG)
        if not picture.whole:
            why = why or "the JPEG is damaged or cut off"
            raise Declined(400, f"not stored: {why}", Reason.JPEG)
        chunks = picture.take()
        size = sum(map(len, chunks))
        words = {**body.words, **head.query}
        boot, seq = self._number(head.fields.get("idempotency-key", ""), self._camera)
        self._store(
            Photo(
                self._camera, boot, seq, chunks, size, crc_of(chunks), picture.width,
                picture.height, factory.now(), Door.UPLOAD, taken(words.get("ts", "")),
                trigger(words.get("trigger", "")),
            )
        )  # fmt: skip

    def _store(self, photo: Photo) -> None:
        self._state = State.STORING
        self.due = NEVER
        self._hold(0)
        self.factory.came_by(photo.camera, self.address)
        if not self._half_closed:
            self.transport.pauseProducing()
        stored = self.factory.intake.accept(photo)
        stored = self.factory.boards.budget.until(stored, photo.size)
        stored.addBoth(self._settled).addErrback(self._mistake)

    def _number(self, key: str, camera: CameraId) -> tuple[Boot, int]:
        """A photo that is sent again under the same key has the name that it had before."""
        if not key:
            return self.factory.number()
        digest = hashlib.sha256(f"camd upload {camera} {key}".encode()).hexdigest()
        return Boot(digest[:16]), 1

    def _settled(self, result: Receipt | Failure) -> None:
        if isinstance(result, Receipt):
            said = answers.stored(result, self._is_put)
        else:
            error = result.value
            if not isinstance(error, Refused):
                result.raiseException()
            said = answers.refused(error)
        if self._state is not State.STORING:
            return
        if not self._half_closed:
            self.transport.resumeProducing()
        head, body = self._head, self._body
        self._answered += 1
        keep = (
            self._is_put
            and self._answered < MOST
            and head is not None
            and head.keep
            and body is not None
            and body.exact
            and not self._half_closed
            and not self.factory.stopping
        )
        self._say(said, close=not keep)
        if keep:
            self._again()

    def _mistake(self, failure: Failure) -> None:
        log.failure("{address}: a mistake of ours", failure, address=self.address)
        if self._state is State.STORING:
            self._say(Answer(500, "not stored: io"), close=True)

    # ---- the answer

    def _again(self) -> None:
        """The next request may come on this connection."""
        behind = (self._body.behind if self._body is not None else b"") + self._reader.rest()
        self._state = State.HEAD
        self._head = self._caller = self._camera = self._body = None
        self._begun = NEVER
        self._expect(self.factory.config().upload.idle)
        if behind:
            self._reader.receive_data(behind)
            self.factory.boards.clock.callLater(0, self._go_on)

    def _go_on(self) -> None:
        """What had come already is read, unless that was done with what came since."""
        if self._state is State.HEAD:
            self.dataReceived(b"")

    def _decline(self, declined: Declined) -> None:
        """Nothing is stored, and that is said, and counted where it was a camera's photo."""
        if declined.reason is not None:
            self._refused(declined.answer.text.removeprefix("not stored: "), declined.reason)
        self._hold(0)
        self.factory.boards.say(
            "{address}: an upload is answered {status}: {said}",
            address=self.address, status=declined.answer.status, said=declined.answer.text,
        )  # fmt: skip
        self._say(declined.answer, close=True)

    def _refused(self, detail: str, reason: Reason) -> None:
        camera = self._camera or self._likely()
        picture = self._body.picture if self._body is not None else None
        if camera is not None:
            kept = picture.take() if picture is not None and not picture.oversize else ()
            self.factory.intake.refuse(camera, reason, detail, kept)

    def _likely(self) -> CameraId | None:
        """Whose photo it most likely was that ended too early to tell; None where that would be
        a camera nobody has heard of."""
        head, caller = self._head, self._caller
        if head is None or caller is None:
            return None
        try:
            words = self._body.words if self._body is not None else {}
            named = self.factory.named(head, words, caller)
            camera = named or self.factory.unnamed(self.address)
            if camera not in self.factory.fleet:
                return None
            self.factory.authorise(camera, caller)
        except Declined:
            return None
        return camera

    def _say(self, said: Answer, close: bool) -> None:
        self.factory.answered[said.status] += 1
        head = self._head
        self.transport.write(said.rendered(close, head is None or head.method != "HEAD"))
        if close:
            self._part()

    def _part(self) -> None:
        """Say no more; read on for a moment and throw away."""
        self._state = State.OVER
        self._hold(0)
        self._begun = NEVER
        if self._half_closed:
            self.transport.loseConnection()
        else:
            part(self.transport)
        self._expect(self.factory.config().times.hang_up)

    def _linger(self, size: int) -> None:
        self._lingered += size
        if self._lingered > LINGER:
            self.transport.pauseProducing()


def _stopping() -> Declined:
    return Declined(503, "not stored: stopping", retry=10.0)
