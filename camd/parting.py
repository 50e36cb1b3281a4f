"""How a connection ends whose peer may still be sending.

Closing over bytes that were not read would tear up what was said last. So only our side is closed,
and what still comes is thrown away for a moment.
"""

from typing import Any

from twisted.internet.interfaces import ISSLTransport

LINGER = 4 * 1024 * 1024
"""Bytes that are thrown away at most; who sends more has to wait."""


def part(transport: Any) -> None:
    """No more is said on *transport*."""
    if ISSLTransport.providedBy(transport):
        transport.loseConnection()  # TLS reads on by itself until the peer has closed
    else:
        transport.loseWriteConnection()
