"""Monitor: order of calls, repeated calls, updates, one writer, mistakes in one line."""

from __future__ import annotations

import copy
import os
import pickle
import threading

import numpy as np
import pytest

from sport_ray.bounds import alarm_at, anytime_bound
from sport_ray.deploy.monitoring import Monitor, read_log, report
from sport_ray.errors import UserError


def run(monitor: Monitor, verdicts) -> None:
    for violated in verdicts:
        monitor.begin()
        monitor.record(violated)


def test_the_prior_is_its_start_and_verdicts_take_over(path, promise):
    with Monitor(path, promise, beta=0.01, false_alarm=1e-4) as monitor:
        first = monitor.report()
        assert (first.num_episodes, first.promised, first.bound) == (0, 0.1, 0.1)
        assert first.bound_beta == pytest.approx(0.01 + 1e-7)
        assert first.anytime == 1.0
        run(monitor, [False] * 20)
        assert monitor.report().bound == 0.1  # still the promise
        run(monitor, [False] * 300)
        run(monitor, [True])
        found = monitor.report()
    assert found.anytime == anytime_bound(321, 1, 0.01)
    assert found.bound == found.anytime < 0.1
    assert found.alarm is None


def test_unknown_is_a_violation_for_the_bound_and_none_for_the_alarm(path, promise):
    with Monitor(path, promise, beta=0.01, false_alarm=1e-4) as monitor:
        run(monitor, [None] * 30)
        found = monitor.report()
        assert found.num_unknown == 30
        assert found.anytime == 1.0
        assert found.alarm is None
        run(monitor, [True] * 30)
        found = monitor.report()
    verdicts = [False] * 30 + [True] * 30
    assert found.alarm == alarm_at(verdicts, 0.1, 1e-4)
    assert found.alarm > 30
    assert found.bound == found.anytime  # the promise is refuted: it counts no more
    assert found.bound_beta == 0.01


def test_the_alarm_stays_and_is_found_again(path, promise):
    rng = np.random.default_rng(0)
    verdicts = [*(rng.random(60) < 0.5).tolist(), *[False] * 200]
    alarms = []
    with Monitor(path, promise) as monitor:
        for violated in verdicts:
            run(monitor, [violated])
            alarms.append(monitor.alarm)
    first = alarm_at(verdicts, 0.1, 1e-6)
    assert alarms == [None] * (first - 1) + [first] * (len(verdicts) - first + 1)
    with Monitor(path) as monitor:
        assert monitor.alarm == first
    assert report(read_log(path)).alarm == first


def test_order_of_calls(path, promise):
    with Monitor(path, promise) as monitor:
        with pytest.raises(UserError, match=r"^episode 1 has not begun: begin\(\) comes before"):
            monitor.record(False)
        assert monitor.begin() == 1
        assert monitor.running == 1
        with pytest.raises(UserError, match=r"^episode 1 has no verdict yet"):
            monitor.begin()
        with pytest.raises(UserError, match=r"^episode 1 is running"):
            monitor.update(promise)
        for wrong in (0, 1, "no", 0.0, [], np.int64(1)):
            with pytest.raises(UserError, match=r"^violated must be True, False or None"):
                monitor.record(wrong)
        monitor.record(np.bool_(True))
        assert monitor.running is None
        assert monitor.begin() == 2
        assert monitor.history.verdict(1) == "violated"


def test_a_call_may_be_repeated(path, promise):
    with Monitor(path, promise) as monitor:
        number = monitor.begin()
        for _ in range(3):
            monitor.record(True, episode=number)
        assert monitor.report().num_violations == 1
        with pytest.raises(UserError, match=r"^episode 1 was recorded as violated, which stays"):
            monitor.record(False, episode=1)
        for other in (0, 3, -1):
            with pytest.raises(UserError, match="cannot be recorded: episode 2 is next"):
                monitor.record(True, episode=other)
        with pytest.raises(UserError, match=r"^episode 2 has not begun"):
            monitor.record(True, episode=2)


def test_whoever_is_killed_in_an_episode_finds_it_running(path, promise):
    with Monitor(path, promise) as monitor:
        run(monitor, [False])
        monitor.begin()
    better = promise.model_copy(update={"bound": 0.05})
    with Monitor(path, better) as monitor:  # and something else acts from now on
        assert monitor.running == 2
        monitor.record(None)
        run(monitor, [False])
        history = monitor.history
    assert history.promised().tolist() == [0.1, 0.1, 0.05]
    assert report(history).promised == pytest.approx(0.25 / 3)


