"""Which part of a picture counts: polygons that things must be in, or out of.

Points are shares of the picture, from its top left. Knows no picture and no model.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from camd.findings import Box

Point = tuple[float, float]
Polygon = tuple[Point, ...]

MOST_POINTS = 200
"""Corners of one polygon at most."""

MOST_POLYGONS = 50
"""Polygons of one kind at most."""


@frozen
class Zones:
    """Where things count.

    :ivar inside: a thing counts only in one of these, where there are any.
    :ivar outside: nothing in one of these counts.
    """

    inside: tuple[Polygon, ...] = ()
    outside: tuple[Polygon, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.inside or self.outside)

    def counts(self, box: Box) -> bool:
        """Whether what lies there counts: its middle decides."""
        x, y = box.centre
        if self.inside and not any(within(polygon, x, y) for polygon in self.inside):
            return False
        return not any(within(polygon, x, y) for polygon in self.outside)

    def plain(self) -> dict[str, list[list[list[float]]]]:
        """As lists, fit for JSON; `parse_zones` takes it back."""
        return {"in": _lists(self.inside), "out": _lists(self.outside)}


def _lists(polygons: Sequence[Polygon]) -> list[list[list[float]]]:
    return [[list(point) for point in polygon] for polygon in polygons]


def within(polygon: Polygon, x: float, y: float) -> bool:
    """Whether the point lies in *polygon*, by the number of edges to the right of it.

    A polygon that crosses itself has holes where it covers a place twice.
    """
    inside = False
    before_x, before_y = polygon[-1]
    for corner_x, corner_y in polygon:
        if (corner_y > y) != (before_y > y):
            along = (y - corner_y) / (before_y - corner_y)
            if x < corner_x + along * (before_x - corner_x):
                inside = not inside
        before_x, before_y = corner_x, corner_y
    return inside


def parse_zones(given: object) -> Zones:
    """From ``{"in": [polygon, ...], "out": [polygon, ...]}``, a polygon being three points or
    more, a point ``[x, y]``.

    :raises ValueError: its text says what is wrong, and where.
    """
    if not isinstance(given, Mapping) or given.keys() - {"in", "out"}:
        raise ValueError('zones are a table of "in" and "out", each a list of polygons')
    return Zones(_polygons("in", given.get("in", ())), _polygons("out", given.get("out", ())))


def _polygons(kind: str, given: object) -> tuple[Polygon, ...]:
    if not isinstance(given, (list, tuple)):
        raise ValueError(f'zones "{kind}" is a list of polygons')
    if len(given) > MOST_POLYGONS:
        raise ValueError(f'zones "{kind}" are {len(given)} polygons: {MOST_POLYGONS} at most')
    return tuple(parse_polygon(each, f'"{kind}" {at}') for at, each in enumerate(given, 1))


def parse_polygon(given: object, name: str = "") -> Polygon:
    """:raises ValueError: it is no list of 3 to `MOST_POINTS` points from 0 to 1."""
    name = f"polygon {name}".strip()
    if not isinstance(given, (list, tuple)) or len(given) < 3:
        raise ValueError(f"{name} is a list of three points or more")
    if len(given) > MOST_POINTS:
        raise ValueError(f"{name} has {len(given)} points: {MOST_POINTS} at most")
    return tuple(_point(point, f"{name}, point {at}") for at, point in enumerate(given, 1))


def _point(given: object, name: str) -> Point:
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        raise ValueError(f"{name}: a point is two numbers, [x, y]")
    for number in given:
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= 1:
            raise ValueError(f"{name}: {number!r:.40} is no share of the picture: 0 to 1")
    return float(given[0]), float(given[1])
