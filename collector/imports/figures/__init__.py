"""Figures of a day that others say, costs and market, and how files of them come into silver."""
