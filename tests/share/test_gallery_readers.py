"""Those who take our images read them: Django, Pillow's WebP, exiftool, pandas."""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from cases.gallery import FULL, bundled, noisy_jpeg, shared_run
from cases.stored import draft, new_run
from PIL import Image, ImageFilter

from openflexure_timelapse.share.record_file import write_record
from openflexure_timelapse.store.disk import RealDisk

django = pytest.importorskip("django", reason="the readers are in their own session")
pandas = pytest.importorskip("pandas", reason="the readers are in their own session")

from django import forms  # noqa: E402 (only where it is)
from django.conf import settings  # noqa: E402
from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: E402

NORDIC = "TIMELAPSE_NORDIC_BACKEND"
WIDEST_WEBP_PX = 16_383


@pytest.fixture(scope="module", name="nordic")
def _nordic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle for Nordic Microalgae, of one frame that is very wide."""
    if not settings.configured:
        settings.configure(USE_I18N=False)
        django.setup()
    folder = tmp_path_factory.mktemp("nordic")
    with new_run(folder) as store:
        for slot in range(3):
            size = (20_000, 24) if slot == 1 else (320, 240)
            store.add_frame(noisy_jpeg(slot, *size), draft(slot), {"x": slot})
        run = store.folder
    write_record(run, FULL, RealDisk())
    return bundled(run, "nordic-microalgae", place_in_images=True)


@pytest.fixture(scope="module", name="inaturalist")
def _inaturalist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle for iNaturalist with the place in its images."""
    run = shared_run(tmp_path_factory.mktemp("inaturalist"), count=3)
    return bundled(run, "inaturalist", place_in_images=True)


def images(bundle: Path) -> Iterator[Path]:
    """Yield the images of a bundle."""
    found = sorted(bundle.rglob("*.jpg"))
    assert found
    yield from found


def test_djangos_image_field_takes_every_still(nordic: Path) -> None:
    """The field of its form says that each is a JPEG."""
    for path in images(nordic):
        upload = SimpleUploadedFile(path.name, path.read_bytes(), "image/jpeg")
        assert forms.ImageField().clean(upload).content_type == "image/jpeg"


@pytest.mark.parametrize("side", [240, 480, 1024, WIDEST_WEBP_PX])
def test_pillow_makes_webp_of_every_still(nordic: Path, side: int) -> None:
    """Made smaller and encoded as its server does it, each is a picture still."""
    for path in images(nordic):
        with Image.open(path) as image:
            factor = min(1.0, side / max(image.size))
            size = tuple(max(1, int(length * factor)) for length in image.size)
            stream = io.BytesIO()
            made = (
                image if factor == 1 else image.resize(size, Image.Resampling.LANCZOS)
            )
            made.save(stream, format="webp")
            preview = image.convert("RGB")
            preview.thumbnail((80, 80))
            preview.filter(ImageFilter.GaussianBlur(radius=4)).save(stream, "webp")
        with Image.open(io.BytesIO(stream.getvalue())) as again:
            assert (again.format, again.mode, again.size) == ("WEBP", "RGB", size)


def test_the_forms_own_description_takes_our_values(nordic: Path) -> None:
    """Each choice is one of the form's, each required field is there."""
    if NORDIC not in os.environ:
        pytest.skip(f"{NORDIC} names no checkout of nordicmicroalgae/backend")
    yaml = pytest.importorskip("yaml")
    described = Path(os.environ[NORDIC], "media", "config", "fields.yaml")
    fields = yaml.safe_load(described.read_text("utf-8"))["image"]
    media = json.loads((nordic / "media.json").read_text("utf-8"))
    form = forms.Form
    for entry in media:
        attributes = entry["attributes"]
        assert set(attributes) <= {field["key"] for field in fields}
        bound = form({key: attributes.get(key) for key in attributes})
        bound.fields.update({field["key"]: _field(field) for field in fields})
        assert bound.is_valid(), bound.errors
    heading = (nordic / "nordicmicroalgae.csv").read_text("utf-8-sig").split("\n")[0]
    expected = ["taxon", "file", *(field["key"] for field in fields)]
    assert heading.strip().split(",") == expected


