"""SciPy's windows. They come with fifty megabytes, which a gateway that is sent tensors has no use for."""

import numpy as np
from numpy.typing import NDArray


def window(name: str, length: int) -> NDArray[np.float64]:
    """A periodic window of that many samples, by SciPy's name for it; loads `scipy.signal` the first time."""
    from scipy.signal import get_window  # noqa: PLC0415

    made: NDArray[np.float64] = get_window(name, length)
    return made
