"""Which Airflow the live tests run under."""

from __future__ import annotations

import os

__all__ = ("AIRFLOW_VERSION",)

# Another version with pins is run by hand: OUTBOARD_LIVE_AIRFLOW=3.4.0b2 python -m pytest tests/live/test_deployment.py
AIRFLOW_VERSION = os.environ.get("OUTBOARD_LIVE_AIRFLOW", "3.3.2")
