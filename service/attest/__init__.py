"""Evidence packs: what an installation is and does, collected on its own machine and signed with the audit key."""
