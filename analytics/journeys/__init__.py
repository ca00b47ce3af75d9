"""What visitors do one after the other: whose events they are, and the chains of a funnel in them."""
