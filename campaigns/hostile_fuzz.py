"""Coverage-guided bytes for what reads documents and pictures; a process for each.

``python -m campaigns.hostile_fuzz NAME RUNS SEED CORPUS`` is that process: atheris ends
it itself.
"""

import contextlib
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import List

from campaigns.hostile_tally import Tally

__all__ = ["attack_readers"]

NAMES = ("plan", "EXIF of a frame, read", "EXIF of a camera, kept", "JPEG")
MODULE = "campaigns.hostile_fuzz"
SLOWEST_INPUT_S = 60
MOST_MEMORY_MB = 2048


def attack_readers(trials: int, first: int, work: Path) -> List[Tally]:
    """Return what so many inputs did to the readers; nothing where atheris is not."""
    if find_spec("atheris") is None:
        return []
    from campaigns.hostile_documents import SOUND, SOUND_FRAME  # noqa: PLC0415 - slow

    tallies = []
    for name in NAMES:
        corpus = work / name.replace(" ", "_")
        corpus.mkdir()
        sound = json.dumps(SOUND[name]).encode() if name in SOUND else SOUND_FRAME
        (corpus / "sound").write_bytes(sound)
        runs = max(1, trials // len(NAMES))
        command = [sys.executable, "-m", MODULE, name, str(runs), str(first)]
        done = subprocess.run(
            [*command, str(corpus)], capture_output=True, text=True, check=False
        )
        tally = Tally(name, "atheris", tried=runs)
        if done.returncode:
            tally.fell("traceback", f"seed {first}: {done.stderr[-250:]}")
        tallies.append(tally)
    return tallies


def main(name: str, runs: str, first: str, corpus: str) -> None:
    """Try inputs on one reader until there were so many, or one of them fell."""
    import atheris  # noqa: PLC0415 - has to come before what it watches

    watched = ["openflexure_timelapse", "piexif"]
    with atheris.instrument_imports(include=watched):
        from campaigns.hostile_documents import (  # noqa: PLC0415 - as above
            EXPECTED,
            READERS,
        )

    def once(data: bytes) -> None:
        with contextlib.suppress(*EXPECTED):
            READERS[name](data)

    limits = (f"-timeout={SLOWEST_INPUT_S}", f"-rss_limit_mb={MOST_MEMORY_MB}")
    quiet = ("-print_final_stats=0", "-verbosity=0", f"-artifact_prefix={corpus}/")
    atheris.Setup(
        ["hostile", f"-runs={runs}", f"-seed={first}", *limits, *quiet, corpus], once
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
