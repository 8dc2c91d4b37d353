"""Tables on narrow terminals, and money."""

from rich.console import Console

from flows.tables import _dollars, empty


def printed(table, width):
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_a_number_that_does_not_fit_is_seen_to_be_cut():
    table = empty("table", ">rows", ">more rows")
    table.add_row("option_quotes", "2,329,017", "2,329,017")
    assert "2,329,017" in printed(table, 60)
    narrow = printed(table, 24)
    assert "2,329,0" not in narrow.replace("2,329,017", "")
    assert "…" in narrow


def test_a_loss_has_its_sign_before_the_dollars():
    assert [_dollars(value) for value in (-149.35, 0.0, 25_000)] == ["-$149.35", "$0.00", "$25,000.00"]
