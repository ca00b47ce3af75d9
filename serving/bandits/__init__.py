"""Bandits: which of several arms (banners, items of an exploration slot) to show, learned from what was clicked.

    served + impression + click in silver ─► trials ─► state ─► a method ─► probabilities ─► the arm that is drawn

docs/bandits.md has the methods, their sources, and how late a click counts.
"""
