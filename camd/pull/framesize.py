"""Which number a board has for which framesize: learnt from it, since the numbers have changed.

A number is known once every numbering that fits what was seen of the board agrees on it, or it was
seen itself. Nothing else is ever sent, but for a probe: a number that is a known size in each of
the numberings that are left, so that the picture which comes tells them apart.
"""

from collections.abc import Mapping, Sequence

from attrs import define, field

from camd.config.wanted import FRAMESIZES

Size = tuple[int, int]
"""Width and height in pixels."""

_NAMES = ("qqvga", "qvga", "cif", "hvga", "vga", "svga", "xga", "hd", "sxga", "uxga")


def _table(*numbers: int | None) -> Mapping[int, Size]:
    pairs = zip(_NAMES, numbers, strict=True)
    return {number: FRAMESIZES[name] for name, number in pairs if number is not None}


NUMBERINGS: tuple[Mapping[int, Size], ...] = (
    _table(0, 4, 5, None, 6, 7, 8, None, 9, 10),
    _table(1, 6, 7, None, 8, 9, 10, None, 11, 12),
    _table(1, 5, 6, 7, 8, 9, 10, 11, 12, 13),
    _table(1, 6, 8, 9, 10, 11, 12, 13, 14, 15),
)
"""The driver's, of November 2018, December 2019, March 2020 and November 2024."""


def area(size: Size) -> int:
    return size[0] * size[1]


@define
class Numbering:
    """What is known of one board's numbers.

    :ivar left: the numberings that fit all that was seen.
    """

    left: Sequence[Mapping[int, Size]] = NUMBERINGS
    _seen: dict[int, Size] = field(factory=dict)

    def learn(self, number: int, size: Size) -> None:
        """The board calls *size* by *number*. One that contradicts itself has new firmware, and
        is learnt anew."""
        known = self._seen.get(number)
        if (known is not None and known != size) or any(
            other != number and known == size for other, known in self._seen.items()
        ):
            self.left, self._seen = NUMBERINGS, {}
        self._seen[number] = size
        self.left = tuple(table for table in self.left if table.get(number) == size)

    def number_of(self, size: Size) -> int | None:
        """The number to send for *size*, where it is known."""
        for number, seen in self._seen.items():
            if seen == size:
                return number
        numbers = {next((n for n, s in table.items() if s == size), None) for table in self.left}
        return numbers.pop() if len(numbers) == 1 else None

    def size_of(self, number: int) -> Size | None:
        """What the board means by *number*, where that is known."""
        sizes = {table.get(number) for table in self.left}
        return self._seen.get(number) or (sizes.pop() if len(sizes) == 1 else None)

    def probe(self, present: Size, largest: int) -> int | None:
        """A number that tells the numberings apart which are left, or None.

        :param present: the size now; a probe never means it, or an old picture would mislead.
        :param largest: pixels of the largest size that it may mean.
        """
        if len(self.left) < 2:
            return None
        found: list[tuple[int, int]] = []  # the number of sizes it may mean, most first
        for number in self.left[0]:
            sizes = [table.get(number) for table in self.left]
            known = [size for size in sizes if size is not None]
            if len(known) < len(sizes) or len(set(known)) < 2 or present in known:
                continue
            if max(map(area, known)) <= largest:
                found.append((-len(set(known)), number))
        return min(found)[1] if found else None

    def possible(self, number: int) -> set[Size]:
        """What *number* may mean."""
        return {size for table in self.left if (size := table.get(number)) is not None}
