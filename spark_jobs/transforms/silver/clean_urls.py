"""SQL that takes out of an address what tells of the visitor or the campaign, and not of the page."""

import re
from itertools import chain
from typing import Final

from nextclick.redaction import SECRET_PARAMETER
from spark_jobs.transforms.silver.sources import CLICK_IDS, SESSION_IDS, TRACES

_NAMES: Final = "|".join(re.escape(name) for name in (*chain.from_iterable(CLICK_IDS.values()), *TRACES, *SESSION_IDS))
_ADDRESS: Final = r"(?:@|%(?:25){0,3}40)(?!\d(?:\.\d)?x\.)(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,}"
_EMAIL: Final = rf"[^&;#?]*(?<=[\w.+-]){_ADDRESS}[^&;#?]*"
_NAMED: Final = rf"(?:utm_\w+|aspsessionid\w*|{_NAMES})(?:=[^&;#?]*)?"
_SECRET: Final = rf"{SECRET_PARAMETER}=[^&;#?]*"
_PARAMETERS: Final = (
    rf"(?i)(?<=[?&;#])(?:{_NAMED}|{_SECRET}|sid=[0-9a-z-]{{16,}}|(?!(?<=#)/){_EMAIL})(?:[&;]|(?=[#?]|\z))"
)
"""A parameter to take out, with the separator behind it. Each try ends at the next separator, so a hostile address costs no more."""
_LEFT_OVER: Final = r"(?<![?&;#])(?:[?&;]++(?=#[^&;]|\z)|[?&;]*+#[&;]*+\z)"
_USERINFO: Final = r"(?i)^([a-z][a-z0-9+.-]*:)?//[^/?#]*@"
_IN_PATH: Final = r"(?i);jsessionid=[^?#&;]*"
_EMAIL_IN_PATH: Final = rf"(?i)(?<=/)(?<!//)[^/?#@]{{1,128}}?(?<=[\w.+-]){_ADDRESS}"


def cleaned(url: str) -> str:
    """SQL of the address in the SQL `url`: as it is where nothing is to be taken out."""
    path = f"regexp_replace(replace({url}, '&amp;', '&'), r'{_IN_PATH}', '')"
    path = f"CASE WHEN contains({url}, ';') THEN {path} ELSE {url} END"
    query = f"regexp_replace(regexp_replace({path}, r'{_PARAMETERS}', ''), r'{_LEFT_OVER}', '')"
    rest = f"CASE WHEN {url} RLIKE '[?;#]' THEN {query} ELSE {url} END"
    named = f"regexp_replace(regexp_replace({rest}, r'{_USERINFO}', '$1//'), r'{_EMAIL_IN_PATH}', 'redacted')"
    return f"CASE WHEN {url} RLIKE '@|%(25)*40' THEN {named} ELSE {rest} END"
