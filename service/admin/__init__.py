"""The admin API: JSON over HTTP for operators, authorised by tokens with scopes. `app.create_admin` builds it.

Nothing is imported here: every command needs the table of tokens (`tables`), and FastAPI takes longer to import than
most commands run.
"""
