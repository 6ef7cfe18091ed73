"""Cases that are one test: each is tried, and each that fails is named."""

from __future__ import annotations

import pytest

from tests.in_one_test import in_one_test


def test_every_case_is_tried_and_each_that_fails_is_named() -> None:
    tried = []

    @in_one_test({"one": (1,), "two": (2,), "three": (3,)})
    def rows(number: int) -> None:
        tried.append(number)
        assert number == 2

    with pytest.raises(BaseExceptionGroup, match="2 of 3 cases") as raised:
        rows()
    assert tried == [1, 2, 3]
    assert [failure.__notes__ for failure in raised.value.exceptions] == [["case: 'one'"], ["case: 'three'"]]


def test_rows_without_a_name_are_their_own() -> None:
    @in_one_test([(1, 2), (1, 1)])
    def equal(left: int, right: int) -> None:
        if left != right:
            pytest.fail("they differ")

    with pytest.raises(BaseExceptionGroup) as raised:
        equal()
    assert raised.value.exceptions[0].__notes__ == ["case: (1, 2)"]


def test_columns_are_combined() -> None:
    tried = set()
    in_one_test(left="ab", right=[1, 2])(lambda left, right: tried.add((left, right)))()
    assert tried == {("a", 1), ("a", 2), ("b", 1), ("b", 2)}


def test_a_test_of_no_case_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="no case"):
        in_one_test([])
