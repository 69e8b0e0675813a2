from __future__ import annotations

import numpy as np

from cnn_keras.data.loading.share import WHOLE, Share


def test_shares_make_up_the_batch() -> None:
    batch = np.arange(12)
    parts = [batch[Share(process, 3).rows(12)] for process in range(3)]
    assert [len(part) for part in parts] == [Share(0, 3).size(12)] * 3
    np.testing.assert_array_equal(np.concatenate(parts), batch)
    np.testing.assert_array_equal(batch[WHOLE.rows(12)], batch)
