"""TRIPOD+AI and CLAIM checklists as Markdown, filled in as far as the run's record allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.io.escaping import markdown
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.paper import facts
from benchmarks.paper.bibliography import address, in_words
from benchmarks.paper.items import CLAIM, TRIPOD_AI, Item

BLANK = "— to be filled in"
_CHECKLISTS = {
    "checklist_tripod_ai.md": ("TRIPOD+AI, filled in from the run", "collins2024", TRIPOD_AI),
    "checklist_claim.md": ("CLAIM 2024, filled in from the run", "tejani2024", CLAIM),
}


def checklists(results: Results) -> dict[str, str]:
    """Fill in both checklists.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of str
        File name to Markdown.

    References
    ----------
    Collins GS et al. TRIPOD+AI statement. BMJ 2024;385:e078378. doi:10.1136/bmj-2023-078378
    Tejani AS et al. CLAIM: 2024 update. Radiology: Artificial Intelligence 2024;6:e240300.
    doi:10.1148/ryai.240300
    """
    known = facts.facts(results)
    return {
        name: _page(title, key, items, known, is_synthetic(results))
        for name, (title, key, items) in _CHECKLISTS.items()
    }


def answer(item: Item, known: Mapping[str, str]) -> str:
    """Answer an item, with a placeholder if the run's record has no answer.

    Parameters
    ----------
    item : Item
    known : mapping of str
        Answers by name, from :func:`benchmarks.paper.facts.facts`.

    Returns
    -------
    str

    Examples
    --------
    >>> answer(Item("18a", "Funding"), {})
    '— to be filled in'
    >>> answer(Item("11", "Missing data", ("missing",)), {"missing": "None."})
    'None.'
    """
    return " ".join(known[name] for name in item.facts if known.get(name)) or BLANK


def _page(
    title: str, key: str, items: Sequence[Item], known: Mapping[str, str], synthetic: bool
) -> str:
    answers = [answer(item, known) for item in items]
    open_items = sum(one == BLANK for one in answers)
    mark = "\n**SYNTHETIC DATA:** nothing here describes radiographs.\n" if synthetic else ""
    head = (
        f"# {title}\n{mark}\n"
        f"{len(items) - open_items} of {len(items)} items are answered from the run's record; "
        f"{open_items} must be filled in by the authors. An answer states what was done, not that "
        "it is sufficient. Topics are paraphrased and item numbers are those of the publication: "
        f"check them against the original.\n\n{markdown(in_words(key))} <{address(key)[1]}>\n"
    )
    lines = [
        f"| {item.number} | {markdown(item.topic)} | {one if one == BLANK else markdown(one)} "
        f"| {markdown(item.where) if one != BLANK else ''} |"
        for item, one in zip(items, answers, strict=True)
    ]
    table = ["| Item | Topic | Answer | In the report |", "|---|---|---|---|", *lines]
    return "\n".join([head, *table, ""])
