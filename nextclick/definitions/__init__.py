"""What each figure means, once: its sentence with the edges, its unit, and over what it may be added up.

Pure, and below everybody: transforms, reports, docs/analytics.md, tooltips and views take it from here.
"""
