"""Photos that come by HTTP: what programs and the popular sketches send, and what is none."""

import json
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import define
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase, TestCase

from camd.access import May, Tokens
from camd.config import CameraEntry, Config
from camd.fleet import Fleet
from camd.ingest import CameraFactory
from camd.live import Live
from camd.news import News
from camd.photo import CameraId, Door, Reason, Trigger
from camd.upload import UploadFactory
from camd.upload.answer import Declined
from camd.upload.framing import Chunked, Counted
from camd.upload.head import MOST, HeadReader
from camd.upload.multipart import Closed, Data, Multipart, MultipartError, Part
from camd.upload.protocol import MOST as MOST_PHOTOS
from camd.upload.submission import Kind, Submission
from camd.wire.picture import Picture
from tests.e2e_daemon import DaemonCase
from tests.e2e_door import ADDRESS, NOW, DoorCase, End, HeldIntake, Keys
from tests.fake_boards import certificates
from tests.pictures import insects
from tests.streams import jpeg, lying, pieces, segment, some_cuts, thorough
from tests.tools import tool

PHOTO = insects(1)
WITH_ENDS_INSIDE = jpeg(segment(0xE1, b"\xff\xd9" * 9))
ROUND = 1024
KEY = bytes(range(32))


def form(  # noqa: PLR0917
    picture: bytes, boundary: bytes = b"RandomNerdTutorials", field: bytes = b"imageFile",
    before: Sequence[tuple[bytes, bytes]] = (), after: Sequence[tuple[bytes, bytes]] = (),
    newline: bytes = b"\r\n", closed: bool = True,
) -> bytes:  # fmt: skip
    """A multipart body as the upload sketches write it: text fields before and after a photo."""

    def text(name: bytes, value: bytes) -> bytes:
        return newline.join(
            (b"--" + boundary, b'Content-Disposition: form-data; name="%s"' % name, b"", value, b"")
        )

    head = newline.join(
        (
            b"--" + boundary,
            b'Content-Disposition: form-data; name="%s"; filename="esp32-cam.jpg"' % field,
            b"Content-Type: image/jpeg",
            b"",
            b"",
        )
    )
    end = newline + b"--" + boundary + b"--" + newline if closed else b""
    texts = [newline + text(*each)[: -len(newline)] for each in after]
    return b"".join((*(text(*each) for each in before), head, picture, *texts, end))


def post(  # noqa: PLR0917
    body: bytes, path: bytes = b"/upload.php", boundary: bytes | None = b"RandomNerdTutorials",
    length: int | None = -1, kind: bytes = b"", version: bytes = b"1.1", *fields: bytes,
) -> bytes:  # fmt: skip
    """A request as a sketch prints it. *length*: announced; -1 is the true one, None is none."""
    kind = kind or (
        b"multipart/form-data; boundary=" + boundary if boundary is not None else b"image/jpeg"
    )
    lines = [b"POST %s HTTP/%s" % (path, version), b"Host: 192.0.2.1", b"Content-Type: " + kind]
    if length is not None:
        lines.append(b"Content-Length: %d" % (len(body) if length == -1 else length))
    return b"\r\n".join((*lines, *fields, b"", b"")) + body


def put(body: bytes, camera: bytes = b"trap-7", *fields: bytes, length: int = -1) -> bytes:
    lines = (
        b"PUT /cameras/%s/photos HTTP/1.1" % camera,
        b"Host: 192.0.2.1",
        b"Content-Length: %d" % (len(body) if length == -1 else length),
        *fields,
        b"",
        b"",
    )
    return b"\r\n".join(lines) + body


def of_length(size: int) -> bytes:
    """A photo of exactly *size* bytes: a comment makes up what is missing."""
    missing = size - len(PHOTO)
    assert 4 <= missing <= 60_000
    return PHOTO[:2] + segment(0xFE, b"-" * (missing - 4)) + PHOTO[2:]


class Sender(End):
    """A program's or a sketch's."""

    @property
    def status(self) -> int:
        """Of the one answer that has come; 0 for none. An answer without a body fails."""
        said = self.heard()
        if not said:
            return 0
        head, _, text = said.partition(b"\r\n\r\n")
        assert text.endswith(b"\n") and len(text) > 1, said
        assert b"Content-Length: %d" % len(text) in head, said
        return int(head.split()[1])


class UploadCase(DoorCase):
    """The door in memory, with a clock that is turned by hand."""

    def setUp(self) -> None:
        super().setUp()
        directory = Path(self.mktemp())
        directory.mkdir()
        self.tokens = Tokens(directory)
        self.intake.at_once = True
        intake: Any = self.intake
        self.uploads = UploadFactory(
            lambda: self.config, intake, self.fleet, self.factory, self.tokens, self.now
        )

    def sender(self, address: str = ADDRESS) -> Sender:
        sender = Sender(self.uploads, address)
        self.addCleanup(sender.leave)
        return sender

    def status(self, request: bytes, address: str = ADDRESS) -> int:
        """What a request on a connection of its own is answered with."""
        sender = self.sender(address)
        sender.say(request)
        return sender.status

    @property
    def names(self) -> list[str]:
        return [photo.camera for photo in self.intake.stored]

    def assert_stored(self, picture: bytes, camera: str) -> None:
        """Exactly that, once."""
        (photo,) = self.intake.stored
        self.assertEqual(photo.data, picture)
        self.assertEqual(photo.camera, camera)
        self.assertIs(photo.door, Door.UPLOAD)
        self.assertEqual(photo.received, self.now())
        self.assertEqual(self.factory.budget.held, 0)


