"""Imports the models of all packages, so that `Base.metadata` is complete: for foreign keys, and to compare it
with the migrated schema."""

from __future__ import annotations

from sqlalchemy import MetaData

import inkgate.service.accounts.models
import inkgate.service.admin.models
import inkgate.service.audit.models
import inkgate.service.metering.models
import inkgate.service.notices.models
import inkgate.service.orders.models
import inkgate.service.takeover.models
import inkgate.service.takeover.observation_models
import inkgate.service.usage.models
import inkgate.service.users.models  # noqa: F401
from inkgate.service.db.base import Base

metadata: MetaData = Base.metadata
