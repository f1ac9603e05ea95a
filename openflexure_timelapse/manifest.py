"""What a host must know of this extension before it loads it, from ``manifest.json``.

The file stands beside ``pyproject.toml`` in a checkout and beside this module in an
installed package; installers and the microscope's own pages read the same file.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

from typing_extensions import Literal

from openflexure_timelapse.errors import TimelapseError

__all__ = ["HostEntry", "Manifest", "load_manifest"]

FILE_NAME = "manifest.json"
STATUSES = ("planned", "ready")
NEEDS = ("required", "optional")


@dataclass(frozen=True)
class HostEntry:
    """How one host finds and loads the extension.

    Attributes
    ----------
    entry_point : str
        ``module:Class``, importable where the extra is installed.
    status : {"planned", "ready"}
        ``planned`` until the module exists; an installer refuses it.
    extra : str
        The extra of the package that brings what this host needs.
    python : str
        The Python versions on which this host runs, as a version specifier.
    minimum_versions : mapping of str to str
        Of the host's packages, by distribution name.
    """

    entry_point: str
    status: Literal["planned", "ready"]
    extra: str
    python: str
    minimum_versions: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """The extension as a host sees it.

    Attributes
    ----------
    id : str
        The name under which a host registers the extension.
    title, description : str
        For people.
    icon : str
        A name of the Material icon set, which both servers' pages use.
    version : str
        Of the package.
    licence : str
        An SPDX id.
    python : str
        The Python versions of the package, as a version specifier.
    hosts : mapping of str to HostEntry
        By the host's name: ``v2``, ``v3``.
    uses : mapping of str to {"required", "optional"}
        Parts of the microscope: camera, stage, autofocus, illumination.
    """

    id: str
    title: str
    description: str
    icon: str
    version: str
    licence: str
    python: str
    hosts: Mapping[str, HostEntry]
    uses: Mapping[str, Literal["required", "optional"]]


def load_manifest(path: Optional[Path] = None) -> Manifest:
    """Read the manifest of this installation.

    Parameters
    ----------
    path : Path, optional
        Another manifest to read; None for this installation's own.

    Raises
    ------
    TimelapseError
        When the file is missing or is not a manifest; the installation is broken.
    """
    source = _own_file() if path is None else path
    try:
        data = json.loads(source.read_text(encoding="utf-8"))
        return _manifest(data)
    except (OSError, KeyError, TypeError, ValueError) as exc:
        message = f"The manifest {source} cannot be read: {exc}; "
        raise TimelapseError(message + "install the package again.") from exc


def _own_file() -> Path:
    """Return where the manifest lies: in the package, or above it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / FILE_NAME
    return inside if inside.exists() else package.parent / FILE_NAME


def _manifest(data: Any) -> Manifest:
    """Build the manifest; a missing or unknown key raises KeyError or TypeError."""
    parts = dict(data)
    parts["hosts"] = _hosts(parts["hosts"])
    parts["uses"] = _uses(parts["uses"])
    return Manifest(**parts)


def _hosts(data: Any) -> Mapping[str, HostEntry]:
    """Build the hosts by name."""
    hosts = {name: HostEntry(**entry) for name, entry in dict(data).items()}
    for name, host in hosts.items():
        _one_of(host.status, STATUSES, f"the status of {name}")
    return hosts


def _uses(data: Any) -> Mapping[str, str]:
    """Check which parts of the microscope are needed."""
    for part, need in dict(data).items():
        _one_of(need, NEEDS, f"the need of {part}")
    return dict(data)


def _one_of(value: Any, known: Tuple[str, ...], noun: str) -> None:
    """Raise ValueError unless `value` is known."""
    if value not in known:
        message = f"{noun} is {value!r}, not {' or '.join(known)}"
        raise ValueError(message)
