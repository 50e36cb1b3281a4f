"""Mail, handed to a server that passes it on."""

import json
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate
from io import BytesIO
from typing import Any

from attrs import define
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config.telling import MailConfig
from camd.plain import plain
from camd.publish.courier import UndeliveredError
from camd.publish.letter import Letter
from camd.publish.outbox import Delivery

log = Logger()

TARGET = "mail"

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def body(letter: Letter) -> str:
    """What waits to be mailed."""
    assert letter.alert is not None, "only alerts are mailed"
    state = "over: " if letter.alert.over else ""
    who = letter.title or letter.camera or "camd"
    lines = [letter.line, "", f"rule: {letter.alert.rule}"]
    if letter.camera:
        lines.append(f"camera: {letter.camera}")
    if letter.alert.cameras:
        lines += ["cameras:", *letter.alert.cameras]
    if letter.url:
        page = f"{letter.url}/cameras/{letter.camera}/latest.jpg" if letter.camera else letter.url
        lines += ["", page]
    subject = plain(f"[camd] {state}{who}: {letter.alert.title}")[:200]
    return json.dumps({"subject": subject, "text": "\n".join(lines)})


def message(mail: MailConfig, delivery: Delivery) -> bytes:
    """The whole mail, lines ending as SMTP has them."""
    said = json.loads(delivery.body)
    made = EmailMessage()
    made["Subject"] = said["subject"]
    made["From"] = mail.sender
    made["To"] = ", ".join(mail.to)
    made["Date"] = formatdate(delivery.made_ms / 1000)
    made["Message-ID"] = f"<{delivery.name}@{mail.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(said["text"] + "\n", cte="quoted-printable")
    return made.as_bytes()


@define(eq=False)
class Mail:
    """A `camd.publish.courier.Way`.

    :ivar config: asked anew each time.
    :ivar trusted: by what the server is verified; None is what this system trusts.
    """

    config: Callable[[], MailConfig]
    reactor: Any
    trusted: Any = None

    def deliver(self, delivery: Delivery) -> "Deferred[None]":
        # It takes two megabytes, which who mails nothing need not have.
        from twisted.mail.smtp import ESMTPSenderFactory

        mail = self.config()
        done: Deferred[Any] = Deferred(lambda _: factory_stop())
        secure = optionsForClientTLS(mail.host, self.trusted) if mail.tls != "none" else None
        factory = ESMTPSenderFactory(
            mail.user.encode("utf-8") or None, mail.password.reveal.encode("utf-8"),
            mail.sender.encode("ascii"), [to.encode("ascii") for to in mail.to],
            BytesIO(message(mail, delivery)), done, retries=0,
            contextFactory=secure if mail.tls == "starttls" else None,
            requireAuthentication=bool(mail.user),
            requireTransportSecurity=mail.tls == "starttls",
        )  # fmt: skip
        factory.noisy = False
        port = mail.port or _PORTS[mail.tls]
        connector: Any
        if mail.tls == "tls":
            connector = self.reactor.connectSSL(mail.host, port, factory, secure, mail.timeout)
        else:
            connector = self.reactor.connectTCP(mail.host, port, factory, mail.timeout)

        def factory_stop() -> None:
            factory.sendFinished = True
            protocol = factory.currentProtocol
            if protocol is not None and protocol.transport is not None:
                protocol.transport.abortConnection()
            else:
                connector.disconnect()

        done.addTimeout(mail.timeout, self.reactor)
        return done.addCallbacks(self._taken, self._failed)

    def _taken(self, result: tuple[int, list[tuple[bytes, int, bytes]]]) -> None:
        """A server that takes it for some may refuse it for others, which no other try mends."""
        for to, code, resp in result[1]:
            if not 200 <= code < 300:
                log.warn(
                    "mail: {host} takes nothing for {to}: {code} {why}", host=self.config().host,
                    to=to.decode("ascii", "replace"), code=code,
                    why=plain(resp.decode("utf-8", "replace"))[:300],
                )  # fmt: skip

    def _failed(self, failure: Failure) -> None:
        from twisted.mail.smtp import SMTPClientError

        error = failure.value
        where = self.config().host
        if isinstance(error, CancelledError):
            raise error
        if isinstance(error, TimeoutError):
            raise UndeliveredError(f"{where}: it did not take the mail in time")
        if isinstance(error, SMTPClientError):
            resp = error.resp
            text = resp.decode("utf-8", "replace") if isinstance(resp, bytes) else str(resp)
            code = f"{error.code} " if error.code > 0 else ""  # else nobody answered
            why = plain(f"{where}: {code}{text.strip().rstrip('.')}")[:300]
            raise UndeliveredError(why, alone=500 <= error.code < 600 and error.code != 535)
        if isinstance(error, ConnectError | ConnectionClosed | DNSLookupError):
            raise UndeliveredError(f"{where}: it cannot be reached: {error}")
        log.failure("mail: a mistake of ours", failure)
        raise UndeliveredError(f"{where}: {error}")
