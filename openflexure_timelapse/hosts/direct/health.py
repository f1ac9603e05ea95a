"""What its owner should know of the camera's computer at this moment. Pure."""

from typing import Any, List, Mapping, Optional

__all__ = ["remarks"]

OLD_FRAME_S = 3.0
HOT_C = 80.0
"""From here on a Raspberry Pi slows itself down."""


def remarks(status: Mapping[str, Any]) -> List[str]:
    """Return a sentence for each thing that is not as it should be.

    Parameters
    ----------
    status : mapping
        Of the camera: ``frame_age_s`` and ``temperature_c``; what is missing or None is
        not known here. No age: there is no frame.
    """
    told = []
    age_s = _number(status, "frame_age_s")
    if age_s is None and "frame_age_s" in status:
        told.append(
            "The camera gives no frames and is started again; if that does not help, "
            "check its cable."
        )
    if age_s is not None and age_s > OLD_FRAME_S:
        told.append(
            f"The camera's last frame is {age_s:.0f} s old; it is started again when "
            "it gives no more."
        )
    hot_c = _number(status, "temperature_c")
    if hot_c is not None and hot_c >= HOT_C:
        told.append(
            f"The computer has {hot_c:.0f} °C and slows itself down; give it air, or "
            "set a lower stream_fps in the configuration file."
        )
    return told


def _number(status: Mapping[str, Any], name: str) -> Optional[float]:
    """Return a number, where it is known."""
    value = status.get(name)
    return float(value) if isinstance(value, (int, float)) else None
