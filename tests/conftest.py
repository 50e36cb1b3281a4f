"""Under pytest, too, what tests leave behind lies in a temporary directory."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """trial's mktemp makes its files below the working directory."""
    monkeypatch.chdir(tmp_path)
