"""The operator's JSON API. `create_admin` makes it; tokens with scopes open it."""

from inkgate.service.admin.app import PATH, create_admin

__all__ = ["PATH", "create_admin"]
