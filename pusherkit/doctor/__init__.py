"""The doctor: which mistake is behind a refused request, with proof. Pure.

In reading order:

- `mistakes.py`: the table of known mistakes, one small function each.
- `search.py`: `diagnose()` signs a request again under each of them, and names those that
  reproduce what was received.
- `refusals.py`: `diagnose_refusal()` reads what a server said, where the secret isn't at hand.
- `pasted.py`: makes a request of what people paste.
- `vectors.py`: asks which mistakes a test vector would let pass.
"""
