"""The demo's sample images and their tasks."""

from dataclasses import dataclass
from pathlib import Path

IMAGES = Path(__file__).parent / "images"


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of one task.

    Attributes:
        attachment: whether the sandbox provider serves it with ``Content-Disposition: attachment``.
    """

    task_id: str
    name: str
    title: str
    alt: str
    attachment: bool


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "mountains",
        "mountains.png",
        "Mountains",
        "Snowy mountains in pink dusk light above a misty lake, under a full moon, framed by dark pines.",
        attachment=False,
    ),
    Sample(
        "lanterns",
        "lanterns.png",
        "Lanterns",
        "Glowing paper lanterns rising into a violet night sky over dark hills, mirrored in a still lake.",
        attachment=True,
    ),
    Sample(
        "nebula",
        "nebula.jpg",
        "Nebula",
        "A nebula of glowing orange, magenta and teal gas, crossed by dark dust, with bright stars.",
        attachment=True,
    ),
    Sample(
        "harbour",
        "harbour.webp",
        "Harbour",
        "An oil painting of a harbour at sunset: gabled houses with lit windows, and sailing boats.",
        attachment=False,
    ),
)


def sample_of(task_id: str) -> Sample | None:
    """Find the sample of a task."""
    return next((sample for sample in SAMPLES if sample.task_id == task_id), None)
