"""Gateway memory and event-loop latency for request bodies of many shapes."""
