"""How many examples a law is tried on: 200, or 2,000 with PILOTFISH_LAWS=long."""

import os

from hypothesis import settings

settings.register_profile("ci", max_examples=200, deadline=None)
settings.register_profile("long", max_examples=2000, deadline=None)
settings.load_profile("long" if os.environ.get("PILOTFISH_LAWS") == "long" else "ci")
