"""A `libcamera` that is no camera: unmodified picamera2 runs on it, off a Raspberry Pi.

The folder ``on_path`` holds the modules that picamera2 imports, ``libcamera`` and
``pykms``; they are put before all others by the environment of one process. The pixels
come through a socket from a `hardware_sim.camera_feed.CameraFeed`, in the process that
has the simulated world. It imitates the binding as it is read and described; it proves
nothing about a real sensor's timing, the kernel or the image processor.
"""

import os
from pathlib import Path
from typing import Dict, Mapping, Optional, Union

__all__ = ["SOCKET_VARIABLE", "environment"]

SOCKET_VARIABLE = "OPENFLEXURE_SIMULATED_CAMERA"
"""Names the socket of the feed."""

HERE = Path(__file__).resolve().parent


def environment(
    socket_path: Union[str, Path], base_env: Optional[Mapping[str, str]] = None
) -> Dict[str, str]:
    """Return the environment of a process whose picamera2 sees the simulated camera.

    Parameters
    ----------
    socket_path : str or Path
        Of the `CameraFeed`.
    base_env : mapping, optional
        What else it holds; None for that of this process.
    """
    env = dict(os.environ if base_env is None else base_env)
    path = [str(HERE / "on_path"), str(HERE.parent.parent)]
    env["PYTHONPATH"] = os.pathsep.join([*path, *filter(None, [env.get("PYTHONPATH")])])
    env[SOCKET_VARIABLE] = str(socket_path)
    return env
