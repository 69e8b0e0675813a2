import pytest

from export.report.confusion import cells, most_frequent

MATRIX = [[8, 2, 0], [1, 9, 0], [0, 0, 0]]


def test_cells_are_colored_by_the_share_of_their_row() -> None:
    first, second, empty = cells(MATRIX)
    assert [cell.kind for cell in first] == ["right", "wrong", "none"]
    assert [cell.kind for cell in second] == ["wrong", "right", "none"]
    assert first[0].share == 0.8
    assert first[1].share == pytest.approx(0.2**0.5)
    assert {cell.kind for cell in empty} == {"none"}


def test_most_frequent_errors_come_first_and_equal_ones_in_order_of_classes() -> None:
    names = ["a", "b", "c"]
    assert most_frequent(MATRIX, names, 5) == [
        "a predicted as b: 2 of 10",
        "b predicted as a: 1 of 10",
    ]
    assert most_frequent(MATRIX, names, 1) == ["a predicted as b: 2 of 10"]
    assert most_frequent([[0, 1], [1, 0]], names, 2) == [
        "a predicted as b: 1 of 1",
        "b predicted as a: 1 of 1",
    ]
    assert most_frequent([[3, 0], [0, 4]], names, 5) == []
