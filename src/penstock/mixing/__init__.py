"""Several datasets as one: elements that are alike, and mixtures, whose elements come from a dataset picked for each.

`alike.py` compares structures, `places.py` puts rows of several inputs into one order. A mixture is a node
(`mixture.py`) with a `Picker` (`picks.py`, `drawn.py`, `even.py`). It runs over streams (`operator.py`), or by index,
where counting picks tells which element of which input comes (`ledger.py`).
"""
