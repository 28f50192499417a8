"""What is handed to a worker arrives as it was."""

from __future__ import annotations

import json

from stein.server.plan import Plan
from stein.server.settings import Settings


def test_a_plan_survives_the_way_through_json() -> None:
    settings = Settings(bind=("127.0.0.1:1", "unix:/x"), threads=3, sni=("a=b",), certfile="c")
    plan = Plan(settings, "shop:app", "/srv", ("stein", "serve"), {"A": "1", "B": None})
    assert Plan.from_message(json.loads(json.dumps(plan.as_message()))) == plan
