"""The connection to an MQTT broker: paho, which has a thread of its own.

What it hears is handed over to the reactor's thread, where everything else here runs. Away from
the broker nothing is published: who publishes hears when it is there again, and says all anew.
"""

import importlib.util
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from camd.config.telling import MqttConfig
from camd.publish.courier import UndeliveredError

log = Logger()

ONLINE, OFFLINE = b"online", b"offline"

_LONGEST_WAIT = 120
"""Seconds between two attempts to connect at most."""

_SHORT = 30.0
"""Seconds within which a connection ends that is not worth another at once: two of the same name
would hang up on one another without end. Not every broker says that it was that."""

_MOST_HEARD = 64 * 1024
"""Bytes of a message that the broker may hand us."""

_MOST_ON_THE_WAY = 8 * 2**20
"""Bytes that are published and not yet acknowledged at most, and how many messages:"""
_MOST_MESSAGES = 500

_ports = {"mqtt": 1883, "mqtts": 8883}


def available() -> bool:
    """Whether paho is there."""
    return importlib.util.find_spec("paho") is not None


def instance_of(mqtt: MqttConfig) -> str:
    """This camd's part of all topics."""
    if mqtt.instance:
        return mqtt.instance
    name = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in _host_name())
    return name.strip("-")[:64] or "camd"


def _host_name() -> str:
    return socket.gethostname().partition(".")[0]


