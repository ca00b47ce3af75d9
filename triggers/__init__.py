"""Who is sent what: campaigns that start by themselves.

    conf/triggers/NAME.toml ─► occasions (silver, as it is) ─► decision ─► outbox (SQLite) ─► webhook
                                                                  └──────────► landing log ─► silver.sends

An occasion is due once; its id is a hash of what it is, so that looking again, restarts and several workers change nothing.
docs/triggers.md teaches it.
"""
