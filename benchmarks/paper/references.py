"""All works that a run may cite, in the report, the methods paragraph and the BibTeX file.

Author lists end in "others" where a paper has more than six. Works without a DOI have an address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from benchmarks.io.results import Results
from features import FEATURES
from features.preprocessing import PREPROCESSING
from models import MODELS, declaration
from models.combinations import COMBINATIONS


@dataclass(frozen=True)
class Reference:
    """One work.

    Attributes
    ----------
    kind : str
        BibTeX's entry type.
    authors : str
        "Family, Initials" joined by " and "; a final "others" means further authors.
    title : str
    year : int
    venue : str
        Journal, proceedings, book or publisher.
    doi, url : str
        One of the two.
    what : str
        What it is cited for.
    more : dict of str
        Further BibTeX fields: volume, pages, ….
    """

    kind: str
    authors: str
    title: str
    year: int
    venue: str
    what: str
    doi: str = ""
    url: str = ""
    more: dict[str, str] = field(default_factory=dict)


def _article(
    authors: str, title: str, year: int, venue: str, volume: str, pages: str, doi: str, what: str
) -> Reference:
    more = {"volume": volume, "pages": pages}
    return Reference("article", authors, title, year, venue, what, doi=doi, more=more)


def _paper(
    authors: str, title: str, year: int, venue: str, pages: str, doi: str, what: str
) -> Reference:
    more = {"pages": pages} if pages else {}
    return Reference("inproceedings", authors, title, year, venue, what, doi=doi, more=more)


_CVPR = "IEEE Conference on Computer Vision and Pattern Recognition"
_PAMI = "IEEE Transactions on Pattern Analysis and Machine Intelligence"
_BIOMETRICS = "Biometrics"
_JMLR = "Journal of Machine Learning Research"

DATA = {
    "kermany2018": _article(
        "Kermany, D. S. and Goldbaum, M. and Cai, W. and Valentim, C. C. S. and Liang, H. and "
        "Baxter, S. L. and others",
        "Identifying medical diagnoses and treatable diseases by image-based deep learning", 2018,
        "Cell", "172", "1122-1131", "10.1016/j.cell.2018.02.010", "Pediatric chest radiographs"),
    "kermany2018data": Reference(
        "misc", "Kermany, D. and Zhang, K. and Goldbaum, M.",
        "Labeled optical coherence tomography (OCT) and chest X-ray images for classification",
        2018, "Mendeley Data, V2", "The images", doi="10.17632/rscbjbr9sj.2"),
    "yang2023": _article(
        "Yang, J. and Shi, R. and Wei, D. and Liu, Z. and Zhao, L. and Ke, B. and others",
        "MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D biomedical image "
        "classification", 2023, "Scientific Data", "10", "41", "10.1038/s41597-022-01721-8",
        "MedMNIST"),
}  # fmt: skip
BACKBONES = {
    "sandler2018": _paper(
        "Sandler, M. and Howard, A. and Zhu, M. and Zhmoginov, A. and Chen, L.-C.",
        "MobileNetV2: inverted residuals and linear bottlenecks", 2018, _CVPR, "4510-4520",
        "10.1109/CVPR.2018.00474", "MobileNetV2"),
    "tan2019": Reference(
        "inproceedings", "Tan, M. and Le, Q. V.",
        "EfficientNet: rethinking model scaling for convolutional neural networks", 2019,
        "International Conference on Machine Learning, PMLR 97", "EfficientNet",
        doi="10.48550/arXiv.1905.11946", more={"pages": "6105-6114"}),
    "radenovic2019": _article(
        "Radenović, F. and Tolias, G. and Chum, O.",
        "Fine-tuning CNN image retrieval with no human annotation", 2019,
        "IEEE Transactions on Pattern Analysis and Machine Intelligence", "41", "1655-1668",
        "10.1109/TPAMI.2018.2846566", "Generalised-mean pooling"),
}  # fmt: skip
BALANCING = {
    "chawla2002": _article(
        "Chawla, N. V. and Bowyer, K. W. and Hall, L. O. and Kegelmeyer, W. P.",
        "SMOTE: synthetic minority over-sampling technique", 2002,
        "Journal of Artificial Intelligence Research", "16", "321-357", "10.1613/jair.953",
        "SMOTE"),
    "han2005": _paper(
        "Han, H. and Wang, W.-Y. and Mao, B.-H.",
        "Borderline-SMOTE: a new over-sampling method in imbalanced data sets learning", 2005,
        "Advances in Intelligent Computing, LNCS 3644", "878-887", "10.1007/11538059_91",
        "Borderline SMOTE"),
    "nguyen2011": _article(
        "Nguyen, H. M. and Cooper, E. W. and Kamei, K.",
        "Borderline over-sampling for imbalanced data classification", 2011,
        "International Journal of Knowledge Engineering and Soft Data Paradigms", "3", "4-21",
        "10.1504/IJKESDP.2011.039875", "SVM-SMOTE"),
    "he2008": _paper(
        "He, H. and Bai, Y. and Garcia, E. A. and Li, S.",
        "ADASYN: adaptive synthetic sampling approach for imbalanced learning", 2008,
        "IEEE International Joint Conference on Neural Networks", "1322-1328",
        "10.1109/IJCNN.2008.4633969", "ADASYN"),
}  # fmt: skip
STATISTICS = {
    "field2007": _article(
        "Field, C. A. and Welsh, A. H.", "Bootstrapping clustered data", 2007,
        "Journal of the Royal Statistical Society: Series B", "69", "369-390",
        "10.1111/j.1467-9868.2007.00593.x", "Bootstrap over patients"),
    "qin2008": _article(
        "Qin, G. and Hotilovac, L.",
        "Comparison of non-parametric confidence intervals for the area under the ROC curve of a "
        "continuous-scale diagnostic test", 2008, "Statistical Methods in Medical Research", "17",
        "207-221", "10.1177/0962280207087173", "intervals of the AUC"),
    "delong1988": _article(
        "DeLong, E. R. and DeLong, D. M. and Clarke-Pearson, D. L.",
        "Comparing the areas under two or more correlated receiver operating characteristic "
        "curves: a nonparametric approach", 1988, _BIOMETRICS, "44", "837-845", "10.2307/2531595",
        "DeLong's test of AUCs"),
    "obuchowski1997": _article(
        "Obuchowski, N. A.", "Nonparametric analysis of clustered ROC curve data", 1997,
        _BIOMETRICS, "53", "567-578", "10.2307/2533958", "DeLong's test for clustered data"),
    "mcnemar1947": _article(
        "McNemar, Q.",
        "Note on the sampling error of the difference between correlated proportions or "
        "percentages", 1947, "Psychometrika", "12", "153-157", "10.1007/BF02295996",
        "McNemar's test"),
    "durkalski2003": _article(
        "Durkalski, V. L. and Palesch, Y. Y. and Lipsitz, S. R. and Rust, P. F.",
        "Analysis of clustered matched-pair data", 2003, "Statistics in Medicine", "22",
        "2417-2428", "10.1002/sim.1438", "McNemar's test with several images per patient"),
    "wilson1927": _article(
        "Wilson, E. B.", "Probable inference, the law of succession, and statistical inference",
        1927, "Journal of the American Statistical Association", "22", "209-212",
        "10.1080/01621459.1927.10502953", "Interval of a proportion"),
    "rao1992": _article(
        "Rao, J. N. K. and Scott, A. J.", "A simple method for the analysis of clustered binary "
        "data", 1992, _BIOMETRICS, "48", "577-585", "10.2307/2532311",
        "Design effect of several images per patient"),
    "holm1979": Reference(
        "article", "Holm, S.", "A simple sequentially rejective multiple test procedure", 1979,
        "Scandinavian Journal of Statistics", "Correction for multiple comparisons",
        url="https://www.jstor.org/stable/4615733", more={"volume": "6", "pages": "65-70"}),
    "dunn1961": _article(
        "Dunn, O. J.", "Multiple comparisons among means", 1961,
        "Journal of the American Statistical Association", "56", "52-64",
        "10.1080/01621459.1961.10482090", "Correction of intervals for their number"),
    "schuirmann1987": _article(
        "Schuirmann, D. J.",
        "A comparison of the two one-sided tests procedure and the power approach for assessing "
        "the equivalence of average bioavailability", 1987,
        "Journal of Pharmacokinetics and Biopharmaceutics", "15", "657-680", "10.1007/BF01068419",
        "Equivalence within a margin"),
    "spearman1904": _article(
        "Spearman, C.", "The proof and measurement of association between two things", 1904,
        "The American Journal of Psychology", "15", "72-101", "10.2307/1412159",
        "Rank correlation"),
    "gosset1908": _article(
        "Gosset, W. S.", "The probable error of a mean", 1908, "Biometrika", "6", "1-25",
        "10.1093/biomet/6.1.1", "Student's t, for the spread between repetitions of a study"),
    "hanley1982": _article(
        "Hanley, J. A. and McNeil, B. J.",
        "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
        1982, "Radiology", "143", "29-36", "10.1148/radiology.143.1.7063747",
        "Expected width of the interval of an AUC"),
    "riley2021": _article(
        "Riley, R. D. and Debray, T. P. A. and Collins, G. S. and Archer, L. and Ensor, J. and "
        "van Smeden, M. and others",
        "Minimum sample size for external validation of a clinical prediction model with a binary "
        "outcome", 2021, "Statistics in Medicine", "40", "4230-4251", "10.1002/sim.9025",
        "Sample size by the width of intervals"),
    "hsu1981": _article(
        "Hsu, J. C.", "Simultaneous confidence intervals for all distances from the \"best\"", 1981,
        "The Annals of Statistics", "9", "1026-1034", "10.1214/aos/1176345523",
        "Multiple comparisons with the best"),
    "murphy1973": _article(
        "Murphy, A. H.", "A new vector partition of the probability score", 1973,
        "Journal of Applied Meteorology", "12", "595-600",
        "10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2", "Decomposition of the Brier score"),
    "zadrozny2002": _paper(
        "Zadrozny, B. and Elkan, C.",
        "Transforming classifier scores into accurate multiclass probability estimates", 2002,
        "ACM SIGKDD International Conference on Knowledge Discovery and Data Mining", "694-699",
        "10.1145/775047.775151", "Isotonic calibration"),
    "vickers2006": _article(
        "Vickers, A. J. and Elkin, E. B.",
        "Decision curve analysis: a novel method for evaluating prediction models", 2006,
        "Medical Decision Making", "26", "565-574", "10.1177/0272989X06295361",
        "Decision curves"),
    "lundberg2017": _paper(
        "Lundberg, S. M. and Lee, S.-I.", "A unified approach to interpreting model predictions",
        2017, "Advances in Neural Information Processing Systems 30", "4765-4774",
        "10.48550/arXiv.1705.07874", "SHAP"),
    "lundberg2020": _article(
        "Lundberg, S. M. and Erion, G. and Chen, H. and DeGrave, A. and Prutkin, J. M. and "
        "Nair, B. and others",
        "From local explanations to global understanding with explainable AI for trees", 2020,
        "Nature Machine Intelligence", "2", "56-67", "10.1038/s42256-019-0138-9",
        "SHAP values of trees"),
    "strobl2007": _article(
        "Strobl, C. and Boulesteix, A.-L. and Zeileis, A. and Hothorn, T.",
        "Bias in random forest variable importance measures: illustrations, sources and a solution",
        2007, "BMC Bioinformatics", "8", "25", "10.1186/1471-2105-8-25",
        "Bias of impurity and gain importances"),
}  # fmt: skip
SOFTWARE = {
    "pedregosa2011": Reference(
        "article",
        "Pedregosa, F. and Varoquaux, G. and Gramfort, A. and Michel, V. and Thirion, B. and "
        "Grisel, O. and others",
        "Scikit-learn: machine learning in Python", 2011, _JMLR, "scikit-learn",
        url="https://www.jmlr.org/papers/v12/pedregosa11a.html",
        more={"volume": "12", "pages": "2825-2830"}),
    "lemaitre2017": Reference(
        "article", "Lemaître, G. and Nogueira, F. and Aridas, C. K.",
        "Imbalanced-learn: a Python toolbox to tackle the curse of imbalanced datasets in machine "
        "learning", 2017, _JMLR, "imbalanced-learn",
        url="https://www.jmlr.org/papers/v18/16-365.html", more={"volume": "18", "pages": "1-5"}),
    "vanderwalt2014": _article(
        "van der Walt, S. and Schönberger, J. L. and Nunez-Iglesias, J. and Boulogne, F. and "
        "Warner, J. D. and Yager, N. and others",
        "scikit-image: image processing in Python", 2014, "PeerJ", "2", "e453",
        "10.7717/peerj.453", "scikit-image, the reference for these features"),
    "lam2015": _paper(
        "Lam, S. K. and Pitrou, A. and Seibert, S.", "Numba: a LLVM-based Python JIT compiler",
        2015, "Second Workshop on the LLVM Compiler Infrastructure in HPC", "1-6",
        "10.1145/2833157.2833162", "Numba"),
    "paszke2019": _paper(
        "Paszke, A. and Gross, S. and Massa, F. and Lerer, A. and Bradbury, J. and Chanan, G. and "
        "others",
        "PyTorch: an imperative style, high-performance deep learning library", 2019,
        "Advances in Neural Information Processing Systems 32", "8024-8035",
        "10.48550/arXiv.1912.01703", "PyTorch"),
    "wightman2019": Reference(
        "misc", "Wightman, R.", "PyTorch image models", 2019, "GitHub", "timm",
        doi="10.5281/zenodo.4414861"),
}  # fmt: skip
REPORTING = {
    "collins2024": _article(
        "Collins, G. S. and Moons, K. G. M. and Dhiman, P. and Riley, R. D. and Beam, A. L. and "
        "Van Calster, B. and others",
        "TRIPOD+AI statement: updated guidance for reporting clinical prediction models that use "
        "regression or machine learning methods", 2024, "BMJ", "385", "e078378",
        "10.1136/bmj-2023-078378", "Checklist for prediction models"),
    "tejani2024": _article(
        "Tejani, A. S. and Klontzas, M. E. and Gatti, A. A. and Mongan, J. T. and Moy, L. and "
        "Park, S. H. and others",
        "Checklist for artificial intelligence in medical imaging (CLAIM): 2024 update", 2024,
        "Radiology: Artificial Intelligence", "6", "e240300", "10.1148/ryai.240300",
        "Checklist for AI in medical imaging"),
}  # fmt: skip


def is_cited(results: Results, key: str) -> bool:
    """Whether the citation of the run's data names a work of ``DATA`` by its DOI.

    Only data that the program recognises have a citation.

    Parameters
    ----------
    results : Results
    key : str
        Key of ``DATA``.

    Returns
    -------
    bool
    """
    return DATA[key].doi in str(results.run.get("data", {}).get("citation", ""))


def references() -> dict[str, Reference]:
    """All works by key, with those that feature families and classifiers declare.

    Returns
    -------
    dict of Reference
        In the order of a reference list: data, features, classifiers, …
    """
    features = ((kind.references, kind.description or kind.title) for kind in FEATURES.values())
    steps = ((kind.references, "Preprocessing") for kind in PREPROCESSING.values())
    models = [(declaration(name).references, declaration(name).title) for name in MODELS]
    models += [(one.references, one.title) for one in COMBINATIONS.values()]
    return {
        **DATA, **_declared(steps), **_declared(features), **BACKBONES, **_declared(models),
        **BALANCING, **STATISTICS, **SOFTWARE, **REPORTING,
    }  # fmt: skip


def _declared(
    declarations: Iterable[tuple[Mapping[str, Mapping[str, Any]], str]],
) -> dict[str, Reference]:
    """Collect declared works; by default, ``what`` is the title of what cites it."""
    own = {field.name for field in fields(Reference)}
    found = {}
    for works, what in declarations:
        for key, work in works.items():
            more = {name: value for name, value in work.items() if name not in own}
            known = {name: work[name] for name in own & set(work)}
            found[key] = Reference(**{"what": what[:1].upper() + what[1:], **known}, more=more)
    return found
