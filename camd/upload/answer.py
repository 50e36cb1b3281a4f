"""What is said to who uploads: a status, and always a short line of text.

The sketches read until a first byte of the body is there, so there is one, whatever happened.
"""

from math import ceil

from attrs import frozen

from camd.photo import Reason, Receipt, Refused, photo_id

PHRASES = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
}

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS = {
    Reason.CRC: 400,
    Reason.BUSY: 503,
    Reason.FULL: 507,
    Reason.IO: 500,
    Reason.STOPPING: 503,
    Reason.JPEG: 400,
    Reason.SIZE: 413,
    Reason.CONFLICT: 409,
    Reason.DENIED: 403,
}
_AGAIN = {Reason.BUSY: 5.0, Reason.STOPPING: 10.0, Reason.FULL: 60.0}


@frozen
class Answer:
    """:ivar text: one line for people, never empty, without its end.
    :ivar retry: seconds after which another try makes sense, or None.
    :ivar allow: the methods that are, where this one is not.
    """

    status: int
    text: str
    retry: float | None = None
    allow: str = ""

    def rendered(self, close: bool, body: bool = True) -> bytes:
        """As it goes out. *close*: whether the connection ends with it. *body*: False after HEAD,
        which gets none."""
        text = f"{self.text}\n".encode("ascii", "replace")
        lines = [
            f"HTTP/1.1 {self.status} {PHRASES[self.status]}",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(text)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
        ]
        if self.retry is not None:
            lines.append(f"Retry-After: {max(1, ceil(self.retry))}")
        if self.status == 401:
            lines.append('WWW-Authenticate: Bearer realm="camd"')
        if self.allow:
            lines.append(f"Allow: {self.allow}")
        if close:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
        return head + text if body else head


class Declined(Exception):  # noqa: N818 - says what became of a request, and is no mistake
    """The request is answered with this, and nothing was stored.

    :ivar reason: as which it counts, where it was a photo that was refused.
    """

    def __init__(self, status: int, text: str, reason: Reason | None = None, **more: object):
        super().__init__(text)
        self.answer = Answer(status, text, **more)  # type: ignore[arg-type]
        self.reason = reason


def refused(error: Refused) -> Answer:
    """What became of a photo that is not stored. A quota that is used up is 429, want of memory
    503: the first is the camera's own doing."""
    reason = error.reason
    status = _STATUS[reason]
    retry = error.retry
    if reason is Reason.BUSY and retry is not None:
        status = 429
    if retry is None:
        retry = _AGAIN.get(reason)
    text = f"not stored: {reason.value}"
    return Answer(status, f"{text}: {error.detail}" if error.detail else text, retry)


def stored(receipt: Receipt, created: bool) -> Answer:
    """The photo is on stable storage. *created*: say 201 where it is new."""
    name = photo_id(receipt.key)
    if receipt.again:
        return Answer(200, f"stored before: {name}")
    return Answer(201 if created else 200, f"stored: {name}")
