"""What runs outside: in an environment of its own, whose pins the product's own cannot meet.

Its packages may import nothing of the product, and the product imports none of them: they speak JSON lines.
"""
