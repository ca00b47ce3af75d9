"""What the two doors, collector and serving, have in common: answers, bodies, CORS, rates, and Granian around an app."""
