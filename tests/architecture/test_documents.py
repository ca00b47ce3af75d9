"""Pages that follow from the code are the code's own."""

from nextclick import dataflow


def test_dataflow_page_is_what_the_catalog_says() -> None:
    assert dataflow.PAGE.read_text(encoding="utf-8") == dataflow.render(), "run `make docs`"
