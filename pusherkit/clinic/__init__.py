"""The clinic: where you show what you can do.

The capstone is judged from outside, by what reaches a practice server, so it takes a program in any
language. `capstone.py` has the goals and what is known of each; `api.py` is the practice server
that keeps that; `tasks.py` and `page.py` write it for programs and people. They are pure.
`command.py` is `pusherkit clinic`.

For another view of the same thing, a notebook's say: make a Clinic, let requests reach it through
a SandboxServer (`build=`) or a SandboxTransport, and show its `state`, which never changes but is
replaced; `changed` is called with each new one.

The queue of broken requests (`--seed`) is in `sabotage.py`. It's made with `faults.py`,
`programs.py` and `scenes.py`, and `desk.py` is the conversation about it. All of them are pure.
"""
