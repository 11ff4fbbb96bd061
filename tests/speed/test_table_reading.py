from __future__ import annotations

from pathlib import Path

from benchmarks.speed.table_reading import made_table, measure_reading, write_files


def test_stages_of_reading_a_table_are_timed(tmp_path: Path) -> None:
    table = made_table(1500)
    assert table["Image Index"].is_unique
    table.to_csv(tmp_path / "labels.csv.gz", index=False)
    write_files(table["Image Index"].tolist(), tmp_path)
    result = measure_reading(tmp_path / "labels.csv.gz", tmp_path)
    labels = table["Finding Labels"]
    positive, negative = labels.str.contains("Pneumonia").sum(), (labels == "No Finding").sum()
    assert result["rows"][:3].tolist() == [1500, positive + negative, 1500]
    assert (result["seconds"] > 0).all()
