"""The door for boards that answer by HTTP and have to be asked: camd is their client.

``framesize`` and ``mixed`` are rules and bytes, ``board`` what can be asked of one board,
``wishes`` what it is to be set to, ``orders`` what people want of it, ``house`` the rooms that this
needs, `Puller` what is asked of a board when, and `Pullers` all of them.
"""

from camd.pull.pullers import Pullers

__all__ = ["Pullers"]
