"""camd: photos from a fleet of ESP32-CAM boards, none of them lost.

The house, from the ground up; imports go downwards only:

======================  =====================================================================
photo                   the frozen nouns that every door shares
findings                and what is on a photo: boxes, classes, flags
wire                    bytes to events and back: v1, v2, the JPEG walk, the seal
config                  one tree of settings, and where each came from
----------------------  ---------------------------------------------------------------------
store                   files whole or not at all, group commit, catalog, retention
keys, access            who has which key; the page's password, the tokens of programs
fleet, news, intake     which cameras there are; who wants to hear; every photo's one way in
vision                  a photo past a network, or judged; a process of its own does it
timelapse               films of the photos, by way of ffmpeg
----------------------  ---------------------------------------------------------------------
ingest                  the door for boards: TCP and TLS
upload                  the door for photos by HTTP: PUT, and what the upload sketches POST
pull                    boards that answer by HTTP and are asked: CameraWebServer, ESPHome
detect                  the workers that look at photos, and the backlog of what waits
publish                 telling others: webhooks, MQTT, mail, and the rules of alerts
web                     the door for people and programs: page, API, live view, metrics
upkeep                  what the clock has done: retention, and what is known of cameras saved
manhole, systemd        the doors for the operator and for the service manager
handover                connections that outlive their process, over upgrades and crashes
----------------------  ---------------------------------------------------------------------
service, tap            the roof: the one place that knows all of them, and twistd's way in
----------------------  ---------------------------------------------------------------------
cli, simulate, bench    programs beside the house that use it
export, labels          photos as data sets for other tools; what was said there comes back
======================  =====================================================================
"""

__version__ = "0.1.0"
