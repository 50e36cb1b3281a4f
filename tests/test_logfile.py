"""Log lines: one an event, in UTC, and nobody writes a second one from the inside."""

import io
import json

from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from camd.logfile import observer


class Lines(SynchronousTestCase):
    """What `observer` writes."""

    def say(self, as_json: bool, level: str = "info") -> tuple[Logger, io.StringIO]:
        stream = io.StringIO()
        publisher = LogPublisher(observer(level, as_json, stream))
        return Logger("camd.test", observer=publisher), stream

    def test_text(self) -> None:
        log, stream = self.say(False)
        log.warn("{camera} is gone", camera="trap-7")
        line = stream.getvalue()
        self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[camd\.test\] WARN: ")
        self.assertTrue(line.endswith("trap-7 is gone\n"))

    def test_a_line_is_a_line(self) -> None:
        """A peer that sends line ends or braces cannot forge a line or break one."""
        log, stream = self.say(False)
        log.info("{peer}: hello", peer="evil\n2026-01-01T00:00:00.000Z [camd] all is well {x}")
        lines = stream.getvalue().splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[1].startswith("\t"))

    def test_level(self) -> None:
        """What is less serious than asked for is left out."""
        log, stream = self.say(False, "error")
        log.info("small")
        log.error("large")
        self.assertNotIn("small", stream.getvalue())
        self.assertIn("large", stream.getvalue())

    def test_json(self) -> None:
        """An object a line, with the event's own fields beside the text."""
        log, stream = self.say(True)
        log.info("{camera}: {photos} photos\nand more", camera="trap-7", photos=3)
        said = json.loads(stream.getvalue())
        self.assertEqual(stream.getvalue().count("\n"), 1)
        self.assertEqual((said["camera"], said["photos"], said["level"]), ("trap-7", 3, "info"))
        self.assertEqual(said["text"], "trap-7: 3 photos\nand more")

    def test_failure(self) -> None:
        """A traceback belongs to its event."""
        log, stream = self.say(True)
        try:
            raise ValueError("broken")
        except ValueError:
            log.failure("a mistake of ours")
        self.assertIn("ValueError: broken", json.loads(stream.getvalue())["traceback"])

    def test_nobody_reads(self) -> None:
        """A log that cannot be written stops nothing."""
        log, stream = self.say(False)
        stream.close()
        log.info("still here")
