"""InkGate: a self-hosted OCR service. Start reading at `inkgate.service.gateway.pipeline`: the way of one call.

`service` and `engines` here are links to the top-level folders of the repository; a wheel has them as plain folders.
So `inkgate` is the only package that an installation adds to site-packages (ADR 0005).
"""
