"""Tells twistd that there is a camd."""

from twisted.application.service import ServiceMaker

camd = ServiceMaker("camd", "camd.tap", "Photos from a fleet of ESP32-CAM boards", "camd")
