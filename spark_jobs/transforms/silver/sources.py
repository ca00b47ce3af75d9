"""What is known of where visitors come from: hosts, names of campaign sources, media and click ids, by channel. Data only."""

from typing import Final

HOSTS: Final = {
    "ai_assistant": (
        "chatgpt.com", "chat.openai.com", "openai.com", "perplexity.ai", "claude.ai", "anthropic.com", "gemini.google.com",
        "bard.google.com", "notebooklm.google.com", "copilot.microsoft.com", "copilot.com", "deepseek.com", "chat.mistral.ai",
        "mistral.ai", "grok.com", "x.ai", "meta.ai", "poe.com", "you.com", "phind.com", "doubao.com", "kimi.com",
    ),
    "email": (
        "mail.google.com", "inbox.google.com", "outlook.live.com", "outlook.com", "outlook.office.com", "outlook.office365.com",
        "mail.yahoo.com", "mail.yandex.ru", "mail.aol.com", "mail.proton.me", "e.mail.ru", "gmx.net", "mail.qq.com", "zoho.com",
        "com.google.android.gm",
    ),
    "organic_social": (
        "facebook.com", "fb.com", "fb.me", "messenger.com", "instagram.com", "threads.net", "threads.com", "twitter.com", "x.com",
        "t.co", "linkedin.com", "lnkd.in", "pinterest.com", "pin.it", "reddit.com", "redd.it", "tiktok.com", "youtube.com",
        "youtu.be", "snapchat.com", "whatsapp.com", "wa.me", "telegram.org", "t.me", "discord.com", "quora.com", "tumblr.com",
        "medium.com", "vk.com", "ok.ru", "weibo.com", "weixin.qq.com", "bsky.app", "mastodon.social", "mastodon.online", "xing.com",
        "news.ycombinator.com", "twitch.tv", "vimeo.com", "nextdoor.com", "line.me", "disqus.com", "slack.com",
        "com.facebook.katana", "com.instagram.android", "com.twitter.android", "com.linkedin.android",
    ),
    "organic_search": (
        "duckduckgo.com", "baidu.com", "ecosia.org", "qwant.com", "startpage.com", "search.brave.com", "naver.com", "seznam.cz",
        "sogou.com", "so.com", "kagi.com", "ask.com", "search.aol.com", "lycos.com", "dogpile.com", "metager.de", "mojeek.com",
        "swisscows.com", "daum.net", "coccoc.com", "ya.ru", "com.google.android.googlequicksearchbox",
    ),
}  # fmt: skip
"""Hosts that a referrer may name, or end with; the first channel that has one counts."""

SEARCH_NAMES: Final = ("google", "bing", "yahoo", "yandex")
"""Search engines that have a host in many countries: google.de, search.yahoo.co.jp."""

SOURCES: Final = {
    "direct": ("direct", "(direct)"),
    "email": ("email", "e-mail", "mail", "newsletter"),
    "organic_social": (
        "facebook", "fb", "instagram", "ig", "threads", "twitter", "x", "linkedin", "pinterest", "reddit", "tiktok", "youtube",
        "snapchat", "whatsapp", "telegram", "discord", "mastodon", "bluesky", "vk", "weibo", "quora", "tumblr",
    ),
    "ai_assistant": ("chatgpt", "openai", "perplexity", "claude", "gemini", "copilot", "deepseek", "mistral", "grok"),
    "organic_search": ("google", "bing", "yahoo", "yandex", "duckduckgo", "baidu", "ecosia", "qwant", "brave", "startpage", "naver"),
}  # fmt: skip
"""What utm_source says, beside hosts."""

MEDIA: Final = {
    "display": ("display", "banner", "cpm", "expandable", "interstitial", "native", "programmatic"),
    "paid_social": ("paid_social", "paidsocial", "social_paid", "cpc_social"),
    "paid_search": ("cpc", "ppc", "cpv", "sem", "paid", "paid_search", "paidsearch", "retargeting", "remarketing"),
    "email": ("email", "e_mail", "mail", "newsletter"),
    "affiliate": ("affiliate", "affiliates", "partner"),
    "organic_social": ("social", "organic_social", "social_organic", "social_network", "social_media", "sm"),
    "organic_search": ("organic", "organic_search"),
    "referral": ("referral", "link"),
}  # fmt: skip
"""What utm_medium says, in lower case and with _ for a space or a hyphen."""

CLICK_IDS: Final = {
    "paid_search": ("gclid", "gbraid", "wbraid", "msclkid", "yclid"),
    "display": ("dclid",),
    "paid_social": ("ttclid", "twclid", "li_fat_id", "sccid", "rdt_cid", "epik"),
    "organic_social": ("fbclid", "igshid", "igsh"),  # on links that people share as well as on paid ones
    "email": ("mc_eid", "_hsenc", "mkt_tok", "vero_id"),
    "affiliate": ("irclickid", "cjevent", "awc"),
}
"""Parameters by which a network marks whom it sent."""

TRACES: Final = (
    "gclsrc", "gad_source", "gad_campaignid", "srsltid", "mc_cid", "_hsmi", "_ga", "_gl", "s_kwcid", "oly_anon_id", "oly_enc_id",
)  # fmt: skip
"""Further parameters that tell of a campaign or a click, and not of the page."""

SESSION_IDS: Final = (
    "phpsessid",
    "jsessionid",
    "asp.net_sessionid",
    "sessionid",
    "session_id",
    "sessid",
    "cfid",
    "cftoken",
)
"""Parameters that hold the site's own session; `sid` is one where its value looks like it."""
