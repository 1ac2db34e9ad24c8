"""The web console of customers and operators, rendered on the server without a build step.

`create_console` builds the application. A page is one view-model function, which tests call directly, and one template.
"""

from inkgate.service.console.app import create_console
from inkgate.service.console.demo_links import DemoLinks
from inkgate.service.console.parts import ConsoleDependencies

__all__ = ["ConsoleDependencies", "DemoLinks", "create_console"]
