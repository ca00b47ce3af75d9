"""A small shop to click in: pages rendered on the server, its recommendations from the API, its clicks to the collector."""
