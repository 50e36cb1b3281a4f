"""Streams as TCP delivers them, small JPEGs built by hand, and a count of the work done on them."""

import sys
from collections.abc import Callable, Iterator
from types import FrameType

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SCAN = b"\x12\xff\x00\x34\xff\xd0\x56\xff\x00"
"""Entropy-coded data with stuffed FFs and a restart marker."""


def thorough(examples: int) -> settings:
    """So many examples, none remembered, however long each takes."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def segment(code: int, body: bytes = b"") -> bytes:
    """A marker segment that declares its length."""
    return bytes((0xFF, code)) + (len(body) + 2).to_bytes(2, "big") + body


def lying(code: int, length: int, body: bytes = b"") -> bytes:
    """A marker segment that declares *length* whatever it holds."""
    return bytes((0xFF, code)) + length.to_bytes(2, "big") + body


def frame_header(width: int = 16, height: int = 8, code: int = 0xC0) -> bytes:
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return segment(code, b"\x08" + size + b"\x01\x01\x11\x00")


SOS = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")


def jpeg(*extra: bytes, scan: bytes = SCAN, end: bytes = EOI) -> bytes:
    """A JPEG of a few dozen bytes, *extra* segments before its frame header."""
    return b"".join((SOI, *extra, frame_header(), SOS, scan, end))


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """*data* in segments of *cuts* bytes, again and again from the first."""
    at = 0
    while at < len(data):
        for cut in cuts:
            if at < len(data):
                yield data[at : at + cut]
            at += cut


some_cuts = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def work(run: Callable[[], object]) -> int:
    """How many functions *run* calls, those written in C included."""
    calls = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(before)
    return calls
