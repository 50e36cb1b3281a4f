"""Telling others: webhooks, an MQTT broker, mail, and the alerts that go by them.

* ``publisher``: the one that knows the others, and is all that the roof sees of them.
* ``outbox``, ``courier``: what waits until it is delivered, over restarts too; who delivers it.
* ``ways``, ``webhook``, ``mail``, ``broker``: how it goes. ``letter``: what is said.
  ``report``: how it went.
* ``alerts``: which rules hold, and what was told of that.
* ``bridge``, ``discovery``, ``tally``, ``order``: every camera by MQTT, as Home Assistant has it,
  and what it is told from there.

News is heard in the reactor's thread and only put aside there; files, JSON and the network come
after.
"""

from camd.publish.publisher import Publisher
from camd.publish.ways import PublishError

__all__ = ["PublishError", "Publisher"]
