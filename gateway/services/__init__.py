"""The composition: settings in, working objects out."""

from gateway.services.build import Services, build_services

__all__ = ["Services", "build_services"]