def _field(described: Dict[str, Any]) -> forms.Field:
    """Return a field as its form makes it; one of tags takes any text."""
    required = bool(described.get("required"))
    if described["type"] == "ChoiceField":
        choices: List[Any] = [
            (choice, choice) if isinstance(choice, str) else tuple(choice)
            for choice in described["choices"]
        ]
        return forms.ChoiceField(choices=choices, required=required)
    if described["type"] == "TagField":
        return forms.JSONField(required=required)
    kind = getattr(forms, described["type"])
    made: forms.Field = kind(required=required)
    return made


def told(path: Path) -> Dict[str, Any]:
    """Return what exiftool reads of an image."""
    exiftool = shutil.which("exiftool")
    if exiftool is None:
        pytest.skip("this test reads with exiftool; type: sudo apt install exiftool")
    command = [exiftool, "-j", "-G1", "-n", "-a", "-charset", "UTF8", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    (read,) = json.loads(done.stdout.decode("utf-8"))
    return dict(read)


def test_exiftool_reads_every_tag(nordic: Path) -> None:
    """Time, place, people, rights and words are read back with their letters."""
    read = told(next(images(nordic)))
    assert "ExifTool:Error" not in read
    expected = {
        "IFD0:Artist": "Åsa Öberg",
        "IFD0:Copyright": "© Åsa Öberg, CC BY 4.0",
        "ExifIFD:DateTimeOriginal": "2026:11:23 08:30:29",
        "ExifIFD:OffsetTimeOriginal": "+01:00",
        "ExifIFD:SubSecTimeOriginal": 123456,
        "GPS:GPSLatitudeRef": "N",
        "GPS:GPSLatitude": 60.1,
        "GPS:GPSLongitudeRef": "E",
        "GPS:GPSLongitude": 19.95,
        "GPS:GPSHPositioningError": 25,
        "XMP-dc:Title": "Kedjan växer",
        "XMP-dc:Creator": "Åsa Öberg",
        "XMP-dc:Rights": "© Åsa Öberg, CC BY 4.0",
        "XMP-xmpRights:Marked": True,
        "XMP-xmpRights:WebStatement": "https://creativecommons.org/licenses/by/4.0/",
    }
    assert {key: read.get(key) for key in expected} == expected
    for key in ("IFD0:ImageDescription", "XMP-dc:Description"):
        assert read[key].startswith("Kiselalger från Åland, <5 µm & små.\n")
        assert "Sampled: 2026-11-22T10:30:00+01:00" in read[key]
        assert "Imaged: 2026-11-23T08:30:29+01:00" in read[key]
    assert "Skeletonema marinoi" in read["XMP-dc:Subject"]
    assert json.loads(read["ExifIFD:UserComment"])["instrument"]["state"] == {"x": 0}


def test_exiftool_finds_no_time_that_iNaturalist_would_take(  # noqa: N802
    inaturalist: Path,
) -> None:
    """A sample of the day before tells no time of the images, and its name as title."""
    read = told(next(images(inaturalist)))
    assert not [key for key in read if key.startswith("ExifIFD:DateTime")]
    assert "IFD0:ModifyDate" not in read
    assert read["XMP-dc:Title"] == "Skeletonema marinoi"
    assert read["GPS:GPSLatitude"] == pytest.approx(60.1)


def test_pandas_reads_both_tables(nordic: Path, inaturalist: Path) -> None:
    """One is UTF-8, the other Latin-1, and Åland is Åland in both."""
    form = pandas.read_csv(nordic / "nordicmicroalgae.csv")
    assert list(form["geographic_area"].unique()) == ["Baltic Sea - Åland Sea"]
    (path,) = inaturalist.glob("observations-*.csv")
    rows = pandas.read_csv(path, encoding="iso-8859-1")
    assert rows.shape == (1, 8)
    assert rows["Place name"][0] == "Södra hamnen"
    assert rows["Latitude"][0] == pytest.approx(60.1)
