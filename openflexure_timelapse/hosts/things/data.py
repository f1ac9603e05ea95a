"""Where Things save: below the server's data folder, as on an OpenFlexure server."""

import os
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any, Optional, Union

import labthings_fastapi as lt
from pydantic import PrivateAttr, RootModel, field_validator

__all__ = ["DataThing", "RelativeDataPath"]


class DataThing(lt.Thing):
    """A Thing with a folder of its own, below the server's ``data_folder``.

    Everything in it is served, below ``data/<name of the Thing>/``.
    """

    _class_settings = {"validate_properties_on_set": True}  # noqa: RUF012 (as labthings reads it)

    _data_dir: Optional[str] = None

    def __enter__(self) -> Any:
        """Make the folder.

        Raises
        ------
        ValueError
            When the server was given no ``application_config``.
        """
        config = self._thing_server_interface.application_config
        if config is None:
            raise ValueError("The server has no application_config with a data_folder.")
        folder = Path(config["data_folder"], self.name)
        folder.mkdir(parents=True, exist_ok=True)
        self._data_dir = str(folder)
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    @property
    def data_dir(self) -> str:
        """The folder.

        Raises
        ------
        RuntimeError
            Before the server runs.
        """
        if self._data_dir is None:
            raise RuntimeError("There is no data folder before the server runs.")
        return self._data_dir

    def create_data_path(
        self,
        path: str,
        absolute: bool = False,  # noqa: FBT001, FBT002 (as on the real server)
    ) -> "RelativeDataPath":
        """Return a path in the folder.

        Parameters
        ----------
        path : str
            Relative to the folder.
        absolute : bool
            `path` is an absolute one instead.
        """
        if absolute:
            path = os.path.relpath(path, self.data_dir)
        made = RelativeDataPath(path)
        made.set_saving_thing(self)
        return made


Saver = Union[DataThing, "TemporaryDirectory[str]"]


class RelativeDataPath(RootModel[str]):
    """A path below the folder of the Thing that saves; that Thing is set once."""

    _saver: Optional[Any] = PrivateAttr(default=None)

    @field_validator("root")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        """Refuse what may lead out of the folder."""
        pure = PurePath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise ValueError("the path must be relative and without '..'")
        return os.path.normpath(path)

    @property
    def save_location_set(self) -> bool:
        """Whether it is known who saves."""
        return self._saver is not None

    def set_saving_thing(self, thing: Saver) -> None:
        """Set who saves.

        Parameters
        ----------
        thing : DataThing or TemporaryDirectory
            In whose folder the path begins.

        Raises
        ------
        RuntimeError
            When it was set before.
        """
        if self.save_location_set:
            raise RuntimeError("It is set already which Thing saves at this path.")
        self._saver = thing

    def set_saving_thing_if_unset(self, thing: Saver) -> None:
        """Set who saves, unless it is known.

        Parameters
        ----------
        thing : DataThing or TemporaryDirectory
            In whose folder the path begins.
        """
        if not self.save_location_set:
            self._saver = thing

    def save_to_tempdir(self) -> "TemporaryDirectory[str]":
        """Save into a new temporary folder, and return it."""
        folder = TemporaryDirectory()
        self.set_saving_thing(folder)
        return folder

    def join(self, sub_path: str) -> "RelativeDataPath":
        """Return a path below this one, of the same Thing.

        Parameters
        ----------
        sub_path : str
            Relative to this path.
        """
        made = RelativeDataPath(str(PurePath(self.root, sub_path)))
        made._saver = self._saver
        return made

    @property
    def abs_data_path(self) -> str:
        """Where the file is to be.

        Raises
        ------
        RuntimeError
            When it is not known who saves.
        """
        if self._saver is None:
            raise RuntimeError("It was never set which Thing saves at this path.")
        if isinstance(self._saver, TemporaryDirectory):
            return str(Path(self._saver.name, self.root))
        return str(Path(self._saver.data_dir, self.root))

    @property
    def posixpath(self) -> str:
        """The relative path, with slashes."""
        return PurePath(self.root).as_posix()
