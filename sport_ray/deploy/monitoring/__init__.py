"""The field's verdicts against what was promised: one small file a robot, any-time bounds.

    monitor = Monitor("monitor.jsonl", "bundle")
    monitor.begin()                # the episode counts from here on
    ...
    monitor.record(violated)       # on the disk when it returns
    print(monitor.report())

promise.py   what is promised of an episode, and on which certificate that rests
history.py   verdicts and promises in order, and the chain of digests over them
log.py       the file: durable lines, one writer, read as foreign text
monitor.py   Monitor: begin, record, update
report.py    bounds and alarm, of one log or of several robots
course.py    the same over the episodes, for a plot
"""

from sport_ray.deploy.monitoring.course import Course, course
from sport_ray.deploy.monitoring.history import History
from sport_ray.deploy.monitoring.log import Damaged, read_log
from sport_ray.deploy.monitoring.monitor import Monitor
from sport_ray.deploy.monitoring.promise import Promise, base_promise, promise_in
from sport_ray.deploy.monitoring.report import FleetReport, MonitorReport, fleet, report

__all__ = [
    "Course",
    "Damaged",
    "FleetReport",
    "History",
    "Monitor",
    "MonitorReport",
    "Promise",
    "base_promise",
    "course",
    "fleet",
    "promise_in",
    "read_log",
    "report",
]
