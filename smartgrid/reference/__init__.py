"""The reference pages of the docs, made from the code: ``make docs``.

A test holds the files in ``docs/reference`` to what this package gives, so none of them is edited by hand.
"""
