"""InkGate: a self-hosted OCR service. Start reading at `inkgate.service.gateway.pipeline`: the steps of one call."""

__version__ = "1.0.0"
