"""``python -m devstral_ls.engine.daemon``: the daemon's process, started by ``engine.rendezvous``."""

import sys

from devstral_ls.engine.daemon.lifecycle import main

if __name__ == "__main__":
    sys.exit(main())
