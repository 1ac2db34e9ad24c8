"""How long the console's pages take on the server when the statistics have a million rows."""
