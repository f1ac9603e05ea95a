"""The power cut below a real file system: ext4 on a device that remembers."""

import pickle
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, List, Tuple

from campaigns.crash_device import DISK, TOLD, device, mounted
from campaigns.crash_disk import File, images
from campaigns.crash_judge import Judge, Promises, Verdict

if TYPE_CHECKING:
    from campaigns.system_calls import Call

__all__ = ["Mount"]

SIZE = 24 * 2**20
BEGIN = b"\n"
WAYS = 16
"""So many disks of one moment are drawn from."""


class Mount:
    """A run that was recorded on ext4, and what the device saw of it.

    Parameters
    ----------
    work : Path
        An empty folder of its own.
    """

    def __init__(self, work: Path) -> None:
        self._work = work
        with device(work, SIZE) as place:
            disk, told = place / DISK, place / TOLD
            _run("mkfs.ext4", "-q", "-F", str(disk))
            with mounted(disk, work / "mnt") as top:
                told.write_bytes(BEGIN)
                module = (sys.executable, "-m", "campaigns.power_cut_story")
                _run(*module, "record", str(top / "data"), str(told))
        self.calls: List["Call"] = pickle.loads((work / "log").read_bytes())  # noqa: S301

    def cuts(
        self, most: int, chance: random.Random, judge: Judge, resumed_of: int
    ) -> "List[Tuple[str, Verdict, str]]":
        """Cut the power at most so often; return what was left, the verdict, the way.

        A moment is drawn, and then one of the disks that may remain of it.
        """
        told = [number for number, call in enumerate(self.calls) if call.path == TOLD]
        moments = range(told[0] + 1, told[-1] + 1)
        wanted = [chance.choice(moments) for _ in range(most)]
        disk, promises = File(bytes(SIZE)), Promises()
        found: "List[Tuple[str, Verdict, str]]" = []
        for number, call in enumerate(self.calls):
            if call.path == TOLD:
                promises.hear(call.data)
            elif call.verb == "write":
                disk.write(number, call.offset, call.data)
            else:
                disk.flush(call.began)
            for _ in range(wanted.count(number)):
                questions = [change.question for change in disk.waiting]
                image = chance.choice(images(questions, chance, WAYS)[0])
                way = "open" if len(found) % resumed_of else "resume"
                verdict = self._judged(disk.content(image), promises, judge, way)
                found.append((image.kind, verdict, way))
        return found

    def _judged(
        self, content: bytes, promises: Promises, judge: Judge, way: str
    ) -> Verdict:
        """Mount what was left, as after a power cut, and look."""
        image = self._work / "image"
        image.write_bytes(content)
        with mounted(image, self._work / "mnt") as top:
            return judge.judge(top / "data", promises, way)


def _run(*command: str) -> None:
    """Run a command that must not fail."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
