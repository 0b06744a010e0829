import pytest


def test_a_deleted_session_is_gone(sessionguard):
    cart = sessionguard.create(data={"items": 1})
    assert sessionguard.get(cart).data == {"items": 1}
    assert sessionguard.touch(cart).found
    assert sessionguard.delete(cart).found
    assert sessionguard.get(cart).refused
    assert sessionguard.touch(cart).refused
    assert sessionguard.delete(cart).refused


@pytest.mark.parametrize("plus", ["0s", "1s"])
def test_an_expired_session_is_gone(sessionguard, plus):
    cart = sessionguard.create(data={"items": 1})
    sessionguard.advance_to_timeout(cart, plus=plus)
    assert sessionguard.delete(cart).refused


def test_nobody_has_a_session_that_was_never_made(sessionguard):
    assert sessionguard.get("nobody").refused
    assert sessionguard.delete("nobody").refused
