"""The generators and judges of `trust` are found by the tests here as by `run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
