"""The composition: builds the objects of a worker from the settings."""

from gateway.services.build import Services, build_services

__all__ = ["Services", "build_services"]
