"""The READMEs of OME files: how to open them, with the values to compare.

The texts are in ``guides/``; what differs from run to run is put in here.
"""

from typing import Dict, Mapping, NamedTuple, Optional, Sequence

from openflexure_timelapse.share.guide_text import guide_text
from openflexure_timelapse.share.ome_xml import z_spacing_um
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.volume import Volume

__all__ = ["guide_of"]

NS_PER_S = 1_000_000_000


class _Words(NamedTuple):
    """Sentences in one language."""

    image: str
    apart: str
    apart_on_average: str
    scale: str
    no_scale: str
    no_scale_to_type: str
    planes: str
    no_planes: str
    missing: str
    varies: str
    single: str
    none: str
    point: str


ENGLISH = _Words(
    image="{points} time points, planes: {planes}, {width} x {height} pixels",
    apart="; {interval} s from one to the next",
    apart_on_average="; {interval} s from one to the next on average",
    scale="One pixel is {um} µm.",
    no_scale=(
        "Nobody has told how large a pixel is, so the files do not say it, and\n"
        "lengths are in pixels. If you find it out, write it in the record of the\n"
        "run (micrometres per pixel) and make this folder anew."
    ),
    no_scale_to_type="leave as it is (the scale is not known)",
    planes="The planes of a stack are {um} µm apart.",
    no_planes="How far the planes of a stack are apart is not known.",
    missing=(
        "Time points without a picture between the first and the last: {count}. They\n"
        "are not filled up: the next picture follows at once, with its own true time.\n"
        "A program that counts pictures, as TrackMate does, takes such a gap for one\n"
        "interval. Check speeds there with elapsed_s in frames.csv."
    ),
    varies=(
        "The interval changes during this run. A program that counts pictures, as\n"
        "TrackMate does, knows one interval only. Check speeds with elapsed_s in\n"
        "frames.csv."
    ),
    single="-",
    none="No time point was missed, and the interval is always the same.",
    point=".",
)
SWEDISH = _Words(
    image="{points} tidpunkter, plan: {planes}, {width} x {height} pixlar",
    apart="; {interval} s från en till nästa",
    apart_on_average="; i medeltal {interval} s från en till nästa",
    scale="En pixel är {um} µm.",
    no_scale=(
        "Ingen har angett hur stor en pixel är. Därför säger filerna inget om det,\n"
        "och längder är i pixlar. Om du tar reda på det: skriv in det i uppgifterna\n"
        "om körningen (mikrometer per pixel) och gör om den här mappen."
    ),
    no_scale_to_type="låt stå (skalan är inte känd)",
    planes="Planen i en stapel ligger {um} µm från varandra.",
    no_planes="Hur långt planen i en stapel ligger från varandra är inte känt.",
    missing=(
        "Tidpunkter utan bild mellan den första och den sista: {count}. De är inte\n"
        "utfyllda: nästa bild följer direkt, med sin egen rätta tid. Ett program som\n"
        "räknar bilder, som TrackMate, tror att ett sådant hopp är ett intervall.\n"
        "Kontrollera hastigheter där mot elapsed_s i frames.csv."
    ),
    varies=(
        "Intervallet ändras under körningen. Ett program som räknar bilder, som\n"
        "TrackMate, känner bara till ett intervall. Kontrollera hastigheter mot\n"
        "elapsed_s i frames.csv."
    ),
    single="-",
    none="Ingen tidpunkt saknas, och intervallet är hela tiden detsamma.",
    point=",",
)
WORDS: Mapping[str, _Words] = {"en": ENGLISH, "sv": SWEDISH}


def guide_of(
    subject: Subject,
    volumes: Sequence[Volume],
    destination: str,
    ending: str,
    language: str,
) -> str:
    """Return the text.

    Parameters
    ----------
    subject, volumes
        Of what.
    destination : str
        The name of the destination, as its guide is called.
    ending : str
        Of the images' names.
    language : str
        ``en`` or ``sv``.
    """
    words, first = WORDS[language], volumes[0]
    um = subject.um_per_pixel
    values = {
        "run": subject.run_id,
        "images": "\n".join(_image(words, each, ending) for each in volumes),
        "first": first.stem + ending,
        "points": str(first.points),
        "planes": str(first.planes),
        "interval": _seconds(first) or words.single,
        "um": words.no_scale_to_type if um is None else f"{um:.6g}",
        "sizes": _sizes(words, subject, first),
        "times": _times(words, volumes),
        "layer_scale": _layer_scale(subject, first),
    }
    return guide_text(destination, language, values)


def _seconds(volume: Volume) -> Optional[str]:
    """Return the interval to type; None where there is one time point."""
    interval_ns = volume.interval_ns or volume.mean_interval_ns
    return None if interval_ns is None else f"{interval_ns / NS_PER_S:.6g}"


def _image(words: _Words, volume: Volume, ending: str) -> str:
    """Return the line of one image."""
    values: Dict[str, object] = {
        "points": volume.points,
        "planes": volume.planes,
        "width": volume.width,
        "height": volume.height,
        "interval": (_seconds(volume) or "").replace(".", words.point),
    }
    apart = words.apart_on_average if volume.interval_ns is None else words.apart
    line = words.image + ("" if volume.mean_interval_ns is None else apart)
    return f"  {volume.stem}{ending}\n      " + line.format_map(values)


def _sizes(words: _Words, subject: Subject, volume: Volume) -> str:
    """Return what is known of the scale."""
    um, spacing_um = subject.um_per_pixel, z_spacing_um(subject, volume)
    told = words.no_scale if um is None else words.scale.format(um=_read(words, um))
    if volume.planes == 1:
        return told
    if spacing_um is None:
        return f"{told}\n{words.no_planes}"
    return told + "\n" + words.planes.format(um=_read(words, spacing_um))


def _read(words: _Words, value: float) -> str:
    """Return a number as people read it; what is typed into a program has a point."""
    return f"{value:.6g}".replace(".", words.point)


def _times(words: _Words, volumes: Sequence[Volume]) -> str:
    """Return what is to be known of the times."""
    missing = sum(volume.missing_slots for volume in volumes)
    if missing:
        return words.missing.format(count=missing)
    several = [volume for volume in volumes if volume.mean_interval_ns is not None]
    is_regular = all(volume.interval_ns is not None for volume in several)
    return words.none if is_regular else words.varies


def _layer_scale(subject: Subject, volume: Volume) -> str:
    """Return the scale of a layer in napari: time (z) y x."""
    spacing_um = z_spacing_um(subject, volume)
    um = subject.um_per_pixel
    steps = [_seconds(volume) or "1"]
    if volume.planes > 1:
        steps.append("1" if spacing_um is None else f"{spacing_um:.6g}")
    steps += ["1" if um is None else f"{um:.6g}"] * 2
    return f"({', '.join(steps)})"
