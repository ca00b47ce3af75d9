"""Tests that go through pages, servers and the demo, from one end to the other: a package, so that its fixtures can be its own."""
