"""The changed copies and views of images in words, for the methods text."""

from __future__ import annotations

from typing import Any

from benchmarks.io.formatting import join_words
from features.preprocessing.augmentation import TRAINING, VIEWS, Ranges


def changes_in_words(ranges: Ranges) -> str:
    """Describe random changes of images and their ranges.

    Parameters
    ----------
    ranges : Ranges

    Returns
    -------
    str

    Examples
    --------
    >>> changes_in_words(Ranges(mirrored=0.5, rotation=8, scale=1.2))
    'mirroring (probability 0.5), rotation by up to 8° and scaling by up to 1.2'
    """
    words = {
        "mirrored": f"mirroring (probability {ranges.mirrored:g})",
        "rotation": f"rotation by up to {ranges.rotation:g}°",
        "scale": f"scaling by up to {ranges.scale:g}",
        "aspect": f"a change of the aspect ratio by up to {ranges.aspect:g}",
        "shift": f"shifts of up to {100 * ranges.shift:g} % of the side",
        "gamma": f"gamma up to {ranges.gamma:g}",
        "contrast": f"contrast by up to {ranges.contrast:g}",
        "brightness": f"brightness by up to {100 * ranges.brightness:g} % of the grey range",
        "blurred": f"blur (probability {ranges.blurred:g}, standard deviation up to "
        f"{100 * ranges.blur:g} % of the side)",
        "noisy": f"noise (probability {ranges.noisy:g}, standard deviation up to "
        f"{100 * ranges.noise:g} % of the grey range)",
    }
    nothing = Ranges()
    return join_words(
        [text for name, text in words.items() if getattr(ranges, name) != getattr(nothing, name)]
    )


def copies_and_views(config: dict[str, Any]) -> str:
    """Describe the copies that classifiers are fitted on and the views that are scored.

    Parameters
    ----------
    config : dict
        The run's configuration.

    Returns
    -------
    str
        Sentences; empty without copies and views.
    """
    copies, views = config.get("augment") or 0, config.get("views") or 1
    sentences = []
    if copies:
        sentences.append(
            f"Classifiers were fitted on each training image and {copies} changed "
            f"{'copies' if copies > 1 else 'copy'} of it: {changes_in_words(TRAINING)}. Copies "
            "were made after the split and stayed with their patient."
        )
    if views > 1:
        sentences.append(
            f"Each score is the mean over {views} views of an image: the image itself, and others "
            f"changed by {changes_in_words(VIEWS)}, the first, third and so on of them mirrored."
        )
    return " ".join(sentences)
