"""Gathers every model, so that `Base.metadata` is whole for migrations and their check."""

from __future__ import annotations

from sqlalchemy import MetaData

import service.accounts.models
import service.admin.models
import service.audit.models
import service.metering.models
import service.orders.models
import service.usage.models
import service.users.models  # noqa: F401
from service.db.base import Base

metadata: MetaData = Base.metadata
