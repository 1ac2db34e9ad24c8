"""InkGate: a self-hosted OCR service. Start reading at `inkgate.service.gateway.pipeline`: the steps of one call."""

__version__ = "0.1.0"
