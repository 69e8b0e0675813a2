from __future__ import annotations

import itertools

import pytest

from export.choice.additive_model import AdditiveModel, Cap, propose
from export.choice.layers import Types, combinations
from tests.export.choice.invented_files import layer

LAYERS = [layer("a"), layer("b"), layer("c", int4=False)]
MS = [{"int8": 1.0, "int4": 2.0, "float32": 3.0}, {"int8": 2.0, "int4": 1.5, "float32": 4.0}]
MS = [*MS, {"int8": 1.0, "float32": 2.0}]
KB = [{"int8": 10.0, "int4": 5.0, "float32": 40.0}, {"int8": 20.0, "int4": 10.0, "float32": 80.0}]
KB = [*KB, {"int8": 4.0, "float32": 16.0}]


def model(costs: list[dict[str, float]]) -> AdditiveModel:
    return AdditiveModel(LAYERS, costs, floor=0.01, noise=0.01)  # type: ignore[arg-type]


def total(costs: list[dict[str, float]], types: Types) -> float:
    return sum(cost[of] for cost, of in zip(costs, types, strict=True))


def test_costs_add_up() -> None:
    for types in combinations(LAYERS):
        assert model(MS).predict(types) == pytest.approx(total(MS, types))


@pytest.mark.parametrize("most", [17, 20, 25, 29, 34, 60, 100])
def test_the_proposal_is_the_optimum_within_the_limit(most: float) -> None:
    allowed = [types for types in combinations(LAYERS) if total(KB, types) <= most]
    found = propose(model(MS), [Cap(model(KB), most)], [])
    if not allowed:
        assert found is None
    else:
        assert found in allowed
        assert total(MS, found) == min(total(MS, types) for types in allowed)


def test_proposals_without_those_before_come_in_order_of_their_costs() -> None:
    tried: list[Types] = []
    while types := propose(model(MS), [], tried):
        tried.append(types)
    costs = [total(MS, types) for types in tried]
    assert sorted(tried) == sorted(combinations(LAYERS))  # without the one in floating point
    assert all(one <= other + 1e-9 for one, other in itertools.pairwise(costs))


def test_a_limit_that_cannot_be_kept_is_exceeded_by_as_little_as_possible() -> None:
    assert propose(model(MS), [Cap(model(KB), 12)], []) is None
    assert propose(model(MS), [Cap(model(KB), 12)], [], reach=True) == ("int4", "int4", "int8")


def test_tried_files_correct_the_costs() -> None:
    corrected = model(MS)
    types: Types = ("int4", "int8", "int8")
    corrected.observe(("int8", "int8", "int8"), 4.0)
    corrected.observe(types, 9.0)  # 5.0 were expected
    assert corrected.predict(types) == pytest.approx(9.0, rel=0.05)
    assert corrected.predict(("int4", "int4", "int8")) == pytest.approx(8.5, rel=0.05)
    assert corrected.predict(("int8", "int8", "int8")) == pytest.approx(4.0, rel=0.05)
