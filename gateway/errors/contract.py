"""What the provider's contract says to several errors: its code, and its message verbatim."""

VALIDATION_FAILED = (422, "The request parameters failed validation checks")
FETCH_FAILED = (451, "Failed to fetch the image. Kindly verify any access limits set by you or your service provider")
NO_PERMISSION = (401, "You do not have access permissions")
TOO_MANY_REQUESTS = (429, "Too many requests, please try again later")
UNDER_MAINTENANCE = (455, "System is currently undergoing maintenance")
