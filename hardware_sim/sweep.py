"""A focus sweep over rendered frames: how fast it may be."""

__all__ = ["MOST_FRAMES_PER_S", "pace"]

STEPS_PER_FRAME = 40
MOST_FRAMES_PER_S = 12.0
"""A camera renders no more of them beside a moving stage, whatever it was asked for."""


def pace(frames_per_s: float = MOST_FRAMES_PER_S) -> float:
    """Return the steps in a second of the machine's own time that rendering bears.

    Parameters
    ----------
    frames_per_s : float
        What the camera was asked for.
    """
    return STEPS_PER_FRAME * min(frames_per_s, MOST_FRAMES_PER_S)
