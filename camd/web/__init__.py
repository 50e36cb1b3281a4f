"""The door for people and programs: the page, the API, the live view, metrics.

======================  =====================================================================
door, house             the whole of it; the rooms that it looks into
server, routes          HTTP and its bounds; which request is answered by whom
answers                 what is answered, and what may be asked in a query or a body
auth                    who is asking, and whether that may be
pages                   the page's own files, signing in and out
cameras, telemetry      how cameras fare, and what they measured
commands                what cameras are asked for
photos, sending         photos; files, whole or in ranges
findings, found         what is on the photos, told and put right
counts                  the same by the hour, the day and the night
timelapses, films       films of photos, and how they are made
live, notice            cameras watched live
events, journal         what happens, what happened, how camd fares
metrics                 the same for Prometheus
publishing              what is told to other programs
======================  =====================================================================
"""

from camd.web.door import WebDoor, WebError

__all__ = ["WebDoor", "WebError"]
