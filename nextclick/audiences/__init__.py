"""Audiences: who belongs where, by conditions of conf/audiences/NAME.toml. Pure; docs/audiences.md teaches the form.

    conf/audiences/ ─► definitions.load ─► membership(audience, facts) ◄─ facts: the live profile, or all that the tables hold

One function answers for the live path, for requests and for the nightly job.
"""
