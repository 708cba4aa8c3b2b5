"""`python -m pleiades_core.simulator`: the child process that `start_subprocess` starts. People use
`pleiades simulator`. Does not belong here: serving (server.py).
"""

from __future__ import annotations

from pleiades_core.simulator.server import main

main()
