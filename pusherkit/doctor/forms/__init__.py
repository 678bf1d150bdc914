"""The forms in which people paste a request, a subscription or a webhook; a file for each kind.

`parts.py` is what they all make; `pasted.py`, one room up, asks them in turn. Pure: no file that a
text names is opened, and nothing in it is run.
"""
