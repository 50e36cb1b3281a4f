"""The door for photos that come by HTTP: PUT for programs, POST for the sketches people have.

``head`` and ``framing`` are HTTP as far as it is needed here, ``multipart``, ``picture`` and
``submission`` what is inside a body; none of those knows Twisted. `UploadFactory` says who may
and what is shared, `UploadProtocol` is one connection.
"""

from camd.upload.factory import UploadFactory
from camd.upload.protocol import UploadProtocol

__all__ = ["UploadFactory", "UploadProtocol"]
