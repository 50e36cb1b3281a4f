"""Webhooks: a POST for each thing that is told, signed as Standard Webhooks has it.

The signature is ``v1,`` and the base64 of the HMAC-SHA256 of ``<id>.<timestamp>.<body>``.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from attrs import define
from twisted.internet.defer import Deferred

from camd.config.telling import WebhookEntry
from camd.httpclient import AnswerError, Client
from camd.news import Kind
from camd.publish.courier import UndeliveredError
from camd.publish.letter import Letter
from camd.publish.outbox import Delivery

MOST = 64 * 1024
"""Bytes of an answer at most; nothing is read out of it."""

_ALONE = frozenset({400, 413, 415, 422, 500, 501})
"""Answers that lie with what was sent, more likely than with the whole receiver."""

_DISCORD = 2000
"""Characters of a message there."""


def target_of(hook: WebhookEntry) -> str:
    """Its name to the outbox: the same as long as the hook is."""
    mark = hashlib.sha256(hook.url.encode("utf-8")).hexdigest()[:12]
    return f"webhook-{hook.name or mark}"


def wants(hook: WebhookEntry, kind: Kind, camera: str | None) -> bool:
    """Whether it is to be told of that."""
    return kind.value in hook.events and (not hook.cameras or camera in hook.cameras)


def body(hook: WebhookEntry, letter: Letter) -> str:
    """What is sent."""
    if hook.format == "camd":
        return letter.json(hook.links)
    line = letter.line
    if hook.links and letter.link:
        line = f"{line}\n{letter.link}"
    if hook.format == "slack":
        return json.dumps({"text": line.replace("&", "&amp;").replace("<", "&lt;")})
    if hook.format == "discord":
        return json.dumps({"content": line[:_DISCORD], "allowed_mentions": {"parse": []}})
    return line


def key_of(secret: str) -> bytes:
    """The bytes that *secret* stands for: those behind ``whsec_`` in base64, else its own.

    :raises ValueError: there is no base64, or nothing.
    """
    if secret.startswith("whsec_"):
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        if not key:
            raise ValueError("nothing is behind whsec_")
        return key
    return secret.encode("utf-8")


def signature(secret: str, name: str, timestamp: int, text: bytes) -> str:
    signed = b"%s.%d.%s" % (name.encode("ascii"), timestamp, text)
    mac = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(mac).decode('ascii')}"


def retry_after(text: str | None, now: float) -> float | None:
    """The seconds that a ``Retry-After`` means, or None."""
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 9:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


@define(eq=False)
class Webhook:
    """A `camd.publish.courier.Way`.

    :ivar secret: what requests are signed with, or "".
    :ivar now: unix seconds.
    """

    entry: WebhookEntry
    secret: str
    client: Client
    now: Callable[[], float]

    @property
    def host(self) -> str:
        """Whom it reaches: a hook's path may be a secret."""
        return urlsplit(self.entry.url).netloc

    def deliver(self, delivery: Delivery) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._deliver(delivery))

    async def _deliver(self, delivery: Delivery) -> None:
        text = delivery.body.encode("utf-8")
        timestamp = int(self.now())
        plain = self.entry.format == "ntfy"
        fields = {
            "Content-Type": "text/plain; charset=utf-8" if plain else "application/json",
            "webhook-id": delivery.name,
            "webhook-timestamp": str(timestamp),
        }
        if self.secret:
            fields["webhook-signature"] = signature(self.secret, delivery.name, timestamp, text)
        if plain:
            fields |= {"Title": "camd", "Priority": "high" if delivery.urgent else "default"}
        try:
            reply = await self.client.post(self.entry.url, text, fields, MOST, self.entry.timeout)
        except AnswerError as error:
            raise UndeliveredError(f"{self.host}: {error}") from None
        if 200 <= reply.status < 300:
            return
        why = f"{self.host} answered {reply.status}"
        if reply.status == 410:
            raise UndeliveredError(why, gone=True)
        if 300 <= reply.status < 400:
            why += "; redirections are not followed"
        after = retry_after(reply.fields.get("retry-after"), self.now())
        raise UndeliveredError(
            why, after=after if reply.status in (429, 503) else None,
            alone=reply.status in _ALONE,
        )  # fmt: skip
