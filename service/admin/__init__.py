"""The admin API: JSON over HTTP for operators, authorised by tokens with scopes. `create_admin` builds it."""

from inkgate.service.admin.app import PATH, create_admin

__all__ = ["PATH", "create_admin"]
