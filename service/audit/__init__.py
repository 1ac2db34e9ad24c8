"""Audit trail of changes: actor, time, action, subject. Append-only, enforced by a database trigger."""
