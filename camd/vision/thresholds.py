"""From where on a photo is dark, blown out, blurred, green or covered, and when it is frozen.

Plain numbers; `judge` does the measuring.
"""

from attrs import frozen


@frozen
class Thresholds:
    """Brightness runs from 0 to 255, as in the picture; shares from 0 to 1.

    :ivar dark: a photo is dark when all but a fiftieth of it is darker than this.
    :ivar bright: it is blown out when more than this share has two colours at their limit.
    :ivar blurred: it is blurred when of its structure less than this is finer than one in a
        hundred of its width: 0.5 is an edge in focus, 0.06 nothing but blur.
    :ivar green: it is green where green is so many times red and blue (or magenta, where both
        are so many times green), almost everywhere.
    :ivar covered: the lens is covered when brightness spans less than this over the picture and
        nothing on it stands out from the noise.
    """

    dark: float = 40.0
    bright: float = 0.5
    blurred: float = 0.125
    green: float = 1.5
    covered: float = 64.0


def is_frozen(before: bytes, now: bytes) -> bool:
    """Whether a photo is the camera's photo before once more, by their fingerprints.

    A live sensor's noise makes even two photos of a still scene differ; so a camera that gives
    the same one twice has stopped looking. Photos without a fingerprint (nothing to be seen on
    them, or not taken) say nothing.
    """
    return bool(now) and before == now
