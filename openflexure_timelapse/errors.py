"""One tree of errors, one root; every host translates from here.

::

    TimelapseError
    ├── InvalidRequestError        what the user asked for cannot be done
    │   ├── InvalidPlanError
    │   ├── InvalidRecipeError
    │   ├── InvalidRecordError
    │   ├── InvalidShareError      a destination cannot take it
    │   ├── OutOfReachError        a target outside the stage's travel
    │   ├── ConfirmationError      a delete without its confirmation
    │   └── RequestTooLargeError   a body beyond what any plan has
    ├── NotFoundError              no such run, frame, file or job
    ├── ConflictError              not now
    │   ├── RunActiveError         a second start
    │   └── WrongPhaseError        for example: resume a run that is not paused
    ├── NotReadyError              in a moment
    ├── StorageError               the data folder or the run in it
    │   ├── DiskFullError
    │   └── DamagedRunError
    ├── HardwareError              ends a visit, never a run
    │   ├── HardwareTimeoutError
    │   ├── HardwareBusyError
    │   └── IncompleteImageError
    ├── RenderError                a movie
    │   ├── RenderCancelledError
    │   └── FfmpegMissingError
    └── ShareError                 a bundle
        └── ShareCancelledError

A message says what is wrong, the value, and what to do next. ``http_status`` is
the hint for the hosts that speak HTTP, ``exit_code`` the one for the command line
(1 failed, 2 wrong use).
"""

from typing import ClassVar, Mapping, Optional, Sequence

__all__ = [
    "ConfirmationError",
    "ConflictError",
    "DamagedRunError",
    "DiskFullError",
    "FfmpegMissingError",
    "HardwareBusyError",
    "HardwareError",
    "HardwareTimeoutError",
    "IncompleteImageError",
    "InvalidPlanError",
    "InvalidRecipeError",
    "InvalidRecordError",
    "InvalidRequestError",
    "InvalidShareError",
    "NotFoundError",
    "NotReadyError",
    "OutOfReachError",
    "RenderCancelledError",
    "RenderError",
    "RequestTooLargeError",
    "RunActiveError",
    "ShareCancelledError",
    "ShareError",
    "StorageError",
    "TimelapseError",
    "WrongPhaseError",
]


class TimelapseError(Exception):
    """The root of every error that this package raises on purpose."""

    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    @property
    def status_code(self) -> int:
        """`http_status`, by the name under which server v3's library looks for it."""
        return self.http_status


class InvalidRequestError(TimelapseError):
    """What was asked for cannot be done; nothing was moved or written.

    Parameters
    ----------
    message : str
        One sentence: what, the value, what to do next.
    fields : sequence of mapping, optional
        One ``{"field": dotted name, "reason": sentence}`` for each bad field.
        Empty when the request as a whole is wrong.
    """

    http_status = 422
    exit_code = 2

    def __init__(
        self, message: str, fields: Optional[Sequence[Mapping[str, str]]] = None
    ) -> None:
        super().__init__(message)
        self.fields: Sequence[Mapping[str, str]] = tuple(fields or ())


class InvalidPlanError(InvalidRequestError):
    """The plan breaks a rule of the plan's schema, or contradicts itself."""


class InvalidRecipeError(InvalidRequestError):
    """The movie recipe breaks a rule of the recipe's schema."""


class InvalidRecordError(InvalidRequestError):
    """The record of a sample breaks a rule of its schema, or contradicts itself."""


class InvalidShareError(InvalidRequestError):
    """A run cannot be shared as it was ordered; nothing was written."""


class OutOfReachError(InvalidRequestError):
    """A target position lies outside the travel of the stage."""


class ConfirmationError(InvalidRequestError):
    """A delete came without the name of what it deletes as its confirmation."""

    http_status = 400


class RequestTooLargeError(InvalidRequestError):
    """A body has more bytes than any plan; it was not read to its end."""

    http_status = 413


class NotFoundError(TimelapseError):
    """There is no run, frame, file or job of that name."""

    http_status = 404
    exit_code = 2


class ConflictError(TimelapseError):
    """The request is sound but cannot be done in the present state."""

    http_status = 409


class RunActiveError(ConflictError):
    """A start while a run is active; the message names the run."""


class WrongPhaseError(ConflictError):
    """A pause, resume or stop that the run's phase does not allow."""


class NotReadyError(TimelapseError):
    """What is asked for is being prepared; ask again in a moment."""

    http_status = 503


class StorageError(TimelapseError):
    """The data folder, or a run in it, cannot be read or written."""

    http_status = 503


class DiskFullError(StorageError):
    """A write found no space; the run pauses until space returns."""

    http_status = 507


class DamagedRunError(StorageError):
    """A run's files cannot be trusted as they are; ``repair`` may mend them."""

    http_status = 409


class HardwareError(TimelapseError):
    """Camera, stage, focus or light failed; it ends the visit, never the run."""

    http_status = 503


class HardwareTimeoutError(HardwareError):
    """A hardware call did not return before its deadline."""

    http_status = 504


class HardwareBusyError(HardwareError):
    """Another user holds the hardware."""


class IncompleteImageError(HardwareError):
    """The camera delivered bytes that are not a whole JPEG."""


class RenderError(TimelapseError):
    """A movie could not be made; the frames are untouched."""


class RenderCancelledError(RenderError):
    """The render was cancelled; no file was left behind."""


class FfmpegMissingError(RenderError):
    """Neither ``imageio-ffmpeg`` nor the PATH offers an ffmpeg that can be used."""


class ShareError(TimelapseError):
    """A bundle could not be made; the run is untouched."""


class ShareCancelledError(ShareError):
    """The bundle was cancelled; nothing was left behind."""
