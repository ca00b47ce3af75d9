"""Audiences from the tables: who entered and left, who belongs tonight, and what is asked of that. docs/audiences.md."""
