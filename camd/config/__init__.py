"""What can be set, where settings come from, and what is said of mistakes in them.

* :mod:`camd.config.tree`: every setting with its default, those of the doors in ``doors``, of
  single cameras in ``camera``, of films in ``films``, of what is told in ``telling``, of looking
  at photos in ``looking``. The place to add one; ``kinds`` has the types that they are made of,
  ``area`` and ``wanted`` those that are more than a value.
* :mod:`camd.config.units`: durations, sizes, shares and secrets, as text and as numbers.
* :mod:`camd.config.reading`: files, environment and options, made into one tree.

The rest is how: ``rules`` (what a value must be beyond its type), ``when`` (the rules of alerts),
``shape`` (keys and types of a tree), ``sources``, ``layers``, ``structure``, ``mistakes``. None of
it knows Twisted or a clock, and only ``sources`` reads files.
"""

from camd.config.camera import CameraConfig, CameraEntry
from camd.config.mistakes import ConfigError, Mistake
from camd.config.reading import Loaded, load
from camd.config.shape import shown
from camd.config.tree import Config, TimesConfig, reloadable
from camd.config.units import (
    Bytes,
    Seconds,
    Secret,
    Share,
    duration_text,
    read_duration,
    read_share,
    read_size,
    size_text,
)

__all__ = [
    "Bytes",
    "CameraConfig",
    "CameraEntry",
    "Config",
    "ConfigError",
    "Loaded",
    "Mistake",
    "Seconds",
    "Secret",
    "Share",
    "TimesConfig",
    "duration_text",
    "load",
    "read_duration",
    "read_share",
    "read_size",
    "reloadable",
    "shown",
    "size_text",
]
