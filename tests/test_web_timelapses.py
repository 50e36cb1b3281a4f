"""Films asked for by HTTP: made one at a time, told of, sent in ranges, cleared away."""

import os
import signal
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import camd
from camd.store.folders import OWN
from camd.timelapse.encoder import NEEDS_FFMPEG
from camd.web.answers import Problem
from camd.web.films import Asked
from camd.web.timelapses import read_wish
from tests.e2e_daemon import Daemon, until
from tests.film_store import probed
from tests.tools import tool
from tests.web_client import WEB, Client, WebCase, port_of

ALL = "/api/v1/cameras/{camera}/timelapses"
ONE = f"{ALL}/{{film}}"
VIDEO = f"{ONE}/video"
PATIENCE = 40.0
HERE = "/api/v1/cameras/trap-1/timelapses"


class Wishes(SynchronousTestCase):
    """What may be asked for."""

    def test_wishes(self) -> None:
        """What is not said is as for the command; what makes no sense is told by its name."""
        self.assertEqual(read_wish({}, 60), Asked())
        wish = {"since": 1, "until": 2.5, "fps": 10, "size": "svga", "length": 30, "date": True,
                "skip_dark": True, "day_only": "20:00-06:30"}  # fmt: skip
        asked = read_wish(wish, 60)
        self.assertEqual(asked, Asked(1.0, 2.5, 10, "svga", 30.0, True, True, None, "20:00-06:30"))
        self.assertEqual(
            asked.options(),
            ["--fps", "10", "--from", "1970-01-01 00:00:01.000Z", "--to",
             "1970-01-01 00:00:02.500Z", "--size", "svga", "--length", "30.000 s",
             "--day-only", "20:00-06:30", "--date", "--skip-dark"],
        )  # fmt: skip
        every = read_wish({"every": 600}, 60)
        self.assertEqual(every.options(), ["--fps", "25", "--every", "600.000 s"])
        for wrong in (
            {"since": "1"}, {"since": -1}, {"fps": 0}, {"fps": 2.5},
            {"fps": True}, {"size": "8x8"}, {"size": 5}, {"length": 0}, {"date": 1},
            {"skip_dark": "yes"}, {"colour": 1}, {"length": float("nan")}, {"length": 10**400},
            {"every": 0.5}, {"every": "1 h"}, {"day_only": "8-20"}, {"day_only": 8},
            {"day_only": "08:00-08:00"},
        ):  # fmt: skip
            problem = self.assertRaises(Problem, read_wish, wrong, 60)
            self.assertEqual(problem.status, 400, wrong)
            self.assertTrue(any(name in problem.detail for name in wrong), problem.detail)
        for wish in ({"length": 61}, {"since": 2, "until": 2}, {"length": 9, "every": 9}):
            self.assertEqual(self.assertRaises(Problem, read_wish, wish, 60).status, 409)


