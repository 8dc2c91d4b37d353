from strikelake.orders import Effect, Leg, OrderStatus, Side, client_order_id

LONG = Leg("AAPL250117C00250000", Side.BUY, Effect.OPEN)
SHORT = Leg("AAPL250117C00255000", Side.SELL, Effect.OPEN)


def test_the_same_decision_has_the_same_name_in_every_process():
    assert client_order_id("A", "debit_spread", 7, (LONG, SHORT)) == "sl-6574a7e1d1f8e8801e460e4440de"


def test_the_order_of_legs_does_not_matter_and_everything_else_does():
    base = client_order_id("A", "debit_spread", 7, (LONG, SHORT))
    assert client_order_id("A", "debit_spread", 7, (SHORT, LONG)) == base
    others = {
        client_order_id("B", "debit_spread", 7, (LONG, SHORT)),
        client_order_id("A", "long_call", 7, (LONG, SHORT)),
        client_order_id("A", "debit_spread", 8, (LONG, SHORT)),
        client_order_id("A", "debit_spread", 7, (LONG,)),
        client_order_id("A", "debit_spread", 7, (LONG, SHORT), attempt=1),
    }
    assert len(others - {base}) == 5


def test_which_states_can_still_fill():
    assert [s.name for s in OrderStatus if s.is_open] == ["NEW", "ACCEPTED", "PARTIALLY_FILLED"]
