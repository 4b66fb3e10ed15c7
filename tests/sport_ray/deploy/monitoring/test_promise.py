"""What a monitor takes a bundle's promise to rest on, where data chose its limit."""

from __future__ import annotations

import pytest

from sport_ray.deploy import Monitor, base_promise, read_bundle, update_bundle
from sport_ray.deploy.export import write_bundle
from sport_ray.deploy.monitoring import promise_in
from sport_ray.errors import UserError


def test_a_list_is_a_claim_of_its_own(listed, export_of, certified, tmp_path):
    """Its β adds to the certificate's, its promise is of its policy alone."""
    write_bundle(tmp_path / "prior", export_of("ratio"))
    write_bundle(tmp_path / "listed", listed(beta=2e-3))
    prior, chosen = promise_in(tmp_path / "prior"), promise_in(tmp_path / "listed")
    assert (chosen.bound, chosen.beta) == (0.1, 2e-3)
    assert chosen.rests_on != prior.rests_on
    with Monitor(tmp_path / "log.jsonl", tmp_path / "prior") as monitor:
        monitor.update(tmp_path / "listed")
        assert monitor.report().prior_beta == pytest.approx(prior.beta + 2e-3)
        monitor.update(tmp_path / "prior")
        assert monitor.report().prior_beta == pytest.approx(prior.beta + 2e-3)
    own = base_promise(read_bundle(tmp_path / "listed"))  # the base is certified, not listed
    assert own.rests_on == prior.rests_on
    assert own.beta == prior.beta
    with pytest.raises(UserError, match="whose limit was chosen from data"):
        update_bundle(tmp_path / "new", tmp_path / "listed", certified / "task")
