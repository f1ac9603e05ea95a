"""The records that a run leaves: frames, visits, slots and events.

Plain frozen values; the store writes and reads them, every host shows them.
``elapsed_ns`` and ``due_ns`` count from the due time of slot 0, the origin of the
run's grid, and go on across restarts.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Mapping, Optional, Tuple

__all__ = ["Event", "Flag", "Frame", "FrameDraft", "Outcome", "Reason", "Slot", "Visit"]


class Outcome(str, Enum):
    """How a slot or a visit ended; exactly one for each."""

    CAPTURED = "captured"
    LATE = "late"
    SKIPPED = "skipped"
    FAILED = "failed"


class Reason(str, Enum):
    """Why an outcome is not plainly ``captured``."""

    OVERDUE = "overdue"
    PAUSED = "paused"
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"
    INTERRUPTED = "interrupted"
    BUSY = "busy"
    TIMEOUT = "timeout"
    HARDWARE = "hardware"
    STAGE = "stage"
    INCOMPLETE_IMAGE = "incomplete_image"
    STORAGE = "storage"
    MEMORY = "memory"
    STOPPED = "stopped"
    RUN_FAILED = "run_failed"


class Flag(str, Enum):
    """What a check found wrong with a frame that is kept all the same."""

    DARK = "dark"
    BRIGHT = "bright"
    REPEATED = "repeated"
    BLURRED = "blurred"
    WRONG_SIZE = "wrong_size"


@dataclass(frozen=True)
class FrameDraft:
    """A frame before the store has made it durable.

    Attributes
    ----------
    slot, plane : int
        Index on the grid, and in the z stack (0 when there is one plane).
    position : str
        The name of the position, as in the plan.
    due_ns, elapsed_ns : int
        When the slot was due and when the exposure began, since the grid's origin.
    wall_ns, utc_offset_s : int
        The time of day at the exposure (UTC) and the local zone's offset.
    wall_trusted : bool
        False when the clock was not synchronised.
    x, y, z : int
        Stage position in steps.
    width, height : int
        In pixels.
    mean_grey : float
        0 to 255.
    sharpness : float
        Variance of the Laplacian of the reduced grey image, (grey levels)².
    flags : tuple of Flag
        Failed checks; empty for a good frame.
    metadata : mapping
        JSON-able facts of the exposure as the camera gave them.
    """

    slot: int
    position: str
    plane: int
    due_ns: int
    elapsed_ns: int
    wall_ns: int
    utc_offset_s: int
    wall_trusted: bool
    x: int
    y: int
    z: int
    width: int
    height: int
    mean_grey: float
    sharpness: float
    flags: Tuple[Flag, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """One acknowledged image: the file is durable and so is this row.

    Attributes
    ----------
    n : int
        1, 2, 3 ... in the order of acknowledgement; never reused.
    file : str
        Path inside the run folder, with forward slashes.
    sha256 : str
        Of the whole file, lower-case hex.
    size_bytes : int
        Of the whole file.
    draft : FrameDraft
        Everything that was known before it was written.
    """

    n: int
    file: str
    sha256: str
    size_bytes: int
    draft: FrameDraft


@dataclass(frozen=True)
class Visit:
    """Everything that was done at one position in one slot.

    Attributes
    ----------
    lateness_ns : int
        From the due time to the first exposure; to the end of the visit where there
        was none.
    focus : mapping or None
        The focus decision, JSON-able; None when focus was not due.
    drift : mapping or None
        The drift decision, JSON-able; None when drift correction was not due.
    """

    slot: int
    position: str
    outcome: Outcome
    reason: Optional[Reason]
    detail: str
    lateness_ns: int
    duration_ns: int
    retries: int = 0
    focus: Optional[Mapping[str, Any]] = None
    drift: Optional[Mapping[str, Any]] = None


@dataclass(frozen=True)
class Slot:
    """The one outcome of a slot, or of a run of skipped slots with one reason.

    Attributes
    ----------
    first, last : int
        Equal for a slot that was visited; `last` may be larger for skipped ones.
    lateness_ns : int
        How long after its due time the slot was begun; 0 for skipped slots.
    """

    first: int
    last: int
    outcome: Outcome
    reason: Optional[Reason]
    detail: str
    lateness_ns: int


@dataclass(frozen=True)
class Event:
    """Something that happened to the run and is not a slot, visit or frame."""

    wall_ns: int
    elapsed_ns: int
    kind: str
    details: Mapping[str, Any]
