"""Parts of a picture, as people draw them: polygons of points that are shares of it.

What a polygon may be is said by `camd.vision.zones`; here a list of them becomes a setting.
"""

from attrs import frozen

from camd.vision.zones import Polygon, parse_zones

WANTED = (
    "a list of polygons, such as [[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]]: points [x, y], shares of "
    "the picture from its top left"
)


@frozen
class Area:
    """:ivar polygons: none: nothing is said."""

    polygons: tuple[Polygon, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.polygons)

    def __str__(self) -> str:
        return str([[list(point) for point in polygon] for polygon in self.polygons])


def read_area(value: object) -> Area:
    """:raises ValueError: saying what is wanted instead."""
    if not isinstance(value, list):
        raise ValueError(WANTED)
    try:
        return Area(parse_zones({"in": value}).inside)
    except ValueError as error:
        why = str(error).replace('zones "in"', "it")
        raise ValueError(f"{WANTED}; {why}") from None
