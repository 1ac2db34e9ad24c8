"""`inkgate ocr`: reads images, folders and PDF files without a server, with the checks and answers of the service."""
