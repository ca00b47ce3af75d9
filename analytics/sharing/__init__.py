"""Tables of gold and reports for partners: the open Delta Sharing protocol, read only.

    conf/shares.toml ─► shares ─► tables: what may be seen, at a version ─► cut_files ─► app ─► who has a token

A partner is handed copies that hold nothing else than the columns and sites that were named: `cut_files` keeps them.
The protocol: https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md.
"""
