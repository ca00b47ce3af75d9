"""History into the landing log: mapping files, readers of files, rows to events, resumable imports."""
