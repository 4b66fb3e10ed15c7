"""Evidence cannot be changed once a promise rests on it."""

from __future__ import annotations

import dataclasses

import pytest


def test_evidence_is_frozen(evidence):
    with pytest.raises(dataclasses.FrozenInstanceError):
        evidence.eps_base = 0.0


def test_equal_evidence_is_equal_and_may_be_a_key(evidence):
    assert len({evidence, dataclasses.replace(evidence)}) == 1
    assert dataclasses.replace(evidence, beta=1e-3) != evidence
