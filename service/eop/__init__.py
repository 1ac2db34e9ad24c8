"""EOP signatures (manual 6.2.2, 6.2.3; CONTRACT section 2). Pure."""
