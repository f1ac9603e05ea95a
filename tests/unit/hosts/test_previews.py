"""Previews are made once, and do not fill the disk."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import List

import cv2
import numpy as np
import pytest
from cases.stored import RUN_ID, draft, new_run

from openflexure_timelapse.frame import Frame
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
def _frame(tmp_path: Path) -> Frame:
    _, encoded = cv2.imencode(".jpeg", np.full((600, 800, 3), 90, np.uint8))
    with new_run(tmp_path) as store:
        large = replace(draft(0), width=800, height=600)
        return store.add_frame(encoded.tobytes(), large, {})


def test_many_who_ask_at_once_get_one_picture(tmp_path: Path, frame: Frame) -> None:
    """The first makes it, and the others wait for it."""
    disk, run = CountingDisk(), tmp_path / RUN_ID
    made, together = Previews(disk), threading.Barrier(20)
    got: List[Path] = []

    def ask() -> None:
        together.wait()
        got.append(made.file(run, frame, 320))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [run / "previews" / f"{frame.n}_w320.jpeg"] * 20
    assert disk.written == [str(got[0])]


def test_old_pictures_go(
    tmp_path: Path, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that shows each new frame for a month does not fill the disk."""
    monkeypatch.setattr(previews, "MOST", 5)
    monkeypatch.setattr(previews, "LOOK_EACH", 3)
    made, run = Previews(RealDisk()), tmp_path / RUN_ID
    for n in range(1, 40):
        newest = made.file(run, replace(frame, n=n), 160)
        assert newest.is_file()
        assert len(list(newest.parent.iterdir())) <= 5 + 3
    assert made.file(run, frame, 160).is_file()