@define(eq=False)
class Broker:
    """:ivar status: the topic that says whether camd is there, by last will where need be.
    :ivar subscriptions: the topics to hear.
    :ivar heard: called with topic, payload and whether it was retained.
    :ivar joined: called when the connection is there.
    """

    mqtt: MqttConfig
    status: str
    subscriptions: list[str]
    reactor: Any
    heard: Callable[[str, bytes, bool], None]
    joined: Callable[[], None]
    connected: bool = False
    why: str = "not connected yet"
    _client: Any = None
    _on_the_way: dict[int, tuple[int, "Deferred[None] | None"]] = field(factory=dict)
    _bytes: int = 0
    _wait: int = 1
    _let_in: float | None = None

    @property
    def host(self) -> str:
        return urlsplit(self.mqtt.url).netloc

    @property
    def name(self) -> str:
        """By which the broker knows it; of two of the same name only one is let in."""
        return self.mqtt.client or f"camd-{instance_of(self.mqtt)}"[:64]

    @property
    def who(self) -> tuple[str, str]:
        """Which broker knows it by which name."""
        return self.mqtt.url, self.name

    # ---- life

    def start(self) -> None:
        """It is connected to from now on, again and again where need be.

        :raises OSError: the authorities cannot be read.
        """
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        mqtt = self.mqtt
        client = self._client = paho.Client(
            CallbackAPIVersion.VERSION2, self.name, protocol=paho.MQTTv5
        )
        if mqtt.user:
            client.username_pw_set(mqtt.user, mqtt.password.reveal or None)
        url = urlsplit(mqtt.url)
        if url.scheme == "mqtts":
            client.tls_set_context(
                ssl.create_default_context(cafile=None if mqtt.ca is None else str(mqtt.ca))
            )
        client.will_set(self.status, OFFLINE, qos=1, retain=True)
        client.reconnect_delay_set(1, _LONGEST_WAIT)
        client.max_inflight_messages_set(100)
        hand = self.reactor.callFromThread
        client.on_connect = lambda c, _u, _f, code, _p: self._met(c, code)
        client.on_connect_fail = lambda c, _u: hand(self._away, c, _unreached())
        client.on_disconnect = lambda c, _u, _f, code, _p: self._cut(c, code)
        client.on_message = lambda c, _u, said: hand(
            self._heard, c, said.topic, bytes(said.payload), bool(said.retain)
        )
        client.on_publish = lambda c, _u, mid, code, _p: hand(
            self._through, c, mid, str(code) if code.is_failure else None
        )
        more = Properties(PacketTypes.CONNECT)
        more.SessionExpiryInterval = int(mqtt.session)
        more.MaximumPacketSize = _MOST_HEARD
        client.connect_async(
            url.hostname or "", url.port or _ports[url.scheme], round(mqtt.keepalive),
            clean_start=not mqtt.session, properties=more,
        )  # fmt: skip
        client.loop_start()

    def stop(self, offline: bool) -> None:
        """The connection ends; the thread does, soon. *offline*: that is said to all."""
        client, self._client = self._client, None
        if client is None:
            return
        if offline and self.connected:
            client.publish(self.status, OFFLINE, 1, True)
        client.disconnect()
        self._lost("camd is stopping")

    # ---- what is said

    @property
    def room(self) -> bool:
        """Whether more may be published now."""
        return (
            self.connected
            and len(self._on_the_way) < _MOST_MESSAGES
            and self._bytes < _MOST_ON_THE_WAY
        )

    def publish(self, topic: str, payload: bytes, retain: bool = False, qos: int = -1) -> None:
        """Said, where the broker is there. *qos*: -1 is what the configuration says."""
        self._publish(topic, payload, retain, self.mqtt.qos if qos < 0 else qos, None)

    def deliver(self, topic: str, payload: bytes, retain: bool = False) -> "Deferred[None]":
        """Fires when the broker has it; fails with `UndeliveredError`."""
        done: Deferred[None] = Deferred()
        if not self._publish(topic, payload, retain, max(1, self.mqtt.qos), done):
            why = f"{self.host}: the broker is away: {self.why}"
            done.errback(UndeliveredError(why, untried=True))
        return done

    def _publish(
        self, topic: str, payload: bytes, retain: bool, qos: int, done: "Deferred[None] | None"
    ) -> bool:
        if not self.connected:
            return False
        info = self._client.publish(topic, payload, qos, retain)
        if info.rc:
            return False
        self._on_the_way[info.mid] = (len(payload), done)
        self._bytes += len(payload)
        return True

    # ---- in paho's thread

    def _met(self, client: Any, code: Any) -> None:
        if not code.is_failure:
            self._let_in = self.reactor.seconds()
        self.reactor.callFromThread(self._answered, client, bool(code.is_failure), str(code))

    def _cut(self, client: Any, code: Any) -> None:
        let_in, self._let_in = self._let_in, None
        why = str(code)
        if let_in is not None:
            short = self.reactor.seconds() - let_in < _SHORT
            self._wait = min(2 * self._wait, _LONGEST_WAIT) if short else 1
            client.reconnect_delay_set(self._wait, _LONGEST_WAIT)
            if short:
                why += (
                    ", soon after camd was let in: where another has the same name, "
                    "mqtt.instance or mqtt.client must differ"
                )
        self.reactor.callFromThread(self._left, client, why)

    # ---- what comes from there

    def _answered(self, client: Any, failed: bool, why: str) -> None:
        if client is not self._client:
            client.disconnect()  # it was about to connect when it was told to end
            return
        if failed:
            self._say(f"the broker does not let camd in: {why}")
            return
        log.info("mqtt: connected to {host}", host=self.host)
        self.connected, self.why = True, ""
        client.subscribe([(topic, 1) for topic in self.subscriptions])
        self.publish(self.status, ONLINE, retain=True, qos=1)
        self.joined()

    def _away(self, client: Any, why: str) -> None:
        if client is self._client:
            self._say(why)
            self._lost(why)

    def _left(self, client: Any, why: str) -> None:
        if self.connected:  # else it was never let in, which has been said
            self._away(client, why)

    def _say(self, why: str) -> None:
        if self.connected or why != self.why:
            log.warn("mqtt: {host}: {why}; it is tried again", host=self.host, why=why)
        self.why = why

    def _lost(self, why: str) -> None:
        self.connected = False
        on_the_way, self._on_the_way, self._bytes = self._on_the_way, {}, 0
        for _, done in on_the_way.values():
            if done is not None and not done.called:
                done.errback(UndeliveredError(f"{self.host}: the broker is away: {why}"))

    def _heard(self, client: Any, topic: str, payload: bytes, retained: bool) -> None:
        if client is self._client:
            self.heard(topic, payload, retained)

    def _through(self, client: Any, mid: int, refused: str | None) -> None:
        if client is not self._client:
            return
        size, done = self._on_the_way.pop(mid, (0, None))
        self._bytes -= size
        if done is None or done.called:
            return
        if refused is None:
            done.callback(None)
        else:
            done.errback(UndeliveredError(f"{self.host}: {refused}", alone=True))


def _unreached() -> str:
    """Why there is no connection: paho calls while it has the error in hand."""
    error = sys.exc_info()[1]
    return "it cannot be reached" + (f": {error}" if error is not None else "")
