"""``python -m vpd_mm.compat``: the tables of tools/check_env.py."""

import sys

from .environment import main

sys.exit(main())
