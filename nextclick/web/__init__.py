"""What the two servers, collector and API, have in common: answers, bodies, CORS, rates, and Granian around an app."""
