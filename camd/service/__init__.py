"""The one place that knows all the rooms: it builds them, opens the doors, and shuts them again.

``daemon`` has them all, from the start on; ``ending`` is the order in which they stop.
"""

from camd.service.daemon import LOOK, Camd, StartError, build

__all__ = ["LOOK", "Camd", "StartError", "build"]
