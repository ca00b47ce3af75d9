"""Pages that people look at: what analytics/ answers, as tables and figures that a server makes and charts that a browser draws.

It asks reports, funnels and paths, and holds no query of its own. `pages.py` declares what stands where.
"""
