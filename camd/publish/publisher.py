"""The one that knows all ways of telling: it sets them up, hears the news, and hands it to them.

Where nobody is to be told it does nothing and makes no file.
"""

import os
import random
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from camd.config import Config
from camd.config.telling import AlertEntry, WebhookEntry
from camd.fleet import Fleet
from camd.news import Item, Kind, News
from camd.photo import CameraId
from camd.plural import count
from camd.publish import bridge, mail, report, webhook
from camd.publish.alerts import Alerts, Counts
from camd.publish.bridge import Bridge, topics_of
from camd.publish.courier import AGAIN, Courier
from camd.publish.letter import Alert, Letter, together
from camd.publish.mail import Mail
from camd.publish.outbox import Delivery, Draft, Outbox
from camd.publish.ways import PublishError, Ways, hears, mark, read, same
from camd.store.store import Store
from camd.workers import Workers

log = Logger()

MOST_SHOWN = 500
"""Deliveries given up that are shown at once."""

ROLL = 60.0
"""Seconds between two looks whether a day has begun."""


@define(eq=False)
class Publisher:
    """:ivar counts: how many of a class were found; None where nothing is looked for.
    :ivar now: unix seconds.
    """

    config: Callable[[], Config]
    store: Store
    fleet: Fleet
    news: News
    reactor: Any
    now: Callable[[], float]
    counts: Counts | None = None
    chance: Callable[[], float] = random.random
    courier: Courier = field(init=False)
    alerts: Alerts = field(init=False)
    bridge: Bridge | None = None
    _leaving: Bridge | None = None
    parting: bool = False
    _ways: Ways = field(factory=lambda: Ways({}, None))
    _gone: dict[str, str] = field(factory=dict)
    _memory: dict[str, Any] | None = None
    _looking: LoopingCall | None = None
    _rolling: LoopingCall | None = None
    _workers: Workers | None = None
    _saying: LoopingCall | None = None
    _running: bool = False
    _era: int = 0

    def __attrs_post_init__(self) -> None:
        outbox = Outbox(self.store.own / "outbox.sqlite")
        self.courier = Courier(
            lambda: self.config().publish, outbox, self.reactor, self.now, self._is_gone,
            self.chance,
        )  # fmt: skip
        self.alerts = Alerts(
            self.config, self.fleet, self.now, self._alert,
            lambda: self.courier.remember("alerts", self.alerts.memory), self._room,
            lambda: self.counts,
        )  # fmt: skip
        self.news.listen(self.hear)

    # ---- life

    def prepare(self) -> None:
        """What is configured can be done.

        :raises PublishError: it cannot.
        """
        self._ways = read(self.config(), self.reactor, self.now)

    def start(self) -> None:
        """What happens is told from now on, and what waits is delivered."""
        self._era += 1
        self._running = True
        self.parting = False
        if not (self.config().tells or self.courier.outbox.exists):
            return
        self.courier.start()
        self._recall()

    def sync(self) -> None:
        """The configuration may have changed."""
        try:
            self._ways = read(self.config(), self.reactor, self.now)
        except PublishError as error:
            log.error("what is told stays as it was: {why}", why=str(error))
            return
        if not self._running:
            return
        if not self.courier.running:
            self.start()
        elif self._memory is not None:
            self._set_up()

    def farewell(self) -> None:
        """camd is about to end: that is told as well."""
        self.parting = True

    def stop(self) -> None:
        """Nothing is delivered any more; what was to be told waits on the disk for the next
        start. Blocks for that."""
        self._era += 1
        self._running = False
        for loop in (self._looking, self._rolling):
            if loop is not None and loop.running:
                loop.stop()
        self._looking = self._rolling = None
        self._end_bridge(self.parting)
        self._end_leaving()
        self._memory = None
        if self._workers is not None:
            self._workers.stop(0.5)
            self._workers = None
        self.courier.stop()

    def _end_bridge(self, offline: bool, leaving: bool = False) -> None:
        ended, self.bridge = self.bridge, None
        if self._saying is not None and self._saying.running:
            self._saying.stop()
        if ended is not None:
            self.courier.no_lane(bridge.TARGET)
            if self._memory is not None:
                self._memory["mqtt"] = ended.memory()
            if leaving:
                self._end_leaving()
                self._leaving = ended
                ended.withdraw()
            else:
                ended.broker.stop(offline)

    def _end_leaving(self) -> None:
        """One that still takes leave of its broker does not stand in the next one's way."""
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            leaving.broker.stop(offline=False)

    def _recall(self) -> None:
        """What was remembered is known again, then all begins."""
        era = self._era

        def known(memory: dict[str, Any]) -> None:
            if era == self._era:
                self._begin(memory)

        def failed(failure: Failure) -> None:
            if era == self._era:
                self.courier.complain(failure.getErrorMessage())
                self.reactor.callLater(AGAIN, again)

        def again() -> None:
            if era == self._era:
                self._recall()

        self.courier.ask(lambda box: box.recall()).addCallbacks(known, failed)

    def _begin(self, memory: dict[str, Any]) -> None:
        self._memory = memory
        self._gone = dict(memory.get("gone", {}))
        self.alerts.restore(memory.get("alerts"))
        self._set_up()
        self._rolling = self._steadily(self._roll, ROLL)

    def _steadily(self, work: Callable[[], Any], seconds: float) -> LoopingCall:
        def once() -> "Deferred[Any]":
            return maybeDeferred(work).addErrback(
                lambda failure: log.failure("telling others: a mistake of ours", failure)
            )

        loop = LoopingCall(once)
        loop.clock = self.reactor
        loop.start(seconds, now=False)
        return loop

    def _look_on(self) -> None:
        """As often as the configuration has it."""
        looking, seconds = self._looking, self.config().publish.look
        if looking is None or looking.interval != seconds:
            if looking is not None and looking.running:
                looking.stop()
            self._looking = self._steadily(self._look, seconds)

    def _look(self) -> None:
        """Nobody waits for what is asked: it may take long, and other rules are looked at."""
        self.alerts.look().addErrback(
            lambda failure: log.failure("alerts: a mistake of ours", failure)
        )

    def _roll(self) -> None:
        if self.bridge is not None:
            self.bridge.new_day()

    def _set_up(self) -> None:
        """Lanes are as the configuration has them."""
        config, lanes = self.config(), self.courier.lanes
        ways: dict[str, Any] = {
            target: way for target, way in self._ways.hooks.items()
            if self._gone.get(target) != mark(way.entry)
        }  # fmt: skip
        if config.mail.host:
            ways[mail.TARGET] = Mail(lambda: self.config().mail, self.reactor, self._ways.trusted)
        self._look_on()
        self._set_up_bridge()
        kept = {*ways, *([bridge.TARGET] if self.bridge is not None else [])}
        for target in set(lanes) - kept:
            self.courier.no_lane(target)
        for target, way in ways.items():
            if target not in lanes or config.publish.ca or not same(lanes[target].way, way):
                self.courier.lane(target, way)
        self._bury(kept)

    def _set_up_bridge(self) -> None:
        config, before = self.config(), self.bridge
        if before is not None:
            if before.broker.mqtt == config.mqtt:
                before.refresh()
                return
            # What is still on its way under other names comes before what takes it back.
            stays = before.broker.mqtt.url == config.mqtt.url and before.topics == topics_of(
                config.mqtt
            )
            self._end_bridge(offline=True, leaving=not stays)
        if not config.mqtt.url:
            return
        if self._workers is None:
            waiting = lambda: 64  # noqa: E731 - the newest photo of each camera comes again
            self._workers = Workers("camd-mqtt", 1, waiting, self.reactor.callFromThread)
        made = Bridge(
            self.config, self.fleet, self.store.root, self.reactor, self.now, self._workers,
            lambda: self.counts, lambda id: self.store.ask(lambda catalog: catalog.latest(id)),
            self._joined, lambda: self.courier.remember("mqtt", made.memory),
        )  # fmt: skip
        made.restore((self._memory or {}).get("mqtt"))
        made.new_day()
        if self._leaving is not None and self._leaving.broker.who == made.broker.who:
            self._end_leaving()
        try:
            made.broker.start()
        except (OSError, ValueError) as error:
            log.error("mqtt: {why}", why=str(error))
            return
        self.bridge = made
        self.courier.lane(bridge.TARGET, made)
        self._saying = self._steadily(made.say, config.mqtt.every)

    def _joined(self) -> None:
        lane = self.courier.lanes.get(bridge.TARGET)
        if lane is not None:
            lane.wake(now=True)

    def _bury(self, kept: Iterable[str]) -> None:
        """What waits for who is configured no more, or wants no more, is given up, and shown."""
        there = set(kept)

        def bury(box: Outbox) -> int:
            others = set(box.waiting()) - there
            why = "its target is not configured any more"
            return box.bury(others, why, self.courier.now_ms, self.config().publish)

        def buried(many: int) -> None:
            if many:
                log.warn(
                    "{deliveries} given up: who was to have them is configured no more",
                    deliveries=count(many, "delivery", "deliveries"),
                )

        self.courier.ask(bury).addCallbacks(buried, self._complain)

    def _complain(self, failure: Failure) -> None:
        self.courier.complain(failure.getErrorMessage())

    # ---- what is to be told

    def hear(self, item: Item) -> None:
        """A listener of `News`."""
        if item.kind is Kind.ALERT or not self.config().tells:
            return  # an alert goes where its rule says
        self.alerts.hear(item)
        if self.bridge is not None:
            self.bridge.hear(item)
        hooks = [
            way.entry for target, way in self._ways.hooks.items()
            if webhook.wants(way.entry, item.kind, item.camera) and self._is_there(target)
        ]  # fmt: skip
        if hooks:
            letter = self._letter(item.kind, item.when, item.camera, item.text, item=item)
            self.courier.post(lambda: [_draft(letter, hook) for hook in hooks])

    def _is_there(self, target: str) -> bool:
        way = self._ways.hooks.get(target)
        return way is not None and self._gone.get(target) != mark(way.entry)

    def _letter(
        self, kind: Kind, when: float, camera: CameraId | None, text: str, **more: Any
    ) -> Letter:
        config = self.config()
        title = config.camera(camera).name if camera is not None else ""
        name = f"msg_{secrets.token_hex(12)}"
        return Letter(name, kind.value, when, camera, title, text, config.publish.url, **more)

    def _alert(self, entry: AlertEntry, alerts: Sequence[Alert]) -> None:
        """A rule has something to say, of one camera or of many; who is told of some cameras only
        hears of those."""
        config = self.config()
        said = together(alerts)
        item = self.news.tell(Kind.ALERT, said.camera, said.text)

        def about(hears: Callable[[CameraId | None], bool]) -> Letter | None:
            own = [alert for alert in alerts if hears(alert.camera)]
            if not own:
                return None
            alert = together(own)
            return self._letter(Kind.ALERT, item.when, alert.camera, alert.text, alert=alert)

        hooks = [
            (way.entry, about(lambda camera, hook=way.entry: hears(hook, entry, camera)))  # type: ignore[misc]
            for target, way in self._ways.hooks.items() if self._is_there(target)
        ]  # fmt: skip
        mailed, bridged = None, None
        if config.mail.host and (not entry.to or "mail" in entry.to):
            mailed = about(lambda _: True)
        if config.mqtt.url and (not entry.to or "mqtt" in entry.to):
            only = config.mqtt.cameras
            bridged = about(lambda camera: camera is None or not only or camera in only)

        def write() -> list[Draft]:
            drafts = [_draft(letter, hook) for hook, letter in hooks if letter is not None]
            if mailed is not None:
                drafts.append(_drafted(mailed, mail.TARGET, mail.body(mailed)))
            if bridged is not None:
                drafts.append(_drafted(bridged, bridge.TARGET, bridge.alert_body(bridged)))
            return drafts

        if mailed or bridged or any(letter for _, letter in hooks):
            self.courier.post(write, urgent=True)

    def _room(self) -> "Deferred[tuple[int, int]]":
        def look(_: Outbox) -> tuple[int, int]:
            found = os.statvfs(self.store.root)
            return found.f_frsize * found.f_bavail, found.f_frsize * found.f_blocks

        return self.courier.ask(look)

    def _is_gone(self, target: str, why: str) -> None:
        """A hook wants nothing more."""
        way = self._ways.hooks.get(target)
        if way is None:
            return
        log.error(
            "{target}: {why}; it is told nothing more until its url changes or a delivery to it "
            "is tried again by hand", target=target, why=why,
        )  # fmt: skip
        self._gone[target] = mark(way.entry)
        self.courier.remember("gone", lambda: dict(self._gone))
        self.reactor.callLater(0, self._close, target, why)

    def _close(self, target: str, why: str) -> None:
        """What else waits is given up."""
        if self._is_there(target) or not self.courier.running:
            return

        def bury(box: Outbox) -> int:
            return box.bury([target], why, self.courier.now_ms, self.config().publish)

        def done(_: Any) -> None:
            if not self._is_there(target):
                self.courier.no_lane(target)

        self.courier.ask(bury).addErrback(self._complain).addBoth(done)

    # ---- for people

    @property
    def delivered(self) -> dict[str, int]:
        """How much was delivered since the start, by target."""
        return {lane.target: lane.delivered for lane in self.courier.lanes.values()}

    @property
    def failing(self) -> dict[str, int]:
        """How many deliveries have failed in a row, by target."""
        return {lane.target: lane.failures for lane in self.courier.lanes.values()}

    def state(self) -> "Deferred[dict[str, Any]]":
        """How telling others goes, as JSON has it: ``targets``, ``dead``, ``alerts``, ``mqtt``,
        ``dropped``."""
        if not self.courier.running:
            return succeed(self._described({}, []))
        asked = self.courier.ask(lambda box: (box.waiting(), box.dead(MOST_SHOWN)))
        return asked.addCallback(lambda found: self._described(*found))

    def _described(self, waiting: dict[str, int], dead: list[Delivery]) -> dict[str, Any]:
        gone = {target: not self._is_there(target) for target in self._ways.hooks}
        mqtt = None if self.bridge is None else self.bridge.broker
        return {
            "targets": report.targets(self.courier.lanes, waiting, gone),
            "dead": [report.dead(each) for each in dead],
            "alerts": self.alerts.standing,
            "mqtt": report.broker(mqtt),
            "dropped": self.courier.outbox.dropped + self.courier.lost,
        }

    def retry(self, id: int) -> "Deferred[bool]":
        """A delivery that was given up is tried again, and its target is told things again where
        it had wanted nothing more. Whether there was one; fails where the outbox does."""
        now_ms = self.courier.now_ms

        def again(target: str | None) -> bool:
            if target is None:
                return False
            if self._gone.pop(target, None) is not None:
                self.courier.remember("gone", lambda: dict(self._gone))
            way, lane = self._ways.hooks.get(target), self.courier.lanes.get(target)
            if way is not None and (lane is None or lane.closed):
                self.courier.lane(target, way)
            elif lane is not None:
                lane.wake(now=True)
            return True

        return self.courier.ask(lambda box: box.retry(id, now_ms)).addCallback(again)

    def discard(self, id: int) -> "Deferred[bool]":
        """A delivery that was given up is forgotten. Whether there was one; fails where the
        outbox does."""
        return self.courier.ask(lambda box: box.discard(id))


def _draft(letter: Letter, hook: WebhookEntry) -> Draft:
    return _drafted(letter, webhook.target_of(hook), webhook.body(hook, letter))


def _drafted(letter: Letter, target: str, body: str) -> Draft:
    return Draft(
        f"{letter.name}_{target}", target, letter.kind, letter.urgent, round(letter.when * 1000),
        body,
    )  # fmt: skip
