"""What visitors do one after the other: whose events they are, in which days, and how people write them."""
