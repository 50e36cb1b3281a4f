"""What the log looks like: UTC, one line an event, text or JSON, to stderr."""

import json
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
)
from zope.interface import implementer


@implementer(ILogObserver)
class LogLines:
    """Writes each event as a line; what is inside an event cannot begin a line of its own.

    :param as_json: one object a line: time, level, namespace, text, and the event's own fields.
    """

    def __init__(self, stream: TextIO, as_json: bool) -> None:
        self._stream = stream
        self._json = as_json

    def __call__(self, event: LogEvent) -> None:
        try:
            text = self._object(event) if self._json else self._line(event)
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return  # nobody reads it any more; the daemon goes on

    def _line(self, event: LogEvent) -> str:
        level = _level(event)
        mark = "" if level == "info" else f"{level.upper()}: "
        text = f"{_time(event)} [{event.get('log_namespace', '-')}] {mark}{formatEvent(event)}"
        text = text.replace("\n", "\n\t")
        failure = event.get("log_failure")
        return text if failure is None else text + "\n\t" + _trace(failure).replace("\n", "\n\t")

    def _object(self, event: LogEvent) -> str:
        said: dict[str, Any] = {
            "time": _time(event),
            "level": _level(event),
            "namespace": event.get("log_namespace", "-"),
            "text": formatEvent(event),
        }
        for key, value in event.items():
            if not key.startswith("log_") and key not in said:
                said[key] = value if isinstance(value, int | float | str | bool) else str(value)
        failure = event.get("log_failure")
        if failure is not None:
            said["traceback"] = _trace(failure)
        return json.dumps(said, ensure_ascii=False)


def observer(level: str, as_json: bool, stream: TextIO | None = None) -> ILogObserver:
    """An observer that writes what is at least as serious as *level*."""
    lines = LogLines(stream or sys.stderr, as_json)
    least = LogLevelFilterPredicate(LogLevel.levelWithName(level))
    kept: ILogObserver = FilteringLogObserver(lines, [least])
    return kept


def _time(event: LogEvent) -> str:
    when = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return level.name if level is not None else "info"


def _trace(failure: Any) -> str:
    try:
        return str(failure.getTraceback()).rstrip()
    except Exception:
        return "(no traceback)"
