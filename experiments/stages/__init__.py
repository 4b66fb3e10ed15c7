"""The stages of a study: base, certify, tune, sweep, report, and all in one."""
