"""The captures of the simulated server v2: pictures on disk with their metadata."""

import io
import json
import logging
import shutil
import uuid
from collections import OrderedDict
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional

import piexif
from labthings import StrictLock
from PIL import Image

from hardware_sim.v2_files import JSONEncoder

__all__ = ["THUMBNAIL_SIZE", "CaptureManager", "CaptureObject"]

LOG = logging.getLogger(__name__)

THUMBNAIL_SIZE = (200, 150)
EXIF_FORMATS = ("jpg", "jpeg", "tif", "tiff")
USER_COMMENT = piexif.ExifIFD.UserComment


class CaptureObject:
    """One picture: bytes are written into it, then it stands on disk with metadata.

    Parameters
    ----------
    filepath : str
        Where the picture is, or will be; its folder is made.

    Attributes
    ----------
    id : UUID
        Of the picture.
    time : datetime
        Local, without a zone.
    file, filefolder, name, basename, format : str
        The path and its parts.
    tags : list of str
        Also in the file.
    annotations, dataset : dict
        Also in the file.
    on_delete : callable or None
        Is given this object and its id.
    """

    def __init__(self, filepath: str) -> None:
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file, self.filefolder, self.name = filepath, str(path.parent), path.name
        self.basename, self.format = path.stem, path.suffix[1:]
        self.id = uuid.uuid4()
        self.time = datetime.now()  # noqa: DTZ005 (as the server writes it)
        self.dataset: Dict[str, Any] = {}
        self.annotations: Dict[str, str] = {}
        self.tags: List[str] = []
        self.on_delete: Optional[Callable[["CaptureObject", uuid.UUID], None]] = None
        self._received = bytearray()

    def write(self, data: bytes) -> None:
        """Take bytes of the picture."""
        self._received += data

    def flush(self) -> None:
        """Put the picture on disk, and into it what is known of it by itself."""
        Path(self.file).write_bytes(self._received)
        self._received.clear()
        self._keep({"image": self._card()})

    def put_and_save(
        self,
        tags: Optional[Iterable[str]] = None,
        annotations: Optional[Mapping[str, str]] = None,
        dataset: Optional[Mapping[str, Any]] = None,
        metadata: Optional[Mapping[str, Any]] = None,
    ) -> None:
        """Add metadata and write all of it into the file, once.

        Parameters
        ----------
        tags : iterable of str, optional
            Each is kept once.
        annotations, dataset : mapping, optional
            Replace entries of the same name.
        metadata : mapping, optional
            Goes to the top level beside ``image`` and ``dataset``.

        Raises
        ------
        struct.error
            When the EXIF block would not fit into 65,535 bytes; the file stays as it
            was, and listed.
        """
        self.tags += [tag for tag in tags or () if tag not in self.tags]
        self.annotations.update(annotations or {})
        self.dataset.update(dataset or {})
        self._keep(metadata or {})

    def _card(self) -> Dict[str, Any]:
        """Return what the file says of the picture itself."""
        return {
            "id": self.id,
            "name": self.name,
            "time": self.time.isoformat(),
            "format": self.format,
            "tags": self.tags,
            "annotations": self.annotations,
        }

    def _keep(self, more: Mapping[str, Any]) -> None:
        """Write tags, annotations, dataset and more into the file's EXIF block."""
        if self.format.lower() not in EXIF_FORMATS or not self.exists:
            return
        exif = piexif.load(self.file)
        known = _comment_of(exif)
        if "image" in known:
            known["image"].update(tags=self.tags, annotations=self.annotations)
        told = json.dumps({**known, "dataset": self.dataset, **more}, cls=JSONEncoder)
        exif["Exif"][USER_COMMENT] = told.encode()
        piexif.insert(piexif.dump(exif), self.file)

    def read_back(self) -> None:
        """Become the capture that the file says it is.

        Raises
        ------
        InvalidImageDataError, ValueError, ...
            For a file that is not one of ours.
        """
        told = self.metadata
        card = told.get("image")
        if not card:
            raise piexif.InvalidImageDataError(f"{self.file} is no capture.")
        self.id = uuid.UUID(card.get("id"))
        self.time = datetime.fromisoformat(card["time"])
        self.tags, self.annotations = card.get("tags"), card.get("annotations")
        self.dataset = told.get("dataset") or {}

    @property
    def metadata(self) -> Any:
        """The metadata that are in the file: a dict, if we wrote them."""
        return _comment_of(piexif.load(self.file))

    @property
    def exists(self) -> bool:
        """Whether the file is there."""
        return Path(self.file).is_file()

    @property
    def data(self) -> Optional[io.BytesIO]:
        """The file's bytes; None where there is no file."""
        return io.BytesIO(Path(self.file).read_bytes()) if self.exists else None

    @property
    def thumbnail(self) -> io.BytesIO:
        """A small JPEG: the one in the file, or one made for now."""
        kept = piexif.load(self.file)["thumbnail"]
        if kept:
            return io.BytesIO(kept)
        made = io.BytesIO()
        with Image.open(self.file) as picture:
            picture.thumbnail(THUMBNAIL_SIZE)
            picture.save(made, "jpeg")
        made.seek(0)
        return made

    def delete(self) -> bool:
        """Remove the file; tell whether there was one.

        The list of captures keeps its entry, as on the real server.
        """
        there = self.exists
        if there:
            Path(self.file).unlink()
            if self.on_delete is not None:
                self.on_delete(self, self.id)
        return there


