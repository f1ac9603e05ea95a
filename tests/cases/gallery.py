"""Runs that are shared with a gallery: small pictures, and what is known of them."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import numpy as np
from cases.stored import HEADER, RUN_ID, captured, draft
from PIL import Image

from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share.bundle import check_bundle
from openflexure_timelapse.share.order import parse_order
from openflexure_timelapse.share.record_file import write_record
from openflexure_timelapse.share.sharing import make_bundle
from openflexure_timelapse.share.subject import open_subject
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["FULL", "bundled", "digests", "noisy_jpeg", "shared_run"]

FULL = Record(
    title="Kedjan växer",
    caption="Kiselalger från Åland, <5 µm & små.",
    taxon=Taxon(name="Skeletonema marinoi", rank="species", aphia_id=376667),
    origin="wild",
    sampled_at="2026-11-22T10:30+01:00",
    place="Södra hamnen",
    country="SE",
    water_body="Östersjön",
    geographic_area="Baltic Sea - \u00c5land Sea",
    latitude=60.1,
    longitude=19.95,
    accuracy_m=25.0,
    um_per_pixel=0.25,
    calibration="objektmikrometer",
    photographer="Åsa Öberg",
    organisation="Ängsskolan",
    notes="not for anybody",
)


def noisy_jpeg(
    number: int, width: int = 320, height: int = 240, **options: Any
) -> bytes:
    """Return a picture with something in it."""
    pixels = np.random.default_rng(number).integers(60, 200, (height, width, 3))
    stream = io.BytesIO()
    picture = Image.fromarray(pixels.astype(np.uint8))
    picture.save(stream, "jpeg", quality=80, **options)
    return stream.getvalue()


def shared_run(
    folder: Path,
    record: Optional[Record] = FULL,
    count: int = 12,
    positions: Sequence[str] = ("here",),
    **changes: Any,
) -> Path:
    """Return the folder of a closed run with `count` frames at each position.

    Parameters
    ----------
    folder, record, count, positions
        Of the data, of the sample, of the run.
    changes
        To what is known of each frame.
    """
    plan: Dict[str, Any] = {**HEADER["plan"]}
    if record is not None:
        plan["sample"] = record.to_json()
    if len(positions) > 1:
        plan["positions"] = [
            {"name": name, "x": index, "y": 0, "z": 0}
            for index, name in enumerate(positions)
        ]
    header = {**HEADER, "plan": plan}
    with RunStore.create(folder, RUN_ID, header, RealDisk()) as store:
        for slot in range(count):
            for name in positions:
                known = replace(draft(slot, name), width=320, height=240)
                jpeg = noisy_jpeg(slot)
                store.add_frame(jpeg, replace(known, **changes), {"stage": {"x": slot}})
            store.add_slot(captured(slot))
        run = store.folder
    if record is not None:
        write_record(run, record, RealDisk())
    return run


def bundled(run: Path, destination: str, **order: Any) -> Path:
    """Return the folder of a whole bundle of a run."""
    out = run.parent / f"{destination}-{len(list(run.parent.iterdir()))}"
    with open_subject(run) as subject:
        made = parse_order({"destination": destination, **order})
        make_bundle(subject, made, out, lambda _done, _total: None, lambda: False)
    assert check_bundle(out, lambda _done, _total: None) == ()
    return out


def digests(folder: Path) -> Dict[str, str]:
    """Return what every file of a run holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.jpeg"))
    }
