"""Notices 通知: conditions that a user must know of, and their way to people.

    kinds.py        the kinds of notice, who may receive them, thresholds
    conditions.py   which conditions hold now                        (reads the database)
    evaluation.py   conditions → rows of the outbox, each once       (one process at a time)
    channels.py     where notices go: e-mail, webhook, robots; their secrets are sealed
    texts.py        a notice in Chinese or English                   (pure)
    delivery.py     the outbox → people, with retries and back-off
    email.py  webhook.py  robots.py  outbound.py    the ways to send

See docs/adr/0077-notices-outbox.md.
"""
