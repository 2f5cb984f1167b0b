"""Delivery: plan the response to a download, open the file, read it and send it."""
