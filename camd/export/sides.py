"""What is for training and what for validation.

A trap's photos of one night are nearly the same picture: where some of them train a model and
others judge it, it is praised for what it learnt by heart. So a camera's night, or all of a
camera, is on one side as a whole.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from enum import Enum
from typing import Literal

from camd.export.choice import Pick

By = Literal["night", "camera"]
Group = tuple[str, ...]
"""A camera, or a camera and one of its nights."""


class Side(Enum):
    TRAIN = "train"
    VAL = "val"


class OneGroupError(ValueError):
    """Everything is of one group, which cannot be on both sides."""


def group_of(pick: Pick, by: By) -> Group:
    return (pick.camera,) if by == "camera" else (pick.camera, pick.night)


def validating(picks: Iterable[Pick], share: float, by: By, seed: int) -> frozenset[Group]:
    """The groups that are for validation: about *share* of the photos, and never all nor none.

    They are drawn by their names and *seed* alone, so that what was for validation stays so
    while the store grows, as far as it can.

    :raises OneGroupError: there is but one group.
    """
    sizes = Counter(group_of(pick, by) for pick in picks)
    if share <= 0 or not sizes:
        return frozenset()
    if len(sizes) == 1:
        raise OneGroupError(
            f"all photos are of one {by}: none is left to validate with; --val 0 leaves that out"
        )
    target = share * sum(sizes.values())
    drawn = sorted(sizes, key=lambda group: _lot(group, seed))
    chosen: set[Group] = set()
    reached = 0
    for group in drawn[:-1]:
        if abs(reached + sizes[group] - target) < abs(reached - target):
            chosen.add(group)
            reached += sizes[group]
    return frozenset(chosen or {min(drawn, key=lambda group: sizes[group])})


def _lot(group: Group, seed: int) -> bytes:
    return hashlib.sha256("\0".join((str(seed), *group)).encode()).digest()
