from __future__ import annotations

import pytest

from cnn_keras.data.loading.options import Loading
from cnn_keras.errors import UsageError


def test_a_negative_number_of_workers_is_refused() -> None:
    assert Loading(workers=0).workers == 0
    with pytest.raises(UsageError, match="--workers must be 0 or more, not -1"):
        Loading(workers=-1)
