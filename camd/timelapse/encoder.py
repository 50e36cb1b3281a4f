"""ffmpeg, as a child process: pictures go in through a pipe, and an MP4 file comes out.

It is killed where it hangs, and where it crashes only the film is lost.
"""

import fcntl
import importlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from attrs import define, field

NEEDS_FFMPEG = 'needs ffmpeg: apt-get install ffmpeg, or pip install "camd[video]"'
NEEDS_PILLOW = 'needs Pillow: pip install "camd[video]"'

_PRESET = "veryfast"
_QUALITY = 23
"""x264's: 18 is hardly to be told from the photos, 28 is small."""

_PIPE = 1024 * 1024
_LONGEST_WORD = 300
_LAST = 600.0
"""Seconds for the end of the film: its index is put in front, so that it plays while it loads."""


class EncoderError(Exception):
    """ffmpeg gave up; the text says why, in its words."""


def find_ffmpeg() -> str | None:
    """Where ffmpeg is: the system's, or else the one that imageio-ffmpeg brings along."""
    found = shutil.which("ffmpeg")
    if found is not None or importlib.util.find_spec("imageio_ffmpeg") is None:
        return found
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # it is there, and has none for this machine
        return None


def missing() -> str | None:
    """What films need and is not there, in a line; None where all of it is."""
    if importlib.util.find_spec("PIL") is None:
        return NEEDS_PILLOW
    return None if find_ffmpeg() is not None else NEEDS_FFMPEG


@define(eq=False)
class Encoder:
    """Writes a film to *path*, which is there already.

    :ivar size: width and height of the film, even numbers of pixels.
    :ivar sent: pictures that it was given.
    """

    ffmpeg: str
    path: Path
    size: tuple[int, int]
    fps: int
    sent: int = 0
    _process: "subprocess.Popen[bytes]" = field(init=False)
    _said: IO[bytes] = field(init=False, factory=tempfile.TemporaryFile)
    _counted: IO[bytes] = field(init=False, factory=tempfile.TemporaryFile)

    def __attrs_post_init__(self) -> None:
        width, height = self.size
        self._process = subprocess.Popen(
            [
                self.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostats",
                "-progress", "pipe:1", "-f", "image2pipe", "-c:v", "mjpeg",
                "-framerate", str(self.fps), "-i", "pipe:0", "-an", "-map_metadata", "-1",
                "-vf", f"scale={width}:{height}:out_color_matrix=bt709:out_range=tv,"
                "setsar=1,format=yuv420p",
                "-c:v", "libx264", "-preset", _PRESET, "-crf", str(_QUALITY),
                "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
                "-color_range", "tv", "-movflags", "+faststart", "-f", "mp4", "-y",
                f"file:{self.path}",
            ],
            stdin=subprocess.PIPE, stdout=self._counted, stderr=self._said,
            # Ctrl-C is for us, and we tell it.
            process_group=0,
        )  # fmt: skip
        try:
            # So that both sides work at once: a picture is larger than a pipe is by default.
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE)
        except OSError:
            pass  # it is only slower

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._process.stdin is not None, "it was asked for"
        return self._process.stdin

    def write(self, jpeg: bytes) -> None:
        """The next picture: a whole JPEG.

        :raises EncoderError: ffmpeg has given up.
        """
        try:
            self._pipe.write(jpeg)
        except BrokenPipeError:
            self._process.wait()
            raise EncoderError(self._why()) from None
        self.sent += 1

    def finish(self) -> int:
        """The film is whole. How many pictures it has.

        :raises EncoderError: it is not.
        """
        try:
            self._pipe.close()
            code = self._process.wait(_LAST)
        except BrokenPipeError:
            code = self._process.wait()
        except subprocess.TimeoutExpired:
            raise EncoderError(f"ffmpeg did not end within {_LAST:g} s") from None
        # On a full disk some versions complain, and leave with 0 all the same.
        if code or not _whole(self.path):
            raise EncoderError(self._why())
        self._counted.seek(0)
        counts = [line for line in self._counted.read().split() if line.startswith(b"frame=")]
        return int(counts[-1].partition(b"=")[2]) if counts else 0

    def close(self) -> None:
        """Nothing runs any more, whatever became of the film."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for file in (self._pipe, self._said, self._counted):
            try:
                file.close()
            except BrokenPipeError:
                pass

    def _why(self) -> str:
        if not os.statvfs(self.path.parent).f_bavail:
            return "the disk is full"  # what ffmpeg says of that may be anything
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        last = said[-1][:_LONGEST_WORD] if said else f"exit code {self._process.returncode}"
        return f"ffmpeg gave up: {last}"


def _whole(path: Path) -> bool:
    """Whether the boxes of an MP4 file (ISO 14496-12) are all there, the index among them."""
    kinds = set()
    at = 0
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while at < end:
            file.seek(at)
            head = file.read(16)
            size = int.from_bytes(head[:4])
            if size == 1:
                size = int.from_bytes(head[8:])
            if size < 8:
                return False
            kinds.add(head[4:8])
            at += size
    return at == end and {b"moov", b"mdat"} <= kinds