def test_updates_are_in_the_log(path, promise):
    other = promise.model_copy(update={"bundle": "c" * 64})
    new = promise.model_copy(update={"bound": 0.3, "rests_on": "certificate b", "beta": 1e-3})
    with Monitor(path, promise, beta=0.01) as monitor:
        run(monitor, [False] * 2)
        monitor.update(promise)
        assert monitor.report().num_updates == 0  # the same one
        monitor.update(other)
        assert monitor.report().prior_beta == 1e-7  # another policy, the same certificate
        run(monitor, [False] * 2)
        monitor.update(new)
        run(monitor, [False])
        found = monitor.report()
    assert found.num_updates == 2
    assert found.prior_beta == pytest.approx(1e-3 + 1e-7)
    assert found.bound_beta == pytest.approx(0.01 + 1e-3 + 1e-7)
    assert found.promised == pytest.approx((4 * 0.1 + 0.3) / 5)
    assert found.promised >= (4 * 0.1 + 0.3) / 5
    with Monitor(path, other) as monitor:
        assert monitor.report().num_updates == 3


@pytest.mark.parametrize("name", ["env_id", "property"])
def test_another_question_needs_another_log(path, promise, name):
    other = promise.model_copy(update={name: "something else"})
    with Monitor(path, promise) as monitor:
        with pytest.raises(UserError, match=f"is about the {name} .* begin another log"):
            monitor.update(other)
        run(monitor, [False])
    with pytest.raises(UserError, match=f"is about the {name}"):
        Monitor(path, other)
    Monitor(path).close()  # was let go


def test_levels_are_fixed_when_it_is_made(path, promise):
    for name in ("beta", "false_alarm"):
        for wrong in (0.0, 1.0, -1.0, float("nan"), "0.1"):
            with pytest.raises(UserError, match=f"^{name} must"):
                Monitor(path, promise, **{name: wrong})
    assert not path.exists()
    with pytest.raises(UserError, match="is new: say which bundle acts"):
        Monitor(path)
    Monitor(path, promise, beta=0.01).close()
    with pytest.raises(UserError, match=r"was made with beta 0.01, not 0.05"):
        Monitor(path, beta=0.05)
    with pytest.raises(UserError, match=r"was made with false_alarm 1e-06, not 0.1"):
        Monitor(path, promise, false_alarm=0.1)
    Monitor(path, promise, beta=0.01, false_alarm=1e-6).close()


def test_one_writer(path, promise):
    with Monitor(path, promise) as monitor:
        with pytest.raises(UserError, match="is open already, here or in another process"):
            Monitor(path, promise)
        run(monitor, [True])
        assert read_log(path).num_episodes == 1  # others may read
        child = os.fork()
        if child == 0:
            status = 1
            try:
                monitor.begin()
            except UserError as error:
                status = 0 if "belongs to process" in str(error) else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        run(monitor, [False])
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot be copied or pickled"):
                attempt(monitor)
    Monitor(path).close()


def test_a_child_that_lives_on_does_not_hold_the_lock(path, promise):
    """A forked process has all open files of its parent, and may outlive the monitor."""
    monitor = Monitor(path, promise)
    waiting, closed = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(closed)
        os.read(waiting, 1)
        os._exit(0)
    try:
        monitor.close()
        Monitor(path).close()
    finally:
        os.close(closed)
        os.waitpid(child, 0)


def test_threads_take_turns(path, promise):
    with Monitor(path, promise) as monitor:
        lock = threading.Lock()

        def work() -> None:
            for _ in range(20):
                with lock:
                    monitor.begin()
                monitor.report()
                with lock:
                    if monitor.running:
                        monitor.record(False)

        def look() -> None:
            for _ in range(30):
                found = monitor.report()
                assert found.digest == monitor.digest or found.num_episodes <= monitor.num_episodes

        threads = [threading.Thread(target=work), threading.Thread(target=look)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert monitor.num_episodes == 20


def test_after_close_nothing_is_written(path, promise):
    monitor = Monitor(path, promise)
    run(monitor, [True])
    digest = monitor.close()
    with pytest.raises(UserError, match="was closed"):
        monitor.begin()
    assert read_log(path).digest == digest
    with Monitor(path) as again:
        run(again, [False])
    with pytest.raises(UserError, match="was closed"):
        monitor.begin()
    assert monitor.close() == digest
