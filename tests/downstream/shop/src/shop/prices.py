"""What a number of items costs."""


def price(items):
    if items > 10:
        return items * 9
    return items * 10
