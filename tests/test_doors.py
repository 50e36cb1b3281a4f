"""Ports are opened as the operator wrote them, and what is in the way is one line."""

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from camd.doors import DoorError, Doors, endpoint, is_secure, own_address, port_of


class Descriptions(SynchronousTestCase):
    """Endpoint strings."""

    def test_nonsense(self) -> None:
        """What means nothing is named."""
        for text in ("tcp", "tcp:notaport", "smoke:8940", ""):
            error = self.assertRaises(DoorError, endpoint, reactor, text)
            self.assertIn(repr(text), str(error))
            self.assertNotIn("\n", str(error))

    def test_secure(self) -> None:
        """Only where the endpoint itself is TLS do lines go without macs."""
        self.assertTrue(is_secure("ssl:8941:privateKey=k.pem"))
        self.assertTrue(is_secure("haproxy:ssl:8941:privateKey=k.pem"))
        for text in ("tcp:8940", "unix:/run/ssl.sock", "haproxy:tcp:8940", "systemd:domain=INET"):
            self.assertFalse(is_secure(text), text)

    def test_own_address(self) -> None:
        """An address that can be typed into a board."""
        socket.inet_aton(own_address())


class Ports(TestCase):
    """Real ports of this machine."""

    async def test_open_and_shut(self) -> None:
        """A free port is open, known by its number, and free again afterwards."""
        doors = Doors(reactor)
        await doors.listen("tcp:0:interface=127.0.0.1", Factory.forProtocol(Protocol))
        ((text, port),) = doors.open
        number = port_of(port)
        self.assertEqual(text, "tcp:0:interface=127.0.0.1")
        with socket.create_connection(("127.0.0.1", number), 5):
            pass
        await doors.close()
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", number), 1)

    async def test_taken(self) -> None:
        """A port that another program has is one line that names it."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            text = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            listening: Any = Doors(reactor).listen(text, Factory.forProtocol(Protocol))
            error = self.failureResultOf(listening, DoorError)
        self.assertIn(text, str(error.value))
        self.assertIn("in use", str(error.value))
