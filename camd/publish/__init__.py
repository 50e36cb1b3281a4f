"""Telling others: webhooks, an MQTT broker, mail, and the alerts that go by them.

* ``publisher``: the one that knows the others, and is all that the roof sees of them.
* ``outbox``, ``courier``: what waits until it is delivered, over restarts too; who delivers it.
* ``webhook``, ``mail``, ``broker``: the ways by which it goes. ``letter``: what is said.
* ``alerts``: which rules hold, and what was told of that.
* ``bridge``, ``discovery``: every camera's state by MQTT, as Home Assistant has it.

News is heard in the reactor's thread and only put aside there; files, JSON and the network come
after.
"""

from camd.publish.publisher import Publisher, PublishError

__all__ = ["PublishError", "Publisher"]
