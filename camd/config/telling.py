"""The settings of what camd tells others: webhooks, MQTT, mail, and the rules of alerts."""

# Defaults are immutable here, whatever call makes them.
# ruff: noqa: RUF009

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Literal

from attrs import frozen

from camd.config.kinds import (
    DAY,
    HOUR,
    KIB,
    MIB,
    MINUTE,
    Count,
    Hours,
    Id,
    Line,
    SocketSpan,
    Some,
    Span,
    derived,
)
from camd.config.mistakes import Contradiction
from camd.config.rules import (
    between,
    broker_url,
    mail_address,
    topic,
    web_url,
    word,
)
from camd.config.units import Bytes, Seconds, Secret, SecretUrl
from camd.config.when import Subject, When

Event = Literal[
    "photo", "found", "refused", "came", "left", "sleeps", "silent", "back", "poor", "good",
    "denied", "store", "alert",
]  # fmt: skip
Topic = Annotated[str, topic]
WebUrl = Annotated[str, web_url]
HookUrl = Annotated[SecretUrl, web_url]
BrokerUrl = Annotated[str, broker_url]
MailAddress = Annotated[str, mail_address]
Word = Annotated[str, word]

RESERVED = ("webhook", "mqtt", "mail")
"""Names of ways by which alerts go, which no webhook may have."""


@frozen
class PublishConfig:
    """How what is told waits until it is delivered.

    :ivar url: where people reach the page, for links; "" makes none.
    :ivar items: deliveries that wait at most.
    :ivar bytes: bytes that those may have.
    :ivar tries: times that a delivery is tried.
    :ivar give_up: seconds after which it is not tried any more.
    :ivar retry: seconds until the second try; doubles each time.
    :ivar retry_most: the longest that becomes.
    :ivar dead: deliveries that could not be made and are kept to be looked at.
    :ivar ca: a PEM file of authorities that https hooks and mail servers are verified by; None is
        the system's.
    :ivar look: seconds between two looks whether an alert is due.
    """

    url: WebUrl = ""
    items: Some = 10_000
    bytes: Annotated[Bytes, between(64 * KIB, 2**40)] = Bytes(32 * MIB)
    tries: Some = 30
    give_up: Span = Seconds(2 * DAY)
    retry: Span = Seconds(5.0)
    retry_most: Span = Seconds(HOUR)
    dead: Count = 1000
    ca: Path | None = None
    look: SocketSpan = Seconds(10.0)


@frozen
class MqttConfig:
    """The broker that hears of every camera; none until there is a URL.

    :ivar url: ``mqtt://host:1883`` or ``mqtts://host:8883``; "" is none.
    :ivar user: the name to sign in by.
    :ivar password: what goes with it.
    :ivar instance: this camd's part of all topics; "" is this machine's name.
    :ivar client: its name to the broker; "" is ``camd-`` and the instance.
    :ivar prefix: the first part of all topics.
    :ivar discovery: whether Home Assistant is told of the cameras.
    :ivar discovery_prefix: the first part of the topics by which it is.
    :ivar cameras: those that are told of; none named are all.
    :ivar qos: MQTT's quality of service of what is published, but of alerts, which have 1 or more.
    :ivar photos: what is published of photos.
    :ivar every: seconds between two of a camera's states or photos at least.
    :ivar keepalive: seconds of silence after which the broker is asked whether it lives.
    :ivar session: seconds for which the broker keeps commands while camd is away.
    :ivar ca: a PEM file of authorities that the broker is verified by; None is the system's.
    """

    url: BrokerUrl = ""
    user: Line = ""
    password: Secret = Secret()
    instance: Word = ""
    client: Word = ""
    prefix: Topic = "camd"
    discovery: bool = True
    discovery_prefix: Topic = "homeassistant"
    cameras: tuple[Id, ...] = ()
    qos: Annotated[int, between(0, 2)] = 1
    photos: Literal["none", "thumbnail", "full"] = "thumbnail"
    every: Span = Seconds(1.0)
    keepalive: Annotated[Seconds, between(Seconds(5.0), Seconds(65_535.0))] = Seconds(MINUTE)
    session: Annotated[Seconds, between(Seconds(0.0), Seconds(365 * DAY))] = Seconds(0.0)
    ca: Path | None = None


@frozen
class MailConfig:
    """The server that takes mail; none until there is a host.

    :ivar host: its name; "" is none.
    :ivar port: its port; 0 is the usual one: 587, 465 or 25.
    :ivar tls: ``starttls`` begins in the clear, ``tls`` at once, ``none`` does without.
    :ivar user: the name to sign in by; "" does not.
    :ivar password: what goes with it.
    :ivar sender: who the mail is from.
    :ivar to: who it is for.
    :ivar timeout: seconds for handing over a mail.
    """

    host: Line = ""
    port: Annotated[int, between(0, 65_535)] = 0
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: Line = ""
    password: Secret = Secret()
    sender: MailAddress = ""
    to: tuple[MailAddress, ...] = ()
    timeout: Span = Seconds(30.0)


