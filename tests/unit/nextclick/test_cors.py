"""What pages are told of who may ask, by preflights as browsers send them."""

from nextclick.web import cors


def allowed_names(wanted: str | None) -> str:
    names = {} if wanted is None else {"access-control-request-headers": wanted}
    preflight = {"origin": "https://shop.example", "access-control-request-method": "POST", **names}
    return dict(cors.headers(preflight, ()))["access-control-allow-headers"]


def test_a_preflight_allows_the_headers_that_it_asks_for() -> None:
    assert allowed_names("anonymousid,authorization,content-type") == "anonymousid, authorization, content-type"
    assert allowed_names("Rsa-Retry-Attempt , SentAt") == "Rsa-Retry-Attempt, SentAt"
    assert "content-type" in allowed_names(None)


def test_what_is_no_name_of_a_header_is_left_out_and_so_is_the_end_of_a_long_list() -> None:
    assert allowed_names("x-a, x b, \u00fc, , x-c\r\nset-cookie: 1, " + "n" * 65) == "x-a"
    assert len(allowed_names(",".join(f"x-{n}" for n in range(9_999))).split(", ")) == 64


def test_a_page_that_is_not_on_the_list_is_allowed_nothing() -> None:
    preflight = {"origin": "https://other.example", "access-control-request-method": "POST"}
    assert dict(cors.headers(preflight, ["https://shop.example"])) == {"vary": "Origin"}
