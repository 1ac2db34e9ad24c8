"""QR codes for InkGate: a capability (`capability.py`) and its reader (`reader.py`)."""
