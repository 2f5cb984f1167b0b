"""The API reference: the table of operations, the OpenAPI document built from it, and helpers to render it."""
