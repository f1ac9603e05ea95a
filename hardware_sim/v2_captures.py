"""The captures of the simulated server v2: pictures on disk with their metadata."""

import io
import json
import logging
import os
import shutil
import struct
import uuid
from collections import OrderedDict
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Union

import piexif
from labthings import StrictLock
from PIL import Image

from hardware_sim.v2_files import JSONEncoder

__all__ = ["THUMBNAIL_SIZE", "CaptureManager", "CaptureObject"]

LOG = logging.getLogger(__name__)

THUMBNAIL_SIZE = (200, 150)
EXIF_FORMATS = ("jpg", "jpeg", "tif", "tiff")
USER_COMMENT = piexif.ExifIFD.UserComment
NOT_OURS = (
    piexif.InvalidImageDataError,
    AttributeError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
)
"""Whatever a JPEG of somebody else, or a broken one, makes piexif and json raise."""


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
        self.stream = io.BytesIO()
        self.id = uuid.uuid4()
        self.time = datetime.now()  # noqa: DTZ005 (as the server writes it)
        self.file = filepath
        self.filefolder, self.name = os.path.split(filepath)
        self.basename = os.path.splitext(self.name)[0]  # noqa: PTH122 (a name)
        self.format = self.name.split(".")[-1]
        Path(self.filefolder).mkdir(parents=True, exist_ok=True)
        self.dataset: Dict[str, Any] = {}
        self.annotations: Dict[str, str] = {}
        self.tags: List[str] = []
        self.on_delete: Optional[Callable[["CaptureObject", uuid.UUID], None]] = None

    # -------------------------------------------------------------------- as a file

    def write(self, data: bytes) -> int:
        """Take bytes of the picture."""
        return self.stream.write(data)

    def flush(self) -> None:
        """Put the picture on disk, with the first of its metadata."""
        Path(self.file).write_bytes(self.stream.getbuffer())
        self.stream.close()
        image = {
            "id": self.id,
            "name": self.name,
            "time": self.time.isoformat(),
            "format": self.format,
            "tags": self.tags,
            "annotations": self.annotations,
        }
        self.put_and_save(metadata={"image": image})

    def open(self, mode: str) -> Any:
        """Open the file on disk."""
        return open(self.file, mode)  # noqa: PTH123

    def close(self) -> None:
        """Do nothing: the file is not held open."""

    # --------------------------------------------------------------------- metadata

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
            When the EXIF block would not fit into 65,535 bytes.
        """
        self.tags.extend(tag for tag in tags or () if tag not in self.tags)
        self.annotations.update(annotations or {})
        self.dataset.update(dataset or {})
        if self.format.lower() not in EXIF_FORMATS or not self.exists:
            return
        exif = piexif.load(self.file)
        kept = _comment_of(exif)
        if "image" in kept:
            kept["image"].update(tags=self.tags, annotations=self.annotations)
        kept["dataset"] = self.dataset
        kept.update(metadata or {})
        comment = json.dumps(kept, cls=JSONEncoder)
        exif["Exif"][USER_COMMENT] = comment.encode()
        piexif.insert(piexif.dump(exif), self.file)

    def put_tags(self, tags: Iterable[str]) -> None:
        """Add tags."""
        self.put_and_save(tags=tags)

    def delete_tag(self, tag: str) -> None:
        """Take a tag away."""
        self.tags = [kept for kept in self.tags if kept != tag]
        self.put_and_save()

    def put_annotations(self, data: Mapping[str, str]) -> None:
        """Add annotations."""
        self.put_and_save(annotations=data)

    def delete_annotation(self, key: str) -> None:
        """Take an annotation away."""
        self.annotations.pop(key, None)
        self.put_and_save()

    def put_metadata(self, data: Mapping[str, Any]) -> None:
        """Add metadata at the top level."""
        self.put_and_save(metadata=data)

    def put_dataset(self, data: Mapping[str, Any]) -> None:
        """Say to which dataset this belongs."""
        self.put_and_save(dataset=data)

    def save(self) -> None:
        """Write the metadata into the file again."""
        self.put_and_save()

    def read_full_metadata(self) -> Dict[str, Any]:
        """Return the metadata that are in the file."""
        return _comment_of(piexif.load(self.file))

    @property
    def metadata(self) -> Dict[str, Any]:
        """The metadata that are in the file."""
        return self.read_full_metadata()

    def sync_basic_metadata(self) -> None:
        """Take id, time, tags and the like from the file.

        Raises
        ------
        InvalidImageDataError, ValueError, ...
            For a file that is not one of ours.
        """
        kept = self.read_full_metadata()
        image = kept["image"]
        self.id = uuid.UUID(image["id"])
        self.time = datetime.fromisoformat(image["time"])
        self.format = str(image["format"])
        self.tags = list(image["tags"])
        self.annotations = dict(image["annotations"])
        self.dataset = dict(kept.get("dataset") or {})

    # -------------------------------------------------------------------------- bytes

    @property
    def exists(self) -> bool:
        """Whether the file is there."""
        return Path(self.file).is_file()

    @property
    def data(self) -> Optional[io.BytesIO]:
        """The file's bytes; None where there is no file."""
        return io.BytesIO(Path(self.file).read_bytes()) if self.exists else None

    @property
    def binary(self) -> Optional[bytes]:
        """The file's bytes; None where there is no file."""
        return Path(self.file).read_bytes() if self.exists else None

    @property
    def thumbnail(self) -> io.BytesIO:
        """A small JPEG; it is made and kept in the file where it has none."""
        exif = piexif.load(self.file)
        small = exif.get("thumbnail")
        if not small:
            made = io.BytesIO()
            with Image.open(self.file) as picture:
                picture.thumbnail(THUMBNAIL_SIZE)
                picture.save(made, "jpeg")
            small = exif["thumbnail"] = made.getvalue()
            exif.setdefault("1st", {})
            piexif.insert(piexif.dump(exif), self.file)
        return io.BytesIO(small)

    def delete(self) -> bool:
        """Remove the file; tell whether there was one.

        The list of captures keeps its entry, as on the real server.
        """
        if not self.exists:
            return False
        Path(self.file).unlink()
        if self.on_delete is not None:
            self.on_delete(self, self.id)
        return True


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
    images, videos : OrderedDict of str to CaptureObject
        By id.
    lock : labthings.StrictLock
        Waits 1 s.
    """

    def __init__(self, folder: Path) -> None:
        default = folder / "micrographs"
        self.paths = {"default": str(default), "temp": str(default / "tmp")}
        self.lock = StrictLock(timeout=1, name="Captures")
        self.images: "OrderedDict[str, CaptureObject]" = OrderedDict()
        self.videos: "OrderedDict[str, CaptureObject]" = OrderedDict()

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
            if "paths" in config:
                self.paths = dict(config["paths"])

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
        base = self.paths["temp" if temporary else "default"]
        name = filename or self._free_name()
        output = CaptureObject(os.path.join(base, folder, f"{name}.{fmt}"))  # noqa: PTH118
        if temporary:
            output.put_tags(["temporary"])
        output.on_delete = self.remove_image
        self.images[str(output.id)] = output
        return output

    def image_from_id(
        self, image_id: Union[str, int, uuid.UUID]
    ) -> Optional[CaptureObject]:
        """Return a capture; None for an unknown id."""
        if isinstance(image_id, int):
            image_id = uuid.UUID(int=image_id)
        return self.images.get(str(image_id))

    def remove_image(self, _: CaptureObject, capture_id: Any) -> None:
        """Take a capture off the list, if it is known by this very key."""
        self.images.pop(capture_id, None)

    def rebuild_captures(self) -> None:
        """List what is on disk; a file that is no JPEG of ours is left out."""
        root = Path(self.paths["default"])
        found = [path for fmt in EXIF_FORMATS for path in root.glob(f"**/*.{fmt}")]
        images: "OrderedDict[str, CaptureObject]" = OrderedDict()
        for path in found:
            capture = CaptureObject(str(path))
            capture.on_delete = self.remove_image
            try:
                capture.sync_basic_metadata()
            except NOT_OURS as exc:
                LOG.error("Invalid metadata at %s: %s", path, exc)  # noqa: TRY400
            else:
                images[str(capture.id)] = capture
        self.images = images

    def clear_tmp(self) -> None:
        """Remove the temporary captures."""
        shutil.rmtree(self.paths["temp"], ignore_errors=True)

    def close(self) -> None:
        """Remove the temporary captures."""
        self.clear_tmp()

    def _free_name(self) -> str:
        """Return the time of day to the second, made different from other names."""
        now = datetime.now()  # noqa: DTZ005 (as people see it)
        first = name = now.strftime("%Y-%m-%d_%H-%M-%S")
        taken = {image.basename for image in self.images.values()}
        number = 0
        while name in taken:
            number += 1
            name = f"{first}_{number}"
        return name


def _comment_of(exif: Dict[str, Any]) -> Dict[str, Any]:
    """Return the JSON in a file's EXIF block; nothing for a file without any."""
    comment = exif["Exif"].get(USER_COMMENT)
    if not comment:
        return {}
    loaded = json.loads(comment.decode())
    if not isinstance(loaded, dict):
        raise piexif.InvalidImageDataError("The comment is no JSON object.")
    return loaded