class CaptureManager:
    """The list of captures, and where they are kept.

    Parameters
    ----------
    folder : Path
        For ``micrographs``.

    Attributes
    ----------
    paths : dict
        ``default`` and ``temp``, which may be changed at any time.
    images : OrderedDict of str to CaptureObject
        By id.
    lock : labthings.StrictLock
        Waits 1 s.
    """

    def __init__(self, folder: Path) -> None:
        default = folder / "micrographs"
        self.paths = {"default": str(default), "temp": str(default / "tmp")}
        self.lock = StrictLock(timeout=1, name="Captures")
        self.images: "OrderedDict[str, CaptureObject]" = OrderedDict()

    def read_settings(self) -> Dict[str, Any]:
        """Return the settings as they are kept in the settings file."""
        return {"paths": dict(self.paths)}

    def update_settings(self, config: Mapping[str, Any]) -> None:
        """Apply settings.

        Parameters
        ----------
        config : mapping
            ``paths``; anything else is ignored.
        """
        with self.lock:
            self.paths = dict(config.get("paths", self.paths))

    def new_image(
        self,
        temporary: bool = True,  # noqa: FBT001, FBT002 (as on the real server)
        filename: Optional[str] = None,
        folder: str = "",
        fmt: str = "jpeg",
    ) -> CaptureObject:
        """List a new capture, into which a picture can be written.

        Parameters
        ----------
        temporary : bool
            Remove it when the server ends.
        filename : str, optional
            Without an extension; None for the time of day. One that exists is
            overwritten.
        folder : str
            Below the capture folder.
        fmt : str
            The extension.
        """
        base = Path(self.paths["temp" if temporary else "default"], folder)
        capture = CaptureObject(str(base / f"{filename or self._free_name()}.{fmt}"))
        capture.tags = ["temporary"] if temporary else []
        capture.on_delete = self.remove_image
        self.images[str(capture.id)] = capture
        return capture

    def remove_image(self, _: CaptureObject, capture_id: Any) -> None:
        """Take a capture off the list, if it is known by this very key."""
        self.images.pop(capture_id, None)

    def rebuild_captures(self) -> None:
        """List what is on disk.

        A picture without our metadata is left out. Nothing is done about one whose
        metadata are broken: the error ends the start of the server, as on a real one.
        """
        root = Path(self.paths["default"])
        self.images = OrderedDict()
        for path in (path for fmt in EXIF_FORMATS for path in root.rglob(f"*.{fmt}")):
            capture = CaptureObject(str(path))
            capture.on_delete = self.remove_image
            try:
                capture.read_back()
            except (piexif.InvalidImageDataError, json.JSONDecodeError) as exc:
                LOG.warning("%s is not listed: %s", path, exc)
                continue
            self.images[str(capture.id)] = capture

    def close(self) -> None:
        """Remove the temporary captures."""
        shutil.rmtree(self.paths["temp"], ignore_errors=True)

    def _free_name(self) -> str:
        """Return the time of day to the second, made different from other names."""
        now = datetime.now()  # noqa: DTZ005 (as people see it)
        name = now.strftime("%Y-%m-%d_%H-%M-%S")
        taken = {image.basename for image in self.images.values()}
        others = (f"{name}_{number}" for number in range(1, len(taken) + 1))
        return next(free for free in (name, *others) if free not in taken)


def _comment_of(exif: Dict[str, Any]) -> Any:
    """Return the JSON in a file's EXIF block; nothing for a file without any."""
    comment = exif["Exif"].get(USER_COMMENT)
    return json.loads(comment.decode()) if comment else {}
