"""``python -m unrolled``."""

import sys

from . import main

sys.exit(main())
