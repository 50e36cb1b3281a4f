"""The door for boards: TCP and TLS, both protocols on one port.

`CameraFactory` tracks who is connected, `CameraProtocol` reads bytes and finds out which of the
two protocols they are; `BoardV1` and `BoardV2` are what is said from there on.
"""

from camd.ingest.factory import CameraFactory, SecureCameraFactory
from camd.ingest.protocol import CameraProtocol

__all__ = ["CameraFactory", "CameraProtocol", "SecureCameraFactory"]
