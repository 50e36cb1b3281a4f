"""The three tables of Camtrap DP 1.0: their columns, in order, and what may stand in them.

https://camtrap-dp.tdwg.org/data
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

_TIME = {"type": "datetime", "format": "%Y-%m-%dT%H:%M:%S%z"}
_NEEDED = {"required": True}


@frozen
class Columns:
    """:ivar key: the column whose values are all different.
    :ivar refers: columns whose values stand in the table named beside them, under the same name.
    """

    name: str
    key: str
    fields: Mapping[str, Mapping[str, Any]]
    refers: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        return list(self.fields)

    def row(self, **values: Any) -> list[Any]:
        """A line of the table, empty where nothing is told. :raises KeyError: no such column."""
        line = dict.fromkeys(self.fields, "")
        for name, value in values.items():
            if name not in line:
                raise KeyError(name)
            line[name] = value
        return list(line.values())

    def schema(self) -> dict[str, Any]:
        """As a Table Schema."""
        return {
            "fields": [{"name": name, **field} for name, field in self.fields.items()],
            "missingValues": [""],
            "primaryKey": self.key,
            "foreignKeys": [
                {"fields": column, "reference": {"resource": table, "fields": column}}
                for column, table in self.refers.items()
            ],
        }


def _field(kind: str, **constraints: Any) -> dict[str, Any]:
    return {"type": kind, "constraints": constraints} if constraints else {"type": kind}


def _one_of(*words: str, **constraints: Any) -> dict[str, Any]:
    return _field("string", enum=list(words), **constraints)


_TEXT = _field("string")
_WANTED = _field("string", **_NEEDED)
_ID = _field("string", required=True, unique=True)
_WHEN = {**_TIME, "constraints": _NEEDED}
_POSITIVE = _field("number", minimum=0)
_PART = _field("number", minimum=0, maximum=1)
_EXTENT = _field("number", minimum=1e-15, maximum=1)
_YES_NO = _field("boolean")

DEPLOYMENTS = Columns(
    "deployments",
    "deploymentID",
    {
        "deploymentID": _ID,
        "locationID": _TEXT,
        "locationName": _TEXT,
        "latitude": _field("number", required=True, minimum=-90, maximum=90),
        "longitude": _field("number", required=True, minimum=-180, maximum=180),
        "coordinateUncertainty": _field("integer", minimum=1),
        "deploymentStart": _WHEN,
        "deploymentEnd": _WHEN,
        "setupBy": _TEXT,
        "cameraID": _TEXT,
        "cameraModel": _TEXT,
        "cameraDelay": _field("integer", minimum=0),
        "cameraHeight": _POSITIVE,
        "cameraDepth": _POSITIVE,
        "cameraTilt": _field("integer", minimum=-90, maximum=90),
        "cameraHeading": _field("integer", minimum=0, maximum=360),
        "detectionDistance": _POSITIVE,
        "timestampIssues": _YES_NO,
        "baitUse": _YES_NO,
        "featureType": _TEXT,
        "habitat": _TEXT,
        "deploymentGroups": _TEXT,
        "deploymentTags": _TEXT,
        "deploymentComments": _TEXT,
    },
    {},
)

MEDIA = Columns(
    "media",
    "mediaID",
    {
        "mediaID": _ID,
        "deploymentID": _WANTED,
        "captureMethod": _one_of("activityDetection", "timeLapse"),
        "timestamp": _WHEN,
        "filePath": _WANTED,
        "filePublic": _field("boolean", **_NEEDED),
        "fileName": _TEXT,
        "fileMediatype": _field("string", required=True, pattern="(image|video|audio)/.+"),
        "exifData": _field("any"),
        "favorite": _YES_NO,
        "mediaComments": _TEXT,
    },
    {"deploymentID": "deployments"},
)

OBSERVATIONS = Columns(
    "observations",
    "observationID",
    {
        "observationID": _ID,
        "deploymentID": _WANTED,
        "mediaID": _TEXT,
        "eventID": _TEXT,
        "eventStart": _WHEN,
        "eventEnd": _WHEN,
        "observationLevel": _one_of("media", "event", **_NEEDED),
        "observationType": _one_of(
            "animal", "human", "vehicle", "blank", "unknown", "unclassified", **_NEEDED
        ),
        "cameraSetupType": _one_of("setup", "calibration"),
        "scientificName": _TEXT,
        "count": _field("integer", minimum=1),
        "lifeStage": _one_of("adult", "subadult", "juvenile"),
        "sex": _one_of("female", "male"),
        "behavior": _TEXT,
        "individualID": _TEXT,
        "individualPositionRadius": _POSITIVE,
        "individualPositionAngle": _field("number", minimum=-90, maximum=90),
        "individualSpeed": _POSITIVE,
        "bboxX": _PART,
        "bboxY": _PART,
        "bboxWidth": _EXTENT,
        "bboxHeight": _EXTENT,
        "classificationMethod": _one_of("human", "machine"),
        "classifiedBy": _TEXT,
        "classificationTimestamp": _TIME,
        "classificationProbability": _PART,
        "observationTags": _TEXT,
        "observationComments": _TEXT,
    },
    {"deploymentID": "deployments", "mediaID": "media"},
)

TABLES = (DEPLOYMENTS, MEDIA, OBSERVATIONS)
