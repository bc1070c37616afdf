"""Variables in MATLAB files (versions 4 to 7), as some concept sets keep their labels.

label_map = matlab_variable(root / "trainval/2008_000002.mat", "LabelMap")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dissection.readers.errors import ConceptSetError, MissingFileError


def matlab_variable(path: Path, name: str) -> NDArray[Any]:
    """One variable of a file: an array, or a structured one if it is a MATLAB struct.

    Raises:
        MissingFileError: no such file.
        ConceptSetError: no MATLAB file, a broken one, one of version 7.3, or one without that variable.
    """
    from scipy.io import loadmat  # slow to import, and few sets need it

    if not path.is_file():
        raise MissingFileError(f"{path}: no such MATLAB file")
    try:
        with path.open("rb") as file:
            found = loadmat(file, variable_names=[name])
    except NotImplementedError as error:
        raise ConceptSetError(f"{path}: is a MATLAB file of version 7.3; save it again with '-v7'") from error
    except Exception as error:  # what scipy's parser raises for broken bytes has no common type
        raise ConceptSetError(f"{path}: is no MATLAB file that can be read ({error})") from error
    if name not in found:
        raise ConceptSetError(f"{path}: has no variable {name!r}")
    return np.asarray(found[name])