class SketchTests(UploadCase):
    """What the sketches send is taken, whatever is wrong with it besides the photo."""

    HERE = "http-192-0-2-7"

    def test_the_tutorial(self) -> None:
        """One field, the tutorial's boundary: stored, answered with text, closed."""
        sender = self.sender()
        sender.say(post(form(PHOTO)))
        self.assertEqual(sender.status, 200)
        self.assertTrue(sender.ended)
        self.assert_stored(PHOTO, self.HERE)

    def test_any_field(self) -> None:
        """The name of the photo's field does not matter."""
        for field in (b"image", b"file", b"upfile", b"", b"a b"):
            self.assertEqual(self.status(post(form(PHOTO, field=field))), 200)
        self.assertEqual(len(self.intake.stored), 5)

    def test_forbidden_boundaries(self) -> None:
        """Boundaries that need quotes and have none, or that the header writes differently."""
        for inside, outside in (
            (b"???", b"???"),
            (b"--x", b"x"),
            (b"x", b"--x"),
            (b"a b:c", b"a b:c"),
            (b"x", b'"x"'),
            (b"x", b"y"),
            (b"x", b""),
        ):
            body = form(PHOTO, boundary=inside)
            self.assertEqual(self.status(post(body, boundary=outside)), 200, inside)
        self.assertEqual({photo.data for photo in self.intake.stored}, {PHOTO})

    def test_bare_newlines(self) -> None:
        """Lines that end with LF only."""
        request = post(form(PHOTO, newline=b"\n"))
        head, _, body = request.partition(b"\r\n\r\n")
        self.assertEqual(self.status(head.replace(b"\r\n", b"\n") + b"\n\n" + body), 200)
        self.assert_stored(PHOTO, self.HERE)

    def test_raw(self) -> None:
        """A bare JPEG, whatever its type is said to be."""
        for kind in (b"image/jpeg", b"application/octet-stream", b"multipart/form-data"):
            self.assertEqual(self.status(post(PHOTO, b"/upload", kind=kind)), 200)
        self.assertEqual({photo.data for photo in self.intake.stored}, {PHOTO})

    def test_wrapped_length(self) -> None:
        """A length of 16 bits is not believed, for a form and for a bare JPEG."""
        picture = of_length(len(PHOTO) + 59_990)
        body = form(picture)
        for request in (
            post(body, length=len(body) % 2**16),
            post(picture, boundary=None, length=len(picture) % 2**16),
        ):
            sender = self.sender()
            sender.say(*pieces(request, [1430]))
            self.assertEqual(sender.status, 200)
            self.assertTrue(sender.ended)
            self.assertEqual(self.intake.stored.pop().data, picture)

    def test_wrapped_length_and_words(self) -> None:
        """A field behind the photo is waited for where the length was used up long before."""
        body = form(PHOTO, after=[(b"cam", b"trap-7")])
        request = post(body, length=1000)
        end = request.index(PHOTO) + len(PHOTO)
        sender = self.sender()
        sender.say(request[:end])
        self.assertEqual(sender.status, 0)
        sender.say(request[end:])
        self.assertEqual(sender.status, 200)
        self.assert_stored(PHOTO, "trap-7")

    def test_last_block_missing(self) -> None:
        """A sketch leaves out the last 1024 bytes of a multiple of that: damaged, and said so at
        once, since its closing boundary has come and it waits for no longer than 10 s."""
        size = (len(PHOTO) // ROUND + 2) * ROUND
        whole = form(of_length(size))
        body = form(of_length(size)[:-ROUND])
        sender = self.sender()
        sender.say(post(body, length=len(whole)))
        self.assertEqual(sender.status, 400)
        self.assertTrue(sender.ended)
        self.assertEqual(self.intake.stored, [])
        self.assertEqual(self.intake.refusals, [(self.HERE, Reason.JPEG)])
        self.assertEqual(self.intake.quarantined, [of_length(size)[:-ROUND]])

    def test_length_too_large(self) -> None:
        """The closing boundary is believed before the length; a bare JPEG's end is, after a
        while, long before the sketch has given up."""
        self.assertEqual(self.status(post(form(PHOTO), length=len(PHOTO) * 2)), 200)
        sender = self.sender()
        sender.say(post(PHOTO, boundary=None, length=len(PHOTO) + 1000))
        self.assertEqual(sender.status, 0)
        self.seconds(7)
        self.assertEqual(sender.status, 200)
        self.assertEqual({photo.data for photo in self.intake.stored}, {PHOTO})

    def test_never_closed(self) -> None:
        """A form whose closing boundary never comes, and one without any length."""
        self.assertEqual(self.status(post(form(PHOTO, closed=False))), 200)
        sender = self.sender()
        sender.say(post(form(PHOTO, closed=False), length=None))
        self.seconds(7)
        self.assertEqual(sender.status, 200)
        self.assertEqual(self.status(post(PHOTO, boundary=None, length=None)), 200)

    def test_never_whole(self) -> None:
        """A photo that stops coming is damaged: refused, and the connection is closed."""
        sender = self.sender()
        sender.say(post(form(PHOTO))[: -len(PHOTO) // 2])
        self.seconds(12)
        self.assertEqual(sender.status, 400)
        self.assertTrue(sender.ended)
        self.assertEqual(self.intake.stored, [])
        self.assertEqual(self.factory.budget.held, 0)

    def test_cut_off(self) -> None:
        """One whose sender is gone is counted, for a camera that is known."""
        self.fleet.camera(CameraId(self.HERE))
        sender = self.sender()
        sender.say(post(form(PHOTO))[: -len(PHOTO) // 2])
        sender.leave()
        self.assertEqual(self.intake.refusals, [(self.HERE, Reason.JPEG)])
        self.assertEqual(self.factory.budget.held, 0)

    def test_dripping(self) -> None:
        """However slowly it comes, there is an end to it."""
        sender = self.sender()
        sender.say(post(form(PHOTO))[:-1000])
        byte = iter(form(PHOTO)[-1000:])
        self.seconds(130, each=lambda: None if sender.ended else sender.say(bytes([next(byte)])))
        self.assertEqual(sender.status, 400)

    def test_driver_junk(self) -> None:
        """What a driver appended to the photo is cut, in a form and without one."""
        for junk in (b"\0" * 513, b"\xff\xd9" * 20, b"\r\n"):
            self.assertEqual(self.status(post(form(PHOTO + junk))), 200)
            self.assertEqual(self.status(post(PHOTO + junk, boundary=None)), 200)
        self.assertEqual({photo.data for photo in self.intake.stored}, {PHOTO})

    def test_no_picture(self) -> None:
        """Text, another kind of picture, nothing at all: 400, with the reason."""
        for body in (form(b"GIF89a" + PHOTO), form(b""), b"--x\r\n\r\nhello\r\n--x--"):
            self.assertEqual(self.status(post(body)), 400)
        self.assertEqual(self.status(post(b"GIF89a", boundary=None)), 400)
        for body in (b"", b"hello", b"--", b"\xff\xd8"):
            sender = self.sender()
            sender.say(post(body))
            self.seconds(4)
            self.assertEqual(sender.status, 400)
        self.assertEqual(self.intake.stored, [])

    def test_damaged(self) -> None:
        """A JPEG that breaks is refused with what there is of it, and at once."""
        for picture in (PHOTO[:600] + PHOTO[-2:], jpeg(lying(0xE0, 1)), b"\xff\xd8\xff\xd9"):
            self.assertEqual(self.status(post(form(picture))), 400)
        self.assertEqual(self.intake.stored, [])

    def test_two_pictures(self) -> None:
        """The first is taken."""
        body = form(PHOTO, closed=False) + b"\r\n" + form(insects(2))
        self.assertEqual(self.status(post(body)), 200)
        self.assert_stored(PHOTO, self.HERE)

    @given(some_cuts, st.sampled_from([b"x", b"???", b"-", b"\xff\xd8\xff"]))
    @thorough(60)
    def test_any_segments(self, cuts: list[int], boundary: bytes) -> None:
        """However TCP cuts a form, it holds the same photo and the same words."""
        picture = jpeg(segment(0xFE, b"\r\n--x\r\n--x--\r\n"), scan=b"\r\n-\r\n--" + b"12" * 30)
        if boundary in (b"x", b"-"):
            picture = jpeg(scan=b"\r\n-\r\n--" + b"12" * 30 + b"\r\n--" + boundary + b"y")
        body = form(picture, boundary, before=[(b"cam", b"a-1")], after=[(b"ts", b"1786832100500")])
        sender = self.sender()
        sender.say(*pieces(post(body, boundary=boundary), cuts))
        self.assertEqual(sender.status, 200)
        photo = self.intake.stored.pop()
        self.assertEqual((photo.data, photo.camera), (picture, "a-1"))
        self.assertEqual(photo.taken, 1786832100.5)


class NameTests(UploadCase):
    """Whose photo it is."""

    def test_fields(self) -> None:
        """A text field names the camera, before the photo or after it, in any case."""
        for name in (b"device_id", b"cameraId", b"camera", b"CAM"):
            self.status(post(form(PHOTO, before=[(name, b"Trap-7")])))
            self.status(post(form(PHOTO, after=[(name, b"trap-7")])))
        self.assertEqual(self.names, ["trap-7"] * 8)

    def test_order(self) -> None:
        """The path says more than a header, that more than the query, that more than a field."""
        body = form(PHOTO, before=[(b"cam", b"by-field")])
        self.status(post(body, b"/upload?cam=by-query", fields := b"RandomNerdTutorials"))
        self.status(post(body, b"/upload?cam=by-query", fields, -1, b"", b"1.1", b"X-Camera: by-h"))
        self.status(put(PHOTO, b"by-path", b"X-Camera: by-h"))
        self.assertEqual(self.names, ["by-query", "by-h", "by-path"])

    def test_tamed(self) -> None:
        """What a sketch calls its board becomes an id."""
        for said, id in ((b"ESP32-CAM 1", "esp32-cam-1"), (b"__A/../b__", "a-.-b")):
            self.status(post(form(PHOTO, before=[(b"device_id", said)])))
            self.assertEqual(self.names[-1], id)

    def test_no_name(self) -> None:
        """A name of which nothing is left, one of boards without a name, a path that is no id."""
        for request in (
            post(form(PHOTO, before=[(b"cam", b"///")])),
            post(form(PHOTO, before=[(b"cam", b"v1-192-0-2-1")])),
            put(PHOTO, b"..%2f..%2fetc"),
            put(PHOTO, b"UPPER"),
        ):
            self.assertEqual(self.status(request), 400)
        self.assertEqual(self.names, [])

    def test_address(self) -> None:
        """Without a name the address names it, as the configuration says or by itself."""
        self.config = Config(camera=(CameraEntry(CameraId("door"), address=("192.0.2.9",)),))
        for address in ("192.0.2.9", "::ffff:192.0.2.9", "192.0.2.8", "2001:db8::1"):
            self.status(post(PHOTO, boundary=None), address)
        self.assertEqual(
            self.names,
            ["door", "door", "http-192-0-2-8", "http-2001-0db8-0000-0000-0000-0000-0000-0001"],
        )

    def test_token_names(self) -> None:
        """A token's name is the camera's where nothing else is said."""
        secret = self.tokens.add("Trap-9", [May.UPLOAD]).encode()
        fields = b"Authorization: Bearer " + secret
        self.status(post(PHOTO, b"/upload", None, -1, b"", b"1.1", fields))
        self.assertEqual(self.names, ["trap-9"])

    def test_words(self) -> None:
        """When and why it was taken may be said."""
        self.status(post(PHOTO, b"/upload?cam=a&ts=1786832100500&trigger=motion", None))
        self.status(post(PHOTO, b"/upload?cam=a&ts=soon&trigger=boredom", None))
        one, two = self.intake.stored
        self.assertEqual((one.taken, one.trigger), (1786832100.5, Trigger.MOTION))
        self.assertEqual((two.taken, two.trigger), (None, None))


class MayTests(UploadCase):
    """Who may upload."""

    def bearer(self, secret: str) -> bytes:
        return b"Authorization: Bearer " + secret.encode()

    def test_keyed(self) -> None:
        """A camera with a key: only with that key, or a token for uploads."""
        self.keys.keys["trap-7"] = (KEY,)
        good = self.tokens.add("gate", [May.UPLOAD])
        bad = self.tokens.add("reader", [May.READ, May.CONTROL])
        for fields, status in (
            ((), 401),
            ((self.bearer("aa" * 32),), 401),
            ((self.bearer("camd_" + "0" * 64),), 401),
            ((self.bearer(bad),), 403),
            ((b"Authorization: Negotiate x",), 401),
            ((b"Authorization: Basic " + b"OmNhbWQ=",), 401),
            ((self.bearer(KEY.hex()),), 201),
            ((self.bearer(good),), 201),
        ):
            self.assertEqual(self.status(put(PHOTO, b"trap-7", *fields)), status, fields)
        self.assertEqual(len(self.intake.stored), 2)

    def test_keyed_by_field(self) -> None:
        """The same where the name comes with the body only."""
        self.keys.keys["trap-7"] = (KEY,)
        body = form(PHOTO, after=[(b"cam", b"trap-7")])
        self.assertEqual(self.status(post(body)), 401)
        self.assertEqual(self.intake.stored, [])

    def test_revoked(self) -> None:
        """Nobody uploads as a camera that was revoked."""
        self.keys.keys["trap-7"] = ()
        token = self.bearer(self.tokens.add("gate", [May.UPLOAD]))
        self.assertEqual(self.status(put(PHOTO, b"trap-7", token)), 401)

    def test_unknown_refused(self) -> None:
        """With unknown = "refuse" nothing of a stranger's body is awaited; who is named by the
        address, or has a token, comes in."""
        self.configure("cameras", unknown="refuse")
        self.config = Config(
            cameras=self.config.cameras,
            camera=(CameraEntry(CameraId("door"), address=("192.0.2.9",)),),
        )
        sender = self.sender()
        sender.say(post(form(PHOTO)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        self.assertEqual(sender.status, 401)
        self.assertEqual(self.status(put(PHOTO)), 401)
        self.assertEqual(self.status(post(form(PHOTO)), "192.0.2.9"), 200)
        self.assertEqual(self.status(put(PHOTO), "192.0.2.9"), 401)
        token = self.bearer(self.tokens.add("gate", [May.UPLOAD]))
        self.assertEqual(self.status(put(PHOTO, b"new", token)), 201)
        self.assertEqual(self.names, ["door", "new"])

    def test_guessing(self) -> None:
        """After so many wrong keys an address has to wait, whatever it says."""
        self.keys.keys["trap-7"] = (KEY,)
        for _ in range(self.config.limits.wrong_keys):
            self.status(put(PHOTO, b"trap-7", self.bearer("aa" * 32)))
        self.assertEqual(self.status(put(PHOTO, b"trap-7", self.bearer(KEY.hex()))), 429)
        self.assertEqual(self.status(put(PHOTO, b"trap-7", self.bearer(KEY.hex())), "::1"), 201)

    def test_browsers(self) -> None:
        """Another site's page cannot upload through somebody's browser."""
        request = post(form(PHOTO), b"/upload", b"x", -1, b"", b"1.1", b"Origin: http://evil")
        self.assertEqual(self.status(request), 403)

    def test_too_many_cameras(self) -> None:
        """Cameras without a key do not come to exist without end."""
        self.configure("limits", cameras=0)
        self.assertEqual(self.status(put(PHOTO)), 503)


class AnswerTests(UploadCase):
    """What is answered, and what becomes of the connection."""

    def test_reasons(self) -> None:
        """Each of the store's reasons has its status, and Retry-After where waiting helps."""
        self.intake.at_once = False
        for reason, retry, status in (
            (Reason.BUSY, None, 503),
            (Reason.BUSY, 3600.0, 429),
            (Reason.FULL, None, 507),
            (Reason.IO, None, 500),
            (Reason.STOPPING, None, 503),
            (Reason.CONFLICT, None, 409),
            (Reason.DENIED, None, 403),
        ):
            sender = self.sender()
            sender.say(put(PHOTO))
            self.intake.refuse_next(reason, retry)
            said = sender.transport.value()
            self.assertEqual(sender.status, status)
            self.assertEqual(b"Retry-After: " in said, status in (503, 429, 507))

    def test_too_large(self) -> None:
        """By its own account: before any of it is read; else when it has become so."""
        self.configure("upload", max=100_000)
        sender = self.sender()
        sender.say(put(b"", length=200_000))
        self.assertEqual(sender.status, 413)
        self.assertEqual(self.intake.refusals, [("trap-7", Reason.SIZE)])
        picture = PHOTO[:2] + 3 * segment(0xFE, b"-" * 50_000) + PHOTO[2:]
        sender = self.sender()
        sender.say(*pieces(post(form(picture), length=1000), [1430]))
        self.assertEqual(sender.status, 413)
        self.assertEqual(self.factory.budget.held, 0)
        self.assertEqual(self.intake.stored, [])

    def test_memory(self) -> None:
        """What all doors may hold together is not exceeded."""
        self.configure("limits", held=len(PHOTO) - 10)
        self.assertEqual(self.status(put(PHOTO)), 503)
        self.assertEqual(self.status(post(form(PHOTO), length=None)), 503)
        self.assertEqual(self.factory.budget.held, 0)

    def test_held_until_stored(self) -> None:
        """A photo counts as held until it is on the disk, and no more of the connection is read."""
        self.intake.at_once = False
        sender = self.sender()
        sender.say(put(PHOTO))
        self.assertEqual(self.factory.budget.held, len(PHOTO))
        self.assertEqual(sender.transport.producerState, "paused")
        self.intake.release()
        self.assertEqual(self.factory.budget.held, 0)
        self.assertEqual((sender.status, sender.transport.producerState), (201, "producing"))

    def test_held_when_gone(self) -> None:
        """Whoever leaves meanwhile leaves it behind."""
        self.intake.at_once = False
        sender = self.sender()
        sender.say(put(PHOTO))
        sender.leave()
        self.assertEqual(self.factory.budget.held, len(PHOTO))
        self.intake.release()
        self.assertEqual(self.factory.budget.held, 0)

    def test_one_after_another(self) -> None:
        """PUTs may share a connection, be they sent at once; one after a POST is not looked at."""
        sender = self.sender()
        sender.say(put(PHOTO) + put(insects(2)) + put(insects(3)))
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(sender.heard().count(b"201 Created"), 3)
        self.assertFalse(sender.ended)
        sender = self.sender()
        sender.say(post(form(PHOTO)) + put(insects(2)))
        self.assertEqual(sender.heard().count(b"HTTP/1.1"), 1)
        self.assertEqual(len(self.intake.stored), 4)

    def test_close(self) -> None:
        """Who says so, and who speaks HTTP/1.0, is hung up on."""
        for request in (
            put(PHOTO, b"trap-7", b"Connection: close"),
            put(PHOTO).replace(b"HTTP/1.1", b"HTTP/1.0"),
        ):
            sender = self.sender()
            sender.say(request)
            self.assertIn(b"Connection: close", sender.transport.value())
            self.assertTrue(sender.ended)

    def test_idle(self) -> None:
        """A connection that asks nothing, or does not come to the end of it, is closed."""
        silent, slow, late = self.sender(), self.sender(), self.sender()
        slow.say(b"PUT /cameras/")
        late.say(put(PHOTO))
        late.heard()
        self.seconds(17)
        self.assertTrue(silent.ended and slow.ended and late.ended)
        self.assertEqual((silent.heard(), slow.status), (b"", 408))
        self.seconds(7)
        self.assertTrue(silent.transport.aborted and slow.transport.aborted)

    def test_continue(self) -> None:
        """Who waits to be asked is asked, unless the answer is no."""
        head = put(PHOTO, b"trap-7", b"Expect: 100-continue").removesuffix(PHOTO)
        sender = self.sender()
        sender.say(head)
        self.assertEqual(sender.heard(), b"HTTP/1.1 100 Continue\r\n\r\n")
        sender.say(PHOTO)
        self.assertEqual(sender.status, 201)
        self.assertEqual(self.status(head.replace(b"trap-7", b"UPPER")), 400)

    def test_routes(self) -> None:
        """Other paths and other methods are told what there is."""
        for request, status in (
            (b"GET / HTTP/1.1\r\n\r\n", 404),
            (b"POST /cameras/a/b/photos HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 404),
            (b"GET /upload HTTP/1.1\r\n\r\n", 405),
            (b"DELETE /cameras/a/photos HTTP/1.1\r\n\r\n", 405),
            (post(PHOTO, b"http://camd.example/upload/", None), 200),
            (b"FrameBegin\xff\xd8\xff\r\n\r\n", 400),
            (b"PUT /cameras/a/photos HTTP/2.0\r\n\r\n", 505),
            (b"PUT /cameras/a/photos HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
            (b"PUT /cameras/a/photos HTTP/1.1\r\na: " + b"b" * MOST, 431),
            (b"PUT /cameras/a/photos HTTP/1.1\r\nbad header\r\n\r\n", 400),
            (b"PUT /cameras/a/photos HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        ):
            self.assertEqual(self.status(request), status, request[:60])

    def test_chunked(self) -> None:
        """A body in chunks is one like any other; what is behind it is the next request."""
        head = put(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        body = b"".join(b"%x;x=y\r\n%s\r\n" % (len(p), p) for p in pieces(PHOTO, [700, 3]))
        sender = self.sender()
        sender.say(*pieces(head + body + b"0\r\nTrailer: x\r\n\r\n" + put(PHOTO), [977]))
        self.clock.advance(0)
        self.assertEqual(sender.heard().count(b"201 Created"), 2)
        for wrong in (b"zz\r\n", b"5\r\nhelloXX", b"-1\r\n", b"1" * 300):
            self.assertEqual(self.status(head + wrong), 400)

    def test_again(self) -> None:
        """The same photo under the same key has the same name; without a key each is a new one."""
        for _ in range(2):
            self.status(put(PHOTO, b"a", b"Idempotency-Key: 17"))
        self.status(put(PHOTO, b"b", b"Idempotency-Key: 17"))
        for _ in range(2):
            self.status(put(PHOTO, b"a"))
        keys = [photo.key for photo in self.intake.stored]
        self.assertEqual(keys[0], keys[1])
        self.assertEqual(len(set(keys)), 4)

    def test_connections(self) -> None:
        """There are only so many, in all and of one address."""
        self.configure("upload", connections=2, connections_per_address=1)
        one, two, three = (self.sender(f"192.0.2.{number}") for number in range(3))
        self.assertTrue(one.transport.aborted)
        one.leave()
        two.say(put(PHOTO)[:-1])
        another = self.sender("192.0.2.1")
        another.say(b"P")
        self.assertTrue(another.transport.aborted or three.transport.aborted)
        two.say(PHOTO[-1:])
        self.assertEqual(two.status, 201)

    def test_many(self) -> None:
        """So many photos come by one connection, and no more: their answers may not be read."""
        sender = self.sender()
        request = put(jpeg())
        for number in range(1, MOST_PHOTOS + 1):
            self.assertFalse(sender.ended, number)
            sender.say(request)
        sender.say(request)
        said = sender.heard()
        self.assertEqual(said.count(b"HTTP/1.1 201 "), MOST_PHOTOS)
        self.assertEqual(said.count(b"Connection: close"), 1)
        self.assertTrue(sender.ended)

    def test_stopping(self) -> None:
        """What is under way is answered, what is idle goes, what is new is told to come again."""
        self.intake.at_once = False
        storing, reading, idle = self.sender(), self.sender(), self.sender()
        storing.say(put(PHOTO))
        reading.say(put(PHOTO)[:-1])
        done = self.uploads.drain()
        self.assertTrue(idle.ended)
        reading.say(PHOTO[-1:])
        self.intake.release()
        self.intake.release()
        self.assertEqual((storing.status, reading.status), (201, 201))
        self.assertTrue(storing.ended and reading.ended)
        self.assertEqual(self.status(put(PHOTO)), 503)
        self.assertNoResult(done)
        for protocol in tuple(self.uploads.connections):
            protocol.connectionLost()
        self.successResultOf(done)

    def test_stopped(self) -> None:
        """What did not come in time is told to come again, and everybody has time to hear it."""
        self.intake.at_once = False
        senders = [self.sender() for _ in range(4)]
        storing, reading, begun, answered = senders
        storing.say(put(PHOTO))
        reading.say(put(PHOTO)[:-1])
        begun.say(b"PUT /cam")
        answered.say(put(b"none"))
        self.uploads.drain()
        done = self.uploads.hang_up()
        statuses = [sender.status for sender in senders]
        self.assertEqual(statuses, [0, 503, 503, 400])
        self.intake.release()
        self.assertEqual(storing.status, 201)
        self.assertFalse(any(sender.transport.aborted for sender in senders))
        for sender in senders:
            self.assertNoResult(done)
            sender.leave()
        self.successResultOf(done)
        self.assertEqual(self.intake.refusals, [("trap-7", Reason.JPEG)])

    def test_gone_while_storing(self) -> None:
        """A photo whose sender does not wait for the answer is stored all the same."""
        self.intake.at_once = False
        sender = self.sender()
        sender.say(put(PHOTO))
        sender.leave()
        self.intake.release()
        self.assertEqual(len(self.intake.stored), 1)
        self.assertEqual((self.factory.budget.held, sender.heard()), (0, b""))

    def test_half_closed(self) -> None:
        """Who says that nothing more comes is judged by what came."""
        sender = self.sender()
        sender.say(post(PHOTO, boundary=None, length=len(PHOTO) + 10))
        sender.protocol.readConnectionLost()
        self.assertEqual(sender.status, 200)
        sender = self.sender()
        sender.say(put(PHOTO)[:-5])
        sender.protocol.readConnectionLost()
        self.assertEqual(sender.status, 400)
        self.assertTrue(sender.ended)

    @given(st.binary(max_size=300), some_cuts)
    @thorough(200)
    def test_any_bytes(self, data: bytes, cuts: list[int]) -> None:
        """Whatever comes is answered with HTTP or not at all, and nothing stays held."""
        sender = self.sender()
        sender.say(*pieces(data, cuts))
        self.seconds(140, step=10)
        said = sender.heard()
        self.assertTrue(not said or said.startswith(b"HTTP/1.1 4"), said)
        self.assertTrue(sender.ended)
        sender.leave()
        self.assertEqual(self.factory.budget.held, 0)
        self.assertEqual(self.intake.stored, [])

    @given(st.binary(max_size=200), some_cuts)
    @thorough(200)
    def test_any_body(self, data: bytes, cuts: list[int]) -> None:
        """The same behind a head that is right."""
        sender = self.sender()
        sender.say(*pieces(post(data), cuts))
        self.seconds(20, step=5)
        self.assertEqual(sender.status, 400)
        self.assertEqual(self.intake.stored, [])


class PiecesTests(SynchronousTestCase):
    """The parts that a body is read with, each by itself."""

    def events(self, body: bytes, cuts: list[int]) -> list[Part | Data | Closed]:
        """What is found, each part's data in one."""
        multipart = Multipart()
        found: list[Part | Data | Closed] = []
        for data in pieces(body, cuts):
            multipart.receive_data(data)
            while (event := multipart.next_event()) is not None:
                last = found[-1] if found else None
                if isinstance(event, Data) and isinstance(last, Data):
                    found[-1] = Data(last.data + event.data)
                else:
                    found.append(event)
        return found

    @given(
        st.lists(st.tuples(st.text("abc", max_size=5), st.binary(max_size=60)), max_size=4),
        some_cuts,
        st.sampled_from([b"\r\n", b"\n"]),
    )
    @thorough(150)
    def test_round_trip(
        self, parts: list[tuple[str, bytes]], cuts: list[int], newline: bytes
    ) -> None:
        """What was put together comes apart as it was, at any cuts."""
        body = b""
        wanted: list[Part | Data | Closed] = []
        for name, data in parts:
            head = b'Content-Disposition: form-data; name="%s"' % name.encode()
            body += newline.join((b"--BOUND", head, b"", data, b""))
            wanted += [Part(name), Data(data)] if data else [Part(name)]
        body += b"--BOUND--" + newline + b"behind"
        found = self.events(body, cuts)
        if not parts:
            return
        if newline == b"\n":  # a CR before the LF is taken for a part of the line's end
            found = [Data(e.data.rstrip(b"\r")) if isinstance(e, Data) else e for e in found]
            wanted = [Data(e.data.rstrip(b"\r")) if isinstance(e, Data) else e for e in wanted]
            found = [e for e in found if e != Data(b"")]
            wanted = [e for e in wanted if e != Data(b"")]
        self.assertEqual(found, [*wanted, Closed()])

    @given(st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--B", b"B", b"x", b" "]), max_size=40),
           some_cuts)  # fmt: skip
    @thorough(300)
    def test_cuts_do_not_matter(self, tokens: list[bytes], cuts: list[int]) -> None:
        """Bytes that look like boundaries are the same ones however they are cut."""
        body = b"--B\r\n\r\n" + b"".join(tokens) + b"\r\n--B--\r\n"
        self.assertEqual(self.events(body, cuts), self.events(body, [len(body)]))

    def test_bounds(self) -> None:
        """What has no end is not waited for, and does not pile up."""
        for endless in (b"x" * 5000, b"x\n" * 3000, b"--" + b"b" * 300 + b"\n"):
            multipart = Multipart()
            multipart.receive_data(endless)
            self.assertRaises(MultipartError, multipart.next_event)
        multipart = Multipart()
        multipart.receive_data(b"--B\r\n" + b"h: v\r\n" * 2000)
        self.assertRaises(MultipartError, multipart.next_event)
        multipart = Multipart()
        multipart.receive_data(b"--B\r\n\r\n--Bxyz")
        for _ in range(100):
            multipart.receive_data(b"--Bx\r\n--Bx" * 100)
            while multipart.next_event() is not None:
                pass
            self.assertLess(multipart.held, 200)
        multipart = Multipart()
        multipart.receive_data(b"--B\r\n\r\nx\r\n" * 100)
        self.assertRaises(MultipartError, lambda: [multipart.next_event() for _ in range(300)])

    def test_words_are_bounded(self) -> None:
        """A long text field is no word, and is not kept."""
        submission = Submission(10_000)
        submission.feed(b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n')
        for _ in range(100):
            submission.feed(b"x" * 1000)
        self.assertLess(submission.held, 2000)
        submission.feed(b"\r\n--B--\r\n")
        self.assertEqual((submission.words, submission.closed, submission.kind),
                         ({}, True, Kind.PARTS))  # fmt: skip

    @given(some_cuts, st.binary(max_size=50))
    @thorough(100)
    def test_picture(self, cuts: list[int], behind: bytes) -> None:
        """What is taken is the JPEG, and nothing of what follows it."""
        whole = WITH_ENDS_INSIDE
        picture = Picture(10_000)
        for data in pieces(whole + behind, cuts):
            picture.add(data)
        self.assertTrue(picture.whole)
        self.assertEqual((picture.width, picture.height, picture.size), (16, 8, len(whole)))
        self.assertEqual(b"".join(picture.take()), whole)

    @given(st.integers(0, len(WITH_ENDS_INSIDE) - 1), some_cuts)
    @thorough(100)
    def test_shorter_pictures(self, size: int, cuts: list[int]) -> None:
        """No shorter piece of a JPEG is one, and all of it is there to be looked at."""
        part = WITH_ENDS_INSIDE[:size]
        picture = Picture(10_000)
        for data in pieces(part, cuts):
            picture.add(data)
        self.assertFalse(picture.whole)
        self.assertEqual(b"".join(picture.take()), part)

    def test_head_cuts(self) -> None:
        """A head is found at any cut, and what is behind it is kept."""
        data = put(b"body", b"a", b"X: y")
        for at in range(len(data)):
            reader = HeadReader()
            reader.receive_data(data[:at])
            head = reader.next_head()
            reader.receive_data(data[at:])
            head = head or reader.next_head()
            assert head is not None
            self.assertEqual((head.fields["x"], reader.rest()), ("y", b"body"))

    def test_lengths(self) -> None:
        """Only one plain number is a length."""
        for fields, length in (
            (b"Content-Length: 5", 5),
            (b"Content-Length: 5\r\nContent-Length: 5", 5),
            (b"Content-Length: 5\r\nContent-Length: 6", None),
            (b"Content-Length: -5", None),
            (b"Content-Length: +5", None),
            (b"Content-Length: 5, 5", None),
            (b"Content-Length: \xb2", None),
            (b"X: y", None),
        ):
            reader = HeadReader()
            reader.receive_data(b"PUT / HTTP/1.1\r\n" + fields + b"\r\n\r\n")
            head = reader.next_head()
            assert head is not None
            self.assertEqual(head.length, length, fields)

    def test_counted(self) -> None:
        """A strict body ends at its length, another goes on."""
        strict, loose = Counted(3, True), Counted(3, False)
        self.assertEqual((strict.feed(b"abcd"), strict.behind, strict.exact), (b"abc", b"d", True))
        self.assertEqual((loose.feed(b"abcd"), loose.reached, loose.exact), (b"abcd", True, False))

    @given(st.binary(max_size=200), some_cuts, some_cuts)
    @thorough(100)
    def test_chunks(self, data: bytes, chunks: list[int], cuts: list[int]) -> None:
        """Chunks of any size come together again, at any cuts."""
        said = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces(data, chunks))
        framing = Chunked()
        body = b"".join(framing.feed(p) for p in pieces(said + b"0\r\n\r\nnext", cuts))
        self.assertEqual((body, framing.behind, framing.reached), (data, b"next", True))

    def test_trailer_is_bounded(self) -> None:
        framing = Chunked()
        framing.feed(b"0\r\n")
        self.assertRaises(Declined, lambda: [framing.feed(b"a: b\r\n") for _ in range(2000)])


@define
class Said:
    """What curl heard."""

    status: int
    text: str
    closed: bool
    code: int


class CurlTests(TestCase):
    """A real curl, over real sockets, sends what each odd sketch sends."""

    timeout = 60

    def setUp(self) -> None:
        self.curl = tool("curl", "curl")
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.intake = HeldIntake()
        self.intake.at_once = True
        clock: Any = reactor
        config = Config()
        news = News(lambda: NOW)
        fleet = Fleet(lambda: config, news, lambda: NOW)
        intake: Any = self.intake
        keys: Any = Keys()
        boards = CameraFactory(lambda: config, intake, fleet, Live(), keys, clock, lambda: NOW)
        self.uploads = UploadFactory(
            lambda: config, intake, fleet, boards, Tokens(self.directory), lambda: NOW
        )
        self.boards = boards
        self.port = clock.listenTCP(0, self.uploads, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.addCleanup(self.uploads.close)

    def listen_securely(self) -> Path:
        """A second door, under TLS; the file of its authority."""
        clock: Any = reactor
        context, _ = certificates(self.directory)
        self.port = clock.listenSSL(0, self.uploads, context, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.scheme = "https"
        return self.directory / "ca.pem"

    scheme = "http"

    async def curl_says(self, path: str, *options: str, body: bytes | None = None) -> Said:
        if body is not None:
            file = self.directory / "body"
            file.write_bytes(body)
            options = (*options, "--data-binary", f"@{file}")
        out, err, code = await getProcessOutputAndValue(
            self.curl,
            [
                "-sS", "-m", "20", "-o", "-", "-w",
                '\n{"status": %{http_code}}', "-D", str(self.directory / "head"), *options,
                f"{self.scheme}://127.0.0.1:{self.port.getHost().port}{path}",
            ],
            env={"LC_ALL": "C"},
        )  # fmt: skip
        text, _, told = out.decode().rpartition("\n")
        head = (self.directory / "head").read_text()
        self.assertIn('"status": ', told)
        self.assertNotIn('"status": 000', told, err)
        return Said(json.loads(told)["status"], text, "Connection: close" in head, code)

    def run_through(self, work: Any) -> "Deferred[Any]":
        return ensureDeferred(work)

    def multipart(self, boundary: str) -> tuple[str, ...]:
        return "-H", f"Content-Type: multipart/form-data; boundary={boundary}", "-H", "Expect:"

    def test_put(self) -> "Deferred[Any]":
        """A raw photo under a camera's name, as the documents say it."""
        file = self.directory / "photo.jpg"
        file.write_bytes(PHOTO)

        async def work() -> None:
            said = await self.curl_says("/cameras/trap-7/photos", "-T", str(file))
            self.assertEqual((said.status, said.code, said.closed), (201, 0, False))
            self.assertIn("stored: trap-7~", said.text)
            self.assertEqual(self.intake.stored[0].data, PHOTO)
            chunks = ("-T", str(file), "-H", "Transfer-Encoding: chunked")
            said = await self.curl_says("/cameras/trap-7/photos", *chunks)
            self.assertEqual((said.status, said.code), (201, 0))
            said = await self.curl_says("/upload.php?cam=x", "-F", f"photo=@{file}", "-F", "a=b")
            self.assertEqual((said.status, said.closed), (200, True))
            self.assertEqual(len(self.intake.stored), 3)

        return self.run_through(work())

    def test_sketches(self) -> "Deferred[Any]":
        """Each odd body, sent as it is: what is whole is stored, what is not is said to be."""
        size = (len(PHOTO) // ROUND + 2) * ROUND
        large = of_length(len(PHOTO) + 59_990)
        raw = ("-H", "Content-Type: image/jpeg", "-H", "Expect:")
        tutorial = self.multipart("RandomNerdTutorials")

        def length(number: int) -> tuple[str, str]:
            return "-H", f"Content-Length: {number}"

        cases: tuple[tuple[str, tuple[str, ...], bytes, int], ...] = (
            ("the tutorial", tutorial, form(PHOTO), 200),
            ("HTTP/1.0", ("-0", *tutorial), form(PHOTO), 200),
            ("???", self.multipart("???"), form(PHOTO, b"???"), 200),
            ("text fields", tutorial, form(PHOTO, before=[(b"device_id", b"a")]), 200),
            ("raw", raw, PHOTO, 200),
            ("junk behind", raw, PHOTO + b"\0" * 400, 200),
            ("16 bits", (*tutorial, *length(len(form(large)) % 2**16)), form(large), 200),
            ("16 bits, raw", (*raw, *length(len(large) % 2**16)), large, 200),
            ("too large a length", (*tutorial, *length(len(PHOTO) * 3)), form(PHOTO), 200),
            (
                "the last block is missing",
                (*tutorial, *length(len(form(of_length(size))))),
                form(of_length(size)[:-ROUND]),
                400,
            ),
            ("no picture", tutorial, form(b"hello"), 400),
            ("far too large", raw, b"\xff\xd8\xff" + b"\0" * 5_000_000, 413),
        )

        async def work() -> None:
            for name, options, body, status in cases:
                before = len(self.intake.stored)
                said = await self.curl_says("/upload.php", *options, body=body)
                self.assertEqual(said.status, status, name)
                self.assertTrue(said.closed, name)
                self.assertGreater(len(said.text), 5, name)
                self.assertEqual(len(self.intake.stored) - before, status == 200, name)

        return self.run_through(work())

    def test_tls(self) -> "Deferred[Any]":
        """Under TLS the answers arrive as well, that to a body which is not read on included."""
        authority = self.listen_securely()
        options = ("--cacert", str(authority), "-H", "Expect:")

        async def work() -> None:
            for body, status in ((PHOTO, 200), (b"\xff\xd8\xff" + b"\0" * 5_000_000, 413)):
                said = await self.curl_says("/upload", *options, body=body)
                self.assertEqual((said.status, said.closed), (status, True))
                self.assertGreater(len(said.text), 5)

        return self.run_through(work())

    def test_never_whole(self) -> "Deferred[Any]":
        """A bare JPEG that stops short of its length is refused after a while."""
        # The grain of the deadlines is a second, and something must look at them.
        from twisted.internet.task import LoopingCall

        loop = LoopingCall(self.boards.deadlines.tick)
        loop.start(1.0)
        self.addCleanup(loop.stop)

        async def work() -> None:
            said = await self.curl_says(
                "/upload", "-H", "Content-Type: image/jpeg", "-H", "Expect:", body=PHOTO[:-100]
            )
            self.assertEqual((said.status, said.closed), (400, True))
            self.assertEqual(self.intake.stored, [])

        return self.run_through(work())


class DaemonTests(DaemonCase):
    """The whole daemon with its upload door."""

    CONFIG = '[upload]\nlisten = "tcp:0:interface=127.0.0.1"\n[web]\nlisten = "off"\n'

    def test_stored(self) -> None:
        """What curl sends lies in the store; sent again under its key, it lies there once."""
        curl = tool("curl", "curl")
        daemon = self.daemon(self.CONFIG).start()
        port = daemon.ports[1]
        file = daemon.directory / "photo.jpg"
        file.write_bytes(PHOTO)
        import subprocess

        for _ in range(2):
            subprocess.run(
                [curl, "-sSf", "-T", str(file), "-H", "Idempotency-Key: one",
                 f"http://127.0.0.1:{port}/cameras/trap-7/photos"],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        self.assertEqual(list(daemon.photos().values()), [PHOTO])
        self.assertEqual(daemon.stop(), 0)

    def test_far_too_large(self) -> None:
        """Who sends all that fits before it looks still finds its answer, and no reset."""
        daemon = self.daemon(self.CONFIG).start()
        head = b"POST /upload HTTP/1.0\r\nContent-Length: 99000000\r\n\r\n"
        with socket.create_connection(("127.0.0.1", daemon.ports[1]), timeout=1.0) as peer:
            peer.sendall(head)
            with self.assertRaises(TimeoutError):
                peer.sendall(bytes(99_000_000))
            self.assertEqual(peer.recv(4096).split()[1], b"413")
        self.assertEqual(daemon.stop(), 0)

    def test_stopped(self) -> None:
        """An upload that does not come in time when camd stops is told so."""
        daemon = self.daemon(f'{self.CONFIG}[times]\ndrain = "100 ms"\n').start()
        request = put(PHOTO, b"trap-7", b"Expect: 100-continue")
        with socket.create_connection(("127.0.0.1", daemon.ports[1]), timeout=20.0) as peer:
            peer.sendall(request[: len(request) - len(PHOTO)])
            self.assertEqual(peer.recv(4096).split()[1], b"100")
            peer.sendall(PHOTO[:3000])
            daemon.signal(signal.SIGTERM)
            said = peer.recv(4096)
            self.assertEqual(said.split()[1], b"503", said)
            self.assertEqual(peer.recv(4096), b"")
        self.assertEqual(daemon.ended(), 0)

    def test_taken_port(self) -> None:
        """A port that is taken is one line, and the end."""
        one = self.daemon(self.CONFIG).start()
        config = self.CONFIG.replace("tcp:0", f"tcp:{one.ports[1]}")
        self.assert_refuses_to_start(self.daemon(config), f"tcp:{one.ports[1]}", "in use")
