"""The process itself: how many files it may open, and what Python does besides our work."""

import ctypes
import gc
import resource
from contextlib import suppress


def many_files() -> int:
    """As many open files as the system lets this process have, from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def calm_collector() -> None:
    """What lives for ever is not looked through for garbage again, and the rest seldom: most of
    what a photo leaves behind goes by reference counts alone."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
