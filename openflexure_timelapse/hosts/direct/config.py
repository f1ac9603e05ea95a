"""What the owner of a microscope without a server may choose: one small JSON file.

Looked for beside the data folder, as ``direct.json``; without one everything is as it
usually is. What it may hold are the fields of `CameraSettings` and `StageSettings`.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, get_type_hints

from pydantic import Field, create_model

from openflexure_timelapse.document import Document, parse
from openflexure_timelapse.errors import InvalidRequestError, NotFoundError
from openflexure_timelapse.hosts.direct.camera_settings import CameraSettings
from openflexure_timelapse.hosts.direct.stage_settings import StageSettings
from openflexure_timelapse.json_text import read_object
from openflexure_timelapse.store.disk import storage_error

__all__ = ["DirectSettings", "config_path", "parse_config", "read_config"]

NAME = "direct.json"
OWN = ("port", "light_on", "light_output")
USUAL_LIGHT = 0.32
"""Of the lamp when it is on, as OpenFlexure sets it."""


@dataclass(frozen=True)
class DirectSettings:
    """The settings of the whole microscope.

    Attributes
    ----------
    port : str or None
        Of the Sangaboard, such as ``/dev/ttyUSB0``; None to look for it.
    light_on : float
        The level of the light when it is on, above 0 and up to 1.
    light_output : str
        Where the lamp is: ``cc`` for the constant current, or ``pwm0`` and so on.
    camera : CameraSettings
        Of the camera.
    stage : StageSettings
        Of the stage.
    """

    port: Optional[str] = None
    light_on: float = USUAL_LIGHT
    light_output: str = "cc"
    camera: CameraSettings = field(default_factory=CameraSettings)
    stage: StageSettings = field(default_factory=StageSettings)


def config_path(data_folder: Path) -> Path:
    """Return where the file of a data folder is looked for.

    Parameters
    ----------
    data_folder : Path
        Where the runs are kept; the file is beside it, so that no run owns it.
    """
    return data_folder.absolute().parent / NAME


def read_config(data_folder: Path, chosen: Optional[Path] = None) -> DirectSettings:
    """Return the settings that count.

    Parameters
    ----------
    data_folder : Path
        Where the runs are kept.
    chosen : Path, optional
        Another file, which must be there.

    Raises
    ------
    NotFoundError
        When the file that was chosen is not there.
    InvalidRequestError
        When it is not what it should be; the message names the file and the field.
    StorageError
        When it cannot be read.
    """
    path = config_path(data_folder) if chosen is None else chosen
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if chosen is None:
            return DirectSettings()
        told = f"There is no configuration {path}; write one, or leave --config out."
        raise NotFoundError(told) from None
    except UnicodeDecodeError as exc:
        told = f"The file {path} is no UTF-8 text; write it anew."
        raise InvalidRequestError(told) from exc
    except OSError as exc:
        raise storage_error(exc, "read", path) from exc
    data = read_object(text, f"The file {path}", InvalidRequestError)
    return parse_config(data, f"file {path}")


def parse_config(
    data: Mapping[str, Any], noun: str = "configuration"
) -> DirectSettings:
    """Return settings from JSON-able data.

    Parameters
    ----------
    data : mapping
        What ``json.loads`` gave.
    noun : str
        How the message names it.

    Raises
    ------
    InvalidRequestError
        With one entry per bad field; an unknown one with the nearest that is known.
    """
    found = parse(_File, data, InvalidRequestError, noun)
    own = {name: getattr(found, name) for name in OWN}
    return DirectSettings(camera=_camera(found), stage=found.stage, **own)


def _camera(found: "_File") -> CameraSettings:
    """Return the camera's settings, which it checks itself."""
    names = (each.name for each in fields(CameraSettings))
    return CameraSettings(**{name: getattr(found.camera, name) for name in names})


def _document_of(kind: Any) -> Any:
    """Return a document with the fields of a dataclass, strict as every other."""
    hints = get_type_hints(kind)
    known: Dict[str, Any] = {
        each.name: (hints[each.name], each.default) for each in fields(kind)
    }
    return create_model(f"{kind.__name__}File", __base__=Document, **known)


_Camera: Any = _document_of(CameraSettings)


class _File(Document):
    """The whole file."""

    port: Optional[str] = None
    light_on: float = Field(default=USUAL_LIGHT, gt=0, le=1)
    light_output: str = "cc"
    camera: _Camera = Field(default_factory=_Camera)
    stage: StageSettings = Field(default_factory=StageSettings)
