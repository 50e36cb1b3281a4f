"""The ways by which things are told, as the configuration has them.

What files the configuration names is read here, so that what is wrong with them is said at once.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from camd.config import Config
from camd.config.telling import AlertEntry, WebhookEntry
from camd.httpclient import Client, authorities
from camd.photo import CameraId
from camd.publish import broker, webhook
from camd.publish.mail import Mail
from camd.publish.webhook import Webhook


class PublishError(Exception):
    """Nothing can be told as it is configured; the text is one line for the operator."""


@frozen
class Ways:
    """What the configuration comes to, once the files are read that it names.

    :ivar hooks: by target.
    """

    hooks: dict[str, Webhook]
    trusted: Any


def read(config: Config, reactor: Any, now: Callable[[], float]) -> Ways:
    """:raises PublishError: something is missing that the configuration names."""
    if config.mqtt.url and not broker.available():
        raise PublishError('mqtt.url: MQTT needs paho-mqtt: pip install "camd[mqtt]"')
    mqtt_ca, ca = config.mqtt.ca, config.publish.ca
    if mqtt_ca is not None:
        _authorities("mqtt.ca", mqtt_ca)
    trusts = None if ca is None else _authorities("publish.ca", ca)
    client = Client(reactor, trusted=trusts)
    return Ways(
        {
            webhook.target_of(hook): Webhook(hook, _secret(hook), client, now)
            for hook in config.webhooks
        },
        trusts,
    )


def same(one: Any, other: Any) -> bool:
    """Whether two ways are one and the same: what is under way by it may go on."""
    if isinstance(one, Webhook) and isinstance(other, Webhook):
        return (one.entry, one.secret) == (other.entry, other.secret)
    return isinstance(one, Mail) and isinstance(other, Mail)


def mark(hook: WebhookEntry) -> str:
    """What stands for its address where the address, which may be a secret, is not written."""
    return hashlib.sha256(hook.url.encode("utf-8")).hexdigest()


def hears(hook: WebhookEntry, entry: AlertEntry, camera: CameraId | None) -> bool:
    """Whether that alert goes by that hook."""
    if hook.name and hook.name in entry.to:
        return True
    if entry.to and "webhook" not in entry.to:
        return False
    about = camera is None or not hook.cameras or camera in hook.cameras
    return "alert" in hook.events and about


def _authorities(key: str, path: Path) -> Any:
    try:
        return authorities(path)
    except OSError as error:
        raise PublishError(f"{key}: {path}: {error.strerror}") from None
    except ValueError as error:
        raise PublishError(f"{key}: {error}") from None


def _secret(hook: WebhookEntry) -> str:
    """What *hook*'s requests are signed with; "" where they are not to be."""
    if hook.secret_file is None:
        key, secret = f"webhook.secret: that of {hook.name or 'a hook'}", hook.secret.reveal
    else:
        key, secret = f"webhook.secret_file: {hook.secret_file}", _read(hook.secret_file)
        if not secret:
            raise PublishError(f"{key}: there is nothing in it")
    try:
        webhook.key_of(secret)
    except ValueError:
        raise PublishError(f"{key}: what is behind whsec_ is no base64") from None
    return secret


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        why = error.strerror
    except UnicodeDecodeError:
        why = "it is not UTF-8"
    raise PublishError(f"webhook.secret_file: {path}: {why}")
