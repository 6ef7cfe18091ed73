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


def test_a_test_of_no_case_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="no case"):
        in_one_test([])
