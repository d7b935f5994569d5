"""Patching key by key, for every pair of objects."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from menagerie.personas.load import merge

NESTED = st.recursive(
    st.integers() | st.none(), lambda inner: st.dictionaries(st.sampled_from("abcd"), inner), max_leaves=8
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), NESTED)


@given(OBJECTS, OBJECTS)
def test_a_patch_wins_wherever_it_says_something_and_changes_nothing_else(
    base: dict[str, Any], patch: dict[str, Any]
) -> None:
    before = json.dumps([base, patch])
    merged: Any = merge(base, patch)
    for key in base.keys() | patch.keys():
        if key not in patch:
            assert merged[key] == base[key]
        elif key not in base:
            assert merged[key] == patch[key]
        else:
            assert merged[key] == merge(base[key], patch[key])
    assert json.dumps([base, patch]) == before


@given(OBJECTS)
def test_patching_with_nothing_or_with_the_same_again_changes_nothing(base: dict[str, Any]) -> None:
    assert merge(base, {}) == merge({}, base) == merge(base, base) == base


SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "a": st.integers(),
        "b": st.fixed_dictionaries({}, optional={"en": st.integers(), "fr": st.integers()}),
        "c": st.fixed_dictionaries({}, optional={"x": st.booleans(), "y": st.booleans()}),
    },
)


@given(SHAPED, SHAPED, SHAPED)
def test_patches_of_one_shape_can_be_joined_before_they_are_laid_on(
    base: object, first: object, second: object
) -> None:
    assert merge(merge(base, first), second) == merge(base, merge(first, second))
