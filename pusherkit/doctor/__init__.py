"""The doctor: which mistake is behind a refused request, with proof. Pure.

In reading order:

- `mistakes.py`: the table of known mistakes, one small function each.
- `search.py`: `diagnose()` signs a request again under each of them, and names those that
  reproduce what was received.
- `refusals.py`: `diagnose_refusal()` reads what a server said, and proves the mistake where that
  quotes what was signed. The sentences that it knows are in `sentences.py`, and `wrappings.py`
  takes them out of JSON, HTML, logs and exceptions.
- `failures.py`: `explain_failure()` reads what isn't a refusal: no connection, another server.
- `subscriptions.py`: `diagnose_subscription()` does the same for the auth of a subscription or a
  sign-in, with the mistakes of `subscription_mistakes.py`.
- `webhooks.py`: `diagnose_webhook()` does it for a webhook. What it has in common with
  subscriptions is in `signed_texts.py`.
- `pasted.py`: finds out what a text is, and makes requests, subscriptions and webhooks of it. The
  forms that people paste are in `forms/`.
- `consult.py`: the door. A text goes in, and a report comes out, with the same request signed
  right. `misplaced.py` seeks parameters that aren't in the query, and `door.py` lets no secret out.
- `vectors.py`: asks which mistakes a test vector would let pass.
"""
