"""The audit trail: who changed money or keys, when, and what. Append-only by a trigger in the database."""
