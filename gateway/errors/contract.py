"""Codes and messages of the provider's contract, verbatim, that several errors share."""

VALIDATION_FAILED = (422, "The request parameters failed validation checks")
FETCH_FAILED = (451, "Failed to fetch the image. Kindly verify any access limits set by you or your service provider")
NO_PERMISSION = (401, "You do not have access permissions")
TOO_MANY_REQUESTS = (429, "Too many requests, please try again later")
UNDER_MAINTENANCE = (455, "System is currently undergoing maintenance")
