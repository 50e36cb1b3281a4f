"""What is wrong with a configuration, said so that the operator can mend it."""

from attrs import frozen

from camd.config.shape import Where


@frozen
class Mistake:
    """One thing that is wrong.

    :ivar key: the dotted key, or the variable's name where no key is meant.
    :ivar origin: where it came from, such as ``file /etc/camd/camd.toml``.

    As text it is one line, whatever the four hold.
    """

    key: str
    got: str
    wants: str
    origin: str

    def __str__(self) -> str:
        line = f"{self.key}: got {self.got}, wants {self.wants} ({self.origin})"
        return "".join(_printable(sign) for sign in line)


def _printable(sign: str) -> str:
    """*sign*, escaped where it would break the line or the terminal."""
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")


class ConfigError(Exception):
    """The configuration is wrong, and the operator can mend it.

    :ivar mistakes: all of them; as text, a line for each.
    """

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


@frozen
class Contradiction:
    """Settings that are right each by itself, and wrong together.

    :ivar where: the one to change.
    :ivar beside: those it does not go with.
    :ivar wanted: what would be right.
    """

    where: Where
    beside: tuple[Where, ...]
    wanted: str
