"""The door for people and programs: the page, the API, the live view, metrics.

======================  =====================================================================
server, routes          HTTP and its bounds; which request is answered by whom
auth                    who is asking, and whether that may be
pages                   the page's own files, signing in and out
cameras, commands       how cameras fare, and what they are asked for
photos, thumbnails      photos and small pictures of them
sending                 files, whole or in ranges
timelapses, films       films of photos, and how they are made
live, notice            cameras watched live
events, journal         what happens, what happened, how camd fares
metrics                 the same for Prometheus
workers                 threads for what blocks
======================  =====================================================================
"""

from camd.web.door import WebDoor, WebError

__all__ = ["WebDoor", "WebError"]
