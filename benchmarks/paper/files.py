"""Write the files for a paper into a run folder."""

from __future__ import annotations

from benchmarks.io.results import Results, write_table
from benchmarks.io.run_files import subfolder, write_text
from benchmarks.paper import bibliography, checklists, medmnist_form, tidy_scores

MEDMNIST = "medmnist"


def write_paper(results: Results) -> None:
    """Write ``tables.csv``, ``references.bib``, two checklists and, for MedMNIST, predictions.

    Parameters
    ----------
    results : Results
        Files go into its folder; predictions in MedMNIST's format into ``medmnist/`` there.

    Notes
    -----
    The same results give the same bytes.
    """
    folder = results.folder
    write_table(folder, "tables", tidy_scores.tidy(results))
    write_text(folder / "references.bib", bibliography.bibtex(bibliography.used(results)))
    for name, text in checklists.checklists(results).items():
        write_text(folder / name, text)
    if medmnist_form.is_medmnist(results) and not medmnist_form.obstacle(results):
        place = subfolder(folder, MEDMNIST)
        for name, text in medmnist_form.files(results):
            write_text(place / name, text)
