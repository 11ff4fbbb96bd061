"""Where the data and the methods come from."""

from __future__ import annotations

from benchmarks.report.base import Block, Bullets, Link, Part, Section, Subheading, paragraph
from benchmarks.results import Results

REFERENCES = (
    ("hog", "Histograms of oriented gradients",
     "Dalal N, Triggs B. Histograms of oriented gradients for human detection. CVPR 2005.",
     "10.1109/CVPR.2005.177"),
    ("lbp", "Local binary patterns",
     "Ojala T, Pietikäinen M, Mäenpää T. Multiresolution gray-scale and rotation invariant "
     "texture classification with local binary patterns. IEEE TPAMI 2002.",
     "10.1109/TPAMI.2002.1017623"),
    ("glcm", "Grey-level co-occurrence",
     "Haralick RM, Shanmugam K, Dinstein I. Textural features for image classification. "
     "IEEE Trans SMC 1973.", "10.1109/TSMC.1973.4309314"),
    ("svm", "Support vector machine",
     "Cortes C, Vapnik V. Support-vector networks. Machine Learning 1995.", "10.1007/BF00994018"),
    ("forest", "Random forest", "Breiman L. Random forests. Machine Learning 2001.",
     "10.1023/A:1010933404324"),
    ("xgboost", "Gradient boosting",
     "Chen T, Guestrin C. XGBoost: a scalable tree boosting system. KDD 2016.",
     "10.1145/2939672.2939785"),
    ("smote", "SMOTE",
     "Chawla NV, Bowyer KW, Hall LO, Kegelmeyer WP. SMOTE: synthetic minority over-sampling "
     "technique. JAIR 2002.", "10.1613/jair.953"),
    ("mobilenetv2", "MobileNetV2",
     "Sandler M, Howard A, Zhu M, Zhmoginov A, Chen LC. MobileNetV2: inverted residuals and "
     "linear bottlenecks. CVPR 2018.", "10.1109/CVPR.2018.00474"),
    ("kermany", "Pediatric chest radiographs",
     "Kermany DS, Goldbaum M, Cai W, et al. Identifying medical diagnoses and treatable diseases "
     "by image-based deep learning. Cell 2018.", "10.1016/j.cell.2018.02.010"),
)  # fmt: skip


def render(results: Results) -> Section:
    """Cite the data with its licence, and the methods."""
    data = results.run.get("data", {})
    blocks: list[Block] = [
        Subheading("Data"),
        paragraph(
            f"{data.get('name', 'Unnamed data')}. "
            f"Citation: {data.get('citation') or 'none was recorded'} "
            f"Licence: {data.get('licence') or 'none was recorded'}"
        ),
        Subheading("Methods"),
        Bullets(tuple(_reference(*one[1:]) for one in REFERENCES)),
    ]
    return Section("Sources and licence", tuple(blocks))


def _reference(method: str, text: str, doi: str) -> tuple[Part, ...]:
    return (f"{method}: {text} ", Link(f"doi:{doi}", f"https://doi.org/{doi}"))
