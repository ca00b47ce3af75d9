"""nextclick share TARGET | serve | recipient | reads | link: what others may see, and who did."""

import click

from cli.sharing import copies, links, recipients, server


@click.group("share", cls=copies.CopyByDefault)
def share() -> None:
    """Copy gold and the reports to where BI tools read them, or let partners read chosen tables, or one page, until a day.

    \b
    nextclick share shop.duckdb                       a copy as a file; docs/bi.md
    nextclick share postgresql://shop@db.example/bi   a copy in PostgreSQL, by what changed
    nextclick share recipient add acme --days 90      a token, in a file for acme
    nextclick share serve                             Delta Sharing, on loopback
    nextclick share reads --recipient acme            what acme read
    nextclick share link /overview --days 7           a link to one page of the dashboard

    conf/shares.toml names the tables, columns and sites that a recipient may see; docs/sharing.md.
    """


for _command in (copies.copy, server.serve, recipients.recipient, recipients.reads, links.link, links.unlink):
    share.add_command(_command)
