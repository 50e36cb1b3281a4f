"""The door for boards that answer by HTTP and have to be asked: camd is their client.

``framesize`` and ``mixed`` are rules and bytes, ``client`` is HTTP with bounds, ``board`` what can
be asked of one board, `Puller` what is asked of it when, and `Pullers` all of them.
"""

from camd.pull.pullers import Pullers

__all__ = ["Pullers"]
