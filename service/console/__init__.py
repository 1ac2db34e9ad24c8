"""The console: what customers and operators do and see on a page. Pages are rendered here; nothing is built.

`create_console` makes the application. A page is one view-model function, which a test calls alone, and one template.
"""

from inkgate.service.console.app import create_console
from inkgate.service.console.parts import Parts

__all__ = ["Parts", "create_console"]
