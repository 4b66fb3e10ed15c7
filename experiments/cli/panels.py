"""The groups of commands that ``sport-ray --help`` shows, in its order."""

from __future__ import annotations

STUDY = "A study, from its base to its report"
BEFORE = "Before anything is trained"
CERTIFICATES = "Certificates"
RESULTS = "Results"
DEPLOYED = "Deployed policies"
