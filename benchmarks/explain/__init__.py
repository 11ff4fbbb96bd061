"""Explain one image: why the fitted cells of a run score it as they do, as one page."""
