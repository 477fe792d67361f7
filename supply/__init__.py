"""Checks of the dependencies: advisories and licences. Not part of the package."""
