"""Previews are made once, and do not fill the disk."""

import threading
from pathlib import Path
from typing import List

import cv2
import numpy as np
import pytest

from openflexure_timelapse.hosts import previews
from openflexure_timelapse.hosts.previews import Previews
from openflexure_timelapse.store.disk import RealDisk


class CountingDisk(RealDisk):
    """Takes note of what is written."""

    def __init__(self) -> None:
        self.written: List[str] = []

    def write(self, path: str, data: bytes) -> None:
        """Write it."""
        self.written.append(path)
        super().write(path, data)


@pytest.fixture(name="frame")
def _frame(tmp_path: Path) -> Path:
    path = tmp_path / "frame.jpeg"
    cv2.imwrite(str(path), np.full((600, 800, 3), 90, np.uint8))
    return path


def test_many_who_ask_at_once_get_one_picture(tmp_path: Path, frame: Path) -> None:
    """The first makes it, and the others wait for it."""
    disk = CountingDisk()
    made, together = Previews(disk), threading.Barrier(20)
    got: List[Path] = []

    def ask() -> None:
        together.wait()
        got.append(made.file(tmp_path, 1, frame, 320))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [tmp_path / "previews" / "1_w320.jpeg"] * 20
    assert disk.written == [str(got[0])]


def test_old_pictures_go(
    tmp_path: Path, frame: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that shows each new frame for a month does not fill the disk."""
    monkeypatch.setattr(previews, "KEPT", 5)
    monkeypatch.setattr(previews, "LOOK_EACH", 3)
    made = Previews(RealDisk())
    for n in range(1, 40):
        newest = made.file(tmp_path, n, frame, 160)
        assert newest.is_file()
        assert len(list(newest.parent.iterdir())) <= 5 + 3
    assert made.file(tmp_path, 1, frame, 160).is_file()
