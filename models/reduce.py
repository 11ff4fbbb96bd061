"""Principal component analysis with no more components than rows and columns allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA


class BoundedPca(TransformerMixin, BaseEstimator):
    """PCA to at most ``n_components``, fewer if there are fewer rows or columns.

    Parameters
    ----------
    n_components : int
        Largest number of components.
    seed : int
        Random seed of the randomised solver.

    Attributes
    ----------
    pca_ : sklearn.decomposition.PCA
        The fitted transform; ``pca_.n_components_`` is the number used.

    References
    ----------
    Halko N, Martinsson PG, Tropp JA. Finding structure with randomness. SIAM Review
    2011;53:217-288. doi:10.1137/090771806
    """

    def __init__(self, n_components: int = 200, seed: int = 0) -> None:
        self.n_components = n_components
        self.seed = seed

    def fit(self, X: NDArray[np.floating], y: object = None) -> BoundedPca:
        """Fit the components.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Training rows.
        y : object, optional
            Ignored.

        Returns
        -------
        BoundedPca
            Itself.
        """
        k = min(self.n_components, X.shape[0] - 1, X.shape[1])
        self.pca_ = PCA(k, svd_solver="randomized", random_state=self.seed).fit(X)
        # In the memory order of a saved model: the last bit of a product depends on it.
        self.pca_.components_ = np.ascontiguousarray(self.pca_.components_)
        return self

    def transform(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        """Project rows onto the components.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Feature rows.

        Returns
        -------
        ndarray of shape (n, k)
        """
        return np.asarray(self.pca_.transform(X))
