"""WSGI middleware: applications that wrap an application, one module each."""
