"""Time-lapse: the photos of a camera as a film, H.264 in an MP4 file that plays everywhere.

==========  ==================================================================================
wish        what film is wanted
moments     from when to when, at which hours of the day: as people write it
choice      which photos a film shows, and each for how many of its pictures
picture     a photo as a picture of the film: looked at, fitted, dated; the only one with Pillow
encoder     ffmpeg, as a child process
film        the whole way from the catalog to a file that exists whole or not at all
==========  ==================================================================================

Knows the store's files and its catalog, to read them. Nothing here knows Twisted: it all blocks,
and belongs into a process of its own.
"""

from camd.timelapse.encoder import missing
from camd.timelapse.film import Made, TimelapseError, shoot
from camd.timelapse.wish import Wish, parse_size

__all__ = ["Made", "TimelapseError", "Wish", "missing", "parse_size", "shoot"]
