"""Refused photos, kept aside to be looked at, where the operator wants that.

They lie in the store's own folder under names that no program takes for photos. Losing one
loses no photo: nothing is synced, and the oldest go when there are too many.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from attrs import define

from camd.config import Config
from camd.photo import CameraId, Reason

SUFFIX = ".refused"
_KEEP = 0.9

WAITING = 16 * 1024 * 1024
"""While so many bytes wait for the disk no more are taken: refusals may be faster than it is."""


@define(eq=False)
class Quarantine:
    """:ivar run: has a function called in some thread, and forgets about it."""

    folder: Path
    config: Callable[[], Config]
    now: Callable[[], float]
    run: Callable[[Callable[[], None]], object]
    kept: int = 0
    _size: int = -1
    _given: int = 0
    _taken: int = 0

    def keep(self, camera: CameraId, reason: Reason, chunks: tuple[bytes | bytearray, ...]) -> None:
        """These bytes are kept, if the configuration says so and there is room, on the disk and
        on the way to it."""
        settings = self.config().store
        if not settings.quarantine or not chunks:
            return
        size = sum(map(len, chunks))
        if self._given - self._taken >= WAITING:
            return
        self._given += size
        self.kept += 1
        stamp = datetime.fromtimestamp(self.now(), UTC).strftime("%Y%m%d-%H%M%S")
        name = f"{camera}_{stamp}_{self.kept:06d}_{reason.value}{SUFFIX}"
        most = settings.quarantine_max
        self.run(lambda: self._write(name, chunks, size, most))

    def _write(
        self, name: str, chunks: tuple[bytes | bytearray, ...], size: int, most: int
    ) -> None:
        self._taken += size
        if size > most:
            return
        with suppress(OSError):
            self.folder.mkdir(mode=0o750, exist_ok=True)
            if self._size < 0 or self._size + size > most:
                self._size = self._make_room(int(most * _KEEP) - size)
            path = self.folder / name
            path.write_bytes(b"".join(chunks))
            path.chmod(0o640)
            self._size += size

    def _make_room(self, most: int) -> int:
        """Delete the oldest until the rest takes *most* bytes at most; what the rest takes."""
        found = sorted(
            (entry.stat().st_mtime_ns, entry, entry.stat().st_size)
            for entry in self.folder.glob(f"*{SUFFIX}")
        )
        total = sum(size for _, _, size in found)
        for _, path, size in found:
            if total <= most:
                break
            path.unlink()
            total -= size
        return total
