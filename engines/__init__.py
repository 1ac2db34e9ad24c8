"""The engine room: pictures in, lines, cards, plates and licences out. Knows nothing of HTTP, Redis or SQL."""
