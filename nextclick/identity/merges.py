"""Which users are one person: merges of silver.identities, closed over chains and circles (docs/identity.md)."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MOST_USERS: Final = 64
"""A visitor with more users is no device but one id for many: what is anonymous there is nobody's of them."""
ONE_SPACE: Final = ("posthog", "mixpanel")
"""Sources whose `distinct_id` names devices and users alike: there the id of a user is a visitor's, too."""


def closed(links: pa.Table) -> pa.Table:
    """Rows of silver.identities that merge one user into another → `site`, `id`, and the `person`, a user id, of all that hang together.

    One pass over all of them, a hundred bytes a merge.
    """
    if not len(links):
        return pa.table({name: pa.array([], pa.string()) for name in ("site", "id", "person")})
    from scipy.sparse import coo_array  # half a second, for which those who know no merges should not wait
    from scipy.sparse.csgraph import connected_components

    links = links.combine_chunks()
    sites = links["site"].combine_chunks().dictionary_encode()
    codes = sites.indices.cast(pa.string())
    ends = (pc.binary_join_element_wise(codes, links[name].combine_chunks(), ":") for name in ("id", "user_id"))
    nodes = pa.concat_arrays(ends).dictionary_encode()
    one, other = nodes.indices.to_numpy().reshape(2, -1)
    size = len(nodes.dictionary)
    count, group = connected_components(coo_array((np.ones(len(one)), (one, other)), (size, size)), directed=False)

    ranked = links.append_column("last", pa.array(~np.isin(other, one))).append_column("group", pa.array(group[other]))
    ranked = ranked.sort_by([(name, "ascending") for name in ("group", "last", "last_at", "last_event_id", "user_id")])
    latest = np.searchsorted(ranked["group"].to_numpy(), np.arange(count), side="right") - 1
    names = pc.split_pattern(nodes.dictionary, ":", max_splits=1)
    return pa.table(
        {
            "site": sites.dictionary.take(pc.list_element(names, 0).cast(pa.int32())),
            "id": pc.list_element(names, 1),
            "person": ranked["user_id"].take(pa.array(latest[group])).combine_chunks(),
        }
    )
