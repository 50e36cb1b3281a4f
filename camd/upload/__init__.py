"""The door for photos that come by HTTP: PUT for programs, POST for the sketches people have.

``head``, ``framing`` and ``answer`` are HTTP as far as it is needed here, ``body`` is what comes
behind a head, ``multipart`` and ``submission`` what is inside of that; none of those knows Twisted.
`UploadFactory` says who may and what is shared, `UploadProtocol` is one connection.
"""

from camd.upload.factory import UploadFactory
from camd.upload.protocol import UploadProtocol

__all__ = ["UploadFactory", "UploadProtocol"]
