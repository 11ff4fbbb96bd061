"""Classifiers of the plain script: scikit-learn, imbalanced-learn, XGBoost, common settings."""

from __future__ import annotations

from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline, make_pipeline
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

COMPONENTS = 200


def classifiers(rows: int, columns: int, seed: int = 0) -> dict[str, Pipeline]:
    """Build unfitted pipelines that use all cores where the library can.

    Parameters
    ----------
    rows, columns : int
        Of the training matrix; they limit the 200 components of the PCA.
    seed : int

    Returns
    -------
    dict of Pipeline
        By name.
    """
    components = min(COMPONENTS, rows - 1, columns)
    machine = make_pipeline(SMOTE(random_state=seed), SVC())
    return {
        "svm": make_pipeline(
            StandardScaler(),
            PCA(components, random_state=seed),
            CalibratedClassifierCV(machine, ensemble=False),
        ),
        "forest": make_pipeline(
            SMOTE(random_state=seed), RandomForestClassifier(300, n_jobs=-1, random_state=seed)
        ),
        "xgboost": make_pipeline(
            SMOTE(random_state=seed),
            XGBClassifier(n_estimators=300, max_depth=5, n_jobs=-1, random_state=seed),
        ),
        "logistic": make_pipeline(
            StandardScaler(), SMOTE(random_state=seed), LogisticRegression(max_iter=1000)
        ),
    }
