"""The clinic: where you show what you can do.

In `sabotage.py`, broken requests are made from the doctor's own table, and you name the cause. What
it makes them with is in `faults.py` and `programs.py`; `desk.py` writes them for a terminal.
"""
