from __future__ import annotations

import pandas as pd

from benchmarks.datasets.tables.ages import years
from features.reading.dicom_fields import age_in_years


def test_tables_and_dicom_headers_give_the_same_ages() -> None:
    texts = ["058Y", "018M", "003W", "010D", "7"]
    assert years(pd.Series(texts)).tolist() == [age_in_years(text) for text in texts]
