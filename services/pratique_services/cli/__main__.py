"""`python -m pratique_services.cli` is `pratique`."""

import sys

from pratique_services.cli.main import main

sys.exit(main())
