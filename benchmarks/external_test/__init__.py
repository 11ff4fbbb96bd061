"""Other data sets that the fitted cells of a run score: read, audit, score, compare."""
