"""Schemathesis holds the running door to its OpenAPI document, with requests of its own making."""

import subprocess
import sys
from pathlib import Path

import camd
from camd.access import May, Tokens
from camd.store.folders import OWN
from tests.e2e_boards import photo
from tests.web_client import WebCase

EXAMPLES = 15
# Which characters a class may have, no pattern of JSON Schema can say.
SETTINGS = """[[operations]]
include-path = "/api/v1/photos/{photo}/annotations"
checks.positive_data_acceptance.enabled = false
"""
RUN = (sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run")


class SchemathesisTests(WebCase):
    def test_the_document(self) -> None:
        """Whatever is asked, right or wrong, is answered as the document says, and never by 500.

        Left out are the two answers that do not end, and the check that a made-up cookie beside
        a token that is right is refused: either of them lets in.
        """
        config = '[store]\nquarantine = true\n[times]\ncommand = "0.2 s"\n'
        daemon, client = self.web(config, password="a sticky yellow card")
        self.fill(daemon)
        self.board(daemon, "trap-2")
        self.assertEqual(self.v1(daemon).photo(b"\xff\xd8" + photo(1)[:500]), "NAK jpeg")
        token = Tokens(daemon.store / OWN).add("schemathesis", [May.CONTROL])
        directory = self.directory()
        (directory / "schemathesis.toml").write_text(SETTINGS)
        done = subprocess.run(
            [
                *RUN, str(Path(camd.__file__).parent / "web" / "openapi.json"),
                "--url", f"http://127.0.0.1:{client.port}",
                "-H", f"Authorization: Bearer {token}",
                "--exclude-path", "/events", "--exclude-path", "/cameras/{camera}/live.mjpeg",
                "--exclude-checks", "ignored_auth", "--max-examples", str(EXAMPLES),
                "--phases", "examples,coverage,fuzzing", "--seed", "26", "--no-color",
            ],
            capture_output=True, text=True, timeout=240, check=False, cwd=directory,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-2000:])
        self.assertNotIn("Traceback", daemon.said)
        self.assertEqual(client.get("/healthz").status, 200)
