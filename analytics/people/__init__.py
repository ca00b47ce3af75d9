"""Who somebody is, for reports: persons in place of visitors, an audience, and the first day of each."""