@frozen
class WebhookEntry:
    """One ``[[webhook]]`` of the file.

    :ivar url: where to; to chat services its path is the key.
    :ivar name: what alerts call it.
    :ivar secret: what each request is signed with; none is signed without.
    :ivar secret_file: a file that has the secret.
    :ivar events: what it is told of.
    :ivar cameras: of which ones; none named are all.
    :ivar format: ``camd`` is JSON with all that is known, the others what those services take.
    :ivar links: whether the address of the photo goes with it.
    :ivar timeout: seconds for a whole answer.
    """

    url: HookUrl
    name: Word = ""
    secret: Secret = Secret()
    secret_file: Path | None = None
    events: tuple[Event, ...] = ("silent", "back", "poor", "good", "alert")
    cameras: tuple[Id, ...] = ()
    format: Literal["camd", "slack", "discord", "ntfy"] = "camd"
    links: bool = True
    timeout: Span = Seconds(10.0)


@frozen
class AlertEntry:
    """One ``[[alert]]`` of the file.

    :ivar when: the rule.
    :ivar name: what people call it; "" is the rule itself.
    :ivar cameras: those that it is about; none named are all.
    :ivar quiet: hours of the camera's day in which it is held back, ``22:00-07:00``; "" are none.
    :ivar again: seconds after which it is told again while it holds; 0 tells it once.
    :ivar tell_end: whether its end is told.
    :ivar to: ``webhook``, ``mqtt``, ``mail`` or a webhook's name; none named are all there are.
    """

    when: When
    name: Line = ""
    cameras: tuple[Id, ...] = ()
    quiet: Hours = ""
    again: Seconds = Seconds(0.0)
    tell_end: bool = True
    to: tuple[Word, ...] = ()
    rule: str = derived(lambda entry: str(entry.when))

    @property
    def title(self) -> str:
        return self.name or self.rule

    def meets(self, other: "AlertEntry") -> bool:
        """Whether the two would be taken for one another, of some camera."""
        apart = self.cameras and other.cameras and not set(self.cameras) & set(other.cameras)
        return (self.title, self.rule) == (other.title, other.rule) and not apart


def untold(
    publish: PublishConfig,
    mqtt: MqttConfig,
    mail: MailConfig,
    hooks: tuple[WebhookEntry, ...],
    alerts: tuple[AlertEntry, ...],
) -> Iterator[Contradiction]:
    """What cannot be told as it is wished."""
    if publish.retry_most < publish.retry:
        yield Contradiction(
            ("publish", "retry_most"), (("publish", "retry"),), "publish.retry or more"
        )
    for key, given in (("sender", mail.sender), ("to", mail.to)):
        if mail.host and not given:
            wanted = "an address, as mail.host is set"
            yield Contradiction(("mail", key), (("mail", "host"),), wanted)
    yield from _hooks(hooks)
    names = (hook.name for hook in hooks if hook.name and hook.name not in RESERVED)
    there = {
        **dict.fromkeys(names, True), "webhook": bool(hooks),
        "mqtt": bool(mqtt.url), "mail": bool(mail.host),
    }  # fmt: skip
    yield from _alerts(alerts, [name for name, given in there.items() if given])


def _hooks(hooks: tuple[WebhookEntry, ...]) -> Iterator[Contradiction]:
    names: dict[str, int] = {}
    for index, hook in enumerate(hooks):
        name, own = ("webhook", index, "name"), ("webhook", index, "url")
        if hook.name in RESERVED:
            yield Contradiction(name, (own,), f"another name than {', '.join(RESERVED)}")
        elif hook.name and names.setdefault(hook.name, index) != index:
            yield Contradiction(
                name, (("webhook", names[hook.name], "name"),), "a name that is not taken"
            )
        first = next(n for n, each in enumerate(hooks) if (each.name, each.url) == ("", hook.url)
                     or n == index)  # fmt: skip
        if not hook.name and first != index:
            other = ("webhook", first, "url")
            yield Contradiction(name, (other,), "a name, as another hook has the same url")
        if not hook.url:
            yield Contradiction(own, (own,), 'an address such as "https://hooks.example.org/camd"')
        if hook.secret and hook.secret_file is not None:
            secret = ("webhook", index, "secret_file")
            yield Contradiction(secret, (own,), "either a secret or a file that has it")


def _alerts(alerts: tuple[AlertEntry, ...], ways: Collection[str]) -> Iterator[Contradiction]:
    """:param ways: those that are configured."""
    known = ", ".join(ways) or "there are none"
    for index, alert in enumerate(alerts):
        place, when = ("alert", index, "to"), ("alert", index, "when")
        for way in alert.to:
            if way not in ways:
                wanted = f"ways that are configured: {known}; {way!r} is not"
                yield Contradiction(place, (when,), wanted)
        first = next(n for n, each in enumerate(alerts) if each.meets(alert) or n == index)
        if first != index:
            wanted = "a name of its own, as another alert has the same rule"
            yield Contradiction(("alert", index, "name"), (("alert", first, "when"),), wanted)
        if alert.cameras and alert.when.subject is Subject.DISK:
            yield Contradiction(
                ("alert", index, "cameras"), (when,), "none: the disk is no camera's"
            )
