"""What a stage works in: of an object store a copy, also where somebody has no more patience."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sport_ray.experiments.cli.at_work import at_work
from sport_ray.experiments.cluster.signals import Terminated
from sport_ray.experiments.stages.context import Interrupted
from sport_ray.experiments.storage.driver import DriverCopy
from sport_ray.experiments.storage.lease import Lease
from sport_ray.experiments.storage.objects import Objects
from sport_ray.experiments.storage.place import Place
from tests.experiments.cli.test_changed import STUDY
from tests.experiments.storage.conftest import place, proxy, s3_server

__all__ = ["place", "proxy", "s3_server"]


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_who_stops_the_last_sending_is_told_how_to_go_on(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any, status: int
) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(STUDY))

    finish = DriverCopy.finish

    def stopped(self: DriverCopy, within: float) -> int:
        finish(self, 0.0)
        raise error

    monkeypatch.setattr(DriverCopy, "finish", stopped)
    with (
        pytest.raises(Interrupted, match=rf"Resume with: sport-ray sweep .*--results {place}") as e,
        at_work("sweep", study, Path(str(place)), work_dir=tmp_path / "here"),
    ):
        pass
    assert e.value.exit_status == status
    another = Lease(Objects(place))
    another.take()  # it has let go
    another.release()
