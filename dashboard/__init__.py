"""Pages that people look at: what analytics/ answers, as tables and figures that a server makes and charts that a browser draws.

It asks reports, funnels and paths, and holds no query of its own. `pages.py` declares what stands where.
"""

from typing import Final

PORT: Final = 8090
"""Where `nextclick dashboard` listens if nobody says."""
