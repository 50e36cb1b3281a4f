"""A data set as Camtrap DP 1.0 has it: cameras, photos and what is on them, in three tables.

``datapackage.json`` names the standard's own schemas by their addresses, as the standard wants
it; ``datapackage-offline.json`` is the same with the rules of the tables inside, for those who
have no network. https://camtrap-dp.tdwg.org
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import define, frozen

from camd import __version__
from camd.export.camtrap_tables import DEPLOYMENTS, MEDIA, OBSERVATIONS, TABLES, Columns
from camd.export.picture import Picture, Thing, local
from camd.export.placing import Folder, Placer
from camd.export.tables import Table, stamp
from camd.photo import CameraId, Trigger

VERSION = "1.0.2"
_STANDARD = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{VERSION}"

_HUMAN = frozenset({"person", "human"})
_VEHICLE = frozenset({"bicycle", "bus", "car", "motorcycle", "tractor", "truck", "vehicle"})


@frozen
class Place:
    """Where a camera stands: degrees north and east, in WGS 84."""

    latitude: float
    longitude: float


@frozen
class Project:
    """:ivar taxa: the scientific names of classes. *contact*: who answers for the data set.
    :ivar licence: of data and photos, or "".
    """

    title: str
    contact: str
    licence: str
    taxa: Mapping[str, str]


@define
class _Stay:
    """When a camera took its first and its last photo."""

    first: datetime
    last: datetime


class CamtrapForm:
    def __init__(
        self,
        folder: Path,
        places: Mapping[CameraId, Place],
        project: Project,
        placer: Placer,
        now: datetime,
    ) -> None:
        """:param places: of every camera. :raises OSError: the files cannot be made."""
        self._folder, self._places, self._project = folder, places, project
        self._placer, self._now = placer, now
        self._photos = Folder(folder / "media")
        self._media = Table(folder / "media.csv", MEDIA.names)
        self._observations = Table(folder / "observations.csv", OBSERVATIONS.names)
        self._stays: dict[CameraId, _Stay] = {}
        self._methods: set[str] = set()
        self._seen: set[str] = set()

    def add(self, picture: Picture) -> bool:
        entry, taken = picture.entry, stamp(picture.taken)
        if not self._placer.place(entry, self._photos.fd, picture.name):
            return False
        stay = self._stays.setdefault(entry.camera, _Stay(picture.taken, picture.taken))
        stay.last = picture.taken  # they come oldest first
        method = "activityDetection" if entry.trigger is Trigger.MOTION else "timeLapse"
        self._methods.add(method)
        self._media.add(
            MEDIA.row(
                mediaID=picture.stem, deploymentID=entry.camera, captureMethod=method,
                timestamp=taken, filePath=f"media/{picture.name}", filePublic="false",
                fileName=picture.name, fileMediatype="image/jpeg",
                favorite=str(entry.starred).lower(), mediaComments=entry.note,
            )
        )  # fmt: skip
        for number, said in enumerate(self._said(picture), 1):
            self._observations.add(
                OBSERVATIONS.row(
                    observationID=f"{picture.stem}_{number}", deploymentID=entry.camera,
                    mediaID=picture.stem, eventStart=taken, eventEnd=taken,
                    observationLevel="media", **said,
                )
            )  # fmt: skip
        return True

    def _said(self, picture: Picture) -> Iterator[dict[str, Any]]:
        """The observations of one photo: a line for each thing, or that there is none."""
        for thing in picture.things:
            yield self._thing(picture, thing)
        if picture.things:
            return
        if not picture.findings.done and not picture.findings.model:
            yield {"observationType": "unclassified"}
        else:
            yield {"observationType": "blank", **_by(picture, picture.findings.done)}

    def _thing(self, picture: Picture, thing: Thing) -> dict[str, Any]:
        taxon = self._project.taxa.get(thing.label, "")
        if taxon:
            self._seen.add(thing.label)
        x, y, width, height = thing.box.numbers()
        # However small it is, it has a size.
        box = [f"{number:.6f}" for number in (x, y, max(width, 1e-6), max(height, 1e-6))]
        said = {
            "observationType": _kind(thing.label), "scientificName": taxon, "count": 1,
            "observationTags": f"class:{thing.label.replace('|', '/')}",
            **dict(zip(("bboxX", "bboxY", "bboxWidth", "bboxHeight"), box, strict=True)),
            **_by(picture, thing.by_person),
        }  # fmt: skip
        if not thing.by_person:
            said["classificationProbability"] = round(thing.score, 6)
        return said

    def finish(self) -> None:
        self._photos.close()
        self._media.close()
        self._observations.close()
        with closing(Table(self._folder / "deployments.csv", DEPLOYMENTS.names)) as table:
            for camera, stay in self._stays.items():
                place = self._places[camera]
                table.add(
                    DEPLOYMENTS.row(
                        deploymentID=camera, locationID=camera, latitude=place.latitude,
                        longitude=place.longitude, deploymentStart=stamp(stay.first),
                        deploymentEnd=stamp(stay.last), cameraID=camera,
                    )
                )  # fmt: skip
        package = self._package()
        self._write("datapackage.json", package | {
            "profile": f"{_STANDARD}/camtrap-dp-profile.json",
            "resources": [_resource(each, f"{_STANDARD}/{each.name}-table-schema.json")
                          for each in TABLES],
        })  # fmt: skip
        self._write("datapackage-offline.json", package | {
            "resources": [_resource(each, each.schema()) for each in TABLES],
        })  # fmt: skip

    def _write(self, name: str, package: dict[str, Any]) -> None:
        text = json.dumps(package, indent=2, ensure_ascii=False)
        (self._folder / name).write_text(f"{text}\n", encoding="utf-8")

    def _package(self) -> dict[str, Any]:
        project, stays = self._project, self._stays
        package: dict[str, Any] = {
            "name": "camd-photos",
            "title": project.title,
            "created": self._now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "contributors": [{"title": project.contact, "role": "contact"}],
            "sources": [{"title": "camd", "version": __version__}],
            "project": {
                "title": project.title,
                "samplingDesign": "targeted",
                "captureMethod": sorted(self._methods),
                "individualAnimals": False,
                "observationLevel": ["media"],
            },
            "spatial": _around([self._places[camera] for camera in stays]),
            "temporal": {
                "start": min(stay.first for stay in stays.values()).date().isoformat(),
                "end": max(stay.last for stay in stays.values()).date().isoformat(),
            },
            "taxonomic": [
                {"scientificName": project.taxa[label], "vernacularNames": {"eng": label}}
                for label in sorted(self._seen)
            ],
        }
        if project.licence:
            package["licenses"] = [
                {"name": project.licence, "scope": scope} for scope in ("data", "media")
            ]
        return package


def _resource(table: Columns, schema: Any) -> dict[str, Any]:
    return {
        "name": table.name, "path": f"{table.name}.csv", "profile": "tabular-data-resource",
        "format": "csv", "mediatype": "text/csv", "encoding": "utf-8", "schema": schema,
    }  # fmt: skip


def _kind(label: str) -> str:
    if label.lower() in _HUMAN:
        return "human"
    return "vehicle" if label.lower() in _VEHICLE else "animal"


def _by(picture: Picture, person: bool) -> dict[str, Any]:
    known = picture.findings
    if person:
        return {"classificationMethod": "human"}
    when = stamp(local(known.looked_ms, UTC))
    return {
        "classificationMethod": "machine", "classifiedBy": known.model,
        "classificationTimestamp": when,
    }  # fmt: skip


def _around(places: list[Place]) -> dict[str, Any]:
    """As GeoJSON: the one place, or the rectangle around them all."""
    west, east = (of(place.longitude for place in places) for of in (min, max))
    south, north = (of(place.latitude for place in places) for of in (min, max))
    if (west, south) == (east, north):
        return {"type": "Point", "coordinates": [west, south]}
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "bbox": [west, south, east, north], "coordinates": [ring]}
