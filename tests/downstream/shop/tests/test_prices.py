from shop.prices import price


def test_many_items_are_cheaper():
    assert price(11) == 99


def test_few_items_have_the_full_price():
    assert price(1) == 10
