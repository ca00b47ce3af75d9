"""What each table must hold before the next station may use it, and what follows when it does not."""