class Films(WebCase):
    def setUp(self) -> None:
        super().setUp()
        tool("ffmpeg", "ffmpeg")

    def made(self, client: Client, wish: dict[str, Any], camera: str = "trap-1") -> dict[str, Any]:
        """The film that is wanted, once nothing more becomes of it."""
        path = ALL.replace("{camera}", camera)
        film = self.held("POST", ALL, client.ask("POST", path, wish), 202)
        one = f"{path}/{film['id']}"
        until(lambda: client.get(one).json["ended"], PATIENCE, "the film is made")
        found: dict[str, Any] = self.held("GET", ONE, client.get(one), 200)
        return found

    @staticmethod
    def files(daemon: Daemon) -> list[str]:
        return sorted(os.listdir(daemon.store / OWN / "timelapses"))

    def test_a_film(self) -> None:
        """It is made, told of, sent whole and in parts, known after a restart, and deleted."""
        daemon, client = self.web()
        self.fill(daemon)
        client.sign_in()
        film = self.made(client, {"fps": 1, "date": True})
        self.assertEqual((film["state"], film["why"]), ("done", None))
        self.assertEqual((film["made"]["photos"], film["made"]["seconds"]), (3, 3.0))
        path = f"{HERE}/{film['id']}"
        whole = client.get(f"{path}/video")
        self.held("GET", VIDEO, whole, 200)
        self.assertEqual(len(whole.body), film["made"]["bytes"])
        (daemon.directory / "film.mp4").write_bytes(whole.body)
        self.assertEqual(probed(daemon.directory / "film.mp4")["nb_read_frames"], "3")
        etag = whole.headers["etag"]
        part = client.get(f"{path}/video", Range="bytes=100-199", If_Range=etag)
        self.held("GET", VIDEO, part, 206)
        self.assertEqual(part.body, whole.body[100:200])
        self.held("GET", VIDEO, client.get(f"{path}/video", If_None_Match=etag), 304)
        self.held("GET", VIDEO, client.get(f"{path}/video", Range="bytes=999999-"), 416)
        saved = client.get(f"{path}/video?download=true").headers["content-disposition"]
        self.assertEqual(saved, f'attachment; filename="trap-1_{film["id"]}.mp4"')

        folder = daemon.store / OWN / "timelapses"
        until(lambda: len(self.files(daemon)) == 2, PATIENCE)
        before = self.files(daemon)
        self.assertEqual(daemon.stop(), 0)
        for name in (".camd-x.part", "trap-1_00.mp4", "trap-1_01.json"):
            (folder / name).write_text("{}")
        (folder / "lost+found").mkdir()
        before.insert(0, "lost+found")
        daemon.start()
        again = Client(port_of(daemon)).sign_in()
        self.assertEqual(self.held("GET", ALL, again.get(HERE), 200)["timelapses"], [film])
        self.assertEqual(self.files(daemon), before)
        self.held("DELETE", ONE, again.ask("DELETE", path), 204)
        self.held("GET", VIDEO, again.get(f"{path}/video"), 404)
        until(lambda: self.files(daemon) == ["lost+found"], PATIENCE)

    def test_damaged(self) -> None:
        """A film whose file is not as it was made is not sent."""
        daemon, client = self.web()
        self.fill(daemon)
        client.sign_in()
        film = self.made(client, {"fps": 1})
        path = f"{HERE}/{film['id']}/video"
        self.held("GET", VIDEO, client.get(path), 200)
        (file,) = (daemon.store / OWN / "timelapses").glob("*.mp4")
        os.truncate(file, film["made"]["bytes"] - 1)
        self.held("GET", VIDEO, client.get(path), 404)

    def test_what_fails(self) -> None:
        """A film that cannot be made says why; one of another camera is none of this one's."""
        daemon, client = self.web('[timelapse]\nlongest = "2 s"\n')
        self.fill(daemon)
        self.board(daemon, "trap-2")
        client.sign_in()
        film = self.made(client, {"since": 1, "until": 2})
        self.assertEqual(film["why"], "there is no photo of trap-1 from that time")
        film = self.made(client, {"fps": 1})
        self.assertEqual(film["state"], "failed")
        self.assertIn("it would last 3 s, and 2 s is the longest", film["why"])
        video = client.get(f"{HERE}/{film['id']}/video")
        self.assertIn("could not be made", self.held("GET", VIDEO, video, 409)["detail"])
        other = f"/api/v1/cameras/trap-2/timelapses/{film['id']}"
        self.held("GET", ONE, client.get(other), 404)
        self.held("DELETE", ONE, client.ask("DELETE", other), 404)
        gone = "/api/v1/cameras/nobody/timelapses"
        self.held("GET", ALL, client.get(gone), 404)
        self.held("POST", ALL, client.ask("POST", gone, {}), 404)
        self.held("POST", ALL, client.ask("POST", HERE, {"fps": 99}), 400)
        self.held("POST", ALL, client.ask("POST", HERE, {"length": 3}), 409)
        self.assertEqual(self.files(daemon), [])

    def test_which_photos(self) -> None:
        """Only some hours of the day, and one photo for each stretch of time."""
        daemon, client = self.web('[store]\ntimezone = "UTC"\n')
        self.fill(daemon)
        client.sign_in()
        self.assertEqual(self.made(client, {"every": 86_400})["made"]["photos"], 1)
        (first, *_) = client.get("/api/v1/photos?order=oldest").json["photos"]
        hour = int(first["when"] // 3600 % 24)
        wish = {"day_only": f"{(hour + 6) % 24:02}:00-{(hour + 12) % 24:02}:00"}
        film = self.made(client, wish)
        self.assertEqual(film["why"], "there is no photo of trap-1 from that time")
        self.assertEqual(film["wish"]["day_only"], wish["day_only"])

    def test_one_at_a_time(self) -> None:
        """Others wait, so many and no more; what is deleted in the making leaves nothing; and all
        ends with camd."""
        daemon, client = self.web('[timelapse]\nwaiting = 1\nlongest = "1 h"\n')
        self.fill(daemon)
        client.sign_in()
        long = {"length": 3600, "size": "uxga"}
        first = self.held("POST", ALL, client.ask("POST", HERE, long), 202)
        second = self.held("POST", ALL, client.ask("POST", HERE, long), 202)
        self.assertEqual((first["state"], second["state"]), ("running", "waiting"))
        full = client.ask("POST", HERE, long)
        self.held("POST", ALL, full, 429)
        self.assertEqual(full.headers["retry-after"], "30")
        video = client.get(f"{HERE}/{first['id']}/video")
        self.assertIn("not made yet", self.held("GET", VIDEO, video, 409)["detail"])
        until(lambda: any(name.endswith(".part") for name in self.files(daemon)), PATIENCE)
        (child,) = children(daemon.pid, "timelapse")
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, child), 19)
        client.ask("DELETE", f"{HERE}/{first['id']}")
        until(lambda: client.get(f"{HERE}/{second['id']}").json["state"] == "running", PATIENCE)
        until(lambda: len(self.files(daemon)) == 1, PATIENCE)
        self.assertEqual(len(children(daemon.pid, "timelapse")), 1)
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn("Traceback", daemon.said)
        until(lambda: not self.files(daemon), PATIENCE)

    def test_camd_is_killed(self) -> None:
        """Then the film ends too, by itself."""
        daemon, client = self.web('[timelapse]\nlongest = "1 h"\n')
        self.fill(daemon)
        client.sign_in().ask("POST", HERE, {"length": 3600, "size": "uxga"})
        until(lambda: any(name.endswith(".part") for name in self.files(daemon)), PATIENCE)
        (child,) = children(daemon.pid, "timelapse")
        daemon.kill()
        until(lambda: not os.path.exists(f"/proc/{child}"), PATIENCE)
        until(lambda: not self.files(daemon), PATIENCE)

    def test_it_is_killed(self) -> None:
        """A film whose making is killed, and could not clear up, leaves nothing either."""
        daemon, client = self.web('[timelapse]\nlongest = "1 h"\n')
        self.fill(daemon)
        long = {"length": 3600, "size": "uxga"}
        film = self.held("POST", ALL, client.sign_in().ask("POST", HERE, long), 202)
        until(lambda: any(name.endswith(".part") for name in self.files(daemon)), PATIENCE)
        (child,) = children(daemon.pid, "timelapse")
        os.kill(child, signal.SIGKILL)
        until(lambda: client.get(f"{HERE}/{film['id']}").json["state"] == "failed", PATIENCE)
        until(lambda: not self.files(daemon), PATIENCE)

    def test_patience(self) -> None:
        """What takes too long is given up."""
        daemon, client = self.web('[timelapse]\npatience = "1 s"\n')
        self.fill(daemon)
        film = self.made(client.sign_in(), {"length": 600, "size": "uxga"})
        self.assertEqual(film["why"], "it was not made within 1 s")
        self.assertEqual(self.files(daemon), [])

    def test_bounds(self) -> None:
        """Of too much the oldest goes."""
        daemon, client = self.web('[timelapse]\nmax_bytes = "12 kB"\n')
        self.fill(daemon)
        client.sign_in()
        first, second = self.made(client, {}), self.made(client, {})
        self.assertTrue(6_000 < first["made"]["bytes"] < 12_000, first)
        self.assertEqual(client.get(HERE).json["timelapses"], [second])
        until(lambda: len(self.files(daemon)) == 2, PATIENCE)

    def test_too_large(self) -> None:
        """What would take more than all films may is not made, and that is said."""
        daemon, client = self.web('[timelapse]\nmax_bytes = "5 kB"\n')
        self.fill(daemon)
        film = self.made(client.sign_in(), {})
        self.assertEqual(film["state"], "failed")
        self.assertIn("it would be larger than 5 kB", film["why"])
        self.assertEqual(client.get(HERE).json["timelapses"], [film])
        self.assertEqual(self.files(daemon), [])

    def test_no_ffmpeg(self) -> None:
        """Without it, what to install is said at once."""
        without = self.directory()
        (without / "imageio_ffmpeg.py").write_text("raise ImportError\n")
        path = f"{without}:{Path(camd.__file__).parents[1]}"
        daemon = self.daemon("", "--web", WEB, env={"PATH": "/nowhere", "PYTHONPATH": path})
        daemon.start()
        self.fill(daemon)
        client = Client(port_of(daemon)).sign_in()
        needed = self.held("POST", ALL, client.ask("POST", HERE, {}), 409)["detail"]
        self.assertEqual(needed, "time-lapse " + NEEDS_FFMPEG)


def children(pid: int, word: str) -> list[int]:
    """The processes that *pid* has begun with *word* among their arguments."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as text:
            found += [int(child) for child in text.read().split()]
    return [child for child in found if word in open(f"/proc/{child}/cmdline").read().split("\0")]
