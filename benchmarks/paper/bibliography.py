"""The works that a run uses: as keys, as citations, as a reference list and as BibTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import pandas as pd

from benchmarks.extraction.given_features import family_class
from benchmarks.fitting.cell import COMBINED, families_of
from benchmarks.io.results import Results
from benchmarks.metrics.bootstrap import AUC_INTERVAL
from benchmarks.paper.references import DATA, Reference, is_cited, references
from models import declaration
from models.combinations import COMBINATIONS
from models.declaration import Declaration

_LIBRARIES = {
    "numba": "lam2015", "scikit-image": "vanderwalt2014", "timm": "wightman2019",
    "torch": "paszke2019",
}  # fmt: skip
_BACKBONES = {"mobilenetv2": "sandler2018", "efficientnet": "tan2019"}  # beginnings of names
BALANCING = {
    "smote": ("SMOTE", "chawla2002"),
    "borderline": ("borderline SMOTE", "han2005"),
    "svmsmote": ("SVM-SMOTE", "nguyen2011"),
    "adasyn": ("ADASYN", "he2008"),
    "oversample": ("random oversampling of the minority class", ""),
    "undersample": ("random undersampling of the majority class", ""),
    "class_weight": ("class weights", ""),
    "none": ("no balancing of the classes", ""),
}
_TESTS = {
    "bootstrap": (), "clustered_delong": ("delong1988", "obuchowski1997"),
    "delong": ("delong1988",), "mcnemar": ("mcnemar1947",), "sign_flip": ("durkalski2003",),
}  # fmt: skip
_RECALIBRATIONS = {"none": (), "sigmoid": ("platt1999",), "isotonic": ("zadrozny2002",)}
_IMPORTANCE = {
    "permutation": ("breiman2001",), "shap": ("lundberg2017", "lundberg2020"),
    "family_shap": ("lundberg2017",), "impurity": ("strobl2007",), "gain": ("strobl2007",),
}  # fmt: skip
_VENUES = {"article": "journal", "inproceedings": "booktitle", "incollection": "booktitle"}
_ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"'}


def used(results: Results) -> list[str]:
    """Return the keys of the works that a run uses, in the order of :func:`references`.

    Parameters
    ----------
    results : Results
        Only cells and tables that finished count.

    Returns
    -------
    list of str
    """
    data = {key for key in DATA if is_cited(results, key)}
    found = {*data, *_methods(results), *_statistics(results)}
    return [key for key in references() if key in found]


def _methods(results: Results) -> set[str]:
    done = results.scores[results.scores["status"] == "ok"]
    config = results.run.get("config", {})
    names = done["features"].unique()
    families = [family_class(family) for name in names for family in families_of(str(name))]
    models = set(done["model"].unique())
    networks = {name for name in models if declaration(name).on_images}
    declared = [(kind.references, kind.libraries) for kind in families]
    declared += [(one.references, one.libraries) for one in map(declaration, models)]
    declared += [(one.references, one.libraries) for one in _combinations(done)]
    libraries = {library for _, names in declared for library in names}
    keys = {key for works, _ in declared for key in works}
    keys |= {key for library, key in _LIBRARIES.items() if library in libraries}
    if networks or any(family.network for family in families):
        keys |= {*_backbone(config), *_pretrained(results)}
    if config.get("pooling") == "gem" and any(family.network for family in families):
        keys.add("radenovic2019")
    if models - networks:
        keys |= {"pedregosa2011", "lemaitre2017", *_balance(done)}
    return keys


def _combinations(done: pd.DataFrame) -> list[Declaration]:
    names = done.loc[done["features"] == COMBINED, "model"].unique()
    return [COMBINATIONS[name] for name in names if name in COMBINATIONS]


def _backbone(config: dict[str, Any]) -> set[str]:
    names = [one.removeprefix("tf_") for one in str(config.get("backbone", "")).split(",")]
    return {key for start, key in _BACKBONES.items() if any(n.startswith(start) for n in names)}


def _pretrained(results: Results) -> set[str]:
    cells = results.run.get("cells", {}).values()
    starts = [str((one or {}).get("initialised_from") or "random") for one in cells]
    return {"deng2009"} if any(not start.startswith("random") for start in starts) else set()


def _balance(done: pd.DataFrame) -> set[str]:
    methods = done.loc[~done["model"].map(lambda name: declaration(name).on_images), "balance"]
    return {BALANCING[name][1] for name in methods.unique() if BALANCING.get(name, ("", ""))[1]}


def _statistics(results: Results) -> set[str]:
    done = (results.scores["status"] == "ok").any()
    keys = {"field2007", "wilson1927", "rao1992"} if done else set()
    if done and results.run.get("protocol", {}).get("auc_interval") == AUC_INTERVAL:
        keys.add("qin2008")
    if done and results.table("classes").empty:  # two classes
        keys |= {"schuirmann1987", "dunn1961"}
    comparisons, calibration = results.table("comparisons"), results.table("calibration")
    if len(comparisons):
        keys |= {key for test in comparisons["test"].unique() for key in _TESTS.get(test, ())}
        keys |= {"holm1979"} if comparisons["p_holm"].notna().any() else set()
    if len(results.table("leading")):
        keys.add("hsu1981")
    if len(results.table("sample_size")):
        keys |= {"hanley1982", "riley2021"}
    if len(calibration):
        kinds = calibration["recalibration"].unique()
        keys |= {"murphy1973", *(key for kind in kinds for key in _RECALIBRATIONS.get(kind, ()))}
    if len(results.table("decision")):
        keys.add("vickers2006")
    if len(results.table("gap_ranks")):
        keys.add("spearman1904")
    if any(len(results.table(name)) for name in ("learning_gains", "leaky_assignments")):
        keys.add("gosset1908")
    importance = results.table("importance")
    if len(importance):
        measured = importance.loc[importance["status"] == "ok", "method"].unique()
        keys |= {key for method in measured for key in _IMPORTANCE.get(method, ())}
    return keys


def cite(*keys: str) -> str:
    """Cite works by author and year.

    Parameters
    ----------
    *keys : str

    Returns
    -------
    str

    Examples
    --------
    >>> cite("breiman2001"), cite("dalal2005", "ojala2002")
    ('Breiman, 2001', 'Dalal and Triggs, 2005; Ojala et al., 2002')
    """
    return "; ".join(f"{_who(work)}, {work.year}" for work in map(references().__getitem__, keys))


def _who(work: Reference) -> str:
    families = [author.split(",")[0] for author in work.authors.split(" and ")]
    return " and ".join(families) if len(families) < 3 else f"{families[0]} et al."


def in_words(key: str) -> str:
    """Format a work for a reference list, without its address.

    Parameters
    ----------
    key : str

    Returns
    -------
    str

    Examples
    --------
    >>> in_words("breiman2001")
    'Breiman L. Random forests. Machine Learning 2001;45:5–32.'
    """
    work = references()[key]
    names = [_short(author) for author in work.authors.split(" and ")]
    pages = work.more.get("pages", "").replace("-", "–")
    if "volume" in work.more:
        where = f"{work.venue} {work.year};{work.more['volume']}:{pages}"
    else:
        where = f"{work.venue}, {work.year}" + (f", pp. {pages}" if pages else "")
    return f"{', '.join(names)}. {_sentence(work.title)} {where}."


def _short(author: str) -> str:
    if author == "others":
        return "et al"
    family, _, given = author.partition(", ")
    return f"{family} {re.sub(r'[. -]', '', given)}"


def _sentence(title: str) -> str:
    return title if title.endswith("?") else f"{title}."


def address(key: str) -> tuple[str, str]:
    """Return the text and URL of the link to a work.

    Parameters
    ----------
    key : str

    Returns
    -------
    (str, str)

    Examples
    --------
    >>> address("breiman2001")
    ('doi:10.1023/A:1010933404324', 'https://doi.org/10.1023/A:1010933404324')
    """
    work = references()[key]
    if not work.doi:
        return work.url.removeprefix("https://"), work.url
    path = work.doi.replace("<", "%3C").replace(">", "%3E")
    return f"doi:{work.doi}", f"https://doi.org/{path}"


def bibtex(keys: Iterable[str]) -> str:
    """Format works as BibTeX in plain ASCII, which every BibTeX program reads.

    Parameters
    ----------
    keys : iterable of str
        Of :func:`references`.

    Examples
    --------
    >>> print(bibtex(["breiman2001"]))
    @article{breiman2001,
      author = {Breiman, L.},
      title = {{Random forests}},
      year = {2001},
      journal = {Machine Learning},
      volume = {45},
      pages = {5--32},
      doi = {10.1023/A:1010933404324},
    }
    <BLANKLINE>
    """
    return "\n".join(_entry(key, references()[key]) for key in keys)


def _entry(key: str, work: Reference) -> str:
    more = {name: value.replace("-", "--") if name == "pages" else value
            for name, value in work.more.items()}  # fmt: skip
    fields = {
        "author": _ascii(work.authors), "title": f"{{{_ascii(work.title)}}}",
        "year": str(work.year), _VENUES.get(work.kind, "howpublished"): _ascii(work.venue),
        **more, "doi": work.doi, "url": work.url,
    }  # fmt: skip
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{work.kind}{{{key},", *lines, "}", ""])


def _ascii(text: str) -> str:
    """Replace accents by LaTeX commands, since BibTeX sorts and abbreviates bytes."""
    found = ""
    for character in text:
        base, *marks = list(unicodedata.normalize("NFD", character))
        command = "".join(_ACCENTS[mark] for mark in marks)
        found += f"{{\\{command}{base}}}" if command else base
    return found.replace("&", r"\&")
