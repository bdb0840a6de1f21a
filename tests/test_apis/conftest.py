"""Make ``tests/media.py`` importable."""

import sys
from pathlib import Path

if str(Path(__file__).parents[1]) not in sys.path:
    sys.path.append(str(Path(__file__).parents[1]))
