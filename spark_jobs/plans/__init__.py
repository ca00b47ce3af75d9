"""Plans of few rows: what a batch holds in them, and what is made once for all batches."""
