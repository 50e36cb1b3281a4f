"""They are wrong, and this is what they are told."""


class WireError(Exception):
    """The peer broke the protocol: it is told *code*, then hung up on.

    :ivar code: the word after ``ERR``.
    :ivar detail: a sentence for our log.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class LocalProtocolError(Exception):
    """We are wrong: what was to be sent cannot be written in this protocol."""
