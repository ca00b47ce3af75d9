"""Every decision and every webhook until it is final, and whose turn it is to make and to send them."""
