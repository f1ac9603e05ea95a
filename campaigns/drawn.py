"""Inputs that hypothesis draws for an attack: so many, and the same for a seed."""

from typing import Any, Callable

from hypothesis import HealthCheck, Phase, seed, settings

__all__ = ["so_many"]


def so_many(trials: int, first: int) -> Callable[[Any], Any]:
    """Return a decorator for a function under ``given``.

    Parameters
    ----------
    trials : int
        How many inputs are drawn; none is made smaller, since the attack goes on.
    first : int
        The seed.
    """
    limits = settings(
        max_examples=trials,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    return lambda tried: seed(first)(limits(tried))
